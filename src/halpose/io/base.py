"""What every format shares: `Format`, and reading a file without trusting it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

from halpose.errors import FormatError
from halpose.skeleton import Sequence

# A day of two people at 30 frames a second is under a gigabyte of text; anything larger is not a recording.
LARGEST_FILE = 1 << 30
# A file called by a number: 012.json, walk_012.json, frame-12.json.
NUMBERED = re.compile(r"(?:(?P<name>.*?)[_\-. ]*)?(?P<frame>\d{1,15})\.\w+")


@dataclass(frozen=True)
class Format:
    """One kind of file.

    Attributes:
        name: key in `halpose.io.FORMATS`.
        description: one line for people.
        suffixes: lower-case endings that such files have; `sniff` is asked about these only.
        sniff: whether a file's content looks like this format; never raises.
        read: the clips of a file, one after another; raises `FormatError` for anything wrong.
        write: writes clips to a file, where halpose can write this format.
        frame_name: the whole name of files that hold one frame each, where there are such; their folder is then what
            `sniff` and `read` are given, as they are given a file. See `halpose.io.recordings`.
        holds_frame: whether a file of another name that ends in a number holds one frame only, by its content.
    """

    name: str
    description: str
    suffixes: tuple[str, ...]
    sniff: Callable[[Path], bool]
    read: Callable[[Path], Iterator[Sequence]]
    write: Callable[[Path, list[Sequence]], None] | None = None
    frame_name: re.Pattern[str] | None = None
    holds_frame: Callable[[Path], bool] | None = None


def refused(path: Path, what: str, remedy: str) -> FormatError:
    """The error for a file that cannot be read: where, what is wrong, what would work."""
    return FormatError(f"{path}: {what}; {remedy}")


def read_bytes(path: Path, limit: int = LARGEST_FILE) -> bytes:
    """The whole of a file that is not empty.

    Raises:
        FormatError: it is not there, empty, or larger than `limit` bytes.
    """
    try:
        with path.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            data = file.readall() if size <= limit else b"large"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise refused(path, f"cannot be read ({reason})", "give the path of a file that exists") from None
    if not data:
        raise refused(path, "the file is empty", "copy or download it again")
    if size > limit:
        raise refused(path, f"larger than {limit >> 20} MiB", "this format keeps one recording a file")
    return data


def read_head(path: Path, size: int = 4096) -> bytes:
    """The beginning of a file, or nothing if it cannot be read: enough to tell formats apart."""
    try:
        with path.open("rb") as file:
            return file.read(size)
    except (OSError, ValueError):
        return b""


def first_lines(path: Path, size: int = 4096) -> list[list[bytes]]:
    """The words of the first non-blank lines of a file, without a line that `size` bytes do not hold whole."""
    head = read_head(path, size)
    lines = head.splitlines()
    if len(head) == size:
        lines = lines[:-1]
    return [words for words in map(bytes.split, lines) if words]


def zeros_to_missing(positions: Float[np.ndarray, "... v c"]) -> Float[np.ndarray, "... v c"]:
    """Joints at exactly the origin become NaN, in place: cameras write zeros for what they did not see."""
    if not positions.all():
        positions[(positions == 0).all(axis=-1)] = np.nan
    return positions


def people_to_missing(positions: Float[np.ndarray, "... v c"]) -> Float[np.ndarray, "... v c"]:
    """Bodies whose every joint is zero become NaN, in place; a single joint at the origin is left alone.

    For arrays that may be centred already: there the centre joint is zero in every frame and not missing.
    """
    if not positions.all():
        positions[(positions == 0).all(axis=(-2, -1))] = np.nan
    return positions


def to_float32(values: Float[np.ndarray, " ..."]) -> Float32[np.ndarray, " ..."]:
    """A new array, rounded to float32; what is too large becomes infinite, without a warning."""
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = np.ascontiguousarray(values, dtype=np.float32)
        # Binary files may hold signalling NaN, which would warn at every later step; arithmetic makes them quiet.
        return rounded if values.dtype == np.float64 else rounded * np.float32(1)


# What files that do not name their joints mean by their number, as the field uses it.
LAYOUT_OF_JOINTS = {
    15: "kinect15",
    17: "coco17",
    20: "kinect20",
    21: "bandai21",
    25: "kinect25",
    31: "hdm31",
    33: "mediapipe33",
}
