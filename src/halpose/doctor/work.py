"""The same work on many portions, in several processes, results in order and few of them in memory."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

from halpose.errors import DataError

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


def in_order(work: Callable[[_Task], _Result], tasks: Sequence[_Task], workers: int) -> Iterator[_Result]:
    """Results of `work` on each task, in the order of the tasks.

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
    # Spawned, not forked: a caller may hold threads (a progress bar, torch) that a fork would freeze.
    context = multiprocessing.get_context("spawn")
    todo = iter(tasks)
    with ProcessPoolExecutor(min(workers, len(tasks)), mp_context=context, initializer=_start_worker) as pool:
        ahead = deque(pool.submit(work, task) for task in islice(todo, 3 * workers))
        try:
            while ahead:
                yield ahead.popleft().result()
                ahead.extend(pool.submit(work, task) for task in islice(todo, 1))
        except BrokenProcessPool:
            raise DataError(
                "a working process died (out of memory, or killed); try fewer workers. A script must ask for more than "
                'one under `if __name__ == "__main__":`'
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    """Ctrl-C is the parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
