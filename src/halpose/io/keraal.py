"""KERAAL: `{"positions": {"1.0": {"Nose": [x, y], ...}}}`, what three pose estimators found, one file a recording.

Each frame maps joints to coordinates: names of OpenPose (18 joints), of BlazePose (33, with a z), or numbers from 0 to
16 (AlphaPose, COCO). One person. x and y are shares of the image's width and height, with y down, turned to y up; z
grows away from the camera and is turned towards it, so that left stays left. A frame without a joint misses that
joint. The file says neither the size of the image nor the rate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from halpose.io.base import Format, refused
from halpose.io.json_file import read_beginning, read_json, to_numbers, to_whole
from halpose.io.poses import Found, assemble
from halpose.skeleton import Sequence, load_layout

_REMEDY = 'expected {"positions": {frame: {joint: [x, y] or [x, y, z]}}}'
_WORDS = {"l": "left", "r": "right", "left": "left", "right": "right"}
_CALLED = {"neck": "shoulder_center", "foot_index": "foot", "mid_hip": "hip_center"}


def read(path: Path) -> Iterator[Sequence]:
    """The one recording of a file.

    Raises:
        FormatError: the file is damaged or holds something else.
    """
    content = read_json(path)
    frames = content.get("positions") if isinstance(content, dict) else None
    if not isinstance(frames, dict) or not frames:
        raise refused(path, "no positions in it", _REMEDY)
    numbers = {name: to_whole(name) for name in frames}
    if None in numbers.values() or not all(isinstance(joints, dict) for joints in frames.values()):
        raise refused(path, "its positions are not joints by number of the frame", _REMEDY)
    layout = _layout(path, frames)
    place = {name: at for at, name in enumerate(load_layout(layout).joints)}
    numbered = layout == "coco17"
    channels = 3 if layout == "mediapipe33" else 2
    found = Found()
    for name, joints in frames.items():
        body: list[Any] = [[None] * channels] * len(place)
        for joint, coordinates in joints.items():
            body[int(joint) if numbered else place[_plain(joint)]] = coordinates
        if joints:
            found.add(numbers[name] or 0, body, "1")
    values = to_numbers(found.joints)
    if values is None or values.shape[1:] != (len(place), channels):
        raise refused(path, f"joints that are not {channels} numbers", _REMEDY)
    signs = (1, -1, -1)[:channels]
    every = [number for number in numbers.values() if number is not None]
    yield assemble(path, path.stem, layout, found, values * signs, None, every)


def _layout(path: Path, frames: dict[str, dict[str, Any]]) -> str:
    """The layout that has all joints that are named."""
    names = {joint for joints in frames.values() for joint in joints}
    if not names:
        raise refused(path, "nobody in any frame", "leave it out")
    if names <= {str(number) for number in range(17)}:
        return "coco17"
    plain = {_plain(name) for name in names}
    for layout in ("openpose18", "openpose25", "mediapipe33"):
        if plain <= set(load_layout(layout).joints):
            return layout
    raise refused(path, f"joints {', '.join(sorted(names))[:200]}", "names of OpenPose or BlazePose are expected")


def _plain(name: str) -> str:
    """A joint as the layouts call it: rShoulder is right_shoulder, Mouth_left left_mouth, Neck shoulder_center."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().replace(" ", "_").split("_")
    sides = [_WORDS[word] for word in words if word in _WORDS]
    part = "_".join(word for word in words if word and word not in _WORDS)
    return "_".join([*sides, _CALLED.get(part, part)])


def sniff(path: Path) -> bool:
    """Whether it is an object that begins with positions."""
    head = read_beginning(path)
    return re.match(rb'\{\s*"positions"\s*:\s*\{', head) is not None


FORMAT = Format(
    name="keraal",
    description="KERAAL .json of OpenPose, AlphaPose or BlazePose (18, 17 or 33 joints)",
    suffixes=(".json",),
    sniff=sniff,
    read=read,
)
