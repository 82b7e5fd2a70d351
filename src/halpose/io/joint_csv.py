"""Joint positions in a CSV: wide, long, or as MSRC-12 has them. Commas, semicolons, tabs or spaces divide the columns.

- Wide: a line per frame, and columns named after joint and axis: `Hips.x, Hips.y, Hips.z` (SFU), `left_hip_X`,
  `HipLeftX`. A joint's confidence may stand beside it (`Hips_confidence`).
- Long: a line per joint, with columns `frame` (or `time`), `joint`, `x`, `y`, and where there are such `z`, `person`,
  `confidence`. This is the form that halpose writes.
- Without names: a time stamp and x y z of each joint of a Kinect, with a state behind each as in MSRC-12, or without.

Names of joints are kept. Lengths stay in the file's unit. Frames that are missing among numbered ones are missing, and
so is a joint with an empty cell. The rate follows from the times, in seconds, milliseconds or microseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from halpose.errors import DataError
from halpose.file_layout import named_layout
from halpose.io.base import (
    LAYOUT_OF_JOINTS,
    Format,
    people_to_missing,
    read_bytes,
    read_head,
    refused,
    to_float32,
    zeros_to_missing,
)
from halpose.io.cells import Cells, divide, numbers, read_rows, to_number
from halpose.io.joint_columns import Columns, columns_of, joints_by_number
from halpose.skeleton import Sequence

MOST_JOINTS, MOST_PEOPLE = 1000, 100
_DIVIDES = re.compile(r'[,"\r\n]|^\s|\s$')
_REMEDY = "name the columns after joint and axis (Hips.x, Hips.y, Hips.z), or frame, joint, x, y, z"


def read(path: Path) -> Iterator[Sequence]:
    """The one clip of a file.

    Raises:
        FormatError: the file is damaged, or its columns are not joints.
    """
    cells = divide(read_bytes(path, limit=1 << 29))
    columns = columns_of(cells) if cells else None
    if cells is None or columns is None:
        if cells is not None and not cells.names:
            yield _without_names(path, cells)
            return
        raise refused(path, "no columns of joints in it", _REMEDY)
    yield _long(path, cells, columns) if columns.is_long else _wide(path, cells, columns)


def _wide(path: Path, cells: Cells, columns: Columns) -> Sequence:
    values = numbers(path, cells)
    said = {what: values[:, at] for what, at in columns.said.items() if what in ("frame", "time", "person")}
    frames, people = _places(path, said, len(values))
    joints = tuple(columns.joints)
    if len(joints) > MOST_JOINTS:
        raise refused(path, f"{len(joints)} joints", _REMEDY)
    where = (people, frames)
    x = values[:, np.array(list(columns.joints.values()))]
    positions = _spread(path, where, people_to_missing(x))
    confidence = None
    if columns.confidence:
        every = np.ones((len(values), len(joints)))
        for joint, at in columns.confidence.items():
            every[:, joints.index(joint)] = values[:, at]
        confidence = _spread(path, where, every)
    return _sequence(path, joints, positions, confidence, _fps(said.get("time"), frames))


def _long(path: Path, cells: Cells, columns: Columns) -> Sequence:
    rows = read_rows(path, cells)
    if not rows:
        raise refused(path, "no line below its names", _REMEDY)
    flat = "z" not in columns.said
    wanted = [
        "x",
        "y",
        *([] if flat else ["z"]),
        *(what for what in ("frame", "time", "confidence") if what in columns.said),
    ]
    values = {
        what: np.array([to_number(path, row[columns.said[what]], line) for line, row in rows], dtype=np.float64)
        for what in wanted
    }
    said: dict[str, np.ndarray] = {what: values[what] for what in ("frame", "time") if what in values}
    if "person" in columns.said:
        names = [row[columns.said["person"]] for _, row in rows]
        order = {name: at for at, name in enumerate(dict.fromkeys(names))}
        said["person"] = np.array([order[name] for name in names], dtype=np.float64)
    frames, people = _places(path, said, len(rows))
    called = [row[columns.said["joint"]] for _, row in rows]
    joints = {name: at for at, name in enumerate(dict.fromkeys(called))}
    if len(joints) > MOST_JOINTS or "" in joints:
        raise refused(path, "joints without a name" if "" in joints else f"{len(joints)} joints", _REMEDY)
    where = (people, frames, np.array([joints[name] for name in called]))
    x = np.stack([values[axis] for axis in ("xy" if flat else "xyz")], axis=-1)
    twice = np.unique(np.stack(where), axis=1).shape[1] < len(rows)
    if twice:
        raise refused(path, "a joint stands twice in one frame", "give each person a number of their own")
    positions = _spread(path, where, x)
    confidence = _spread(path, where, values["confidence"]) if "confidence" in values else None
    return _sequence(path, tuple(joints), positions, confidence, _fps(said.get("time"), frames))


def _places(
    path: Path, said: dict[str, Float64[np.ndarray, " rows"]], rows: int
) -> tuple[Int64[np.ndarray, " rows"], Int64[np.ndarray, " rows"]]:
    """Frame and person of each line, from 0."""
    if any(not np.isfinite(column).all() for what, column in said.items() if what != "time") or (
        "frame" not in said and "time" in said and not np.isfinite(said["time"]).all()
    ):
        raise refused(path, "a line without its frame, time or person", "fill in the column")
    when = said.get(
        "frame", said.get("time") if "person" in said or len(np.unique(said.get("time", ()))) < rows else None
    )
    if when is None:
        frames = np.arange(rows)
    else:
        distinct, frames = np.unique(when, return_inverse=True)
        span = distinct[-1] - distinct[0] + 1
        if (
            "frame" in said
            and (np.diff(distinct) >= 1).all()
            and (distinct % 1 == 0).all()
            and span <= 4 * len(distinct) + 100
        ):
            frames = (when - distinct[0]).astype(np.int64)
    _, people = (
        np.unique(said["person"], return_inverse=True) if "person" in said else (0, np.zeros(rows, dtype=np.int64))
    )
    if people.max() >= MOST_PEOPLE:
        raise refused(path, f"{people.max() + 1} people", "leave out those who pass by")
    return frames.astype(np.int64), people.astype(np.int64)


def _spread(
    path: Path, where: tuple[Int64[np.ndarray, " rows"], ...], values: Float64[np.ndarray, " *values"]
) -> Float64[np.ndarray, "*shape"]:
    """Lines in their place, (person, frame, ...); NaN where there is none."""
    shape = (*(int(index.max()) + 1 for index in where), *values.shape[1:])
    if np.prod(shape, dtype=np.float64) > 256 * values.size + (1 << 20):
        raise refused(path, f"{' x '.join(map(str, shape))} numbers, of which it has {values.size}", _REMEDY)
    spread = np.full(shape, np.nan)
    spread[where] = values
    return spread


def _sequence(
    path: Path,
    joints: tuple[str, ...],
    positions: Float64[np.ndarray, "m t v c"],
    confidence: Float64[np.ndarray, "m t v"] | None,
    fps: float,
) -> Sequence:
    try:
        layout, order = named_layout(joints, "csv")
    except DataError as error:
        raise refused(path, str(error), _REMEDY) from None
    positions = to_float32(positions[:, :, order])
    if not np.isfinite(positions).any():
        raise refused(path, f"nobody in any of {positions.shape[1]} frames", "leave it out")
    certain = None if confidence is None else np.clip(np.nan_to_num(to_float32(confidence[:, :, order])), 0, 1)
    people = tuple(str(person + 1) for person in range(len(positions)))
    return Sequence(positions, layout, path.stem, people=people, fps=fps, confidence=certain)


def _without_names(path: Path, cells: Cells) -> Sequence:
    """A line of numbers per frame, the joints in an order that their number tells."""
    joints, each = joints_by_number(cells.columns)
    if not joints:
        raise refused(path, f"{cells.columns} columns without names", _REMEDY)
    values = numbers(path, cells)
    first = cells.columns - joints * each
    positions = zeros_to_missing(values[:, first:].reshape(-1, joints, each)[..., :3].copy())
    if np.isnan(positions).all():
        raise refused(path, f"nobody in any of {len(positions)} frames", "leave it out")
    fps = _fps(values[:, 0], np.arange(len(values))) if first else 0.0
    return Sequence(
        to_float32(positions)[None], LAYOUT_OF_JOINTS[joints], path.stem, people=("1",), fps=fps,
        extra={"by_number": True},
    )  # fmt: skip


def _fps(times: Float64[np.ndarray, " rows"] | None, frames: Int64[np.ndarray, " rows"]) -> float:
    """Frames per second by the times of the lines and the frames that they stand in; 0 when they do not tell."""
    if times is None:
        return 0.0
    known = np.isfinite(times)
    distinct, first = np.unique(times[known], return_index=True)
    apart = np.diff(frames[known][first])  # of a table that leaves frames out, more than one
    steps = np.diff(distinct)[apart > 0] / apart[apart > 0]
    if not len(steps):
        return 0.0
    step = float(np.median(steps))
    if step == 1 or not 1e-4 < step < 1e7:  # frames were counted
        return 0.0
    fps = 1 / (step * (1.0 if step < 1 else 1e-3 if step < 1000 else 1e-6))
    return float(round(fps)) if abs(fps - round(fps)) < 0.03 * fps and fps >= 10 else fps


def write(path: Path, sequences: list[Sequence]) -> None:
    """Write one clip in the long form; what is missing is an empty cell.

    Raises:
        FormatError: there is not exactly one clip, or a name that commas would divide.
    """
    if len(sequences) != 1:
        raise refused(path, f"{len(sequences)} clips", "a table holds one: write each to a file of its own")
    (clip,) = sequences
    people, frames, _, channels = clip.positions.shape
    names = ["frame", *(["time"] if clip.fps else []), "person", "joint", *"xyz"[:channels]]
    if clip.confidence is not None:
        names.append("confidence")
    persons = clip.people or tuple(str(person + 1) for person in range(people))
    odd = next((name for name in (*persons, *clip.skeleton.joints) if _DIVIDES.search(name)), None)
    if odd is not None:
        raise refused(path, f"{odd!r} would not be one cell of a table", "leave commas, quotes and lines out of names")
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(",".join(names) + "\n")
        for frame in range(frames):
            time = f"{frame / clip.fps:.6f}," if clip.fps else ""
            for person, called in enumerate(persons):
                for at, joint in enumerate(clip.skeleton.joints):
                    values = list(clip.positions[person, frame, at])
                    if clip.confidence is not None:
                        values.append(clip.confidence[person, frame, at])
                    numbers = ",".join("" if np.isnan(value) else f"{value:.9g}" for value in values)
                    file.write(f"{frame},{time}{called},{joint},{numbers}\n")


def sniff(path: Path) -> bool:
    """Whether the first line names joints and axes, or has as many numbers as a known skeleton."""
    head = read_head(path, 1 << 16)
    cells = divide(head) if b"\x00" not in head else None
    if cells is None:
        return False
    return columns_of(cells) is not None if cells.names else joints_by_number(cells.columns)[0] > 0


FORMAT = Format(
    name="csv",
    description="joint positions as .csv, wide or long, with names; MSRC-12",
    suffixes=(".csv", ".tsv"),
    sniff=sniff,
    read=read,
    write=write,
)
