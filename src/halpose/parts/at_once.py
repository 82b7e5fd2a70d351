"""Calls that do not need each other, on a CPU, in threads.

Cores that share one small product mostly wait for each other; cores that have a product each do not.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

_Result = TypeVar("_Result")
_pools: dict[tuple[int, int, int], ThreadPoolExecutor] = {}


def at_once(*calls: Callable[[], _Result]) -> list[_Result]:
    """Results of the calls, which run at the same time, each with its share of torch's threads.

    With fewer threads than calls they run one after another, here. Whether gradients are followed and inference mode
    are the caller's; a call must not draw from torch's global generator, whose order would be left to chance.
    """
    share = torch.get_num_threads() // len(calls)
    if share < 1:
        return [call() for call in calls]
    follows, infers = torch.is_grad_enabled(), torch.is_inference_mode_enabled()

    def run(call: Callable[[], _Result]) -> _Result:
        with torch.inference_mode(infers), torch.set_grad_enabled(follows):
            return call()

    waiting = [_pool(len(calls), share).submit(run, call) for call in calls]
    return [future.result() for future in waiting]


def _pool(workers: int, share: int) -> ThreadPoolExecutor:
    """Threads that stay, each with so many of torch's; a forked process has none of its parent's and makes its own."""
    key = os.getpid(), workers, share
    if key not in _pools:
        _pools[key] = ThreadPoolExecutor(workers, "side", initializer=_take_share, initargs=(share,))
    return _pools[key]


def _take_share(share: int) -> None:
    """Set how many of torch's threads this one has."""
    torch.get_num_threads()  # when it is first asked in a thread, torch sets the number of the process
    torch.set_num_threads(share)
