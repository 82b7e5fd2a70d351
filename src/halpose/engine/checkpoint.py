"""Checkpoints: complete, atomic, and free of code.

A run directory:

- `config.json`: the resolved configuration, and what it was trained on.
- `metrics.jsonl`: one row per logged step.
- `run.json`: the outcome, once there is one.
- `checkpoints/step-00000500/`: `weights.safetensors` (both branches, queues, prototypes, counters),
  `training.safetensors` (optimizer and generators) and `checkpoint.json`.

A checkpoint is written into a hidden directory and renamed when it is whole and on disk: a full disk or a killed
process costs the new one, never the previous one.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from halpose.errors import CheckpointError
from halpose.whole_file import write_whole

VERSION = 1
_PREFIX = "step-"


@dataclass(frozen=True)
class Checkpoint:
    """What is read from a checkpoint directory.

    Attributes:
        path: the directory.
        step: steps taken.
        about: the rest of `checkpoint.json`.
        weights: the method's state.
        training: optimizer and generator state.
    """

    path: Path
    step: int
    about: dict[str, Any]
    weights: dict[str, Tensor]
    training: dict[str, Tensor]


def save_checkpoint(
    run: Path,
    step: int,
    about: dict[str, Any],
    weights: dict[str, Tensor],
    training: dict[str, Tensor],
    keep: int,
) -> Path:
    """Write one checkpoint, then remove all but the newest `keep`.

    Raises:
        CheckpointError: it could not be written; the earlier ones are untouched.
    """
    target = checkpoint_path(run, step)
    folder = target.parent
    partial = folder / f".{target.name}.partial"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        save_file({k: v.detach().cpu().contiguous() for k, v in weights.items()}, partial / "weights.safetensors")
        save_file({k: v.detach().cpu().contiguous() for k, v in training.items()}, partial / "training.safetensors")
        (partial / "checkpoint.json").write_text(
            json.dumps({"version": VERSION, "step": step, **about}, indent=2), encoding="utf-8"
        )
        for file in partial.iterdir():
            _to_disk(file)
        if target.exists():
            shutil.rmtree(target)
        os.replace(partial, target)
        _to_disk(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        kept = latest_step(run)
        raise CheckpointError(
            f"{target}: could not be written ({error}); "
            + (f"the checkpoint of step {kept} is whole" if kept is not None else "there is no earlier checkpoint")
            + "; free some space and go on with --resume"
        ) from None
    for old in _steps(run)[:-keep]:
        shutil.rmtree(checkpoint_path(run, old), ignore_errors=True)
    return target


def load_checkpoint(run: Path, step: int | None = None) -> Checkpoint:
    """Read the newest checkpoint of a run, or that of one step.

    Raises:
        CheckpointError: there is none, it is damaged, or it was written by a newer halpose.
    """
    steps = _steps(run)
    if not steps:
        raise CheckpointError(f"{run}: no checkpoint here; expected a directory that `halpose train … --out` made")
    step = steps[-1] if step is None else step
    path = checkpoint_path(run, step)
    try:
        about = json.loads((path / "checkpoint.json").read_text(encoding="utf-8"))
        if about["version"] != VERSION:
            raise CheckpointError(
                f"{path}: checkpoint format {about['version']}, but this halpose reads {VERSION}; "
                "use the version of halpose that wrote it"
            )
        weights = load_file(path / "weights.safetensors")
        training = load_file(path / "training.safetensors")
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise CheckpointError(
            f"{path}: damaged or incomplete ({error}); delete this directory to go on from an earlier one"
        ) from None
    return Checkpoint(path, step, about, weights, training)


def checkpoint_path(run: Path, step: int) -> Path:
    """Where the checkpoint of a step is kept."""
    return run / "checkpoints" / f"{_PREFIX}{step:08d}"


def latest_step(run: Path) -> int | None:
    """Step of the newest whole checkpoint, or None."""
    steps = _steps(run)
    return steps[-1] if steps else None


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a small JSON file, whole or not at all.

    Raises:
        CheckpointError: it cannot be written.
    """
    write_whole(path, json.dumps(content, indent=2) + "\n", CheckpointError)


def pack_optimizer(optimizer: torch.optim.Optimizer, names: list[str]) -> dict[str, Tensor]:
    """The optimizer's state as flat tensors: `optimizer/PARAMETER/KEY`."""
    packed = {}
    for name, parameter in zip(names, _parameters(optimizer), strict=True):
        for key, value in optimizer.state.get(parameter, {}).items():
            if value is not None:
                packed[f"optimizer/{name}/{key}"] = torch.as_tensor(value)
    return packed


def unpack_optimizer(optimizer: torch.optim.Optimizer, names: list[str], packed: dict[str, Tensor]) -> None:
    """Put back what `pack_optimizer` made, into the tensors that are there already: a captured step moves those."""
    # AdamW's step counter stays on the host, as torch makes it, unless the kernel that moves all is to read it.
    has_counters = any(group.get("fused") for group in optimizer.param_groups)
    for name, parameter in zip(names, _parameters(optimizer), strict=True):
        prefix = f"optimizer/{name}/"
        state = {key.removeprefix(prefix): value for key, value in packed.items() if key.startswith(prefix)}
        for key, value in state.items():
            mine = optimizer.state[parameter]
            if isinstance(mine.get(key), Tensor):
                mine[key].copy_(value)
            else:
                place = value.device if key == "step" and not has_counters else parameter.device
                mine[key] = value.to(place, copy=True)


def _parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _steps(run: Path) -> list[int]:
    folder = run / "checkpoints"
    found = []
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            digits = path.name.removeprefix(_PREFIX)
            if path.name.startswith(_PREFIX) and digits.isdigit() and (path / "checkpoint.json").exists():
                found.append(int(digits))
    return sorted(found)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
