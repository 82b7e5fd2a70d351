"""Timing that a machine's noise does not decide: alternatives in turn, A B A B …, ratios within each round."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

import torch


def in_turn(
    alternatives: Mapping[str, Callable[[], object]],
    rounds: int,
    warm: int = 1,
    progress: Callable[[int], None] = lambda turn: None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of every call, the alternatives called in turn.

    Args:
        alternatives: name -> what is timed.
        rounds: that count.
        warm: rounds before them, which do not.
        progress: told the number of each round, from 1, when it is over.
        clock: seconds; `time.process_time` where other programs share the cores and one thread is timed.
    """
    seconds: dict[str, list[float]] = {name: [] for name in alternatives}
    for turn in range(warm + rounds):
        for name, call in alternatives.items():
            synchronise()
            begun = clock()
            call()
            synchronise()
            if turn >= warm:
                seconds[name].append(clock() - begun)
        progress(turn + 1)
    return seconds


def ratio(seconds: Mapping[str, Sequence[float]], slow: str, fast: str) -> float:
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
