"""Loops that run as machine code: what neither NumPy nor PyTorch has a fast call for."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from numba import njit

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def compiled(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """The same function, compiled by Numba when it is first called, and kept for later processes.

    It lets other threads run. The machine code is kept beside the source, or else in the user's cache folder; where
    neither can be written, every process compiles anew, which takes a second or two.
    """
    return _compiled(function)


def fused(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """As `compiled`; a product and the sum that it goes into are rounded once, if the processor can, as BLAS does.

    A division by zero gives what IEEE 754 says: to look for it would keep the compiler from doing many at once.
    """
    return _compiled(function, fastmath={"contract"}, error_model="numpy")


def _compiled(function: Callable[_Parameters, _Result], **options: Any) -> Callable[_Parameters, _Result]:
    function = inspect.unwrap(function)  # from what checks its arguments, in tests
    try:
        machine_code: Callable[_Parameters, _Result] = njit(nogil=True, cache=True, **options)(function)
    except RuntimeError:  # Numba found no folder to write to
        machine_code = njit(nogil=True, **options)(function)
    return machine_code
