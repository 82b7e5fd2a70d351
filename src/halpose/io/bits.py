"""Bitmaps of bytes: bit i of a bitmap tells something of byte i of a text, 64 bytes to an integer.

Counting marks before a place and finding the next ones after it then takes a few operations on whole arrays.
A bitmap has a spare integer at its end, so that a window of 64 may start at any byte.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int, UInt8, UInt64

# Bytes that are looked at a time. What is larger than about 100 kB, the allocator asks of the system for every file
# anew, and getting empty pages takes longer than what is done with them.
_BLOCK = 1 << 16
_ONE, _SIXTY_THREE = np.uint64(1), np.uint64(63)
_BITS_OF_BYTE = np.array([bin(byte).count("1") for byte in range(256)], dtype=np.uint8)


def mark(
    buffer: UInt8[np.ndarray, " bytes"], separator: int, newline: int
) -> tuple[UInt64[np.ndarray, " integers"], Int[np.ndarray, " lines"]]:
    """Find the bytes that separate.

    Args:
        buffer: a text.
        separator: a byte that separates.
        newline: another one, which is rarer.

    Returns:
        The bitmap of both, and the places of newlines.
    """
    marks = np.zeros((len(buffer) // 64 + 2) * 8, dtype=np.uint8)
    newlines = [np.zeros(0, dtype=np.int64)]
    for first in range(0, len(buffer), _BLOCK):
        block = buffer[first : first + _BLOCK]
        either = block == newline
        newlines.append(either.nonzero()[0] + first)
        either |= block == separator
        packed = np.packbits(either, bitorder="little")
        marks[first // 8 : first // 8 + len(packed)] = packed
    return marks.view("<u8"), np.concatenate(newlines)


def has_neighbours(bits: UInt64[np.ndarray, " integers"]) -> bool:
    """Whether two marks stand side by side."""
    inside = (bits & (bits >> _ONE)).any()
    across = ((bits[:-1] >> _SIXTY_THREE) & bits[1:]).any()
    return bool(inside or across)


def rank(bits: UInt64[np.ndarray, " integers"], at: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """How many marks stand before each place."""
    before = np.zeros(len(bits) + 1, dtype=np.int64)
    np.cumsum(count(bits), out=before[1:])
    which = at >> 6
    below = (_ONE << (at & 63).view(np.uint64)) - _ONE
    ranks: Int[np.ndarray, " n"] = before[which] + count(bits[which] & below)
    return ranks


def window(bits: UInt64[np.ndarray, " integers"], at: Int[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
    """The marks of the 64 bytes from each place on; the lowest bit is the place itself."""
    which = at >> 6
    offset = (at & 63).view(np.uint64)
    # The second part in two shifts, because a shift by 64 is not defined.
    marks: UInt64[np.ndarray, " n"] = bits[which] >> offset
    marks |= (bits[which + 1] << _ONE) << (_SIXTY_THREE - offset)
    return marks


def lowest(bits: UInt64[np.ndarray, " ..."]) -> UInt64[np.ndarray, " ..."]:
    """Each integer's lowest set bit alone; zero stays zero."""
    return bits & (~bits + _ONE)


def count(bits: UInt64[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """How many bits of each integer are set."""
    if hasattr(np, "bitwise_count"):  # since NumPy 2.0
        counts: Int[np.ndarray, " n"] = np.bitwise_count(bits)
        return counts
    return _count_by_table(bits)


def _count_by_table(bits: UInt64[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    by_byte: Int[np.ndarray, "n 8"] = _BITS_OF_BYTE[np.ascontiguousarray(bits).view(np.uint8)].reshape(-1, 8)
    counts: Int[np.ndarray, " n"] = by_byte.sum(axis=1, dtype=np.uint8)
    return counts
