"""Where the hallucinated points of a training lie, and what its curves were: the labels look on, nothing else does.

    python benchmarks/evidence/diagnosis.py runs/utd-halp --on stores/utd-mhad

A point is right when the nearest real key of another clip has its anchor's class. Keys, clips and prototypes are those
that the last steps of the training worked with: the queue's, and the centres of its newest keys, found again so that
trainings without HaLP are measured by the same rule.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from halpose.ablate.equation2 import seen_keys
from halpose.config import HalpConfig
from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.parts.geodesic import Limits, hallucinate, limits, mean_walk
from halpose.parts.positives import expected_points
from halpose.parts.prototypes import cluster_sphere

STEPS = np.linspace(0, 1, 11)
"""t: shares of the way from a key to a prototype at which points are looked at."""

FORMS: dict[str, dict[str, Any]] = {
    "paper": {"toward": "prototypes", "interval": "paper", "nearest": 0},
    "published": {"toward": "prototypes", "interval": "published", "nearest": 0},
    "hardest": {"toward": "prototypes", "hardest": True, "nearest": 0},
    "nearest 3": {"toward": "prototypes", "interval": "paper", "nearest": 3},
    "nearest 1": {"toward": "prototypes", "interval": "paper", "nearest": 1},
    "own": {"toward": "own"},
}
"""Walks, in whose mean Eq. 8 differs or not."""

ANCHORS, WALKS = 256, 8
CURVES = ("infonce", "halp", "pull", "kept", "alignment", "uniformity", "share.halp", "share.pull")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--on", type=Path, required=True, help="the store they were trained on")
    chosen = parser.parse_args()
    store = Store.open(chosen.on)
    for path in chosen.runs:
        found = diagnose(Run.load(path), store)
        print(json.dumps({"run": path.name} | {name: found[name] for name in found if name != "curves"}), flush=True)


def diagnose(run: Run, store: Store) -> dict[str, Any]:
    """Curves of a training, and what is found along the walks at its end.

    Args:
        run: trained on `store`; its first stream is looked at.
        store: for the class and the person of each clip.

    Returns:
        `curves`: name -> values at `curves.step`. `others`, `own`: for each t the share of right points on the way to
        another prototype (`right`), how often their nearest key is of the anchor's person (`person`), and how many the
        rank filter keeps (`kept`); on the way to its own prototype all are kept. `purity`, `purity.person`: share of
        the keys that have the class (are of the person) that is most frequent around their prototype. `degrees`: for
        each form of Eq. 8 the angle between the key and the mean hallucinated point, which is all that Eq. 8 pulls
        toward. `drift`: of what that point is beside the key, the share that is the same for all anchors.
    """
    stream = next(iter(run.method.stream_table().values()))
    keys, clips = seen_keys(stream)
    chosen = store.part(run.config.data.split, run.config.data.part)[clips]
    classes, people = store.clips.label[chosen], np.unique(store.clips.subject[chosen], return_inverse=True)[1]
    points = torch.from_numpy(keys)
    settings = run.config.halp
    generator = torch.Generator().manual_seed(run.config.seed)
    prototypes = cluster_sphere(points[: settings.newest], min(settings.prototypes, len(points)), generator)
    cell = (points @ prototypes.T).argmax(1).numpy()

    anchors = points[:ANCHORS]
    limit = limits(anchors @ prototypes.T, prototypes @ prototypes.T)
    offset = torch.randint(1, len(prototypes), (len(anchors), WALKS), generator=generator)
    goals = {"others": (limit.nearest[:, None] + offset) % len(prototypes), "own": limit.nearest[:, None]}
    found: dict[str, Any] = {
        name: along(anchors, prototypes, goal, limit.rank.gather(1, goal) if name == "others" else None, keys, clips,
                    classes, people)
        for name, goal in goals.items()
    }  # fmt: skip
    return {
        "curves": curves(run.path),
        "t": STEPS.round(2).tolist(),
        **found,
        **mean_point(anchors, prototypes, limit, settings),
        "purity": purity(cell, classes),
        "purity.person": purity(cell, people),
    }


def along(
    anchors: torch.Tensor,
    prototypes: torch.Tensor,
    goal: torch.Tensor,
    end: torch.Tensor | None,
    keys: np.ndarray,
    clips: np.ndarray,
    classes: np.ndarray,
    people: np.ndarray,
) -> dict[str, list[float]]:
    """Right points, points beside the same person, and kept points, for each t."""
    count = len(anchors)
    own_clip = clips[None] == clips[:count, None]
    rows: dict[str, list[float]] = {"right": [], "person": [], "kept": []}
    for t in STEPS:
        made = hallucinate(anchors, prototypes, goal, torch.full(goal.shape, float(t), dtype=anchors.dtype)).numpy()
        right, person = [], []
        for walk in range(goal.shape[1]):
            similarity = made[:, walk] @ keys.T
            similarity[own_clip] = -np.inf
            nearest = similarity.argmax(1)
            right.append(classes[nearest] == classes[:count])
            person.append(people[nearest] == people[:count])
        rows["right"].append(round(float(np.mean(right)), 4))
        rows["person"].append(round(float(np.mean(person)), 4))
        rows["kept"].append(1.0 if end is None else round(float((t <= end + 1e-9).double().mean()), 4))
    return rows


def mean_point(
    anchors: torch.Tensor, prototypes: torch.Tensor, limit: Limits, settings: HalpConfig
) -> dict[str, dict[str, float]]:
    """What Eq. 8 comes to: it is linear in the points, so that only their mean counts."""
    found: dict[str, dict[str, float]] = {"degrees": {}, "drift": {}}
    for name, form in FORMS.items():
        eq8 = replace(settings, placement="beside", estimator="expected", rejected="dropped", **form)
        if eq8.toward == "own":
            own = limit.nearest[:, None]
            omega = limit.omega.gather(1, own)
            alpha, beta = mean_walk(torch.zeros_like(omega), torch.full_like(omega, eq8.hardness), omega)
            mean = alpha * anchors + beta * prototypes[limit.nearest]
        else:
            points, _ = expected_points(limit, eq8)
            share = torch.zeros_like(limit.omega).scatter_add(1, points.selected, points.weight * points.beta)
            mean = (points.weight * points.alpha).sum(1, keepdim=True) * anchors + share @ prototypes
        mean = torch.nn.functional.normalize(mean, dim=1)
        along = (mean * anchors).sum(1, keepdim=True)
        beside = mean - along * anchors
        found["degrees"][name] = round(float(torch.rad2deg(torch.acos(along.clamp(-1, 1))).mean()), 2)
        found["drift"][name] = round(float(beside.mean(0).norm() / beside.norm(dim=1).mean().clamp_min(1e-12)), 3)
    return found


def purity(cell: np.ndarray, names: np.ndarray) -> float:
    """Share of the members of cells that have their cell's most frequent name."""
    return round(sum(np.bincount(names[cell == each]).max() for each in np.unique(cell)) / len(cell), 4)


def curves(path: Path, points: int = 60) -> dict[str, list[float | None]]:
    """What a training logged, at some steps: the mean of the rows between two of them."""
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    blocks = np.array_split(np.arange(len(rows)), min(points, len(rows)))
    found: dict[str, list[float | None]] = {"step": [rows[block[-1]]["step"] for block in blocks]}
    for name in CURVES:
        if any(name in row for row in rows):
            values = [[rows[at][name] for at in block if name in rows[at]] for block in blocks]
            found[name] = [round(float(np.mean(each)), 5) if each else None for each in values]
    return found


if __name__ == "__main__":
    main()
