"""Loops that run as machine code: what neither NumPy nor PyTorch has a fast call for."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from numba import njit

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def compiled(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """The same function, compiled by Numba when it is first called, and kept for later processes.

    It lets other threads run. The machine code is kept beside the source, or else in the user's cache folder; where
    neither can be written, every process compiles anew, which takes a second or two.
    """
    return _compiled(function, fastmath=False)


def fused(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """As `compiled`; a product and the sum that it goes into are rounded once, if the processor can, as BLAS does."""
    return _compiled(function, fastmath={"contract"})


def _compiled(function: Callable[_Parameters, _Result], fastmath: bool | set[str]) -> Callable[_Parameters, _Result]:
    try:
        return njit(nogil=True, cache=True, fastmath=fastmath)(function)
    except RuntimeError:  # Numba found no folder to write to
        return njit(nogil=True, fastmath=fastmath)(function)
