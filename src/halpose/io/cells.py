"""Tables as text, with or without a line of names: which character divides them, and their cells as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from halpose.io.base import refused
from halpose.io.text import NotNumbers, table

MOST_COLUMNS = 10_000
_REMEDY = "export the table again"
_NOTHING = frozenset(("", "nan", "na", "n/a", "null", "none", "-"))


@dataclass(frozen=True)
class Cells:
    """A table that is not looked at yet.

    Attributes:
        names: what the columns are called; empty where the first line has numbers already.
        columns: how many there are.
        separator: what divides them; a space is any white space.
        body: the lines below the names.
        first: number of the body's first line, counted from 1.
    """

    names: tuple[str, ...]
    columns: int
    separator: str
    body: bytes
    first: int


def divide(data: bytes) -> Cells | None:
    """Tell the names from the body; None where there is no line, or too many columns.

    Args:
        data: the text, or its beginning.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    start, number = 0, 1
    while True:  # remarks before the table
        end = data.find(b"\n", start)
        line = data[start : end if end >= 0 else len(data)]
        if line.strip() and not line.lstrip().startswith(b"#"):
            break
        if end < 0:
            return None
        start, number = end + 1, number + 1
    text = line.decode("utf-8", "replace").strip("\r\n")
    separator = max((",", ";", "\t"), key=text.count)
    if separator not in text:
        separator = " "
    cells = split(text, separator)
    if len(cells) > MOST_COLUMNS:
        return None
    if separator == ";" and all(is_number(cell.replace(",", ".")) for cell in cells):
        cells = [cell.replace(",", ".") for cell in cells]
    if all(is_number(cell) for cell in cells):
        return Cells((), len(cells), separator, data[start:], number)
    below = data[end + 1 :] if end >= 0 else b""
    return Cells(tuple(cells), len(cells), separator, below, number + 1)


def split(line: str, separator: str) -> list[str]:
    """The cells of a line, without the space and quotes around them."""
    cells = line.split() if separator == " " else line.split(separator)
    return [cell.strip().strip('"').strip() for cell in cells]


def is_number(cell: str) -> bool:
    """Whether a cell holds a number, or nothing."""
    try:
        float(cell)
    except ValueError:
        return cell.lower() in _NOTHING
    return "_" not in cell


def numbers(path: Path, cells: Cells) -> Float64[np.ndarray, "rows columns"]:
    """All cells as numbers; NaN where there is nothing.

    Raises:
        FormatError: a line has more or fewer cells than the first, or one of them is no number.
    """
    body = cells.body
    if cells.separator == ";":  # decimal commas
        body = body.replace(b",", b".")
    try:
        values = table(body if body.endswith(b"\n") else body + b"\n", cells.columns, cells.separator.encode())
    except NotNumbers:
        rows = [[to_number(path, cell, line) for cell in row] for line, row in read_rows(path, cells)]
        values = np.array(rows, dtype=np.float64)
    if not len(values):
        raise refused(path, "no line of numbers in it", _REMEDY)
    return values


def read_rows(path: Path, cells: Cells) -> list[tuple[int, list[str]]]:
    """The number of each line that is not blank, and its cells.

    Raises:
        FormatError: a line has more or fewer cells than there are columns.
    """
    rows = []
    for number, line in enumerate(cells.body.decode("utf-8", "replace").split("\n"), cells.first):
        if not line.strip():
            continue
        row = split(line, cells.separator)
        if len(row) != cells.columns:
            raise refused(path, f"line {number} has {len(row)} cells, not {cells.columns}", _REMEDY)
        rows.append((number, row))
    return rows


def to_number(path: Path, cell: str, line: int) -> float:
    """One cell.

    Raises:
        FormatError: it is neither a number nor empty.
    """
    try:
        if "_" not in cell:  # Python's own notation
            return float(cell)
    except ValueError:
        if cell.lower() in _NOTHING:
            return float("nan")
        if cell.count(",") == 1:  # a decimal comma between semicolons or tabs
            return to_number(path, cell.replace(",", "."), line)
    raise refused(path, f"line {line}: {cell[:24]!r} is not a number", _REMEDY)
