"""Ctrl-C and SIGTERM: the loop ends after a whole step, the same one on every rank."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

from halpose.parts.ranks import Ranks


class Stop:
    """Whether to stop, asked once for each step: a signal that comes later finds its step saved, too.

    Args:
        ranks: a signal to any of them stops all.
    """

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks
        self.is_requested = False
        self._answer: Callable[[], bool] | None = None

    def ask(self) -> None:
        """Before a step: ask the other ranks, who answer while it is computed."""
        if not self.ranks.is_alone:
            self._answer = self.ranks.ask(self.is_requested)

    def is_decided(self) -> bool:
        """After the step: whether it was the last one."""
        return self.is_requested if self._answer is None else self._answer()

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take signals for requests."""

        def request(number: int, frame: FrameType | None) -> None:
            self.is_requested = True

        previous = {}
        # Only the main thread may set handlers; elsewhere the caller stops the training its own way.
        with contextlib.suppress(ValueError):
            for number in (signal.SIGINT, signal.SIGTERM):
                previous[number] = signal.signal(number, request)
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
