"""Runs side by side: what each was, what it cost, where their settings differ, and how far apart their scores are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool

from halpose.config import Config
from halpose.data.store import Store
from halpose.engine.checkpoint import latest_step
from halpose.engine.run import Run, Shape, fresh_method, read_run_config
from halpose.errors import CheckpointError
from halpose.evaluate.base import Progress, Settings, silent
from halpose.evaluate.intervals import paired_difference
from halpose.evaluate.run import PROTOCOLS, evaluate_run
from halpose.report.run_page import metric_rows, run_outcome
from halpose.report.run_scores import all_scores, chosen_split
from halpose.settings import flatten

Key = tuple[str, str, str, str, str, str]
"""What makes two scores comparable: data set, split, streams, protocol, variant, features."""

_ORDER = {"trained": 0, "untrained": 1, "raw": 2, "raw-seen": 3}


@dataclass(frozen=True)
class Side:
    """One of the runs that are compared.

    Attributes:
        name: of its directory, longer where several have the same.
        path: its directory.
        config: its settings.
        shape: of its input.
        about: what it was trained on, versions.
        step: of its newest checkpoint.
        outcome: what `run.json` says.
        metrics: what it logged.
        rows: its scores.
    """

    name: str
    path: Path
    config: Config
    shape: Shape
    about: dict[str, Any]
    step: int
    outcome: dict[str, Any]
    metrics: list[dict[str, Any]]
    rows: list[dict[str, Any]]

    @cached_property
    def parameters(self) -> int:
        """How many numbers are learned."""
        method = fresh_method(self.config, self.shape)
        return sum(parameter.numel() for _, parameter in method.query_parameters())

    @cached_property
    def scores(self) -> dict[Key, dict[str, Any]]:
        """Its scores of test parts by what they are of; of two, the first."""
        found: dict[Key, dict[str, Any]] = {}
        for row in self.rows:
            if row["part"] == "test":
                found.setdefault(_key(row), row)
        return found


@dataclass(frozen=True)
class Difference:
    """How far a run's score is from the first run's.

    Attributes:
        value: difference of the shares.
        low: lower end of its 95 % interval.
        high: upper end.
        is_paired: whether it was taken clip by clip; otherwise the two samples are treated as independent, and the
            interval is wider than it need be.
    """

    value: float
    low: float
    high: float
    is_paired: bool

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Line:
    """One score of all runs.

    Attributes:
        key: what it is of.
        rows: of each run; None where it was not scored.
        differences: of each run from the first; None for the first, and where one of the two was not scored.
    """

    key: Key
    rows: tuple[dict[str, Any] | None, ...]
    differences: tuple[Difference | None, ...]

    @property
    def title(self) -> str:
        """Protocol, variant and features, as `halpose evaluate` calls them."""
        _, _, _, protocol, variant, features = self.key
        return f"{protocol} {variant}".strip() + f", {features}"

    @property
    def place(self) -> str:
        """Data set, split, and streams where they are not all."""
        return ", ".join(part for part in self.key[:3] if part)


def read_sides(paths: Sequence[Path]) -> list[Side]:
    """Read run directories, without their weights.

    Raises:
        CheckpointError: one is no run directory, has no checkpoint, or is given twice.
    """
    resolved = [path.resolve() for path in paths]
    for position, path in enumerate(resolved):
        if path in resolved[:position]:
            raise CheckpointError(f"{paths[position]}: given twice; compare different runs")
    short = [path.name for path in resolved]
    names = [path.name if short.count(path.name) == 1 else f"{path.parent.name}/{path.name}" for path in resolved]
    return [_read(path, name) for path, name in zip(paths, names, strict=True)]


def _read(path: Path, name: str) -> Side:
    about, config, shape = read_run_config(path)
    step = latest_step(path)
    if step is None:
        raise CheckpointError(f"{path}: has no checkpoint yet; train it first, or leave it out")
    return Side(name, path, config, shape, about, step, run_outcome(path), metric_rows(path), all_scores(path, step))


def scored_on(
    sides: Sequence[Side],
    store: Store,
    split: str = "",
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> list[Side]:
    """The same runs with k-NN and linear probe of their trained features, taken now where they are not kept by clip.

    Args:
        sides: the runs.
        store: labelled recordings.
        split: of the store; each run's own if empty.
        device: where to compute.
        progress: told what is being worked on.

    Raises:
        ConfigError, DataError: as `evaluate_run`.
    """
    made = []
    for side in sides:
        run = Run.load(side.path, device)
        chosen = chosen_split(run, store, split)
        wanted = [(store.name, chosen, "", protocol, "", "trained") for protocol in PROTOCOLS]
        missing = [key[3] for key in wanted if not side.scores.get(key, {}).get("hits")]
        rows = list(side.rows)
        if missing and chosen:
            results = evaluate_run(
                run, store, split=chosen, protocols=missing, kinds=("trained",), device=device,
                settings=Settings(device=str(device)),
                progress=lambda what, done, total, name=side.name: progress(f"{name}: {what}", done, total),  # type: ignore[misc]
            )  # fmt: skip
            taken = [result.to_dict() | {"data_set": store.name, "streams": ""} for result in results]
            rows = taken + [row for row in rows if _key(row) not in {_key(new) for new in taken}]
        made.append(replace(side, rows=rows))
    return made


def differing(sides: Sequence[Side]) -> list[tuple[str, list[str]]]:
    """Settings that are not the same in all runs, with the value of each; input and data set among them."""
    tables = []
    for side in sides:
        table = {key: _written(value) for key, value in flatten(side.config.to_dict())}
        store = side.about.get("store", {})
        table["trained on"] = f"{store.get('name', '?')}, {store.get('clips', '?')} clips"
        table["input"] = f"{side.shape.layout.name}, {side.shape.people} people, {side.shape.channels}-D"
        table["version"] = str(side.about.get("versions", {}).get("halpose", "?"))
        tables.append(table)
    keys = dict.fromkeys(key for table in tables for key in table)
    rows = [(key, [table.get(key, "\u2013") for table in tables]) for key in keys]
    return [(key, values) for key, values in rows if len(set(values)) > 1]


def _written(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def compare_scores(sides: Sequence[Side]) -> list[Line]:
    """Every score that any of the runs has, with differences from the first run."""
    keys = list(dict.fromkeys(key for side in sides for key in side.scores))
    home = sides[0].about.get("store", {}).get("name", "")
    places = sorted(dict.fromkeys(key[:3] for key in keys), key=lambda place: (place[0] != home, place[2] != ""))
    # The usual protocols first, what was trained before what it is measured by.
    protocols = list(dict.fromkeys((*PROTOCOLS, *(key[3] for key in keys))))
    lines = []
    for key in sorted(
        keys, key=lambda key: (places.index(key[:3]), _ORDER.get(key[5], 9), protocols.index(key[3]), keys.index(key))
    ):
        rows = tuple(side.scores.get(key) for side in sides)
        first = rows[0]
        differences = tuple(
            difference(row, first) if position and row and first else None for position, row in enumerate(rows)
        )
        lines.append(Line(key, rows, differences))
    return lines


def difference(ours: dict[str, Any], theirs: dict[str, Any]) -> Difference:
    """Of two rows: clip by clip where both tell it of the same clips."""
    mine, other = _hits(ours), _hits(theirs)
    if mine is not None and other is not None and _clips(ours) == _clips(theirs):
        return Difference(*paired_difference(mine, other), is_paired=True)
    value = ours["top1"] - theirs["top1"]
    below = np.hypot(ours["top1"] - ours["low"], theirs["high"] - theirs["top1"])
    above = np.hypot(ours["high"] - ours["top1"], theirs["top1"] - theirs["low"])
    return Difference(value, value - float(below), value + float(above), is_paired=False)


def costs(sides: Sequence[Side]) -> list[tuple[str, list[str]]]:
    """What each run took, by name; what no run tells is left out."""

    def told(key: str, written: str) -> list[str]:
        return [written.format(side.outcome[key]) if key in side.outcome else "\u2013" for side in sides]

    rows = [
        ("Steps", [f"{side.step}" for side in sides]),
        ("Clips seen", [f"{side.step * side.config.batch_size:,}".replace(",", "\u00a0") for side in sides]),
        ("Seconds", told("seconds", "{:.0f}")),
        ("Clips per second", told("clips_per_second", "{:.0f}")),
        ("Learned numbers", [f"{side.parameters:,}".replace(",", "\u00a0") for side in sides]),
        ("Last loss", told("loss", "{:.3f}")),
    ]
    base = sides[0].outcome.get("clips_per_second")
    if base:
        speeds = [side.outcome.get("clips_per_second") for side in sides]
        ratios = [f"{base / speed:.2f}" if speed else "\u2013" for speed in speeds]
        rows.insert(4, ("Time per clip (first = 1)", ratios))
    return [row for row in rows if set(row[1]) != {"\u2013"}]


def _key(row: dict[str, Any]) -> Key:
    return (
        str(row.get("data_set", "")), str(row.get("split", "")), str(row.get("streams", "")), str(row["protocol"]),
        str(row.get("variant", "")), str(row["features"]),
    )  # fmt: skip


def _hits(row: dict[str, Any]) -> Bool[np.ndarray, " n"] | None:
    found = row.get("hits", "")
    return np.array([hit == "1" for hit in found]) if found else None


def _clips(row: dict[str, Any]) -> tuple[Any, ...]:
    """What tells the clips that were scored apart from others: how many there are of each class."""
    return (len(row["hits"]), *(sum(line) for line in row["confusion"]))
