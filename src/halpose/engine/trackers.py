"""Trackers: where a training's rows go besides `metrics.jsonl`. None is needed; each is an extra.

To add one, write a `Watcher` (see `engine.metrics`) and a line in `TRACKERS`.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from halpose.engine.metrics import Watcher
from halpose.errors import ConfigError


class TensorBoard:
    """Writes every row as scalars into the run directory; look at them with `tensorboard --logdir RUN`."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.open: Callable[..., Any] = _package("torch.utils.tensorboard", "tensorboard").SummaryWriter
        self.writer: Any = None

    def begin(self, step: int, steps: int) -> None:
        """Training starts; a resumed one overwrites what it does again."""
        # What it purges begins with that step, and the row of the step that is gone on from is not written again.
        self.writer = self.open(str(self.run / "tensorboard"), purge_step=step + 1)

    def row(self, values: dict[str, float]) -> None:
        """A row was logged."""
        for name, value in values.items():
            if name != "step":
                self.writer.add_scalar(name, value, int(values["step"]))

    def end(self) -> None:
        """Training ends."""
        if self.writer is not None:
            self.writer.close()


class Project:
    """Logs every row to a run of project `halpose`, in the way that wandb and trackio share.

    A resumed training goes on with the run that it began: the run's identity follows from its directory. Where the rows
    go is their packages' business: `WANDB_MODE=offline` keeps them here, and trackio keeps them here by itself.
    """

    def __init__(self, package: str, run: Path) -> None:
        self.run = run
        self.package = _package(package, package)
        self.is_open = False

    def begin(self, step: int, steps: int) -> None:
        """Training starts, or goes on."""
        about = json.loads((self.run / "config.json").read_text(encoding="utf-8"))
        path = str(self.run.absolute())
        identity = hashlib.sha256(path.encode()).hexdigest()[:8]
        arguments: dict[str, Any] = {"project": "halpose", "config": about["config"], "resume": "allow"}
        if self.package.__name__ == "wandb":
            arguments |= {"id": identity, "name": self.run.name, "dir": path}
        else:  # trackio knows a run by its name
            arguments["name"] = f"{self.run.name}-{identity}"
        self.package.init(**arguments)
        self.is_open = True

    def row(self, values: dict[str, float]) -> None:
        """A row was logged."""
        self.package.log({name: value for name, value in values.items() if name != "step"}, step=int(values["step"]))

    def end(self) -> None:
        """Training ends."""
        if self.is_open:
            self.package.finish()


def _package(module: str, extra: str) -> Any:
    """A module that comes with an extra.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigError(f"{extra} is not installed; `pip install 'halpose[{extra}]'`, or leave out --track") from None


TRACKERS: dict[str, Callable[[Path], Watcher]] = {
    "tensorboard": TensorBoard,
    "wandb": partial(Project, "wandb"),
    "trackio": partial(Project, "trackio"),
}


def build_tracker(name: str, run: Path) -> Watcher:
    """A tracker by name.

    Raises:
        ConfigError: there is none of that name, or its package is not installed.
    """
    if name not in TRACKERS:
        raise ConfigError(f"--track {name}: no such tracker; there are: {', '.join(TRACKERS)}")
    return TRACKERS[name](run)
