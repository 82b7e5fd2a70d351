"""One array of numbers out of a MATLAB 5 file, read without trusting it.

A file is a header of 128 bytes, then elements: a tag of kind and size (packed into four bytes where the content is no
longer than that), and content filled up to eight bytes. An array is an element of elements: flags, dimensions, name,
numbers; it may be compressed with zlib. Reference: MAT-File Format, MathWorks.

SciPy reads these files too, and on some that are damaged its compiled code ends the whole process.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_NUMERIC_CLASSES = range(6, 16)  # double, single and the whole numbers
_COMPLEX = 0x08
_MOST_DIMENSIONS, _MOST_ELEMENTS = 32, 1024


class NotMat(ValueError):
    """The file is damaged, or is none; the message says how."""


@dataclass(frozen=True)
class Found:
    """An array in a file: its name and dimensions, and its numbers where it has real ones, first dimension fastest."""

    name: str
    shape: tuple[int, ...]
    numbers: np.ndarray | None

    def array(self) -> np.ndarray | None:
        """The numbers in their dimensions; None where there are none, or not as many as those say."""
        if self.numbers is None or self.numbers.size != np.prod(self.shape, dtype=np.float64):
            return None
        return self.numbers.reshape(self.shape, order="F")


def arrays(data: bytes, most_bytes: int) -> Iterator[Found]:
    """The arrays of a file, one after another.

    Args:
        data: the whole file.
        most_bytes: no compressed array may become longer.

    Raises:
        NotMat: something is damaged; arrays before it have been given.
    """
    if not data.startswith(b"MATLAB 5.0 MAT-file") or len(data) < _HEADER:
        raise NotMat("not a MATLAB 5 file")
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None:
        raise NotMat("its byte order is not stated")
    for kind, content in _elements(data[_HEADER:], order):
        if kind == _COMPRESSED:
            inner = next(_elements(_inflated(content, most_bytes), order), (0, b""))
            kind, content = inner
        if kind == _MATRIX:
            yield _array(content, order)


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Kind and content of each element."""
    at = elements = 0
    while at + 8 <= len(data):
        elements += 1
        if elements > _MOST_ELEMENTS:
            raise NotMat(f"more than {_MOST_ELEMENTS} parts")
        kind, size = struct.unpack_from(f"{order}II", data, at)
        start, step = at + 8, size
        if kind >> 16:  # packed: the size stands in the upper half of the kind, the content where the size was
            kind, size, start, step = kind & 0xFFFF, kind >> 16, at + 4, 0
            if size > 4:
                raise NotMat(f"a packed element of {size} bytes")
        if start + size > len(data):
            raise NotMat("cut off")
        yield kind, data[start : start + size]
        at += 8 + (step if kind == _COMPRESSED else -(-step // 8) * 8)


def _inflated(content: bytes, most_bytes: int) -> bytes:
    machine = zlib.decompressobj()
    try:
        whole = machine.decompress(content, most_bytes)
    except zlib.error as error:
        raise NotMat(f"compressed and damaged: {error}") from None
    if machine.unconsumed_tail:
        raise NotMat(f"an array of more than {most_bytes >> 20} MiB")
    return whole


def _array(content: bytes, order: str) -> Found:
    parts = list(_elements(content, order))
    if len(parts) < 3 or len(parts[0][1]) < 4 or len(parts[1][1]) % 4:
        raise NotMat("an array without flags, dimensions and name")
    (flags,) = struct.unpack_from(f"{order}I", parts[0][1])
    shape = tuple(np.frombuffer(parts[1][1], f"{order}i4").tolist())
    if len(shape) > _MOST_DIMENSIONS or any(size < 0 for size in shape):
        raise NotMat(f"an array of {len(shape)} dimensions, or of negative ones")
    name = parts[2][1].decode("latin-1")
    is_real = flags & 0xFF in _NUMERIC_CLASSES and not flags >> 8 & _COMPLEX and len(parts) == 4
    if not is_real or parts[3][0] not in _NUMBERS:
        return Found(name, shape, None)
    kind = np.dtype(_NUMBERS[parts[3][0]]).newbyteorder("<" if order == "<" else ">")
    if len(parts[3][1]) % kind.itemsize:
        raise NotMat(f"{name or 'an array'} has a piece of a number")
    numbers = np.frombuffer(parts[3][1], kind)
    return Found(name, shape, numbers.astype(kind.newbyteorder("=")))
