"""Cost as the work grows: seconds a step against clips, frames, joints, queue, prototypes, positives and ranks.

Each has a formula, a straight line a + b x; the line that fits the measured points best in relative terms is drawn
beside them, and how far any point is from it tells whether the formula holds.

R ranks share one batch. Of what one process would compute in a step, each computes a share b / R, and a part a of it
whatever their number: optimizer, moving average, the clustering that all wait for. What it sends and receives, the
gradients in a ring and its share of the keys, is c (R - 1) / R = c - c / R. The sum is a straight line in 1 / R, with
constant a + c and slope b - c.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from halpose.bench.ranks import NUMBERS, Team, possible_ranks
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
        is_shared: whether the line is one in 1 / x: so many share the work.
    """

    name: str
    values: tuple[int, ...]
    formula: str
    vary: Callable[[Config, int], Config]
    is_small: bool = False
    is_shared: bool = False


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
        is_shared: whether it is a line in 1 / x.
    """

    axis: str
    formula: str
    values: tuple[int, ...]
    seconds: tuple[float, ...]
    constant: float
    slope: float
    deviation: float
    is_shared: bool = False

    def at(self, value: float) -> float:
        """The line's seconds."""
        return self.constant + self.slope * (1 / value if self.is_shared else value)


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
RANKS = Axis("ranks", NUMBERS, "a + b / R: one batch shared, gradients exchanged", _same, is_shared=True)


def measure_growth(config: Config, device: torch.device, progress: Progress = silent) -> list[Growth]:
    """Seconds of a HaLP step along every axis, the values of an axis in turn; of ranks as many as are possible.

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
            found.append(_measured(axis, calls, config))
        numbers = possible_ranks(device, config.batch_size)[0]
        if numbers:
            progress("growth with ranks", 0, 0)
            found.append(_measure_ranks(replace(RANKS, values=numbers), config, Path(folder), device))
    return found


def _measure_ranks(axis: Axis, config: Config, folder: Path, device: torch.device) -> Growth:
    """Teams of all sizes are there at once, and one of them works at a time."""
    store, own = _store(folder, _CLIPS, _LAYOUTS[25]), _settings(config)
    with ExitStack() as stack:
        teams = {n: stack.enter_context(Team(n, store.path, own, _begin(own), device)) for n in axis.values}
        calls = {str(n): partial(team.turn, own.halp.refresh) for n, team in teams.items()}
        return _measured(axis, calls, own)


def _measured(axis: Axis, calls: Mapping[str, Callable[[], None]], config: Config) -> Growth:
    turns = in_turn(calls, _ROUNDS).values()
    # The quickest turn: what other programs do to a machine can only add.
    return fit(axis, tuple(min(taken) / config.halp.refresh for taken in turns))


def fit(axis: Axis, seconds: tuple[float, ...]) -> Growth:
    """The line a + b x with the least relative squares, neither below zero; of ranks b is, where they only cost."""
    x: Float[np.ndarray, " n"] = np.array(axis.values, dtype=float)
    if axis.is_shared:
        x = 1 / x
    y: Float[np.ndarray, " n"] = np.array(seconds)
    table = np.stack([np.ones_like(x), x], axis=1) / y[:, None]
    constant, slope = np.linalg.lstsq(table, np.ones_like(y), rcond=None)[0]
    is_falling = slope < 0 and not axis.is_shared
    if is_falling or constant < 0:  # faster with more of it, or nothing without it: noise
        only = table[:, 0] if is_falling else table[:, 1]
        best = float(only.sum() / (only**2).sum())
        constant, slope = (best, 0.0) if is_falling else (0.0, best)
    deviation = float(np.abs((constant + slope * x) / y - 1).max())
    line = float(constant), float(slope), deviation
    return Growth(axis.name, axis.formula, axis.values, seconds, *line, axis.is_shared)


def _turn(trainer: Trainer) -> None:
    """As many steps as lie between two clusterings, so that one is in it."""
    for _ in range(trainer.config.halp.refresh):
        trainer.take_step()


def _trainer(config: Config, axis: Axis, value: int, folder: Path, device: torch.device) -> Trainer:
    own = _settings(config)
    if axis.is_small:
        own = replace(own, encoder=replace(own.encoder, width=16), data=replace(own.data, frames=16))
    own = axis.vary(own, value)
    store = _store(folder, value if axis.name == "clips" else _CLIPS, _LAYOUTS[value if axis.name == "joints" else 25])
    trainer = Trainer(store, fit_config(store, own)[0], folder / "run", device)  # nothing is written
    trainer.step = _begin(own)
    return trainer


def _settings(config: Config) -> Config:
    return replace(config, method="halp", steps=_SCHEDULE)


def _begin(config: Config) -> int:
    """The first step with HaLP in it."""
    return int(config.halp.start * config.steps) + 1


def _store(folder: Path, clips: int, layout: str) -> Store:
    path = folder / f"{clips}-{layout}"
    return Store.open(path) if path.exists() else random_store(path, clips, layout=layout)
