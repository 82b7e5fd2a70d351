"""Cost as the work grows: seconds a step against clips, frames, joints, queue, prototypes and positives.

Each has a formula, a straight line a + b x; the line that fits the measured points best in relative terms is drawn
beside them, and how far any point is from it tells whether the formula holds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from halpose.bench.timing import in_turn
from halpose.bench.workload import random_store
from halpose.config import Config
from halpose.data.store import Store
from halpose.engine.fitted_config import fit_config
from halpose.engine.trainer import Trainer
from halpose.evaluate.base import Progress, silent

_ROUNDS = 3
_CLIPS = 256
_LAYOUTS = {15: "kinect15", 20: "kinect20", 25: "kinect25", 33: "mediapipe33"}
_SCHEDULE = 1_000_000


@dataclass(frozen=True)
class Axis:
    """One thing that grows.

    Attributes:
        name: what.
        values: how much of it.
        formula: the expected cost, in words.
        vary: (settings, value) -> settings.
        is_small: whether everything else is made small, because next to the encoder it could not be seen.
    """

    name: str
    values: tuple[int, ...]
    formula: str
    vary: Callable[[Config, int], Config]
    is_small: bool = False


@dataclass(frozen=True)
class Growth:
    """What was measured along one axis.

    Attributes:
        axis: name of what grows.
        formula: the expected cost, in words.
        values: how much of it.
        seconds: a step, in the quickest of the turns.
        constant, slope: of the line that fits best.
        deviation: largest relative distance of a point from it.
    """

    axis: str
    formula: str
    values: tuple[int, ...]
    seconds: tuple[float, ...]
    constant: float
    slope: float
    deviation: float


def _same(config: Config, value: int) -> Config:
    return config


AXES = (
    Axis("clips", (128, 512, 2048), "constant: a batch is a batch", _same),
    Axis(
        "frames", (16, 32, 64, 96), "a + b T: the encoder sees every frame once",
        lambda config, value: replace(config, data=replace(config.data, frames=value)),
    ),
    Axis("joints", tuple(_LAYOUTS), "a + b V: only the first layer and views see joints", _same),
    Axis(
        "queue", (1024, 4096, 16384, 65536), "a + b K: products with the queue, forward and back",
        lambda config, value: replace(config, contrast=replace(config.contrast, queue=value)), True,
    ),
    Axis(
        "prototypes", (10, 20, 40, 80), "a + b P: clustering and similarities",
        lambda config, value: replace(config, halp=replace(config.halp, prototypes=value)), True,
    ),
    Axis(
        "positives", (25, 100, 400, 1600), "a + b G when sampled; nothing in expectation",
        lambda config, value: replace(config, halp=replace(config.halp, positives=value)), True,
    ),
)  # fmt: skip


def measure_growth(config: Config, device: torch.device, progress: Progress = silent) -> list[Growth]:
    """Seconds of a HaLP step along every axis, the values of an axis in turn.

    Args:
        config: sizes from which each axis departs.
        device: where.
        progress: told which axis is measured.
    """
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for axis in AXES:
            progress(f"growth with {axis.name}", 0, 0)
            trainers = {value: _trainer(config, axis, value, Path(folder), device) for value in axis.values}
            calls = {str(value): partial(_turn, trainer) for value, trainer in trainers.items()}
            turns = in_turn(calls, _ROUNDS).values()
            # The quickest turn: what other programs do to a machine can only add.
            seconds = tuple(min(taken) / config.halp.refresh for taken in turns)
            found.append(fit(axis, seconds))
    return found


def fit(axis: Axis, seconds: tuple[float, ...]) -> Growth:
    """The line a + b x, neither below zero, with the least relative squares."""
    x: Float[np.ndarray, " n"] = np.array(axis.values, dtype=float)
    y: Float[np.ndarray, " n"] = np.array(seconds)
    table = np.stack([np.ones_like(x), x], axis=1) / y[:, None]
    constant, slope = np.linalg.lstsq(table, np.ones_like(y), rcond=None)[0]
    if slope < 0 or constant < 0:  # faster with more of it, or nothing without it: noise
        only = table[:, 0] if slope < 0 else table[:, 1]
        best = float(only.sum() / (only**2).sum())
        constant, slope = (best, 0.0) if slope < 0 else (0.0, best)
    deviation = float(np.abs((constant + slope * x) / y - 1).max())
    return Growth(axis.name, axis.formula, axis.values, seconds, float(constant), float(slope), deviation)


def _turn(trainer: Trainer) -> None:
    """As many steps as lie between two clusterings, so that one is in it."""
    for _ in range(trainer.config.halp.refresh):
        trainer.take_step()


def _trainer(config: Config, axis: Axis, value: int, folder: Path, device: torch.device) -> Trainer:
    own = replace(config, method="halp", steps=_SCHEDULE)
    if axis.is_small:
        own = replace(own, encoder=replace(own.encoder, width=16), data=replace(own.data, frames=16))
    own = axis.vary(own, value)
    store = _store(folder, value if axis.name == "clips" else _CLIPS, _LAYOUTS[value if axis.name == "joints" else 25])
    trainer = Trainer(store, fit_config(store, own)[0], folder / "run", device)  # nothing is written
    trainer.step = int(own.halp.start * _SCHEDULE) + 1
    return trainer


def _store(folder: Path, clips: int, layout: str) -> Store:
    path = folder / f"{clips}-{layout}"
    return Store.open(path) if path.exists() else random_store(path, clips, layout=layout)
