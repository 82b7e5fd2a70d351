"""Files of `torch.save` from strangers: tensors, containers and numbers; nothing that a file calls by name is called.

PyTorch's restricted unpickler reads them. NumPy's scalars, which training scripts leave beside the weights, are allowed
by name, and the names stand for functions of this module.
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from halpose.errors import CheckpointError

_NUMBERS = "biuf"  # NumPy's kinds of plain numbers


class _Dtype:
    """What `numpy.dtype` makes while a pickle describes a scalar."""

    def __init__(self, code: Any, *_: Any) -> None:
        if not isinstance(code, str) or not re.fullmatch(rf"[<>=|]?[{_NUMBERS}]\d+", code):
            raise pickle.UnpicklingError(f"a NumPy value of type {code!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "=", "|"):
            raise pickle.UnpicklingError("a NumPy type of unknown form")
        self.dtype = self.dtype.newbyteorder(state[1])


def _scalar(kind: Any, data: Any) -> float | int | bool:
    """What `numpy.core.multiarray.scalar` makes: one number."""
    if not isinstance(kind, _Dtype) or not isinstance(data, bytes) or len(data) != kind.dtype.itemsize:
        raise pickle.UnpicklingError("a NumPy value that is no number")
    number: float | int | bool = np.frombuffer(data, kind.dtype).item()
    return number


_ALLOWED = [
    (_Dtype, "numpy.dtype"),
    (_scalar, "numpy.core.multiarray.scalar"),
    (_scalar, "numpy._core.multiarray.scalar"),  # as NumPy 2 names it
]


def read_torch(path: Path) -> Any:
    """What a file of `torch.save` holds, on the CPU.

    Raises:
        CheckpointError: it is no such file, is damaged, or names anything but tensors, containers and numbers.
        OSError: it cannot be opened.
    """
    with path.open("rb"):  # a file that is not there is one error, whatever torch makes of the other kinds
        pass
    try:
        with torch.serialization.safe_globals(_ALLOWED):  # type: ignore[arg-type]
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"it names {named[1]}, which no weights need" if named else _first_line(error)
        raise CheckpointError(
            f"{path}: refused: {what}; only tensors, containers and numbers are read from a file of torch.save"
        ) from None
    # A file that is no pickle at all, or only half of one, may fail in any way that a machine for pickles can.
    except Exception as error:
        raise CheckpointError(
            f"{path}: not a whole file of torch.save ({_first_line(error)}); download or copy it again"
        ) from None


def _first_line(error: Exception) -> str:
    text = str(error).strip().partition("\n")[0] or type(error).__name__
    return f"{text:.160}"
