"""Recordings from wherever users have them: files, folders of files, or arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from halpose import io
from halpose.data.given_layout import given_layout
from halpose.data.spec import SYNTHETIC_MARK
from halpose.errors import DataError, FormatError
from halpose.io.base import LAYOUT_OF_JOINTS, to_float32
from halpose.skeleton import Layout, Sequence

Recording = str | Path | Sequence | np.ndarray


def read_recordings(
    sources: Iterable[Recording],
    layout: str | Path | Layout | None = None,
    format: str | None = None,
    fps: float = 0.0,
    set_aside: Callable[[Path, str], None] | None = None,
) -> Iterator[Sequence]:
    """Recordings, one after another.

    Args:
        sources: files, folders (every recording below them), sequences, or arrays (T, V, C) or (M, T, V, C).
        layout: joint layout of arrays and of files that do not name their joints; guessed from their number if not
            given.
        format: of the files, a name in `halpose.io.FORMATS`; found out by itself if not given.
        fps: frames per second where a recording does not say.
        set_aside: told the file and the reason where one cannot be read, and the others go on.

    Raises:
        DataError: a file cannot be read and nobody is to be told, a folder holds no recording, or an array is none.
    """
    known = given_layout(layout)
    for number, source in enumerate(sources):
        if isinstance(source, Sequence):
            found: Iterable[Sequence] = (source,)
        elif isinstance(source, str | Path):
            found = _read_all(Path(source), format, known, set_aside)
        else:
            found = (from_array(np.asarray(source), number, known),)
        for sequence in found:
            yield replace(sequence, fps=sequence.fps or fps)


def _read_all(
    path: Path, format: str | None, layout: Layout | None, set_aside: Callable[[Path, str], None] | None
) -> Iterator[Sequence]:
    for recording in find_recordings(path):
        try:
            for sequence in io.read(recording, format):
                if layout is not None and sequence.extra.get("by_number"):
                    sequence = replace(sequence, layout=layout)
                yield sequence
        except FormatError as error:
            if set_aside is None:
                raise
            set_aside(recording, str(error).removeprefix(f"{recording}: "))


def find_recordings(path: Path) -> list[Path]:
    """A file, a folder of files that hold one frame each, or what lies below a folder.

    Raises:
        DataError: the folder is empty.
    """
    if not path.is_dir() or io.recordings(sorted(path.iterdir())) == [path]:
        return [path]
    here = (file for file in sorted(path.rglob("*")) if file.is_file() and not file.name.startswith("."))
    files = [file for file in here if file.name != SYNTHETIC_MARK]
    if not files:
        raise DataError(f"{path}: the folder is empty; give one that holds recordings")
    return io.recordings(files)


def from_array(positions: np.ndarray, number: int, layout: Layout | None) -> Sequence:
    """One recording of an array.

    Args:
        positions: (T, V, C) or (M, T, V, C), any kind of number.
        number: names it.
        layout: its joints; guessed from their number if not given.

    Raises:
        DataError: this is no recording, or nobody knows a layout of so many joints.
    """
    name = f"recording {number}"
    if positions.ndim == 3:
        positions = positions[None]
    if positions.ndim != 4 or positions.dtype.kind not in "fiu":
        raise DataError(
            f"{name}: an array of {positions.dtype}, {positions.shape}; a recording has numbers as (frames, joints, "
            "coordinates) or (people, frames, joints, coordinates)"
        )
    joints = positions.shape[2]
    if layout is None and joints not in LAYOUT_OF_JOINTS:
        raise DataError(f"{name}: {joints} joints, and no layout of so many is known; name one: layout=...")
    return Sequence(to_float32(positions), layout or LAYOUT_OF_JOINTS[joints], name)
