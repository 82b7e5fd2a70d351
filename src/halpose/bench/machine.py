"""What a measurement ran on."""

from __future__ import annotations

import os
import platform
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

import halpose
from halpose.processes import cores

_BUSY = 0.5  # other programs' load, in cores


def hardware(device: torch.device) -> dict[str, Any]:
    """Device, processor, cores, memory, versions, threads, date, and how busy the machine was."""
    load = _load()
    gpu = torch.cuda.get_device_properties(device) if device.type == "cuda" else None
    return {
        "device": gpu.name if gpu else "CPU",
        "device_gigabytes": round(gpu.total_memory / 1e9, 1) if gpu else None,
        "processor": _processor(),
        "cores": cores(),
        "threads": torch.get_num_threads(),
        "gigabytes": _memory(),
        "load": load,
        "shared": load is not None and load > _BUSY,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "halpose": halpose.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (AttributeError, ValueError, OSError):
        return None


def _load() -> float | None:
    """Programs that wanted a core, on average over the last minute."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return None
