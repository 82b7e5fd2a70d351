"""C3D, as optical motion-capture systems write it: markers, frame by frame, and parameters that explain them.

Markers are the joints, called by their labels. Points that are no markers are left out: unlabelled ones (`*12`), and
what gait models store as points (angles, forces, moments, powers). Where labels say whom they belong to (`Anna:LASI`,
`Ben:LASI`), and all have the same markers, each is a person. Lengths are given in metres if POINT:UNITS states a unit,
y up if POINT:Y_SCREEN says that z is; a residual below zero means that a marker is missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from halpose.errors import DataError
from halpose.file_layout import named_layout
from halpose.io.base import Format, read_bytes, read_head, refused, to_float32, zeros_to_missing
from halpose.io.c3d_parameters import Numbers, Parameters, numbers_of, read_parameters
from halpose.skeleton import Sequence

# A reader of our own: of 300 files with a few changed bytes, ezc3d 1.7 ended the whole process with 14 and never came
# back from 3. It stays the witness in the tests.
MOST_POINTS = 10_000
_METRES = {"m": 1.0, "metre": 1.0, "meter": 1.0, "meters": 1.0, "dm": 0.1, "cm": 0.01, "mm": 0.001, "in": 0.0254}
_NOT_MARKERS = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS")
_BLOCK = 512
_REMEDY = "export it again from the program that made it"


@dataclass(frozen=True)
class _Header:
    points: int
    analog: int
    frames: int
    scale: float
    start: int
    rate: float


def read(path: Path) -> Iterator[Sequence]:
    """The one clip of a file.

    Raises:
        FormatError: the file is damaged, cut off, or has no markers.
    """
    data = read_bytes(path)
    if len(data) < 2 * _BLOCK or data[1] != 0x50 or not data[0]:
        raise refused(path, "not a C3D file", _REMEDY)
    numbers = numbers_of(data, (data[0] - 1) * _BLOCK)
    if numbers is None:
        raise refused(path, "its parameters are missing", _REMEDY)
    parameters = read_parameters(data, (data[0] - 1) * _BLOCK, numbers)
    header = _header(path, data, numbers, parameters)
    points = zeros_to_missing(_points(path, data, numbers, header))
    names = _labels(parameters, header.points)
    kept = [at for at, name in enumerate(names) if name is not None]
    if not kept or not np.isfinite(points[:, kept]).any():
        raise refused(
            path, f"no labelled marker in any of {header.frames} frames", "label the markers, or leave it out"
        )
    positions = points[:, kept] * _METRES.get(_word(parameters, "UNITS").lower(), 1.0)
    if _word(parameters, "Y_SCREEN").upper() in ("+Z", "Z"):
        x, y, z = np.moveaxis(positions, -1, 0)
        positions = np.stack((x, z, -y), axis=-1)
    people, markers, order = _people([name for name in names if name is not None])
    try:
        layout, joints = named_layout(markers, "c3d")
    except DataError as error:
        raise refused(path, str(error), _REMEDY) from None
    whole = positions[:, order].swapaxes(0, 1).reshape(len(people), len(markers), header.frames, 3).swapaxes(1, 2)
    yield Sequence(to_float32(whole[:, :, joints]), layout, path.stem, people=people, fps=header.rate)


def _header(path: Path, data: bytes, numbers: Numbers, parameters: Parameters) -> _Header:
    """Sizes, from the header and the parameters that may correct it."""
    points, analog, first, last = numbers.whole(data, 2, 4)
    scale, start, rate = numbers.real(data, 12, 1)[0], numbers.whole(data, 16, 1)[0], numbers.real(data, 20, 1)[0]
    scale = float(parameters.number("POINT", "SCALE", scale))
    rate = float(parameters.number("POINT", "RATE", rate))
    start = (int(start) - 1) * _BLOCK
    if not 0 < points <= MOST_POINTS or start < _BLOCK or not math.isfinite(scale) or not scale:
        raise refused(path, f"{points} points from byte {start} on, scaled by {scale:g}", _REMEDY)
    size = (4 * points + analog) * (4 if scale < 0 else 2)
    there = max(0, len(data) - start) // size
    said = int(last) - int(first) + 1
    # Sixteen bits are not enough for long recordings; what says more is believed if the file holds as much.
    longer = [int(parameters.number("POINT", "FRAMES", 0)), _trial(parameters)]
    frames = max([said, *(count for count in longer if count <= there)])
    if frames < 1 or frames > there:
        raise refused(path, f"it says {frames} frames of {points} points, but holds {there}", _REMEDY)
    return _Header(points, analog, frames, scale, start, rate if 0 < rate < 1e6 else 0.0)


def _trial(parameters: Parameters) -> int:
    """Frames by the first and last field of the trial, each in two words."""
    start, end = (parameters.numbers("TRIAL", f"ACTUAL_{what}_FIELD") for what in ("START", "END"))
    if len(start) != 2 or len(end) != 2:
        return 0
    low, high = (int(words[0]) % 65536 + 65536 * (int(words[1]) % 65536) for words in (start, end))
    return high - low + 1


def _points(path: Path, data: bytes, numbers: Numbers, header: _Header) -> Float64[np.ndarray, "frames points 3"]:
    """All points in the file's unit; NaN where one is missing."""
    row = 4 * header.points + header.analog
    count = header.frames * row
    if header.scale < 0:
        values = numbers.real(data, header.start, count)
    else:
        values = numbers.whole(data, header.start, count).astype(np.int16).astype(np.float64)
    every = values.reshape(header.frames, row)[:, : 4 * header.points].reshape(header.frames, header.points, 4)
    missing = ~(every[..., 3] >= 0) | ~np.isfinite(every).all(axis=-1)
    points: np.ndarray = every[..., :3] * (1.0 if header.scale < 0 else header.scale)
    points[missing] = np.nan
    return points


def _word(parameters: Parameters, name: str) -> str:
    return next(iter(parameters.words("POINT", name)), "").strip()


def _labels(parameters: Parameters, points: int) -> list[str | None]:
    """The name of each point; None of those that are no markers. Of one name, the second is `NAME_2`."""
    called: list[str] = []
    number = 1
    while found := parameters.words("POINT", f"LABELS{'' if number == 1 else number}"):
        called += [name.strip() for name in found]
        number += 1
    others = {name.strip() for kind in _NOT_MARKERS for name in parameters.words("POINT", kind)} - {""}
    names: list[str | None] = []
    taken: dict[str, int] = {}
    for at in range(points):
        name = called[at] if at < len(called) and called[at] else f"marker{at + 1}"
        if name.startswith("*") or name in others:
            names.append(None)
            continue
        taken[name] = taken.get(name, 0) + 1
        names.append(name if taken[name] == 1 else f"{name}_{taken[name]}")
    return names


def _people(names: list[str]) -> tuple[tuple[str, ...], tuple[str, ...], list[int]]:
    """Whose markers they are: people, the markers of each, and where those stand, person after person."""
    owned: dict[str, dict[str, int]] = {}
    for at, name in enumerate(names):
        owner, colon, marker = name.rpartition(":")
        owned.setdefault(owner if colon else "", {})[marker] = at
    sets = {frozenset(markers) for markers in owned.values()}
    if "" in owned or len(sets) != 1 or len(set(names)) != sum(map(len, owned.values())):
        return ("1",), tuple(names), list(range(len(names)))
    markers = tuple(next(iter(owned.values())))
    return tuple(owned), markers, [places[marker] for places in owned.values() for marker in markers]


def sniff(path: Path) -> bool:
    """Whether it begins as C3D does: the block of its parameters, and the mark of the format."""
    head = read_head(path, 2)
    return len(head) == 2 and head[1] == 0x50 and head[0] > 0


FORMAT = Format(
    name="c3d",
    description="C3D optical motion capture (markers)",
    suffixes=(".c3d",),
    sniff=sniff,
    read=read,
)
