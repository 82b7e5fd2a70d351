"""BVH, as motion-capture suits, animation programs and many data sets write it: a skeleton, then a line per frame.

    HIERARCHY
    ROOT Hips { OFFSET 0 0 0 CHANNELS 6 Xposition ... JOINT Spine { ... End Site { OFFSET 0 10 0 } } }
    MOTION
    Frames: 120
    Frame Time: 0.0333333
    0 93.9 -3 ...

Angles become positions: a joint stands where its parent's rotation puts its offset. Position channels of a joint take
the place of the offset, unless they are zero throughout. Lengths stay in the file's unit, which BVH does not state, and
y is up as the format has it.

End sites are joints where they have a length: a nod of the head, or a foot on its toes, shows there only. A root that
is called root or reference and holds nothing but the hips is the floor, not a part of the body, and left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from halpose.errors import DataError
from halpose.file_layout import layout_of
from halpose.io.base import Format, read_bytes, read_head, refused, to_float32
from halpose.io.rotation import euler_rotation
from halpose.io.text import NotNumbers, table
from halpose.joint_names import common_names, side_and_word
from halpose.skeleton import Sequence

# A parser of our own: of the libraries on PyPI (2025), bvhio 1.5 never returns from a file that was cut off and takes a
# step of Python per joint and frame, bvh 0.3 reads numbers only and accepts anything, upc-pymotion 0.3 ignores the
# position channels of joints, so that half of the samples come out wrong.
MOST_JOINTS = 1000
MOST_POSITIONS = 1 << 27
_LONGEST_HIERARCHY = 1 << 22
_MOTION = re.compile(rb"\bMOTION\s+Frames:\s*(\d{1,9})\s+Frame Time:\s*(\S{1,40})[ \t]*(?:\r?\n|\r?\Z)")
_REMEDY = "export it again from the program that made it"
_CHANNELS = tuple(f"{axis}{kind}" for kind in ("position", "rotation") for axis in "XYZ")
_FLOOR = frozenset(("root", "reference", "world", "origin", "scene", "armature"))


@dataclass
class _Joint:
    """A joint of the hierarchy: its channels are those from `first` on, such as ["Zrotation", "Xrotation"]."""

    name: str
    parent: int
    offset: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    channels: list[str] = field(default_factory=list)
    first: int = 0
    is_end: bool = False


def read(path: Path) -> Iterator[Sequence]:
    """The one clip of a file.

    Raises:
        FormatError: the file is damaged.
    """
    data = read_bytes(path)
    match = _MOTION.search(data)
    if match is None or match.start() > _LONGEST_HIERARCHY:
        raise refused(path, "no MOTION with Frames and Frame Time in it", _REMEDY)
    joints = _hierarchy(path, data[: match.start()])
    frames, fps = int(match[1]), _fps(path, match[2])
    channels = sum(len(joint.channels) for joint in joints)
    if not frames or not channels:
        raise refused(path, f"{frames} frames of {channels} channels", "there is no motion in it; leave it out")
    if frames * len(joints) > MOST_POSITIONS:
        raise refused(path, f"it says {frames} frames of {len(joints)} joints", "cut it into shorter files")
    try:
        motion = table(data[match.end() :].rstrip() + b"\n", channels, b" ")
    except NotNumbers as error:
        raise refused(path, f"its motion, counted from the first frame: {error}", _REMEDY) from None
    if len(motion) != frames:
        raise refused(path, f"it says {frames} frames but holds {len(motion)}", _REMEDY)
    kept = _kept(joints)
    with np.errstate(over="ignore", invalid="ignore"):
        positions = np.stack(_positions(joints, motion), axis=1)[:, kept]
    place = {joint: at for at, joint in enumerate(kept)}
    parents = tuple(place.get(joints[joint].parent, at) for at, joint in enumerate(kept))
    try:
        layout = layout_of(tuple(joints[joint].name for joint in kept), parents, "bvh")
    except DataError as error:
        raise refused(path, str(error), _REMEDY) from None
    yield Sequence(to_float32(positions)[None], layout, path.stem, people=("1",), fps=fps)


def _fps(path: Path, word: bytes) -> float:
    try:
        seconds = float(word)
    except ValueError:
        seconds = float("nan")
    if not 1e-5 < seconds < 1e5:
        raise refused(path, f"a frame time of {word.decode('ascii', 'backslashreplace')}", _REMEDY)
    fps = 1 / seconds
    # Frame times are written with few digits: 0.0333333 is 30 frames a second.
    return float(round(fps)) if abs(fps - round(fps)) < 1e-3 * fps else fps


def _hierarchy(path: Path, text: bytes) -> list[_Joint]:
    """The joints in the order of the file, parents first."""
    words = text.decode("utf-8-sig", "replace").replace("{", " { ").replace("}", " } ").split()
    if words[:1] != ["HIERARCHY"]:
        raise refused(path, "it does not begin with HIERARCHY", _REMEDY)
    joints: list[_Joint] = []
    open_joints: list[int] = []
    at, channels = 1, 0
    try:
        while at < len(words):
            word = words[at]
            if word in ("ROOT", "JOINT", "End"):
                brace = words.index("{", at + 1, at + 12)
                name = " ".join(words[at + 1 : brace])
                if (word == "ROOT") == bool(open_joints):
                    raise refused(path, f"{word} {name} stands in the wrong place", _REMEDY)
                parent = open_joints[-1] if open_joints else -1
                is_end = word == "End"
                name = f"{joints[parent].name}_end" if is_end else name
                joints.append(_Joint(_unlike(name or "joint", joints), parent, first=channels, is_end=is_end))
                open_joints.append(len(joints) - 1)
                at = brace + 1
            elif word == "OFFSET":
                joints[open_joints[-1]].offset = [float(number) for number in words[at + 1 : at + 4]]
                at += 4
            elif word == "CHANNELS":
                count = int(words[at + 1])
                if joints[open_joints[-1]].channels:
                    raise refused(path, f"{joints[open_joints[-1]].name} has channels twice", _REMEDY)
                found = words[at + 2 : at + 2 + count]
                if not 0 <= count <= 6 or len(set(found)) != count or any(name not in _CHANNELS for name in found):
                    raise refused(path, f"channels {' '.join(found)[:80]} of {joints[-1].name}", _REMEDY)
                joints[open_joints[-1]].channels, joints[open_joints[-1]].first = found, channels
                channels += count
                at += 2 + count
            elif word == "}":
                open_joints.pop()
                at += 1
            else:
                raise refused(path, f"{word[:40]!r} is no word of a hierarchy", _REMEDY)
            if len(joints) > MOST_JOINTS:
                raise refused(path, f"more than {MOST_JOINTS} joints", "one person a file, please")
    except (IndexError, ValueError):
        raise refused(path, f"its hierarchy breaks off at {' '.join(words[at : at + 4])[:60]!r}", _REMEDY) from None
    roots = sum(joint.parent < 0 for joint in joints)
    if open_joints or roots != 1:
        what = f"{len(open_joints)} joints have no end" if open_joints else f"{roots} roots"
        raise refused(path, f"its hierarchy: {what}", f"{_REMEDY}, one person a file")
    if any(len(joint.offset) != 3 or not np.isfinite(joint.offset).all() for joint in joints):
        raise refused(path, "an offset that is not three numbers", _REMEDY)
    return joints


def _unlike(name: str, joints: list[_Joint]) -> str:
    """A name that no joint has yet: a second `Hand` is `Hand_2`."""
    taken = {joint.name for joint in joints}
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _kept(joints: list[_Joint]) -> list[int]:
    """Joints that are part of the body: see the module."""
    ends = [at for at, joint in enumerate(joints) if not joint.is_end or np.abs(joint.offset).max() > 1e-6]
    children = [at for at, joint in enumerate(joints) if joint.parent == 0]
    names = common_names(joint.name for joint in joints)
    is_floor = side_and_word(joints[0].name)[1] in _FLOOR and len(children) == 1
    return ends[1:] if is_floor and names[children[0]] == "hip_center" else ends


def _positions(
    joints: list[_Joint], motion: Float64[np.ndarray, "frames channels"]
) -> list[Float64[np.ndarray, "frames 3"]]:
    """Forward kinematics, all frames at a time: where each joint is."""
    places: list[np.ndarray] = []
    turns: list[np.ndarray] = []
    for joint in joints:
        step = np.tile(np.array(joint.offset), (len(motion), 1))
        columns = {name: motion[:, joint.first + at] for at, name in enumerate(joint.channels)}
        moved = {axis: columns[name] for axis, name in enumerate(_CHANNELS[:3]) if name in columns}
        if any(column.any() for column in moved.values()):
            for axis, column in moved.items():
                step[:, axis] = column
        order = [name for name in joint.channels if name.endswith("rotation")]
        turn = euler_rotation("".join(name[0] for name in order), [np.deg2rad(columns[name]) for name in order])
        if joint.parent < 0:
            places.append(step)
            turns.append(turn)
        else:
            before = turns[joint.parent]
            places.append(places[joint.parent] + np.einsum("...ij,...j->...i", before, step))
            turns.append(before @ turn if order else before)
    return places


def sniff(path: Path) -> bool:
    """Whether it begins with HIERARCHY."""
    return read_head(path, 64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"HIERARCHY")


FORMAT = Format(
    name="bvh",
    description="Biovision hierarchy .bvh (skeleton and joint angles)",
    suffixes=(".bvh",),
    sniff=sniff,
    read=read,
)
