"""OpenPose: a JSON file for each frame, `NAME_000000000012_keypoints.json`, or all frames in one file.

Files of a frame may be called otherwise, as long as a number ends their names: `012.json`, `walk_012.json`.

`{"people": [{"person_id": [-1], "pose_keypoints_2d": [x, y, confidence, ...]}]}`: 25 joints (BODY_25), 18 (COCO), or
135, of which the 17 of COCO that begin them are kept. Hands and faces are not read. Pixels with y down, turned to y
up. People are not followed by OpenPose and are followed here.

In one file: a list of such frames, also under `frames`, an object of them by image name (as AlphaPose writes with
`--format open` and `cmu`), or Kinetics-Skeleton's `{"data": [{"frame_index": 1, "skeleton": [{"pose": [x, y, ...],
"score": [...]}]}], "label": ...}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from halpose.errors import FormatError
from halpose.io.base import LARGEST_FILE, NUMBERED, Format, refused
from halpose.io.json_file import read_beginning, read_json, to_whole
from halpose.io.poses import Found, assemble, image_place, track_of, triples
from halpose.skeleton import Sequence

LAYOUTS = {25: "openpose25", 18: "openpose18", 135: "coco17"}
FRAME_NAME = re.compile(r"(?:(?P<name>.+)_)?(?P<frame>\d{1,15})_keypoints\.json", re.IGNORECASE)
# What a file of a single frame begins with; in one of many frames a list or a name stands before the people.
_ONE_FRAME = re.compile(rb'\{\s*(?:"version"\s*:\s*[\w."]+\s*,\s*)?"(?:people|bodies)"\s*:\s*\[')
_FRAME_BYTES = 1 << 24
_MOST_FILES = 1 << 20
_PEOPLE = ("people", "bodies")
_JOINTS = ("pose_keypoints_2d", "pose_keypoints", "joints")
_REMEDY = 'expected {"people": [{"pose_keypoints_2d": [x, y, confidence, ...]}]}'


def read(path: Path) -> Iterator[Sequence]:
    """The recording of a file, or all those whose frames are in the files of a folder.

    Raises:
        FormatError: a file is damaged or holds something else. Recordings of a folder that cannot be read are refused
            after all others were given.
    """
    if not path.is_dir():
        yield _file(path)
        return
    faults: list[FormatError] = []
    for name, files in _frame_files(path).items():
        try:
            yield _folder(path, name, files)
        except FormatError as error:
            faults.append(error)
    if faults:
        raise faults[0]


def _frame_files(folder: Path) -> dict[str, list[tuple[int, Path]]]:
    """For each recording, its frames' numbers and files."""
    found: dict[str, list[tuple[int, Path]]] = {}
    size = 0
    for number, (file, match) in enumerate(_frames_in(folder)):
        size += file.stat().st_size
        if number > _MOST_FILES or size > LARGEST_FILE:
            raise refused(folder, "more frames than a recording has", "give each recording its own folder")
        found.setdefault(match["name"] or folder.name, []).append((int(match["frame"]), file))
    if not found:
        raise refused(folder, "no files of one frame each", "expected files like NAME_000000000012_keypoints.json")
    return found


def _frames_in(folder: Path) -> list[tuple[Path, re.Match[str]]]:
    """Files of one frame each, and what their names say: named as OpenPose does, or by a number alone."""
    files = [file for file in sorted(folder.iterdir()) if file.suffix.lower() == ".json" and file.is_file()]
    own = [(file, match) for file in files if (match := FRAME_NAME.fullmatch(file.name))]
    other = [(file, match) for file in files if (match := NUMBERED.fullmatch(file.name))]
    return own + other if other and holds_frame(other[0][0]) else own


def holds_frame(path: Path) -> bool:
    """Whether a file begins as one of a single frame does."""
    return _ONE_FRAME.match(read_beginning(path)) is not None


def _folder(folder: Path, name: str, files: list[tuple[int, Path]]) -> Sequence:
    found = Found()
    for frame, file in files:
        _add(file, found, frame, read_json(file, _FRAME_BYTES))
    return _sequence(folder, name, found, [frame for frame, _ in files])


def _file(path: Path) -> Sequence:
    """All frames of one file."""
    content = read_json(path)
    if isinstance(content, dict) and isinstance(content.get("data"), list):
        return _kinetics(path, content)
    if isinstance(content, dict) and isinstance(content.get("frames"), list):
        content = content["frames"]
    if isinstance(content, dict) and any(key in content for key in _PEOPLE):
        content = {path.name.removesuffix("_keypoints.json"): content}
    if isinstance(content, list):
        content = dict(enumerate(content))
    if not isinstance(content, dict):
        raise refused(path, "no frames in it", _REMEDY)
    found, frames = Found(), []
    for order, (image, frame) in enumerate(content.items()):
        frames.append(image_place(image, order)[1])
        _add(path, found, frames[-1], frame)
    return _sequence(path, path.name.removesuffix(".json").removesuffix("_keypoints"), found, frames)


def _add(path: Path, found: Found, number: int, frame: Any) -> None:
    """Note the people of one frame."""
    people = next((frame[key] for key in _PEOPLE if key in frame), None) if isinstance(frame, dict) else None
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise refused(path, f"frame {number} has no list of people", _REMEDY)
    for person in people:
        key = next((key for key in _JOINTS if key in person), None)
        if key is None:
            raise refused(path, f"frame {number} has a person without joints", _REMEDY)
        joints = person[key]
        if joints:  # nothing is written of somebody whose face or hand alone was found
            found.add(number, joints, track_of(person.get("person_id")))


def _sequence(path: Path, name: str, found: Found, frames: list[int]) -> Sequence:
    if not found.joints:
        raise refused(path, f"nobody in any of {len(frames)} frames", "leave it out")
    values = triples(path, found, LAYOUTS)
    layout = LAYOUTS[values.shape[1]]
    if layout == "coco17":
        values = values[:, :17]
    return assemble(path, name, layout, found, values[..., :2] * (1, -1), values[..., 2], frames)


def _kinetics(path: Path, content: dict[str, Any]) -> Sequence:
    """Kinetics-Skeleton: x and y in 0..1 of the image, confidence beside them, classes numbered from 0."""
    found, frames = Found(), []
    for frame in content["data"]:
        number = to_whole(frame.get("frame_index")) if isinstance(frame, dict) else None
        people = frame.get("skeleton") if number is not None else None
        if number is None or not isinstance(people, list):
            raise refused(path, "a frame without frame_index and skeleton", "download it again")
        frames.append(number)
        for person in people:
            if not isinstance(person, dict) or not isinstance(person.get("pose"), list):
                raise refused(path, f"frame {number} has a person without a pose", "download it again")
            found.add(number, [person["pose"], [value for value in _twice(person.get("score"))]])
    if not found.joints:
        raise refused(path, f"nobody in any of {len(frames)} frames", "leave it out")
    values = found.numbers(path)
    if values.shape[1:] != (2, 36):
        raise refused(path, "its people have no 18 joints with scores", "download it again")
    positions = values[:, 0].reshape(-1, 18, 2) * (1, -1)
    clip = assemble(path, path.stem, "openpose18", found, positions, values[:, 1, ::2], frames)
    label = to_whole(content.get("label_index"), 1 << 31)
    clip.label = -1 if label is None else label
    return clip


def _twice(score: Any) -> Iterator[Any]:
    """Each score two times, so that they fill a row as long as that of x and y."""
    for value in score if isinstance(score, list) else ():
        yield from (value, value)


def sniff(path: Path) -> bool:
    """Whether it soon speaks of people, or is a folder with a file that does."""
    if path.is_dir():
        try:
            path = next((file for file, _ in _frames_in(path)), path)
        except OSError:
            return False
    head = read_beginning(path)
    if b'"frame_index"' in head and b'"skeleton"' in head:
        return True
    return any(f'"{key}"'.encode() in head for key in _PEOPLE)


FORMAT = Format(
    name="openpose",
    description="OpenPose .json, a frame or a recording a file (25 or 18 joints, 2 coordinates)",
    suffixes=(".json",),
    sniff=sniff,
    read=read,
    frame_name=FRAME_NAME,
    holds_frame=holds_frame,
)
