"""What the benchmarks share: a store to run on, and timing that machines' noise does not decide.

Alternatives are timed in turn, A B A B …, and ratios are medians over the pairs of one run.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch

from halpose.data.normalise import clean
from halpose.data.store import Store, StoreWriter
from halpose.skeleton import Sequence, load_layout


def random_store(path: Path, clips: int = 256, frames: tuple[int, int] = (60, 160)) -> Store:
    """Random walks in NTU's shape (25 joints, two people): arithmetic does not care what they mean."""
    rng = np.random.default_rng(0)
    with StoreWriter(path, layout=load_layout("kinect25"), people=2, name="random", synthetic=True) as writer:
        for clip in range(clips):
            length = int(rng.integers(*frames))
            walk = rng.normal(0, 0.01, (2, length, 25, 3)).cumsum(1) + rng.normal(0, 0.4, (2, 1, 25, 3))
            writer.append(clean(Sequence(walk.astype(np.float32), "kinect25", f"clip{clip:05d}"), people=2))
    return Store.open(path)


def in_turn(alternatives: dict[str, Callable[[], object]], rounds: int, warm: int = 1) -> dict[str, list[float]]:
    """Seconds of every call, the alternatives called in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in alternatives}
    for turn in range(warm + rounds):
        for name, call in alternatives.items():
            synchronise()
            begun = time.perf_counter()
            call()
            synchronise()
            if turn >= warm:
                seconds[name].append(time.perf_counter() - begun)
    return seconds


def ratio(seconds: dict[str, list[float]], slow: str, fast: str) -> float:
    """Median over the rounds of slow / fast."""
    return median(a / b for a, b in zip(seconds[slow], seconds[fast], strict=True))


def synchronise() -> None:
    """Wait for a GPU, where there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def machine() -> str:
    """One line about what this ran on."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{platform.machine()} CPU"
    return f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}, {time.strftime('%Y-%m-%d')}"
