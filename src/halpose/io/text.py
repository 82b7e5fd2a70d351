"""Numbers in text, read a whole file at a time.

Recordings as text hold tens of thousands of short decimal numbers, of which a reader often wants a few columns.
`scan` marks every separator of a file as one bit, so that lines, words a line and the first words of chosen lines
follow from arithmetic on 64 characters at a time; `to_floats` converts the wanted words all at once, and gives
exactly what `float` does: what is not a plain decimal (exponents, nan, more digits) goes through `float` itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int, UInt8, UInt64

from halpose.io.bits import count, has_neighbours, mark, rank, window
from halpose.io.decimals import LOADED, coordinates, decimals

_NEWLINE, _RETURN = b"\n\r"
_WINDOW = 64
_ONE = np.uint64(1)
_NUMBERS = 8192  # converted at a time, see halpose.io.bits
_FEW = 256  # so many words are sooner converted one by one than all at once


class NotNumbers(ValueError):
    """Text does not hold the numbers that it should.

    Attributes:
        at: which of the wanted words it is, or -1 where there are too many or too few.
    """

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


@dataclass(frozen=True)
class Lines:
    """The lines of a text that hold words.

    Attributes:
        text: the text.
        buffer: the same as numbers.
        starts: index of the first byte of each line.
        ends: index of its newline.
        words: how many words it has.
        separator: the byte between words.
        separators: bitmap of all such bytes and newlines; no two stand side by side.
        numbers: where blank lines were left out, the number that each line had, counted from 1.
    """

    text: bytes
    buffer: UInt8[np.ndarray, " bytes"]
    starts: Int[np.ndarray, " lines"]
    ends: Int[np.ndarray, " lines"]
    words: Int[np.ndarray, " lines"]
    separator: bytes
    separators: UInt64[np.ndarray, " integers"]
    numbers: Int[np.ndarray, " lines"] | None = None

    def __len__(self) -> int:
        return len(self.starts)

    def number(self, line: int) -> int:
        """Number of a line, counted from 1 as an editor does."""
        return line + 1 if self.numbers is None else int(self.numbers[line])


@dataclass(frozen=True)
class Words:
    """Where words of a text start and end; the first one starts before all others."""

    starts: Int[np.ndarray, " words"]
    ends: Int[np.ndarray, " words"]

    def __len__(self) -> int:
        return len(self.starts)


def scan(text: bytes, separator: bytes = b" ") -> Lines:
    """Find the lines of a text and how many words each has.

    Args:
        text: words with white space between them.
        separator: a space, or what stands between words instead, such as a comma.
    """
    lines = _lines(text if text.endswith(b"\n") else text + b"\n", separator)
    if lines is not None:
        return lines
    rows = [row.replace(separator, b" ").split() for row in text.splitlines()]
    tidy = _lines(b"".join(b" ".join(row) + b"\n" for row in rows if row), b" ")
    assert tidy is not None
    numbers = np.flatnonzero(np.array([len(row) for row in rows])) + 1
    return replace(tidy, numbers=numbers)


def _lines(text: bytes, separator: bytes) -> Lines | None:
    """The lines of a text whose words have exactly one separator after them, or None if some have not."""
    buffer = np.frombuffer(text, dtype=np.uint8)
    separators, ends = mark(buffer, separator[0], _NEWLINE)
    if separators[0] & _ONE or has_neighbours(separators) or b"\t" in text:
        return None
    starts = np.zeros(len(ends), dtype=np.int64)
    np.add(ends[:-1], 1, out=starts[1:])
    words = rank(separators, ends + 1)
    words[1:] -= words[:-1].copy()
    if _RETURN in buffer[ends - 1]:
        ends = ends - (buffer[ends - 1] == _RETURN)
        if (ends <= starts).any():
            return None
    return Lines(text, buffer, starts, ends, words, separator, separators)


def first_words(lines: Lines, which: Int[np.ndarray, " n"], wanted: int = 1) -> Words:
    """The first few words of some lines.

    Args:
        lines: of a text.
        which: indices of lines that have so many words.
        wanted: how many words of each line.

    Returns:
        The first words of all these lines, then all second words, and so on.
    """
    first, last = lines.starts.take(which), lines.ends.take(which)
    left = window(lines.separators, first)
    starts = np.empty((wanted + 1, len(which)), dtype=np.int64)
    starts[0] = first
    for word in starts[1:]:  # one behind the lowest mark; where none is left in the window, 64 behind the line's start
        below = left - _ONE
        np.add(first, count(left ^ below), out=word)
        left &= below
    ends = starts[1:] - 1
    starts = starts[:-1]
    np.minimum(ends[-1], last, out=ends[-1])
    for line in np.flatnonzero(ends[-1] - first >= _WINDOW - 1).tolist():  # longer words than the window holds
        start = int(first[line])
        for at in range(wanted):
            end = lines.text.find(lines.separator, start, int(last[line]))
            starts[at, line], ends[at, line] = start, end if end >= 0 else last[line]
            start = int(ends[at, line]) + 1
    return Words(starts.ravel(), ends.ravel())


def all_words(lines: Lines) -> Words:
    """Every word of a text, in order."""
    bits = np.unpackbits(lines.separators.view(np.uint8), count=len(lines.buffer), bitorder="little")
    ends = np.flatnonzero(bits)
    starts = np.zeros_like(ends)
    starts[1:] = ends[:-1] + 1
    ends[np.cumsum(lines.words) - 1] = lines.ends
    return Words(starts, ends)


def to_floats(lines: Lines, words: Words) -> Float64[np.ndarray, " n"]:
    """Convert words to numbers, each exactly as `float` does.

    Args:
        lines: of the text.
        words: words in it.

    Raises:
        NotNumbers: one of them is not a number; the message names it and its line.
    """
    if len(lines.buffer) < 2 * LOADED or not len(words):
        values, unusual = np.empty(len(words)), np.ones(len(words), dtype=bool)
    else:
        blocks = [slice(first, first + _NUMBERS) for first in range(0, len(words), _NUMBERS)]
        parts = [coordinates(lines.buffer, words.starts[block], words.ends[block]) for block in blocks]
        values, unusual = parts[0] if len(parts) == 1 else map(np.concatenate, zip(*parts, strict=True))
        others = unusual.nonzero()[0]
        for first in range(0, len(others) if len(others) > _FEW else 0, _NUMBERS):
            some = others[first : first + _NUMBERS]
            values[some], unusual[some] = decimals(lines.buffer, words.starts[some], words.ends[some])
    if len(words) and words.ends[0] < LOADED:  # words are in order, so that the first ends first
        unusual |= words.ends < LOADED
    rest = unusual.nonzero()[0]
    if len(rest):
        values[rest] = _one_by_one(lines, rest, words.starts[rest].tolist(), words.ends[rest].tolist())
    return values


def table(text: bytes, columns: int, separator: bytes = b" ") -> Float64[np.ndarray, "rows columns"]:
    """Read a text in which every line has the same number of numbers, and an end.

    Raises:
        NotNumbers: a line has more or fewer, a word is not a number, or the last line may be cut off; the message
            names the line.
    """
    lines = scan(text, separator)
    last = lines.number(len(lines) - 1) if len(lines) else 1
    odd = np.flatnonzero(lines.words != columns)
    if len(odd):
        number, words = lines.number(int(odd[0])), lines.words[odd[0]]
        raise NotNumbers(
            f"line {number} has {words} numbers, not {columns}{', and is the last' * (number == last)}", -1
        )
    if not text.endswith(b"\n"):
        raise NotNumbers(f"line {last} has no end, so that its last number may be cut off", -1)
    return to_floats(lines, all_words(lines)).reshape(-1, columns)


def _one_by_one(lines: Lines, which: Int[np.ndarray, " n"], starts: list[int], ends: list[int]) -> list[float]:
    """The numbers that some words are for `float`."""
    found = [lines.text[start:end] for start, end in zip(starts, ends, strict=True)]
    try:
        if b"_" not in b"".join(found):  # Python's own notation, which no recording uses
            return list(map(float, found))
    except ValueError:
        pass
    at = next(at for at, word in enumerate(found) if not _is_number(word))
    line = int(np.searchsorted(lines.starts, starts[at], side="right")) - 1
    shown = found[at][:24].decode("ascii", "backslashreplace")
    raise NotNumbers(f"line {lines.number(line)}: {shown!r} is not a number", int(which[at]))


def _is_number(word: bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return b"_" not in word
