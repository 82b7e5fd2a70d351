"""Checkpoints of the published CMD and HaLP code: their names and ours, in both directions.

The published code has one module per stream and branch: `encoder_q`, `encoder_k`, with `_motion` or `_bone` behind for
these streams, each with `input_norm`, `encoder.gru` (one bidirectional `nn.GRU` fed frame by frame, which is why our
`gru` has two per layer) and `fc`, the head; beside them `queue`, `queue_ptr` and, with HaLP, `prototypes`. Its channels
are ordered joint, coordinate, person, as ours are. So a checkpoint is carried over by names alone; only the queue is
turned.

Reference: github.com/maoyunyao/CMD and github.com/anshulbshah/HaLP, whose names these are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from halpose.config import Config
from halpose.engine.run import Shape
from halpose.errors import CheckpointError
from halpose.skeleton import MODALITIES, Layout

NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
RECURRENT = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
_BRANCHES = (("encoder_q", "query"), ("encoder_k", "key"))
_HEAD = ("0.weight", "0.bias", "2.weight", "2.bias")


@dataclass(frozen=True)
class Sizes:
    """What the shapes of a published checkpoint say.

    Attributes:
        streams: `joint` alone, or all three.
        inputs: V x C x M, values per frame.
        width: hidden size of one GRU.
        layers: GRU layers.
        head: hidden size of the head.
        embedding: D.
        queue: K.
        prototypes: N, 0 without HaLP.
    """

    streams: tuple[str, ...]
    inputs: int
    width: int
    layers: int
    head: int
    embedding: int
    queue: int
    prototypes: int


def encoder_names(layers: int) -> dict[str, str]:
    """Published name of every tensor of one encoder, and ours."""
    names = {f"input_norm.{kind}": f"norm.norm.{kind}" for kind in NORM}
    for layer in range(layers):
        for kind in RECURRENT:
            names[f"encoder.gru.{kind}_l{layer}"] = f"first.{layer}.{kind}_l0"
            names[f"encoder.gru.{kind}_l{layer}_reverse"] = f"second.{layer}.{kind}_l0"
    return names


def stream_names(modality: str, suffix: str, layers: int) -> dict[str, str]:
    """Published name of every tensor of one stream, and ours; `suffix` is what their names end with."""
    names: dict[str, str] = {}
    for theirs, ours in _BRANCHES:
        there, here = f"{theirs}{suffix}.", f"streams.{modality}.{ours}."
        names |= {there + name: f"{here}encoder.{mine}" for name, mine in encoder_names(layers).items()}
        names |= {f"{there}fc.{name}": f"{here}projector.{name}" for name in _HEAD}
    names[f"queue{suffix}"] = f"streams.{modality}.queue.keys"
    names[f"queue_ptr{suffix}"] = f"streams.{modality}.queue.cursor"
    return names


def all_names(streams: tuple[str, ...], layers: int, prototypes: Mapping[str, str]) -> dict[str, str]:
    """Published name of every tensor of a checkpoint, and ours.

    Args:
        streams: one modality, whichever it is, has bare names; of three, motion and bone have suffixes.
        layers: GRU layers.
        prototypes: our name of each stream's prototypes; empty without HaLP.
    """
    alone = len(streams) == 1
    names: dict[str, str] = {}
    for modality in streams:
        suffix = "" if alone or modality == "joint" else f"_{modality}"
        names |= stream_names(modality, suffix, layers)
        if prototypes:
            names["prototypes" if alone else f"prototypes_{modality[0]}"] = prototypes[modality]
    return names


def to_ours(state: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """Published tensors under our names: (D, K) queues become (K, D), pointers of one element plain numbers."""
    return {ours: _turned(theirs, state[theirs]) for theirs, ours in names.items()}


def to_published(state: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """The inverse of `to_ours`, bit for bit."""
    return {theirs: _turned(theirs, state[ours], back=True) for theirs, ours in names.items()}


def _turned(name: str, tensor: Tensor, back: bool = False) -> Tensor:
    if name.startswith("queue_ptr"):
        return tensor.reshape((1,) if back else ()).clone()
    return (tensor.T if name.startswith("queue") else tensor).contiguous().clone()


def read_sizes(state: Mapping[str, Tensor], where: str) -> Sizes:
    """What the shapes of a published checkpoint say.

    Raises:
        CheckpointError: the names or shapes are not those of a pre-training by the published CMD or HaLP code.
    """
    if "encoder_q.encoder.gru.weight_hh_l0" not in state:
        first = ", ".join(sorted(state)[:3]) or "nothing"
        raise CheckpointError(
            f"{where}: not a checkpoint of the published CMD or HaLP code: no encoder_q.encoder.gru.weight_hh_l0 "
            f"(it has {first}, …)"
        )
    if not any(name.startswith("encoder_k.") for name in state):
        raise CheckpointError(
            f"{where}: holds an encoder but neither key encoder nor queue, as after fine-tuning or a linear probe; "
            "give the checkpoint of the pre-training"
        )
    if "encoder_q.fc.weight" in state:
        raise CheckpointError(
            f"{where}: its head is one linear layer (trained without --mlp), and halpose's has two with a ReLU "
            "between; give a checkpoint trained with --mlp, as the published scripts do"
        )
    layers = 0
    while f"encoder_q.encoder.gru.weight_hh_l{layers}" in state:
        layers += 1
    streams = MODALITIES if any(name.startswith("encoder_q_") for name in state) else ("joint",)
    has_prototypes = any(name.startswith("prototypes") for name in state)
    names = all_names(streams, layers, {stream: f"{stream}?" for stream in streams} if has_prototypes else {})
    missing, surplus = sorted(set(names) - set(state)), sorted(set(state) - set(names))
    if missing or surplus:
        raise CheckpointError(
            f"{where}: not whole, or of other code than the published CMD or HaLP: "
            f"{len(missing)} names are missing{_first(missing)}, {len(surplus)} are unknown{_first(surplus)}"
        )
    # Each size is read off a matrix that the file must hold in full, so that none costs more memory than the file.
    recurrent, head = state["encoder_q.encoder.gru.weight_hh_l0"], state["encoder_q.fc.2.weight"]
    entry, queue = state["encoder_q.encoder.gru.weight_ih_l0"], state["queue"]
    prototypes = state["prototypes" if len(streams) == 1 else "prototypes_j"] if has_prototypes else None
    for tensor in (recurrent, head, entry, queue, *([] if prototypes is None else [prototypes])):
        if tensor.ndim != 2 or 0 in tensor.shape:
            raise CheckpointError(f"{where}: a weight matrix has shape {tuple(tensor.shape)}; the file is damaged")
    return Sizes(
        streams=streams,
        inputs=entry.shape[1],
        width=recurrent.shape[1],
        layers=layers,
        head=head.shape[1],
        embedding=head.shape[0],
        queue=queue.shape[1],
        prototypes=0 if prototypes is None else len(prototypes),
    )


def _first(names: list[str]) -> str:
    return f" (first {names[0]!r})" if names else ""


def shape_of(sizes: Sizes, layout: Layout, where: str) -> Shape:
    """Layout, people and channels of an input of so many values per frame.

    Raises:
        CheckpointError: the layout's joints do not fit.
    """
    for channels in (3, 2):
        people, left = divmod(sizes.inputs, len(layout) * channels)
        if people and not left:
            return Shape(layout, people, channels)
    raise CheckpointError(
        f"{where}: takes {sizes.inputs} values per frame, which are no whole number of people of layout {layout.name} "
        f"({len(layout)} joints); give the layout that it was trained on with --layout"
    )


def settings_of(sizes: Sizes, base: Config, modality: str) -> Config:
    """A recipe's settings with everything that a checkpoint's shapes tell put in."""
    streams = sizes.streams if len(sizes.streams) > 1 else (modality,)
    names = ("moco", "halp") if len(streams) == 1 else ("cmd", "halp_cmd")
    features = 2 * sizes.width
    return replace(
        base,
        method=names[sizes.prototypes > 0],
        streams=streams,
        encoder=replace(
            base.encoder, name="gru", width=sizes.width, layers=sizes.layers, pooling="last", input_norm=True
        ),
        contrast=replace(
            base.contrast,
            embedding=sizes.embedding,
            projector_width=0 if sizes.head == features else sizes.head,
            queue=sizes.queue,
        ),
        halp=replace(base.halp, prototypes=sizes.prototypes) if sizes.prototypes else base.halp,
    )


def check_tensors(state: Mapping[str, Any], where: str) -> dict[str, Tensor]:
    """The tensors of a state by name, without the prefix of a model that was trained on several GPUs.

    Raises:
        CheckpointError: something is no tensor, claims more than the file holds, or is not finite.
    """
    found = {}
    for name, value in state.items():
        if not isinstance(name, str) or not _is_plain(value):
            raise CheckpointError(f"{where}: {name!r} in its state_dict is no plain tensor; the file is damaged")
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise CheckpointError(f"{where}: {name} claims {tuple(value.shape)}, more than the file holds")
        if value.is_floating_point():
            value = value.float()
        if value.is_complex() or not bool(torch.isfinite(value).all()):
            raise CheckpointError(
                f"{where}: {name} is not finite; that training had failed: give an earlier checkpoint"
            )
        found[name.removeprefix("module.")] = value
    return found


def _is_plain(value: Any) -> bool:
    """Numbers in memory, one after another: neither sparse, nor a tensor of shape alone, nor of another kind."""
    known = type(value) in (Tensor, torch.nn.Parameter)
    return known and value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
