"""Positions with orientations as text: a line per frame, seven numbers per joint, x y z and a quaternion.

KERAAL writes two sensors so, and others have taken the form over. The orientation is left out.

- Kinect: 25 joints in the sensor's order, metres, y up, about 30 frames a second.
- Vicon: 17 targets, millimetres, z up; given in metres, y up. The files do not say how many frames a second has.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from halpose.io.base import Format, first_lines, read_bytes, refused, to_float32, zeros_to_missing
from halpose.io.text import NotNumbers, table
from halpose.skeleton import Layout, Sequence

KINECT_FRAMES_PER_SECOND = 30.0
_NUMBERS = 7
_KINECT_JOINTS, _VICON_TARGETS = 25, 17
# Targets are fixed to the segments: one on the forearm is no joint, and the elbow lies between it and the upper arm's.
VICON_TARGETS = Layout.from_dict(
    {
        "name": "vicon17",
        "joints": [
            *(
                "right_forearm_target",
                "left_forearm_target",
                "right_upper_arm_target",
                "left_upper_arm_target",
                "chest",
                "right_thigh_target",
            ),
            *(
                "left_thigh_target",
                "right_shoulder",
                "left_shoulder",
                "right_hand",
                "left_hand",
                "right_foot",
                "left_foot",
            ),
            *("hip_center", "head", "right_shin_target", "left_shin_target"),
        ],
        "parents": [
            *(
                "right_upper_arm_target",
                "left_upper_arm_target",
                "right_shoulder",
                "left_shoulder",
                "hip_center",
                "hip_center",
            ),
            *(
                "hip_center",
                "chest",
                "chest",
                "right_forearm_target",
                "left_forearm_target",
                "right_shin_target",
                "left_shin_target",
            ),
            *("hip_center", "chest", "right_thigh_target", "left_thigh_target"),
        ],
        "mirror": [
            [f"left_{target}", f"right_{target}"]
            for target in (
                "shoulder",
                "upper_arm_target",
                "forearm_target",
                "hand",
                "thigh_target",
                "shin_target",
                "foot",
            )
        ],
        "centre": "hip_center",
        "spine": ["hip_center", "chest"],
        "sides": [["right_shoulder", "left_shoulder"], ["right_thigh_target", "left_thigh_target"]],
        "parts": {
            "trunk": ["hip_center", "chest", "head"],
            **{
                f"{side}_{limb}": [f"{side}_{target}" for target in targets]
                for side in ("left", "right")
                for limb, targets in (
                    ("arm", ("shoulder", "upper_arm_target", "forearm_target", "hand")),
                    ("leg", ("thigh_target", "shin_target", "foot")),
                )
            },
        },
    }
)
_METRES_PER_MILLIMETRE = 1e-3
_REMEDY = "copy it again, or leave it out"


def read_kinect(path: Path) -> Iterator[Sequence]:
    """The one clip of a Kinect file.

    Raises:
        FormatError: the file is damaged.
    """
    positions = _positions(path, _KINECT_JOINTS)
    yield _sequence(path, positions, "kinect25", KINECT_FRAMES_PER_SECOND)


def read_vicon(path: Path) -> Iterator[Sequence]:
    """The one clip of a Vicon file.

    Raises:
        FormatError: the file is damaged.
    """
    x, y, z = np.moveaxis(_positions(path, _VICON_TARGETS) * _METRES_PER_MILLIMETRE, -1, 0)
    yield _sequence(path, np.stack((x, z, -y), axis=-1), VICON_TARGETS, 0.0)


def _positions(path: Path, joints: int) -> Float64[np.ndarray, "frames joints 3"]:
    try:
        values = table(read_bytes(path, limit=1 << 28), joints * _NUMBERS)
    except NotNumbers as error:
        raise refused(path, str(error), _REMEDY) from None
    return zeros_to_missing(values.reshape(-1, joints, _NUMBERS)[..., :3])


def _sequence(
    path: Path, positions: Float64[np.ndarray, "frames joints 3"], layout: str | Layout, fps: float
) -> Sequence:
    if np.isnan(positions).all():
        raise refused(path, f"nobody in any of {len(positions)} frames", "leave it out")
    return Sequence(to_float32(positions)[None], layout, path.stem, people=("1",), fps=fps)


def _sniff(path: Path, joints: int) -> bool:
    lines = first_lines(path, 1 << 14)
    return bool(lines) and len(lines[0]) == joints * _NUMBERS and b"," not in lines[0][0]


def sniff_kinect(path: Path) -> bool:
    """Whether the first line has 175 numbers."""
    return _sniff(path, _KINECT_JOINTS)


def sniff_vicon(path: Path) -> bool:
    """Whether the first line has 119 numbers."""
    return _sniff(path, _VICON_TARGETS)


KINECT = Format(
    name="kinect-txt",
    description="Kinect v2 text, positions and quaternions of 25 joints a line (KERAAL)",
    suffixes=(".txt",),
    sniff=sniff_kinect,
    read=read_kinect,
)
VICON = Format(
    name="vicon-txt",
    description="Vicon text, positions and quaternions of 17 targets a line (KERAAL)",
    suffixes=(".txt",),
    sniff=sniff_vicon,
    read=read_vicon,
)
