"""Pickles from strangers: containers, numbers, text and NumPy arrays; nothing that a pickle calls by name is called.

A pickle is a program: it may name any function and call it. Here the names that NumPy and the standard containers
need stand for functions of this module; any other name is refused, and so is everything that would allocate memory
which the file does not fill. The machine is the standard library's own in Python (the one in C trusts the sizes
that a file claims), without the instructions that make objects of classes.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from halpose.io.base import read_bytes, refused

_REMEDY = "export the data again as lists and plain arrays"
_LARGEST = 1 << 34
_KINDS = "biufUS"


class _Refused(Exception):
    """Something in a pickle that is not data."""


class _Name(NamedTuple):
    """A function or class that a pickle names; it cannot be called."""

    module: str
    name: str


_NAMED = _Name("numpy", "ndarray")


class _Type:
    """A NumPy type while a pickle describes it."""

    def __init__(self, code: str) -> None:
        self.dtype = np.dtype(code)
        if self.dtype.kind not in _KINDS or not self.dtype.itemsize or self.dtype.fields:
            raise _Refused(f"an array of {code!r}")

    def set_state(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 5 or any(part is not None for part in state[2:5]):
            raise _Refused("an array of structures")
        order = state[1]
        if order not in ("<", ">", "=", "|"):
            raise _Refused(f"byte order {order!r}")
        if order in "<>":
            self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """A NumPy array while a pickle describes it; `plain` makes it one."""

    value: np.ndarray | None = None

    def set_state(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise _Refused("an array of unknown form")
        _, shape, kind, fortran, data = state
        self.value = _array(data, kind, shape, "F" if fortran else "C")


def _array(data: Any, kind: Any, shape: Any, order: Any = "C") -> np.ndarray:
    """An array whose shape fits its data."""
    if isinstance(data, str):  # Python 2
        data = data.encode("latin-1")
    if not isinstance(data, bytes | bytearray) or not isinstance(kind, _Type) or order not in ("C", "F"):
        raise _Refused("an array of objects")
    whole = isinstance(shape, tuple) and all(type(length) is int and length >= 0 for length in shape)
    size = kind.dtype.itemsize
    for length in shape if whole else ():
        size *= length
    if not whole or size != len(data):
        raise _Refused(f"an array of shape {shape!r} with {len(data)} bytes")
    return np.frombuffer(data, dtype=kind.dtype).reshape(shape, order=order)


def _scalar(kind: Any, data: Any) -> Any:
    return _array(data, kind, ()).item()


def _type(code: Any, *_: Any) -> _Type:
    if not isinstance(code, str) or len(code) > 16:
        raise _Refused(f"an array of {code!r}")
    return _Type(code)


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise _Refused(f"text in {encoding!r}")
    return text.encode("latin-1")


def _empty_array(kind: Any, shape: Any, *_: Any) -> _Array:
    if kind != _NAMED or shape != (0,):
        raise _Refused(f"an array of shape {shape!r} without data")
    return _Array()


def _no_bytes() -> bytes:
    return b""


def _from_buffer(data: Any, kind: Any, shape: Any, order: Any) -> np.ndarray:
    return _array(data, kind, shape, order)


def _dict(*pairs: Any) -> dict[Any, Any]:
    return dict(*pairs)


def _list(*items: Any) -> list[Any]:
    return list(*items)


_CALLED: dict[_Name, Callable[..., Any]] = {
    **{
        _Name(f"numpy.{core}.{module}", name): function
        for core in ("core", "_core")
        for module, name, function in (
            ("multiarray", "_reconstruct", _empty_array),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _from_buffer),
        )
    },
    _Name("numpy", "dtype"): _type,
    _Name("_codecs", "encode"): _encode,
    _Name("collections", "OrderedDict"): _dict,
    _Name("builtins", "bytes"): _no_bytes,
    _Name("__builtin__", "bytes"): _no_bytes,
    _Name("builtins", "set"): _list,
    _Name("builtins", "frozenset"): _list,
    _Name("__builtin__", "set"): _list,
    _Name("__builtin__", "frozenset"): _list,
}


_INSTRUCTIONS_OF_CLASSES = b"".join(
    (
        *(pickle.INST, pickle.OBJ, pickle.NEWOBJ, pickle.NEWOBJ_EX, pickle.PERSID, pickle.BINPERSID),
        *(pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER),
    )
)


class _Machine(pickle._Unpickler):
    """Python's pickle machine, with names that are only names."""

    stack: list[Any]
    append: Callable[[Any], None]
    read: Callable[[int], bytes]

    def find_class(self, module: str, name: str) -> _Name:
        wanted = _Name(module, name)
        if wanted not in _CALLED and wanted != _NAMED:
            raise _Refused(f"the name {module}.{name}")
        return wanted

    def _reduce(self) -> None:
        arguments = self.stack.pop()
        function = _CALLED.get(self.stack[-1]) if isinstance(self.stack[-1], _Name) else None
        if function is None:
            raise _Refused(f"a call of {self.stack[-1]!r:.60}")
        self.stack[-1] = function(*arguments)

    def _build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], _Array | _Type):
            raise _Refused(f"a state for {type(self.stack[-1]).__name__}")
        self.stack[-1].set_state(state)

    def _bytearray(self) -> None:
        size = int.from_bytes(self.read(8), "little")
        data = self.read(size)
        if len(data) != size:
            raise EOFError
        self.append(bytearray(data))

    def _refuse(self) -> None:
        raise _Refused("an object of a class")

    dispatch: ClassVar[dict[int, Callable[..., None]]] = {
        **pickle._Unpickler.dispatch,
        **dict.fromkeys(_INSTRUCTIONS_OF_CLASSES, _refuse),
        pickle.REDUCE[0]: _reduce,
        pickle.BUILD[0]: _build,
        pickle.BYTEARRAY8[0]: _bytearray,
    }


def load_pickle(path: Path) -> Any:
    """What a pickle holds; `plain` makes an array of what stands for one.

    Raises:
        FormatError: it is damaged, or names anything but NumPy arrays and plain containers.
    """
    data = read_bytes(path, limit=_LARGEST)
    try:
        return _Machine(io.BytesIO(data), encoding="latin1").load()
    except _Refused as error:
        raise refused(path, f"this pickle holds {error}, which is more than data and is not read", _REMEDY) from None
    except Exception as error:  # a damaged pickle fails in many ways, all of them harmless here
        reason = str(error)[:80] or type(error).__name__
        raise refused(path, f"not readable as a pickle ({reason})", "download or make it again") from None


def plain(value: Any) -> Any:
    """A value out of a pickle, as an array where the pickle means one."""
    return value.value if isinstance(value, _Array) else value
