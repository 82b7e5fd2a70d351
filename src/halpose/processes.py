"""The same work on many portions, in several processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

from halpose.errors import DataError

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

_LOST = (
    "a working process died (out of memory, or killed); try fewer workers. A script must ask for more than "
    'one under `if __name__ == "__main__":`'
)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def pool(workers: int, lost: str = _LOST) -> Iterator[ProcessPoolExecutor]:
    """Working processes, gone when the block is left, however it is left.

    Args:
        workers: how many.
        lost: what to say where one dies.

    Raises:
        DataError: a process died.
    """
    # Spawned, not forked: a caller may hold threads (a progress bar, torch) that a fork would freeze.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=begin_worker) as processes:
        try:
            yield processes
        except BrokenProcessPool:
            raise DataError(lost) from None
        finally:
            processes.shutdown(wait=True, cancel_futures=True)


def in_order(work: Callable[[_Task], _Result], tasks: Sequence[_Task], workers: int) -> Iterator[_Result]:
    """Results of `work` on each task, in the order of the tasks, and few of them in memory.

    Args:
        work: a function of a module.
        tasks: what it is called with.
        workers: processes; 1 works in this one.

    Raises:
        DataError: a process died.
    """
    if workers <= 1 or len(tasks) <= 1:
        yield from map(work, tasks)
        return
    todo = iter(tasks)
    with pool(min(workers, len(tasks))) as processes:
        # A few ahead and no more: finished results wait in memory until it is their turn.
        ahead = deque(processes.submit(work, task) for task in islice(todo, 3 * workers))
        while ahead:
            yield ahead.popleft().result()
            ahead.extend(processes.submit(work, task) for task in islice(todo, 1))


def begin_worker() -> None:
    """In a new process: Ctrl-C is the parent's business; one whose parent was killed must not stay behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
