"""Every method learns: its loss falls, and neighbours get better than an untrained encoder finds them.

The clips are told apart by which joints swing how fast; what hides that is a constant offset of every joint, different
in each clip and far larger. The views draw such offsets too, so that ignoring them is what the task asks for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from halpose.data.normalise import clean
from halpose.data.store import PART_CODES, Store, StoreWriter
from halpose.engine.run import Run
from halpose.engine.trainer import train
from halpose.evaluate.run import evaluate_run
from halpose.methods import METHODS
from halpose.settings import load_recipe, override
from halpose.skeleton import Sequence, load_layout

CLASSES, CLIPS, FRAMES = 6, 192, 24
SMALL: Mapping[str, Any] = {
    "steps": 150,
    "batch_size": 48,
    "log_every": 1,
    "data": {"frames": 12, "scale": "none", "align": "none", "centre": "none"},
    "encoder": {"name": "transformer", "width": 32, "layers": 1, "segments": 6, "heads": 2, "pooling": "segments"},
    "contrast": {"embedding": 32, "queue": 128, "momentum": 0.95},
    "views": {
        "crop": [0.9, 1.0],
        "offset": 0.7,
        "pose": 0.0,
        "drift": 0.0,
        "shear": 0.2,
        "yaw": 0.0,
        "mask_joints": 0.0,
        "mask_axis": 0.0,
        "reverse": 0.0,
    },
    "halp": {"newest": 64, "prototypes": 8, "start": 0.5, "placement": "inside"},
    "crosclr": {"mine_after": 0.5},
    "aimclr": {"mine_after": 0.5, "extreme_mask_axis": 0.2, "extreme_reverse": 0.0, "extreme_mirror": 0.0},
    "optimizer": {"warmup": 5, "learning_rate": 1e-3},
}


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory, standing: np.ndarray) -> Store:
    """Swinging joints behind large constant offsets; half the clips are the test part."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("hidden") / "store"
    names = tuple(f"swing {i}" for i in range(CLASSES))
    swinging = [rng.choice(20, 8, replace=False) for _ in names]
    with StoreWriter(
        path, layout=load_layout("kinect20"), people=1, name="hidden", classes=names, synthetic=True
    ) as writer:
        for number in range(CLIPS):
            label = number % CLASSES
            phase = np.linspace(0, (1 + label % 3) * 2 * np.pi, FRAMES) + rng.uniform(0, 0.5)
            positions = standing + rng.normal(0, 0.5, (20, 3)) + rng.normal(0, 0.02, (FRAMES, 20, 3))
            positions[:, swinging[label]] += 0.5 * np.sin(phase)[:, None, None]
            writer.append(clean(Sequence(positions[None].astype(np.float32), "kinect20", f"c{number}", label), 1))
        parts = [PART_CODES[("train", "test")[number // CLASSES % 2]] for number in range(CLIPS)]
        writer.set_split("halves", np.array(parts))
    return Store.open(path)


@pytest.mark.parametrize("method", METHODS)
def test_loss_falls_and_neighbours_get_better(method: str, hidden: Store, tmp_path: Path) -> None:
    config = override(load_recipe(method), SMALL)
    if len(config.streams) == 3:
        config = override(config, {"streams": ["joint", "motion"]})
    if method == "isc":
        # Two encoders that have never met begin with embeddings that have nothing to do with each other.
        streams = ["joint:transformer", "joint:lstm"]
        config = override(config, {"streams": streams, "steps": 400, "contrast": {"momentum": 0.98}})
    train(hidden, config, tmp_path / "run", device="cpu")
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in rows]
    # A queue starts as random vectors, which are easy negatives, and some terms join half way.
    half = config.steps // 2
    first, last = np.mean(losses[8:20]), np.mean(losses[half - 15 : half])
    assert last < first, (first, last)
    trained, untrained = evaluate_run(
        Run.load(tmp_path / "run"), hidden, protocols=("knn",), kinds=("trained", "untrained")
    )
    assert trained.top1 > untrained.top1 + 0.05, (trained.top1, untrained.top1)


@pytest.mark.parametrize("method", ["skt", "halp_skt"])
def test_agreement_without_negatives_leaves_embeddings_apart(method: str, store: Store, tmp_path: Path) -> None:
    """The correlations do not see a mean that all projections share, and the agreement must not make it grow."""
    changes = {"steps": 60, "batch_size": 32, "diagnose": True, "data": {"frames": 12}, "encoder": SMALL["encoder"]}
    train(store, override(load_recipe(method), changes), tmp_path / "run", device="cpu")
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["uniformity"] < -1.5, [row["uniformity"] for row in rows]
