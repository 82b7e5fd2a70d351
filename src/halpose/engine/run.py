"""A run directory as an object: what was trained, on what, and the method with its learned weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from halpose.config import Config
from halpose.data.store import Store
from halpose.data.upright import Upright
from halpose.engine.checkpoint import checkpoint_path, latest_step, load_checkpoint
from halpose.errors import CheckpointError
from halpose.hub import PREFIX, fetch
from halpose.methods import Method, build_method
from halpose.settings import override
from halpose.skeleton import Layout


@dataclass(frozen=True)
class Shape:
    """What a method needs to know of its input."""

    layout: Layout
    people: int
    channels: int

    @classmethod
    def of_store(cls, store: Store) -> Shape:
        """The shape of a store's clips."""
        return cls(store.layout, int(store.frames.shape[1]), int(store.frames.shape[3]))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `config.json`."""
        return {"layout": self.layout.to_dict(), "people": self.people, "channels": self.channels}

    @classmethod
    def from_dict(cls, table: dict[str, Any], where: str) -> Shape:
        """The inverse of `to_dict`."""
        return cls(Layout.from_dict(table["layout"], where), int(table["people"]), int(table["channels"]))


@dataclass(frozen=True)
class Run:
    """A trained run.

    Attributes:
        path: the run directory.
        config: its resolved configuration.
        shape: what it takes as input.
        about: the rest of `config.json` (store, versions).
        step: steps that were taken.
        method: the trained method, in eval mode.
    """

    path: Path
    config: Config
    shape: Shape
    about: dict[str, Any]
    step: int
    method: Method

    @classmethod
    def load(cls, path: Path | str, device: torch.device | str = "cpu", step: int | None = None) -> Run:
        """Read a run and its newest checkpoint (or that of one step).

        Args:
            path: run directory, or `hf://OWNER/NAME` of one on the Hugging Face Hub.
            device: where its weights are wanted.
            step: of the checkpoint; the newest if not given.

        Raises:
            CheckpointError: this is no run directory, or it is damaged.
            ConfigError: it is on the hub, and huggingface_hub is not installed.
        """
        if str(path).startswith(PREFIX):
            path = fetch(str(path))
        path = Path(path)
        about, config, shape = read_run_config(path)
        method = fresh_method(config, shape)
        checkpoint = load_checkpoint(path, step)
        load_weights(method, checkpoint.weights, checkpoint.path)
        return cls(path, config, shape, about, checkpoint.step, method.to(device).eval())

    @property
    def upright(self) -> dict[str, Upright]:
        """Unit and axis in which recordings of each skeleton come, by its layout's name: those of its training.

        A run on a data set of the catalogue takes recordings of its own layout as that set's reader gives them.

        Raises:
            CheckpointError: the run says nonsense.
        """
        told = dict(self.about.get("store") or {}).get("upright")
        if told is None:
            return {self.shape.layout.name: Upright()}
        try:
            return {str(name): Upright.from_dict(table) for name, table in told.items()}
        except (AttributeError, TypeError, ValueError) as error:
            raise CheckpointError(f"{self.path}: config.json is damaged: store.upright: {error}") from None

    def untrained(self, device: torch.device | str = "cpu") -> Method:
        """The same method before its first step."""
        return fresh_method(self.config, self.shape).to(device).eval()

    def check_store(self, store: Store) -> None:
        """Whether this run's encoder can read a store.

        Raises:
            CheckpointError: layout, people or channels differ.
        """
        check_shape(self.path, self.shape, store)


def check_shape(run: Path, shape: Shape, store: Store) -> None:
    """Whether what a run takes as input is what a store holds; layouts of other names may have the same joints.

    Raises:
        CheckpointError: layout, people or channels differ.
    """
    theirs = Shape.of_store(store)
    for what, ours, found in (
        ("joints", shape.layout.joints, theirs.layout.joints),
        ("channels per joint", shape.channels, theirs.channels),
        ("people per clip", shape.people, theirs.people),
    ):
        if ours != found:
            detail = f"{shape.layout.name}, {theirs.layout.name}" if what == "joints" else f"{ours}, {found}"
            raise CheckpointError(
                f"{run}: trained on another kind of store than {store.path}: {what} differ ({detail}); "
                "use a store of the same layout, or train on this one"
            )


def fresh_method(config: Config, shape: Shape) -> Method:
    """The method with its initial weights, a function of the seed alone."""
    generator = torch.Generator().manual_seed(config.seed)
    return build_method(config, shape.layout, shape.people, shape.channels, generator)


def read_run_config(path: Path) -> tuple[dict[str, Any], Config, Shape]:
    """`config.json` of a run directory: everything in it, the configuration, the input's shape.

    Raises:
        CheckpointError: the file is missing or not what it should be.
    """
    file = path / "config.json"
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
        shape = Shape.from_dict(about["shape"], str(file))
        settings = dict(about["config"])
    except OSError:
        raise CheckpointError(
            f"{path}: not a run directory (no config.json); expected what `halpose train … --out` made"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{file}: damaged ({error!r}); {_remedy(path)}") from None
    return about, override(Config(), settings, str(file)), shape


def _remedy(path: Path) -> str:
    """A checkpoint holds everything that the file in the run directory does."""
    step = latest_step(path)
    if step is None:
        return "there is no checkpoint either: train again with another --out"
    return f"{checkpoint_path(path, step) / 'checkpoint.json'} holds the same and more: copy it there"


def load_weights(method: Method, weights: dict[str, torch.Tensor], where: Path, ignore: str = "") -> None:
    """Put saved weights into a method.

    Args:
        method: freshly built.
        weights: as saved.
        where: for the error message.
        ignore: keys that begin so may be missing or surplus (a fork's terms have state of their own).

    Raises:
        CheckpointError: the weights are of another architecture.
    """
    own = method.state_dict()
    if ignore:
        weights = {key: value for key, value in weights.items() if key in own or not key.startswith(ignore)}
        weights = {key: value for key, value in own.items() if key.startswith(ignore)} | weights
    wrong = sorted(set(own) ^ set(weights)) or sorted(k for k in own if own[k].shape != weights[k].shape)
    if wrong:
        raise CheckpointError(
            f"{where}: weights of another architecture; {len(wrong)} differ, first {wrong[0]!r}; "
            "use the configuration that they were trained with"
        )
    method.load_state_dict(weights)
