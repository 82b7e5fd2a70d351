"""The rows of `metrics.jsonl`: means between two logged steps, who is told, and what a resumed run keeps of them."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol

import torch
from torch import Tensor

from halpose.parts.ranks import ALONE, Ranks

# Rows whose mean loss is a training's outcome.
_RECENT = 5


class Watcher(Protocol):
    """What is told about a training while it runs (progress bar, trackers)."""

    def begin(self, step: int, steps: int) -> None:
        """Training starts at `step`."""

    def row(self, values: dict[str, float]) -> None:
        """A row was logged."""

    def end(self) -> None:
        """Training ends, for whatever reason."""


class Log:
    """Means of the values between two logged rows; nothing is read from the device until then.

    Args:
        batch: clips of a step.
        ranks: whose values are averaged.
    """

    def __init__(self, batch: int, ranks: Ranks = ALONE) -> None:
        self.batch, self.ranks = batch, ranks
        self.sums: dict[str, tuple[Tensor, int]] = {}
        self.since, self.steps = time.perf_counter(), 0

    def add(self, values: dict[str, Tensor]) -> None:
        """Take in the values of one step."""
        for name, value in values.items():
            total, count = self.sums.get(name, (torch.zeros_like(value), 0))
            self.sums[name] = (total + value, count + 1)
        self.steps += 1

    def row(self) -> dict[str, float]:
        """Means since the last row, and clips per second."""
        row = {name: float(self.ranks.mean(total)) / count for name, (total, count) in self.sums.items()}
        now = time.perf_counter()
        row["clips_per_second"] = round(self.steps * self.batch / max(now - self.since, 1e-9), 1)
        self.sums, self.since, self.steps = {}, now, 0
        return row


class Journal:
    """Where the rows of a training go: `metrics.jsonl` and the watchers; of several ranks only the first writes.

    Args:
        run: the run directory.
        step: that training begins at; later rows of an earlier try are dropped.
        watchers: are told.
        ranks: all of them get the rows; the first keeps them.
    """

    def __init__(self, run: Path, step: int, watchers: tuple[Watcher, ...], ranks: Ranks) -> None:
        self.file = run / "metrics.jsonl"
        self.is_kept = ranks.is_first
        self.watchers = watchers if self.is_kept else ()
        self.recent = keep_rows(self.file, step)[-_RECENT:] if self.is_kept else []
        self.open: IO[str] | None = None

    @contextlib.contextmanager
    def writing(self, step: int, last: int) -> Iterator[None]:
        """From a step to the last one."""
        for watcher in self.watchers:
            watcher.begin(step, last)
        try:
            with self.file.open("a", encoding="utf-8") if self.is_kept else contextlib.nullcontext() as self.open:
                yield
        finally:
            for watcher in self.watchers:
                watcher.end()

    def write(self, row: dict[str, float]) -> None:
        """A row, at once where it belongs."""
        if self.open is not None:
            self.open.write(json.dumps(row) + "\n")
            self.open.flush()
        self.recent = [*self.recent, row["loss"]][-_RECENT:]
        for watcher in self.watchers:
            watcher.row(row)

    @property
    def loss(self) -> float:
        """Mean of the last rows."""
        return sum(self.recent) / len(self.recent) if self.recent else math.nan


def keep_rows(metrics: Path, step: int) -> list[float]:
    """Rows after the checkpoint that is resumed from will be written again, and damaged ones are of no use.

    Returns:
        The losses of the rows that stay.
    """
    if not metrics.exists():
        return []
    rows, losses = [], []
    for line in metrics.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            row = json.loads(line)
            if row["step"] <= step:
                losses.append(float(row["loss"]))
                rows.append(line + "\n")
    partial = metrics.with_name(f".{metrics.name}.partial")
    partial.write_text("".join(rows), encoding="utf-8")
    partial.replace(metrics)
    return losses
