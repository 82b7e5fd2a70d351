"""Weights from the published code into a run directory, and from a run directory back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import halpose
from halpose.config import Config
from halpose.engine.checkpoint import latest_step, save_checkpoint, write_json
from halpose.engine.published import (
    all_names,
    check_tensors,
    read_sizes,
    settings_of,
    shape_of,
    to_ours,
    to_published,
)
from halpose.engine.run import Run, fresh_method
from halpose.engine.torch_file import read_torch
from halpose.errors import CheckpointError
from halpose.methods import Method
from halpose.methods.halp import HaLP
from halpose.skeleton import MODALITIES, Layout
from halpose.whole_file import whole_file


@dataclass(frozen=True)
class Exchange:
    """What was carried over.

    Attributes:
        file: the published file.
        run: the run directory.
        method: one of METHODS.
        streams: modalities.
        width: hidden size of one GRU.
        layers: GRU layers.
        layout: name of the layout.
        people: people per clip.
        embedding: D.
        queue: K.
        prototypes: N, 0 without HaLP.
        epoch: epochs that the published training had done, 0 if unknown.
        trained_steps: optimizer steps that it had done, by its BatchNorm's count.
        tensors: how many were carried over.
    """

    file: str
    run: str
    method: str
    streams: tuple[str, ...]
    width: int
    layers: int
    layout: str
    people: int
    embedding: int
    queue: int
    prototypes: int
    epoch: int
    trained_steps: int
    tensors: int


def import_published(
    file: Path, out: Path, base: Config, layout: Layout, modality: str = "joint", step: int = 0
) -> Exchange:
    """Make a run directory of a checkpoint of the published CMD or HaLP code.

    Sizes, streams and method are read off its tensors. The optimizer begins afresh.

    Args:
        file: the `.pth.tar` file; nothing that it names is run.
        out: run directory to make.
        base: settings for everything that the tensors do not tell.
        layout: of the joints it was trained on.
        modality: of a checkpoint with one stream; its names do not tell.
        step: where in its schedule a fork is to begin.

    Raises:
        CheckpointError: the file is something else, or `out` holds a run.
        ConfigError: the sizes contradict the settings.
    """
    if latest_step(out) is not None or (out / "config.json").exists():
        raise CheckpointError(f"{out}: there is a run here already; give another --out")
    content = read_torch(file)
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, Mapping):
        raise CheckpointError(
            f"{file}: holds no state_dict, but a {type(content).__name__}; give a training's checkpoint"
        )
    weights = check_tensors(state, str(file))
    sizes = read_sizes(weights, str(file))
    config = settings_of(sizes, base, modality)
    shape = shape_of(sizes, layout, str(file))
    method = fresh_method(config, shape)
    names = all_names(config.streams, sizes.layers, prototype_names(method) if sizes.prototypes else {})
    own = method.state_dict()
    loaded = _fit(to_ours(weights, names), own, names, str(file))
    method.load_state_dict(own | loaded)
    epoch = content.get("epoch", 0) if "state_dict" in content else 0
    exchange = Exchange(
        file=str(file),
        run=str(out),
        method=config.method,
        streams=config.streams,
        width=sizes.width,
        layers=sizes.layers,
        layout=layout.name,
        people=shape.people,
        embedding=sizes.embedding,
        queue=sizes.queue,
        prototypes=sizes.prototypes,
        epoch=int(epoch) if isinstance(epoch, int | float) and 0 <= epoch < 2**31 else 0,
        trained_steps=int(weights["encoder_q.input_norm.num_batches_tracked"]),
        tensors=len(names),
    )
    about = {
        "config": config.to_dict(),
        "shape": shape.to_dict(),
        "store": {"path": "", "name": "published", "clips": 0},
        "versions": {"halpose": halpose.__version__, "torch": str(torch.__version__)},
        "published": {
            "file": file.name,
            "sha256": _digest(file),
            "epoch": exchange.epoch,
            "steps": exchange.trained_steps,
        },
    }
    write_json(out / "config.json", about)
    save_checkpoint(out, step, about, method.state_dict(), {}, keep=1)
    return exchange


def export_published(run: Run, out: Path) -> Exchange:
    """Write a run's weights as the published code names them, beside a fresh optimizer for its --resume.

    Raises:
        CheckpointError: `out` exists, or the published code has no such network.
    """
    config, path = run.config, str(run.path)
    if out.exists():
        raise CheckpointError(f"{out}: exists already; give another --out")
    wrong = [
        f"{key} is {found!r}, there it is {expected!r}"
        for key, found, expected in (
            ("encoder.name", config.encoder.name, "gru"),
            ("encoder.pooling", config.encoder.pooling, "last"),
            ("encoder.input_norm", config.encoder.input_norm, True),
            ("data.confidence", config.data.confidence, "none"),
        )
        if found != expected
    ]
    if config.streams not in (MODALITIES, *((modality,) for modality in MODALITIES)):
        wrong.append(
            f"streams are {', '.join(config.streams)}, there they are one or joint, motion, bone in this order"
        )
    state = run.method.state_dict()
    prototypes = prototype_names(run.method)
    names = all_names(config.streams, config.encoder.layers, prototypes)
    if not wrong and not set(names.values()) <= set(state):
        wrong.append(f"method {config.method} has no key encoder")
    if wrong:
        raise CheckpointError(f"{path}: the published code has no such network: {'; '.join(wrong)}")
    published = to_published(state, names)
    origin = run.about.get("published", {})
    epoch = int(origin.get("epoch", 0))
    content = {"epoch": epoch, "arch": "BIGRU", "state_dict": published, "optimizer": _optimizer(config, published)}
    _write(content, out)
    return Exchange(
        file=str(out),
        run=path,
        method=config.method,
        streams=config.streams,
        width=config.encoder.width,
        layers=config.encoder.layers,
        layout=run.shape.layout.name,
        people=run.shape.people,
        embedding=config.contrast.embedding,
        queue=config.contrast.queue,
        prototypes=config.halp.prototypes if prototypes else 0,
        epoch=epoch,
        trained_steps=int(published["encoder_q.input_norm.num_batches_tracked"]),
        tensors=len(published),
    )


def prototype_names(method: Method) -> dict[str, str]:
    """Our name of each stream's prototypes; empty without a HaLP term."""
    at = [number for number, term in enumerate(method.terms) if isinstance(term, HaLP)]
    return {name: f"terms.{at[0]}.prototypes_{name}" for name in method.streams} if at else {}


def _fit(
    loaded: dict[str, Tensor], own: Mapping[str, Tensor], names: Mapping[str, str], where: str
) -> dict[str, Tensor]:
    """The loaded tensors, once each has the shape and kind that the network of these sizes has."""
    for theirs, ours in names.items():
        found, expected = loaded[ours], own[ours]
        if found.shape != expected.shape or found.is_floating_point() != expected.is_floating_point():
            raise CheckpointError(
                f"{where}: {theirs} is {found.dtype} of shape {tuple(found.shape)} under our name {ours}; with its "
                f"other sizes it must be {expected.dtype} of shape {tuple(expected.shape)}"
            )
        if ours.endswith("queue.cursor") and not 0 <= int(found) < len(loaded[ours.replace("cursor", "keys")]):
            raise CheckpointError(f"{where}: {theirs} is {int(found)}, outside the queue; the file is damaged")
    return loaded


def _optimizer(config: Config, published: Mapping[str, Tensor]) -> dict[str, Any]:
    """A fresh SGD over as many parameters, which the published --resume asks for."""
    parameters = [
        torch.nn.Parameter(torch.zeros(()))
        for name in published
        if name.startswith("encoder_") and "running_" not in name and "tracked" not in name
    ]
    settings = config.optimizer
    return torch.optim.SGD(
        parameters, settings.learning_rate, momentum=settings.momentum, weight_decay=settings.weight_decay
    ).state_dict()


def _write(content: dict[str, Any], out: Path) -> None:
    """All of the file or none of it."""
    way_out = "give a place with enough room"
    with whole_file(out, CheckpointError, way_out) as partial:
        try:
            torch.save(content, partial)
        except RuntimeError as error:  # what torch makes of a full disk
            reason = str(error).partition("\n")[0]
            raise CheckpointError(f"{out}: cannot be written ({reason}); {way_out}") from None


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
