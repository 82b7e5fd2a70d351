"""Trackers: where a training's rows go besides `metrics.jsonl`. None is needed; each is an extra.

To add one, write a `Watcher` (see `engine.trainer`) and a line in `TRACKERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from halpose.engine.trainer import Watcher
from halpose.errors import ConfigError


class TensorBoard:
    """Writes every row as scalars into the run directory; look at them with `tensorboard --logdir RUN`."""

    def __init__(self, run: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise ConfigError(
                "tensorboard is not installed; `pip install 'halpose[tensorboard]'`, or leave out --track"
            ) from None
        self.run = run
        self.open: Callable[..., Any] = SummaryWriter
        self.writer: Any = None

    def begin(self, step: int, steps: int) -> None:
        """Training starts; a resumed one overwrites what it does again."""
        self.writer = self.open(str(self.run / "tensorboard"), purge_step=step)

    def row(self, values: dict[str, float]) -> None:
        """A row was logged."""
        for name, value in values.items():
            if name != "step":
                self.writer.add_scalar(name, value, int(values["step"]))

    def end(self) -> None:
        """Training ends."""
        if self.writer is not None:
            self.writer.close()


TRACKERS: dict[str, Callable[[Path], Watcher]] = {"tensorboard": TensorBoard}


def build_tracker(name: str, run: Path) -> Watcher:
    """A tracker by name.

    Raises:
        ConfigError: there is none of that name, or its package is not installed.
    """
    if name not in TRACKERS:
        raise ConfigError(f"--track {name}: no such tracker; there are: {', '.join(TRACKERS)}")
    return TRACKERS[name](run)
