"""The parameters of a C3D file, and its numbers, which three kinds of computer have written in three ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

_INTEL, _DEC, _MIPS = 84, 85, 86
_CHARACTERS, _BYTES, _WHOLE, _REAL = -1, 1, 2, 4
_MOST = 1 << 22  # entries of one parameter; dimensions are bytes, so that seven of them could claim far more


@dataclass(frozen=True)
class Numbers:
    """How a computer writes numbers: Intel, DEC or MIPS."""

    processor: int

    def whole(self, data: bytes, at: int, count: int) -> np.ndarray:
        """Unsigned 16-bit numbers as 64-bit ones; fewer if the data ends."""
        return self._raw(data, at, count, "u2").astype(np.int64)

    def real(self, data: bytes, at: int, count: int) -> Float64[np.ndarray, " n"]:
        """32-bit floating-point numbers; fewer if the data ends."""
        if self.processor != _DEC:
            with np.errstate(invalid="ignore"):
                return self._raw(data, at, count, "f4").astype(np.float64)
        # DEC writes the upper half first, and its exponents are two larger.
        halves = self._raw(data, at, 2 * count, "u2")
        halves = halves[: len(halves) // 2 * 2].reshape(-1, 2)[:, ::-1]
        with np.errstate(invalid="ignore"):
            return np.ascontiguousarray(halves).view("<f4").ravel().astype(np.float64) / 4

    def _raw(self, data: bytes, at: int, count: int, kind: str) -> np.ndarray:
        dtype = np.dtype((">" if self.processor == _MIPS else "<") + kind)
        count = min(count, max(0, len(data) - at) // dtype.itemsize)
        return np.frombuffer(data, dtype, count, at) if count else np.zeros(0, dtype)


@dataclass(frozen=True)
class Parameters:
    """Parameters by group and name, in capitals: numbers as a flat array, text as a list of words."""

    groups: Mapping[str, Mapping[str, Any]]

    def numbers(self, group: str, name: str) -> np.ndarray:
        """A parameter's numbers; none if it has none."""
        found = self.groups.get(group, {}).get(name)
        return found if isinstance(found, np.ndarray) else np.zeros(0)

    def number(self, group: str, name: str, otherwise: float) -> float:
        """A parameter's first number, or another one."""
        found = self.numbers(group, name)
        return float(found[0]) if len(found) and np.isfinite(found[0]) else otherwise

    def words(self, group: str, name: str) -> list[str]:
        """A parameter's words; none if it has none."""
        found = self.groups.get(group, {}).get(name)
        return found if isinstance(found, list) else []


def numbers_of(data: bytes, at: int) -> Numbers | None:
    """What the parameters that begin at a byte say of the computer that wrote the file; None if they are not there."""
    if len(data) < at + 4 or data[at + 3] not in (_INTEL, _DEC, _MIPS):
        return None
    return Numbers(data[at + 3])


def read_parameters(data: bytes, at: int, numbers: Numbers) -> Parameters:
    """All parameters up to the first that is damaged; what they do not say the header does.

    Args:
        data: the whole file.
        at: first byte of the parameters.
        numbers: how they are written.
    """
    names: dict[int, str] = {}
    found: dict[int, dict[str, Any]] = {}
    at += 4
    while at + 4 < len(data):
        length, group = (value - 256 if value > 127 else value for value in data[at : at + 2])
        length = abs(length)
        name = data[at + 2 : at + 2 + length].decode("latin-1").strip().upper()
        at += 2 + length
        following = numbers.whole(data, at, 1)
        if not length or not len(following):
            break
        if group < 0:
            names[-group] = name
        else:
            found.setdefault(group, {})[name] = _value(data, at + 2, numbers)
        if following[0] < 2:
            break
        at += int(following[0])
    return Parameters({names[group]: values for group, values in found.items() if group in names})


def _value(data: bytes, at: int, numbers: Numbers) -> Any:
    """A parameter's numbers or words; None where it is damaged."""
    if at + 2 > len(data):
        return None
    kind, axes = data[at], data[at + 1]
    kind = kind - 256 if kind > 127 else kind
    shape = list(data[at + 2 : at + 2 + axes])
    count = int(np.prod(shape, dtype=np.float64)) if len(shape) == axes else _MOST + 1
    at += 2 + axes
    if count > _MOST or at + count * abs(kind) > len(data):
        return None
    if kind == _CHARACTERS:
        width = shape[0] if shape else 1
        text = data[at : at + count].decode("latin-1")
        return [text[start : start + width].strip("\x00 ") for start in range(0, count, width)] if width else []
    if kind == _WHOLE:
        return numbers.whole(data, at, count)
    if kind == _REAL:
        return numbers.real(data, at, count)
    return np.frombuffer(data, np.uint8, count, at).astype(np.int64) if kind == _BYTES else None
