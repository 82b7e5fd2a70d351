"""Damage to files, and what must hold of a reader whatever it is given."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from halpose.errors import FormatError
from halpose.skeleton import Sequence

Reader = Callable[[Path], Iterator[Sequence]]
SMALL = settings(max_examples=60, deadline=None)
_SPITE = (
    b"-",
    b"9" * 30,
    b"nan",
    b"inf",
    b"1e999",
    b"-1",
    b"0",
    b"\x00",
    b"\xff\xfe",
    b" ",
    b"\n",
    b"\n\n",
    b"2000000000",
)


@st.composite
def damaged(draw: st.DrawFn, original: bytes) -> bytes:
    """A file with one to three things wrong: cut off, bytes changed, pieces lost, doubled or put in."""
    data = original
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(1, 40))
        match draw(st.sampled_from(("cut", "change", "lose", "double", "insert", "overwrite"))):
            case "cut":
                data = data[:at]
            case "change":
                data = data[:at] + draw(st.binary(min_size=1, max_size=1)) + data[at + 1 :]
            case "lose":
                data = data[:at] + data[at + length :]
            case "double":
                data = data[: at + length] + data[at:]
            case "insert":
                data = data[:at] + draw(st.sampled_from(_SPITE)) + data[at:]
            case _:
                spite = draw(st.sampled_from(_SPITE))
                data = data[:at] + spite + data[at + len(spite) :]
    return data


def survives(read: Reader, path: Path) -> None:
    """Reading gives sound clips or a FormatError that names a file; nothing else."""
    try:
        for clip in read(path):
            people, frames, joints, channels = clip.positions.shape
            assert clip.positions.dtype == np.float32
            assert people and frames and joints and channels in (2, 3)
            assert clip.confidence is None or clip.confidence.shape == clip.positions.shape[:3]
            assert clip.label >= -1 and clip.name
    except FormatError as error:
        assert str(path.parent) in str(error)


def refusal(read: Reader, path: Path) -> str:
    """The message with which a file is refused."""
    try:
        list(read(path))
    except FormatError as error:
        return str(error)
    raise AssertionError(f"{path} was read")


def peak_bytes(read: Reader, path: Path) -> int:
    """The most memory that reading takes, at the moment when it takes most."""
    tracemalloc.start()
    try:
        survives(read, path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
