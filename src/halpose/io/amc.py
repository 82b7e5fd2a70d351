"""AMC: Acclaim motion, as CMU and HDM05 publish it. The skeleton lies beside it, in an `.asf` file.

    1
    root 9.28722 16.95 -34.2762 8.20944 3.39386 1.16184
    lowerback 6.78285 -4.34327 -2.18541
    ...

Joints are the root and the end of each bone: the end of the femur is the knee. The usual skeleton of Vicon, which both
data sets have, is given as layout hdm31; any other as one of the file's own. Lengths are in inches once they are
divided by the unit that the skeleton states, and given here in metres, y up. The files do not say how many frames a
second has: CMU and HDM05 have 120.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from halpose.file_layout import layout_of
from halpose.io.asf import AsfSkeleton, read_asf
from halpose.io.base import Format, read_bytes, read_head, refused, to_float32
from halpose.io.rotation import euler_rotation
from halpose.skeleton import Layout, Sequence, load_layout

FRAMES_PER_SECOND = 120.0
_METRES_PER_INCH = 0.0254
_LONGEST_WORD = 64
_REMEDY = "copy it again from the data set"
_HDM05 = re.compile(r"(HDM_[a-z]+)_.*", re.IGNORECASE)
_HEAD = re.compile(rb"(?:[ \t]*(?:#[^\n]*|:[^\n]*)?\r?\n)*")

# The end of a bone, without its side.
_TRUNK_ENDS = {
    "root": "hip_center",
    "lowerback": "lower_back",
    "upperback": "spine",
    "thorax": "shoulder_center",
    "lowerneck": "lower_neck",
    "upperneck": "neck",
    "head": "head",
}
_LIMB_ENDS = {
    "hipjoint": "hip",
    "femur": "knee",
    "tibia": "ankle",
    "foot": "foot",
    "toes": "toes",
    "clavicle": "shoulder",
    "humerus": "elbow",
    "radius": "forearm",
    "wrist": "wrist",
    "hand": "hand",
    "fingers": "fingers",
    "thumb": "thumb",
}


def read(path: Path) -> Iterator[Sequence]:
    """The one clip of a file.

    Raises:
        FormatError: the file is damaged, its skeleton is missing, or they do not belong together.
    """
    data = read_bytes(path, limit=1 << 27)
    asf = find_asf(path)
    skeleton = read_asf(asf)
    rows = _rows(path, data, skeleton, asf)
    said = data[:4096].upper()
    is_degrees = b":DEGREES" in said or (b":RADIANS" not in said and skeleton.is_degrees)
    with np.errstate(over="ignore", invalid="ignore"):
        positions = _positions(skeleton, np.deg2rad(rows) if is_degrees else rows, rows)
        positions *= _METRES_PER_INCH / skeleton.length
    layout, order = _layout(skeleton)
    yield Sequence(
        positions=to_float32(positions[:, order])[None],
        layout=layout,
        name=path.stem,
        subject=subject_of(path),
        people=("1",),
        fps=FRAMES_PER_SECOND,
    )


def find_asf(path: Path) -> Path:
    """The skeleton of a motion: `02.asf` of `02_03.amc`, `HDM_mm.asf` of `HDM_mm_walk_120.amc`, or the only one there.

    Raises:
        FormatError: there is none, or nothing tells which.
    """
    there = sorted(file for file in path.absolute().parent.glob("*") if file.suffix.lower() == ".asf")
    stems = {file.stem.lower(): file for file in there}
    subject = subject_of(path).lower()
    for stem in (path.stem.lower(), subject, f"hdm_{subject}"):
        if stem in stems:
            return stems[stem]
    if len(there) == 1:
        return there[0]
    found = f"there are {', '.join(file.name for file in there[:5])}" if there else "there is none"
    wanted = f"{path.stem.rsplit('_', 1)[0]}.asf"
    raise refused(path, f"its skeleton is missing: {found}", f"put its .asf file beside it, such as {wanted}")


def subject_of(path: Path) -> str:
    """Who moves, by the name of a file: `02` of CMU's `02_03`, `mm` of HDM05's `HDM_mm_walk_120`."""
    if match := _HDM05.fullmatch(path.stem):
        return match[1][4:]
    subject, _, take = path.stem.rpartition("_")
    return subject if take.isdigit() else ""


def _rows(path: Path, data: bytes, skeleton: AsfSkeleton, asf: Path) -> Float64[np.ndarray, "frames numbers"]:
    """The numbers of each frame, bone after bone in the skeleton's order."""
    head = _HEAD.match(data)
    words = data[head.end() if head else 0 :].split()
    bones = {bone.name.encode(): bone for bone in skeleton.bones}
    # What a frame looks like, from the first one: its number, then bones with their numbers.
    columns: dict[str, range] = {}
    names = [0]
    at = 1
    while at < len(words) and words[at] in bones and bones[words[at]].name not in columns:
        bone = bones[words[at]]
        columns[bone.name] = range(at + 1, at + 1 + len(bone.freedom))
        names.append(at)
        at += 1 + len(bone.freedom)
    missing = [bone.name for bone in skeleton.bones if bone.freedom and bone.name not in columns]
    if not words or missing or len(words) % at:
        if missing:
            what = f"its first frame has no {', '.join(missing[:4])}"
            if at < len(words) and len(columns) < len(bones):
                what += f" and stops at {words[at][:24].decode('ascii', 'backslashreplace')!r}, not known to {asf.name}"
        else:
            what = f"frame {len(words) // at + 1} is not whole"
        raise refused(path, what, f"{_REMEDY}, with its skeleton")
    if max(map(len, words)) > _LONGEST_WORD:
        raise refused(path, f"a word of {max(map(len, words))} letters", _REMEDY)
    table = np.array(words).reshape(-1, at)
    different = (table[:, names[1:]] != table[0, names[1:]]).any(axis=1)
    if different.any():
        frame = int(np.flatnonzero(different)[0]) + 1
        raise refused(path, f"frame {frame} does not have the bones of the first one", _REMEDY)
    wanted = [0, *(column for bone in skeleton.bones for column in columns.get(bone.name, ()))]
    try:
        values = table[:, wanted].astype(np.float64)
    except ValueError as error:
        raise refused(path, f"no number: {str(error)[-60:]}", _REMEDY) from None
    if (np.diff(values[:, 0]) != 1).any():
        frame = int(np.flatnonzero(np.diff(values[:, 0]) != 1)[0]) + 1
        raise refused(path, f"frame {values[frame, 0]:g} follows frame {values[frame - 1, 0]:g}", _REMEDY)
    return values[:, 1:]


def _positions(
    skeleton: AsfSkeleton, angles: Float64[np.ndarray, "frames n"], lengths: Float64[np.ndarray, "frames n"]
) -> Float64[np.ndarray, "frames bones 3"]:
    """Forward kinematics, all frames at a time: where each bone ends, in the file's unit."""
    ends = np.empty((len(angles), len(skeleton.bones), 3))
    turns: list[np.ndarray] = []
    first = 0
    for at, bone in enumerate(skeleton.bones):
        columns = {kind: first + number for number, kind in enumerate(bone.freedom)}
        first += len(bone.freedom)
        order = [kind for kind in bone.freedom if kind[0] == "r"]
        # Angles turn about fixed axes, the first first: in our matrices from the last to the first.
        moved = euler_rotation(
            "".join(kind[1] for kind in reversed(order)).upper(), [angles[:, columns[kind]] for kind in reversed(order)]
        )
        turn = bone.axes @ moved @ bone.axes.T if at else bone.axes @ moved
        step = np.tile(bone.step, (len(angles), 1))
        for axis, kind in enumerate(("tx", "ty", "tz")):
            if kind in columns:
                step[:, axis] += lengths[:, columns[kind]]
        if at == 0:
            ends[:, 0] = step
            turns.append(turn)
            continue
        turns.append(turns[bone.parent] @ turn)
        ends[:, at] = ends[:, bone.parent] + np.einsum("...ij,...j->...i", turns[at], step)
    return ends


def _layout(skeleton: AsfSkeleton) -> tuple[str | Layout, list[int]]:
    """The layout, and where each of its joints stands among the bones."""
    names = [_end(bone.name) for bone in skeleton.bones]
    parents = [bone.parent for bone in skeleton.bones]
    usual = load_layout("hdm31")
    if set(names) == set(usual.joints) and len(names) == len(usual):
        order = [names.index(joint) for joint in usual.joints]
        if all(names[parents[at]] == usual.joints[parent] for at, parent in zip(order, usual.parents, strict=True)):
            return "hdm31", order
    own = [name if names.count(name) == 1 else bone.name for name, bone in zip(names, skeleton.bones, strict=True)]
    if len(set(own)) < len(own):
        own = [bone.name for bone in skeleton.bones]
    return layout_of(tuple(own), tuple(parents), "amc"), list(range(len(own)))


def _end(bone: str) -> str:
    """The joint that a bone ends in, where the bone is known."""
    low = bone.lower()
    if low in _TRUNK_ENDS:
        return _TRUNK_ENDS[low]
    if low[1:] in _LIMB_ENDS and low[0] in "lr":
        return f"{'left' if low[0] == 'l' else 'right'}_{_LIMB_ENDS[low[1:]]}"
    return bone


def sniff(path: Path) -> bool:
    """Whether a frame's number and its root follow the head."""
    head = read_head(path)
    match = _HEAD.match(head)
    words = head[match.end() if match else 0 :].split(maxsplit=2)
    return len(words) > 1 and words[0].isdigit() and words[1] == b"root"


FORMAT = Format(
    name="amc",
    description="Acclaim motion .amc with its .asf skeleton beside it (CMU, HDM05)",
    suffixes=(".amc",),
    sniff=sniff,
    read=read,
)
