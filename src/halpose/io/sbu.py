"""SBU Kinect Interaction: `s{first}s{second}/{class}/{number}/skeleton_pos.txt`, two people.

A line per frame: its number, then x, y, z of the 15 joints of one person, then of the other, with commas. x and y
are 0..1 across the image, z is a depth code; the data set's authors give the way back to millimetres: 1280 - 2560 x,
960 - 1920 y, 10000 z / 7.8125. Given here in metres, y up. Joints are in the order of layout kinect15.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from halpose.io.base import Format, first_lines, read_bytes, refused, to_float32
from halpose.io.text import NotNumbers, table
from halpose.skeleton import Sequence

LAYOUT = "kinect15"
FRAMES_PER_SECOND = 15.0
_PEOPLE, _JOINTS = 2, 15
_COLUMNS = 1 + _PEOPLE * _JOINTS * 3
_OFFSET = np.array([1.280, 0.960, 0.0])
_SCALE = np.array([-2.560, -1.920, 10 / 7.8125])
_PATH = re.compile(r"(?P<pair>s\d+s\d+)/(?P<class>\d+)/(?P<number>\d+)/[^/]+\Z")


def read(path: Path) -> Iterator[Sequence]:
    """The one clip of a file.

    Raises:
        FormatError: the file is damaged.
    """
    try:
        values = table(read_bytes(path, limit=1 << 26), _COLUMNS, separator=b",")
    except NotNumbers as error:
        raise refused(path, str(error), "extract it again from the archive, or leave it out") from None
    image = values[:, 1:].reshape(-1, _PEOPLE, _JOINTS, 3)
    image[(image == 0).all(axis=-1)] = np.nan
    if np.isnan(image).all():
        raise refused(path, f"nobody in any of {len(image)} frames", "leave it out")
    match = _PATH.search(path.absolute().as_posix())
    yield Sequence(
        positions=to_float32((_OFFSET + _SCALE * image).swapaxes(0, 1)),
        layout=LAYOUT,
        name="_".join(match.groups()) if match else f"{path.absolute().parent.name}_{path.stem}",
        label=int(match["class"]) - 1 if match else -1,
        subject=match["pair"] if match else "",
        people=("1", "2"),
        fps=FRAMES_PER_SECOND,
        extra={"number": int(match["number"])} if match else {},
    )


def sniff(path: Path) -> bool:
    """Whether the first line has 91 numbers with commas."""
    lines = first_lines(path)
    return bool(lines) and b" ".join(lines[0]).count(b",") == _COLUMNS - 1


FORMAT = Format(
    name="sbu",
    description="SBU Kinect Interaction text (15 joints, 2 people)",
    suffixes=(".txt",),
    sniff=sniff,
    read=read,
)
