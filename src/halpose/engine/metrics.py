"""The rows of `metrics.jsonl`: means between two logged steps, and what a resumed run keeps of them."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

import torch
from torch import Tensor


class Log:
    """Means of the values between two logged rows; nothing is read from the device until then."""

    def __init__(self, batch: int) -> None:
        self.batch = batch
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
        row = {name: float(total) / count for name, (total, count) in self.sums.items()}
        now = time.perf_counter()
        row["clips_per_second"] = round(self.steps * self.batch / max(now - self.since, 1e-9), 1)
        self.sums, self.since, self.steps = {}, now, 0
        return row


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
