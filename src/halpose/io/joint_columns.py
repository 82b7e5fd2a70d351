"""What the columns of a table of joints are called, and what those of one without names mean by their number."""

from __future__ import annotations

import re
from dataclasses import dataclass

from halpose.io.base import LAYOUT_OF_JOINTS
from halpose.io.cells import Cells

_LONGEST_NAME = 256  # letters; what is longer names no joint, and would be searched for axes for minutes
_AXIS_LAST = re.compile(r"(.+?)[\s_.:/-]*(?:pos(?:ition)?[\s_.:/-]*)?([xyz])(?:\s*[\[(].*)?", re.IGNORECASE)
_AXIS_FIRST = re.compile(r"([xyz])[\s_.:/-]+(.+)", re.IGNORECASE)
_CONFIDENCE = re.compile(r"(.+?)[\s_.:/-]+(?:confidence|conf|score|likelihood|visibility|c|p)", re.IGNORECASE)
# What a column is called, best first: beside `frame` a column without a name is the number that pandas gives each line.
_CALLED = {
    "frame": ("frame", "frames", "frame_number", "frame_id", "frame_index", "frameno", "index", ""),
    "time": ("time", "timestamp", "t", "seconds", "time_s", "time (s)", "time_ms", "time (ms)"),
    "person": ("person", "person_id", "track", "track_id", "id", "body", "body_id", "subject"),
    "joint": ("joint", "joint_name", "marker", "landmark", "keypoint", "name", "bodypart"),
    "confidence": ("confidence", "conf", "score", "visibility", "likelihood"),
    "x": ("x",),
    "y": ("y",),
    "z": ("z",),
}


@dataclass(frozen=True)
class Columns:
    """Where everything stands.

    Attributes:
        said: frame, time, person, and of a long table joint, x, y, z, confidence -> column.
        joints: of a wide table, joint -> columns of its x, y, and where all have one z.
        confidence: of a wide table, joint -> column, where it has one.
    """

    said: dict[str, int]
    joints: dict[str, list[int]]
    confidence: dict[str, int]

    @property
    def is_long(self) -> bool:
        """Whether there is a line for each joint, not for each frame."""
        return "joint" in self.said


def columns_of(cells: Cells) -> Columns | None:
    """What the columns of a table mean, or None if they are not those of joints."""
    if any(len(name) > _LONGEST_NAME for name in cells.names):
        return None
    low = [name.lower() for name in cells.names]
    said = {what: low.index(call) for what, calls in _CALLED.items() for call in reversed(calls) if call in low}
    if {"joint", "x", "y"} <= set(said) and ("frame" in said or "time" in said):
        return Columns(said, {}, {})
    axes: dict[str, dict[str, int]] = {}
    for at, name in enumerate(cells.names):
        match = _AXIS_LAST.fullmatch(name)
        joint, axis = (match[1], match[2]) if match else ("", "")
        if not match and (match := _AXIS_FIRST.fullmatch(name)):
            axis, joint = match[1], match[2]
        if match and at not in (said.get("frame"), said.get("time"), said.get("person")):
            axes.setdefault(joint, {}).setdefault(axis.lower(), at)
    whole = {joint: found for joint, found in axes.items() if {"x", "y"} <= set(found)}
    flat = any("z" not in found for found in whole.values())
    joints = {joint: [found[axis] for axis in ("xy" if flat else "xyz")] for joint, found in whole.items()}
    confidence = {
        match[1]: at
        for at, name in enumerate(cells.names)
        if (match := _CONFIDENCE.fullmatch(name)) and match[1] in joints
    }
    return Columns(said, joints, confidence) if joints else None


def joints_by_number(columns: int) -> tuple[int, int]:
    """Joints, and columns of each, of a table without names; zeros where that is not known."""
    for each in (4, 3):
        for joints in LAYOUT_OF_JOINTS:
            if columns - joints * each in (0, 1):
                return joints, each
    return 0, 0
