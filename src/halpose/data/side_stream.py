"""A CUDA stream of its own for what a thread makes, so that it waits for nothing of the main computation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from torch import Tensor

_Made = TypeVar("_Made")


class SideStream:
    """Where a thread computes; on a CPU there is nothing to be said of it.

    Args:
        device: of what is made. On CUDA the stream begins where the current one stands.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            self._stream.wait_stream(torch.cuda.current_stream(device))

    def make(self, call: Callable[[], _Made]) -> tuple[_Made, torch.cuda.Event | None]:
        """What a call gives, and on CUDA when it is there."""
        if self._stream is None:
            return call(), None
        with torch.cuda.stream(self._stream):
            return call(), self._stream.record_event()


def take_over(made: torch.cuda.Event | None, tensors: Iterable[Tensor]) -> None:
    """For use on the current stream: it waits for what another one made, the host does not.

    Args:
        made: of `SideStream.make`.
        tensors: that were made.
    """
    if made is None:
        return
    for tensor in tensors:
        stream = torch.cuda.current_stream(tensor.device)
        stream.wait_event(made)
        tensor.record_stream(stream)  # else its memory would be used anew as soon as the other one is done
