"""MSR-Action3D: text files `a{action}_s{subject}_e{trial}_skeleton3D.txt` in real-world coordinates.

A line `x y z confidence` per joint, 20 lines per frame; metres, y up, everybody faces the camera. The joints have
an order of their own and are given in that of layout kinect20. Frames without a skeleton are zeros.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from halpose.io.base import Format, first_lines, read_bytes, refused, to_float32, zeros_to_missing
from halpose.io.text import NotNumbers, table
from halpose.skeleton import Sequence

LAYOUT = "kinect20"
FRAMES_PER_SECOND = 15.0
_JOINTS, _COLUMNS = 20, 4
# Where each joint of kinect20 stands in the file: hip, spine, neck, head, then arms and legs, left before right.
# fmt: off
_ORDER = [6, 3, 2, 19,  0, 7, 9, 11,  1, 8, 10, 12,  4, 13, 15, 17,  5, 14, 16, 18]
# fmt: on
_NAME = re.compile(r"(?P<clip>a(?P<action>\d+)_s(?P<subject>\d+)_e(?P<trial>\d+))(?:_skeleton3D)?")
_REMEDY = "extract it again from the archive, or leave it out"


def read(path: Path) -> Iterator[Sequence]:
    """The one clip of a file.

    Raises:
        FormatError: the file is damaged, or nobody is in any frame.
    """
    try:
        values = to_float32(table(read_bytes(path, limit=1 << 28), _COLUMNS))
    except NotNumbers as error:
        raise refused(path, str(error), _REMEDY) from None
    frames, rest = divmod(len(values), _JOINTS)
    if rest:
        raise refused(path, f"the file ends in frame {frames + 1}, after {rest} of {_JOINTS} joints", _REMEDY)
    joints = values.reshape(frames, _JOINTS, _COLUMNS)[:, _ORDER]
    positions = zeros_to_missing(joints[..., :3].copy())
    if np.isnan(positions).all():
        raise refused(path, f"nobody in any of {frames} frames: the skeleton is missing", "leave it out")
    match = _NAME.fullmatch(path.stem)
    yield Sequence(
        positions=positions[None],
        layout=LAYOUT,
        name=match["clip"] if match else path.stem,
        label=int(match["action"]) - 1 if match else -1,
        subject=f"s{match['subject']}" if match else "",
        people=("1",),
        fps=FRAMES_PER_SECOND,
        confidence=np.clip(np.nan_to_num(joints[..., 3]), 0, 1)[None],
        extra={"trial": int(match["trial"])} if match else {},
    )


def sniff(path: Path) -> bool:
    """Whether the first lines have four numbers each."""
    lines = first_lines(path)[:_JOINTS]
    return len(lines) > 1 and all(len(line) == _COLUMNS for line in lines)


FORMAT = Format(
    name="msr",
    description="MSR-Action3D real-world skeleton text (20 joints)",
    suffixes=(".txt",),
    sniff=sniff,
    read=read,
)
