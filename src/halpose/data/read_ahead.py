"""What coming steps need, made by a thread while the present one is computed."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

_Made = TypeVar("_Made")


class ReadAhead(Generic[_Made]):
    """Makes something for each step, in their order and in a thread of its own.

        with ReadAhead(make, first, last, ahead=2) as coming:
            for step in range(first, last):
                use(coming.take(step))

    What is made and not taken yet, or is being made, is for the next `ahead` steps and no more: that bounds the memory.
    The thread ends with the block, however it ends. What goes wrong in it is raised where the step is taken.

    Args:
        make: step -> what it needs. Called in the thread, once a step, in order.
        first: step to begin with.
        last: step to end before.
        ahead: of how many steps, at least one.
    """

    def __init__(self, make: Callable[[int], _Made], first: int, last: int, ahead: int) -> None:
        if ahead < 1:
            raise ValueError(f"ahead is {ahead}; one step ahead is the least")
        self._make, self._next, self._last, self._ahead = make, first, last, ahead
        self._change = threading.Condition()
        self._made: deque[_Made] = deque()
        self._error: BaseException | None = None
        self._is_over = False
        self._thread = threading.Thread(target=self._run, args=(first,), name="halpose read ahead", daemon=True)

    def __enter__(self) -> ReadAhead[_Made]:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._change:
            self._is_over = True
            self._made.clear()
            self._change.notify_all()
        self._thread.join()

    def take(self, step: int) -> _Made:
        """What a step needs, waited for; steps are taken in order, each once.

        Raises:
            ValueError: it is not this step's turn.
            BaseException: whatever went wrong in the thread, once all that was made before is taken.
        """
        if step != self._next or not step < self._last:
            raise ValueError(f"step {step} was asked for; the next one here is {self._next}, the end {self._last}")
        with self._change:
            self._change.wait_for(lambda: self._made or self._error or self._is_over)
            if not self._made:
                raise self._error or ValueError("nothing is made any more: the block is over")
            made = self._made.popleft()
            self._change.notify_all()
        self._next += 1
        return made

    def _run(self, first: int) -> None:
        try:
            for step in range(first, self._last):
                with self._change:
                    self._change.wait_for(lambda: self._is_over or len(self._made) < self._ahead)
                    if self._is_over:
                        return
                made = self._make(step)
                with self._change:
                    self._made.append(made)
                    self._change.notify_all()
                del made  # else it would stay while the next one is made
        except BaseException as error:
            with self._change:
                self._error = error
                self._change.notify_all()
