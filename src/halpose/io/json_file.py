"""JSON from strangers: bounded in size, depth and number of parts, and numbers that are numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from halpose.io.base import read_bytes, refused

# An hour of one person at 30 frames a second, every joint an object of four numbers, is half of either.
_LARGEST = 1 << 29
_MOST_PARTS = 1 << 23
_HEAD = 1 << 16
_REMEDY = "write it again, or cut it into shorter recordings"


def read_json(path: Path, limit: int = _LARGEST) -> Any:
    """What a file holds.

    Raises:
        FormatError: it is not there, no JSON, nested too deeply, larger than `limit` bytes, or of so many lists and
            objects that they would fill the memory.
    """
    data = read_bytes(path, limit)
    if data.count(b"[") + data.count(b"{") > _MOST_PARTS:
        raise refused(path, f"more than {_MOST_PARTS} lists and objects", _REMEDY)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise refused(path, f"not readable as JSON ({str(error)[:80]})", _REMEDY) from None


def read_beginning(path: Path) -> bytes:
    """The beginning of a file that looks like JSON, without what stands before it; else nothing. For `sniff`."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD).lstrip(b"\xef\xbb\xbf \t\r\n")
    except (OSError, ValueError):
        return b""
    return head if head[:1] in (b"{", b"[") else b""


def to_numbers(value: Any) -> Float64[np.ndarray, " ..."] | None:
    """Lists of numbers as an array, null as NaN; None for anything else, such as text or rows of unequal length."""
    try:
        array = np.array(value)
    except (ValueError, OverflowError):
        return None
    if array.dtype.kind in "fiu":
        return array.astype(np.float64)
    if array.dtype.kind != "O" or not all(_is_number(entry) for entry in array.flat):
        return None
    try:
        return np.array([math.nan if entry is None else entry for entry in array.flat], float).reshape(array.shape)
    except OverflowError:  # whole numbers beyond what a float holds
        return None


def to_whole(value: Any, most: int = 1 << 53) -> int | None:
    """A whole number from 0, also as 12.0 or "12", as keys of objects are; else None."""
    if isinstance(value, str):
        try:
            value = float(value) if len(value) <= 20 else None
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        return None
    return int(value) if value == int(value) else None


def _is_number(entry: Any) -> bool:
    return entry is None or (isinstance(entry, int | float) and not isinstance(entry, bool))
