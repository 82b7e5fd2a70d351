"""The device that is computed on, and what to do where its memory is too small."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from halpose.engine.distributed import Launch
from halpose.errors import ConfigError, TrainingError


def resolve_device(name: str, launch: Launch | None = None) -> torch.device:
    """auto: CUDA where there is one; of several processes each takes the device of its number on its machine.

    Raises:
        ConfigError: there is no such device, or not enough of them.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"--device {name}: no such device; use auto, cpu, cuda or cuda:0")
    found = torch.cuda.device_count()
    if device.type == "cuda" and launch is not None and launch.world > 1:
        if device.index is not None:
            raise ConfigError(f"--device {name}: each process takes a device of its own; use --device cuda")
        if launch.local_rank >= found:
            raise ConfigError(
                f"--device {name}: torch sees {found} CUDA devices here, none for process {launch.local_rank + 1}; "
                f"use torchrun --nproc-per-node {found or 'N'} with as many as there are, or --device cpu"
            )
        return torch.device("cuda", launch.local_rank)
    if device.type == "cuda" and (device.index or 0) >= found:
        seen = f"{found} CUDA devices" if torch.cuda.is_available() else "no CUDA device"
        raise ConfigError(f"--device {name}: torch {torch.__version__} sees {seen} here; use --device cpu")
    return device


@contextlib.contextmanager
def enough_memory(out: Path, kept: Callable[[], str]) -> Iterator[None]:
    """Say what takes less where memory runs out; torch tells it in a RuntimeError among others."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        first = str(error).partition("\n")[0]
        raise TrainingError(
            f"{out}: not enough memory ({first:.160}); {kept()}; "
            "try a smaller batch_size, data.frames, contrast.queue or encoder.width, or optimizer.accumulate"
        ) from error
