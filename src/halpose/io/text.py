"""Numbers in text, read a whole file at a time.

Recordings as text hold tens of thousands of short decimal numbers, of which a reader often wants a few columns.
`scan` finds the lines and how many words each has; `to_floats` converts the first words of some lines, and gives
exactly what `float` does: what is not a plain decimal (nan, more digits than a double holds) goes through `float`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int, UInt8

from halpose.io.text_loops import find_lines, parse


class NotNumbers(ValueError):
    """Text does not hold the numbers that it should.

    Attributes:
        at: which of the wanted lines it is, or -1 where there are too many or too few words.
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
        separator: the byte that parts words beside white space.
        starts: where the first word of each line starts.
        ends: where its last word ends.
        words: how many words it has.
        numbers: its number in the text, counted from 1 as an editor does.
    """

    text: bytes
    buffer: UInt8[np.ndarray, " bytes"]
    separator: bytes
    starts: Int[np.ndarray, " lines"]
    ends: Int[np.ndarray, " lines"]
    words: Int[np.ndarray, " lines"]
    numbers: Int[np.ndarray, " lines"]

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, line: int) -> list[bytes]:
        """The words of a line."""
        return self.text[self.starts[line] : self.ends[line]].replace(self.separator, b" ").split()


def scan(text: bytes, separator: bytes = b" ") -> Lines:
    """Find the lines of a text and how many words each has.

    Args:
        text: words with white space between them.
        separator: one byte that parts words, too, such as a comma.
    """
    buffer = np.frombuffer(text, dtype=np.uint8)
    return Lines(text, buffer, separator, *find_lines(buffer, separator[0]))


def to_floats(lines: Lines, which: Int[np.ndarray, " n"], columns: int) -> Float64[np.ndarray, "n columns"]:
    """The first words of some lines as numbers, each exactly what `float` makes of it.

    Args:
        lines: of a text.
        which: indices of lines that have so many words.
        columns: how many words of each.

    Raises:
        NotNumbers: one of them is not a number; the message names it and its line.
    """
    values = np.empty((len(which), columns))
    unusual = np.empty(len(which), dtype=bool)
    if parse(lines.buffer, lines.separator[0], lines.starts[which], lines.ends[which], values, unusual):
        for at in np.flatnonzero(unusual).tolist():
            values[at] = [_to_float(word, lines, int(which[at]), at) for word in lines[which[at]][:columns]]
    return values


def table(text: bytes, columns: int, separator: bytes = b" ") -> Float64[np.ndarray, "rows columns"]:
    """Read a text in which every line has the same number of numbers, and an end.

    Raises:
        NotNumbers: a line has more or fewer, a word is not a number, or the last line may be cut off; the message
            names the line.
    """
    lines = scan(text, separator)
    last = int(lines.numbers[-1]) if len(lines) else 1
    odd = np.flatnonzero(lines.words != columns)
    if len(odd):
        number, words = int(lines.numbers[odd[0]]), lines.words[odd[0]]
        raise NotNumbers(
            f"line {number} has {words} numbers, not {columns}{', and is the last' * (number == last)}", -1
        )
    if not text.endswith((b"\n", b"\r")):
        raise NotNumbers(f"line {last} has no end, so that its last number may be cut off", -1)
    return to_floats(lines, np.arange(len(lines)), columns)


def _to_float(word: bytes, lines: Lines, line: int, at: int) -> float:
    try:
        if b"_" not in word:  # Python's own notation, which no recording uses
            return float(word)
    except ValueError:
        pass
    shown = word[:24].decode("ascii", "backslashreplace")
    raise NotNumbers(f"line {lines.numbers[line]}: {shown!r} is not a number", at)
