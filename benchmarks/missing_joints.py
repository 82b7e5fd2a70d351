"""Does it help an encoder to know which joints were seen? Flat clips with lost joints, and three ways to read them.

Recordings of a prepared 3-D store are seen by a camera in front of the body, with a pose estimator's errors, in one of
three ways:

- `scattered`: every joint of every frame is lost by itself, and cleaning fills it from the frames around it;
- `stretches`: whole limbs are lost for 10 to 40 frames at a time, and filled;
- `guessed`: as `stretches`, but the estimator says where they are, wrongly, and that it is not sure.

For each, `data.confidence` is none, mask and channel; everything else, seeds and views included, is the same. Scores
are those of `halpose evaluate`, test part, and the differences paired by seed.

    python benchmarks/missing_joints.py stores/utd-mhad --out missing-joints.jsonl
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from jaxtyping import Bool, Float

from halpose.config import Config
from halpose.data.normalise import clean
from halpose.data.store import Store, StoreWriter
from halpose.engine.run import Run
from halpose.engine.trainer import train
from halpose.errors import DataError
from halpose.evaluate.run import evaluate_run
from halpose.mapping import map_joints
from halpose.settings import load_recipe, override
from halpose.skeleton import Sequence, load_layout

WAYS = ("scattered", "stretches", "guessed")
KINDS = ("none", "mask", "channel")
LIMBS = ("left_arm", "right_arm", "left_leg", "right_leg")
NOISE, WRONG = 0.01, 0.12  # metres


def lost(way: str, frames: int, share: float, rng: np.random.Generator) -> Bool[np.ndarray, "t v"]:
    """Which joints of one person the estimator does not see."""
    layout = load_layout("coco17")
    if way == "scattered":
        return rng.random((frames, len(layout))) < share
    gone = np.zeros((frames, len(layout)), bool)
    for limb in LIMBS:
        # Stretches of 25 frames on average, as many as lose the share.
        for start in np.flatnonzero(rng.random(frames + 40) < -np.log1p(-share) / 25) - 40:
            gone[max(0, start) : max(0, start + int(rng.integers(10, 41))), list(layout.parts[limb])] = True
    return gone


def photograph(clip: Sequence, way: str, share: float, rng: np.random.Generator) -> Sequence:
    """A clip as a pose estimator sees it, before cleaning."""
    layout = load_layout("coco17")
    flat: Float[np.ndarray, "m t v c"] = map_joints(clip.skeleton, layout).apply(clip.positions)[..., :2]
    flat = flat + rng.normal(0, NOISE, flat.shape)
    sure = rng.uniform(0.6, 1, flat.shape[:3])
    for person in range(len(flat)):
        gone = lost(way, clip.frames, share, rng)
        if way == "guessed":
            sure[person][gone] = rng.uniform(0.05, 0.4, int(gone.sum()))
            # One error for a limb and a stretch of time, not one for each frame: it wanders slowly.
            walk = np.cumsum(rng.normal(0, WRONG / 5, (clip.frames, 1, 2)), axis=0) + rng.normal(0, WRONG, (1, 17, 2))
            flat[person] += np.where(gone[..., None], walk, 0)
        else:
            flat[person][gone], sure[person][gone] = np.nan, 0
    return replace(clip, positions=flat.astype(np.float32), layout="coco17", confidence=sure.astype(np.float32))


def write_store(source: Store, out: Path, way: str, share: float) -> Store:
    """The recordings of a store, seen that way."""
    rng, kept = np.random.default_rng(0), []
    people = int(source.frames.shape[1])
    with StoreWriter(
        out, layout=load_layout("coco17"), people=people, channels=2, name=source.name, classes=source.classes,
        provenance={**source.meta["provenance"], "normalisation": {}},
    ) as writer:  # fmt: skip
        for number, clip in enumerate(source):
            try:
                writer.append(clean(photograph(clip, way, share, rng), people))
                kept.append(number)
            except DataError:
                continue
        for split, codes in source.clips.split.items():
            writer.set_split(split, codes[kept])
    return Store.open(out)


def main() -> None:
    """Train and score every combination."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("store", type=Path, help="prepared 3-D recordings")
    parser.add_argument("--out", type=Path, required=True, help="a row of JSON for each score is added to it")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1, 2))
    parser.add_argument("--share", type=float, default=0.3, help="of the joints that are lost")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--recipe", default="moco")
    parser.add_argument("--rate", type=float, default=2e-3, help="what recipes had when this was first run")
    parser.add_argument("--protocols", nargs="+", default=("knn", "linear"), help="of halpose evaluate")
    words = parser.parse_args()
    source = Store.open(words.store)
    for way in words.ways:
        with tempfile.TemporaryDirectory() as folder:
            store = write_store(source, Path(folder) / "store", way, words.share)
            assert store.confidence is not None
            seen = float((store.confidence[:, 0] > 127).mean())
            for seed in words.seeds:
                for kind in words.kinds:
                    config: Config = override(
                        load_recipe(words.recipe),
                        {
                            "steps": words.steps,
                            "seed": seed,
                            "data": {"confidence": kind},
                            "optimizer": {"learning_rate": words.rate},
                        },
                        "this benchmark",
                    )
                    begun, out = time.perf_counter(), Path(folder) / f"{kind}-{seed}"
                    train(store, config, out, device="cpu")
                    seconds = time.perf_counter() - begun
                    kinds = ("trained", "raw") if (seed, kind) == (words.seeds[0], words.kinds[0]) else ("trained",)
                    # How often it finds a clip's other view among the negatives: a puzzle that may be too easy.
                    solved = json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])["accuracy"]
                    for result in evaluate_run(Run.load(out), store, protocols=words.protocols, kinds=kinds):
                        row = {
                            "store": source.name, "way": way, "share": words.share, "sure": round(seen, 3),
                            "confidence": kind, "seed": seed, "steps": words.steps, "recipe": words.recipe,
                            "features": result.features, "protocol": result.protocol, "top1": result.top1,
                            "solved": round(solved, 3),
                            "seconds": round(seconds, 1),
                        }  # fmt: skip
                        print(json.dumps(row), flush=True)
                        with words.out.open("a") as file:
                            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
