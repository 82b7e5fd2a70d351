"""MediaPipe Pose (BlazePose) and MoveNet: 33 or 17 landmarks a frame, as programs write their results to JSON.

There is no official file. Read are lists of frames, also under `frames`, `results` or `data`. A frame is a list of the
landmarks, or an object that has it under the names of MediaPipe's results (`pose_landmarks`, `landmarks`, `keypoints`,
and of those in metres, which are preferred, `pose_world_landmarks`, `worldLandmarks`, `keypoints3D`), or a list of
several people's. A landmark is `{"x", "y", "z", "visibility"}` or a list of these numbers; visibility, or score, is
its confidence. 17 landmarks are those of COCO, in two coordinates. Where no frame shows two people, all frames show the
same one, however far the body jumps: most of these programs look for one person.

World landmarks are metres around the middle of the hips. Others are shares of the image's width and height, and pixels
here where the file says `width` and `height`; z is of the scale of x. y points down and z away from the camera: both
are turned, so that y points up and left stays left. `fps`, or `timestamp_ms` in each frame, tells the rate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from halpose.io.base import Format, refused
from halpose.io.json_file import read_beginning, read_json, to_numbers, to_whole
from halpose.io.poses import Found, assemble, image_size, places_of
from halpose.skeleton import IN_IMAGE, Sequence

LAYOUTS = {33: "mediapipe33", 17: "coco17"}
_FRAMES = ("frames", "results", "data")
_WORLD = (
    "pose_world_landmarks",
    "poseWorldLandmarks",
    "world_landmarks",
    "worldLandmarks",
    "keypoints3D",
    "keypoints_3d",
)
_IMAGE = ("pose_landmarks", "poseLandmarks", "landmarks", "landmark", "keypoints")
_OBJECTS = re.compile(rb'"keypoints"\s*:\s*\[\s*\{')
_NUMBER = ("frame", "frame_id", "frame_index", "frame_number")
_REMEDY = "expected a list of frames with 33 landmarks of x, y, z and visibility, or 17 of x, y and score"


def read(path: Path) -> Iterator[Sequence]:
    """The one recording of a file.

    Raises:
        FormatError: the file is damaged or holds something else.
    """
    content = read_json(path)
    about = content if isinstance(content, dict) else {}
    frames = _frames(path, content)
    is_world = any(_landmarks(frame, _WORLD) for frame in frames)
    found, numbers, joints = Found(), list[int](), 0
    for order, frame in enumerate(frames):
        numbers.append(_number(frame, order))
        for body in _bodies(_landmarks(frame, _WORLD if is_world else _IMAGE)):
            joints = joints or len(body)
            if len(body) not in LAYOUTS or len(body) != joints:
                raise refused(path, f"frame {order} has {len(body)} landmarks, not {_wanted(joints)}", _REMEDY)
            found.add(numbers[-1], [_point(point) for point in body])
    if not found.joints:
        raise refused(path, f"nobody in any of {len(frames)} frames", "leave it out")
    if len(set(found.frames)) == len(found.frames):
        found.tracks = ["1"] * len(found.frames)
    values = found.numbers(path)
    if values.ndim != 3:
        raise refused(path, "landmarks that are not of as many numbers each", _REMEDY)
    channels = 2 if joints == 17 or np.isnan(values[..., 2]).any() else 3
    positions = values[..., :channels] * (1, -1, -1)[:channels]
    size = {} if is_world else image_size(about.get("width"), about.get("height"))
    if size:
        height, width = size["img_shape"]
        positions *= (width, height, width)[:channels]
    confidence = None if np.isnan(values[..., 3]).all() else values[..., 3]
    extra = size | ({} if is_world else {IN_IMAGE: True})
    yield assemble(
        path, path.stem, LAYOUTS[joints], found, positions, confidence, numbers, _rate(about, frames, numbers), extra
    )


def _wanted(joints: int) -> str:
    return str(joints) if joints in LAYOUTS else " or ".join(map(str, LAYOUTS))


def _frames(path: Path, content: Any) -> list[Any]:
    """All frames; those of an object that holds lists of landmarks are such lists."""
    if isinstance(content, dict):
        inner = next((content[key] for key in _FRAMES if key in content), None)
        content = _landmarks(content, _WORLD) or _landmarks(content, _IMAGE) if inner is None else inner
        if isinstance(content, dict):
            content = list(content.values())
    if isinstance(content, list) and content and _is_body(content):
        content = [content]
    if not isinstance(content, list) or not content:
        raise refused(path, "no list of frames in it", _REMEDY)
    return content


def _landmarks(frame: Any, keys: tuple[str, ...]) -> list[Any]:
    """The landmarks of one frame under one of these names, of one person or of several; nothing if nobody is there.

    A list without names is of landmarks in the image.
    """
    if isinstance(frame, list):
        if frame and all(isinstance(person, dict) and not _is_point(person) for person in frame):
            return [body for person in frame for body in _bodies(_landmarks(person, keys))]
        return frame if keys is _IMAGE else []
    if not isinstance(frame, dict):
        return []
    value: Any = next((frame[key] for key in keys if frame.get(key)), [])
    return _landmarks(value, _IMAGE) if isinstance(value, dict) else value if isinstance(value, list) else []


def _bodies(landmarks: list[Any]) -> list[list[Any]]:
    """Everybody's landmarks."""
    if not landmarks or _is_body(landmarks):
        return [landmarks] if landmarks else []
    return [body if isinstance(body, list) else [body] for body in landmarks]


def _is_body(landmarks: list[Any]) -> bool:
    return _is_point(landmarks[0])


def _is_point(value: Any) -> bool:
    if isinstance(value, dict):
        return "x" in value
    return isinstance(value, list) and 2 <= len(value) <= 5 and not isinstance(value[0], list | dict)


def _point(value: Any) -> list[Any]:
    """x, y, z and visibility; None where it has none."""
    if isinstance(value, dict):
        return [value.get("x"), value.get("y"), value.get("z"), value.get("visibility", value.get("score"))]
    return [*value, None, None][:4] if isinstance(value, list) else [value]


def _number(frame: Any, order: int) -> int:
    given = next((frame[key] for key in _NUMBER if key in frame), None) if isinstance(frame, dict) else None
    number = to_whole(given)
    return order if number is None else number


def _rate(about: dict[str, Any], frames: list[Any], numbers: list[int]) -> float:
    """Frames per second where the file says them or when each frame was, within reason."""
    rate = about.get("fps", about.get("frame_rate"))
    if isinstance(rate, int | float) and not isinstance(rate, bool) and 0 < rate <= 1e4:
        return float(rate)
    times = to_numbers([frame.get("timestamp_ms") if isinstance(frame, dict) else None for frame in frames])
    if times is None or times.ndim != 1:
        return 0.0
    apart = np.diff(places_of(numbers)[0])  # of a program that skips frames, more than one
    steps = np.diff(times)[apart > 0] / apart[apart > 0]
    step = float(np.median(steps)) if len(steps) else 0.0
    return 1000 / step if 0.1 <= step <= 1e5 else 0.0


def sniff(path: Path) -> bool:
    """Whether it soon speaks of landmarks, of the visibility of points, or of key points that are objects."""
    head = read_beginning(path).lower()
    known = any(word in head for word in (b"landmark", b'"visibility"', b'"keypoints3d"'))
    return known or _OBJECTS.search(head) is not None


FORMAT = Format(
    name="blazepose",
    description="MediaPipe Pose (BlazePose) .json (33 joints, 3 coordinates), MoveNet .json (17 joints)",
    suffixes=(".json",),
    sniff=sniff,
    read=read,
)
