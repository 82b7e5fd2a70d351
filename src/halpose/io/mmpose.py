"""MMPose: what its inferencer and its demos write, in two or three dimensions.

`{"meta_info": {...}, "instance_info": [{"frame_id": 1, "instances": [{"keypoints": ..., "keypoint_scores": ...}]}]}`,
or the list of frames alone (predictions of a video), or the list of instances alone (predictions of an image).
`track_id` is who it is, where there is one; people are followed here otherwise. 17 joints (COCO; of Human3.6M where
`meta_info` says so or there are three coordinates), 26 (Halpe), or 133 and 136 (whole bodies), of which the first 17
and 26 are kept.

Two coordinates are pixels with y down, turned to y up. Three are taken as its inferencer and its lifting demo leave
them, (-x, z, -y) of a camera's x to the right, y down and z ahead, which mirrors the body; they are turned to (x, -y,
-z), so that y points up and left is left. They are metres where the model's are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from halpose.io.base import Format, refused
from halpose.io.coco import LAYOUTS
from halpose.io.json_file import read_beginning, read_json, to_numbers, to_whole
from halpose.io.poses import Found, assemble, track_of
from halpose.skeleton import Sequence, load_layout

_REMEDY = 'expected {"instance_info": [{"frame_id": 1, "instances": [{"keypoints": ..., "keypoint_scores": ...}]}]}'


def read(path: Path) -> Iterator[Sequence]:
    """The one recording of a file.

    Raises:
        FormatError: the file is damaged or holds something else.
    """
    content = read_json(path)
    meta = content.get("meta_info") if isinstance(content, dict) else None
    frames = content.get("instance_info") if isinstance(content, dict) else content
    if not isinstance(frames, list) or not all(isinstance(frame, dict) for frame in frames):
        raise refused(path, "no list of frames in it", _REMEDY)
    if frames and all("keypoints" in frame for frame in frames):
        frames = [{"frame_id": 0, "instances": frames}]
    found, numbers, scores = _found(path, frames)
    if not found.joints:
        raise refused(path, f"nobody in any of {len(frames)} frames", "leave it out")
    positions = found.numbers(path)
    if positions.ndim == 4 and positions.shape[1] == 1:
        positions = positions[:, 0]
    confidence = _confidence(path, scores, positions)
    layout = _layout(path, positions, meta.get("dataset_name") if isinstance(meta, dict) else None)
    kept = len(load_layout(layout))
    yield assemble(
        path,
        path.stem,
        layout,
        found,
        _upright(positions[:, :kept]),
        None if confidence is None else confidence[:, :kept],
        numbers,
    )


def _found(path: Path, frames: list[dict[str, Any]]) -> tuple[Found, list[int], list[Any]]:
    """Everybody, the number of every frame, and everybody's scores."""
    found, numbers, scores = Found(), list[int](), list[Any]()
    for order, frame in enumerate(frames):
        number = to_whole(frame.get("frame_id", order))
        instances = frame.get("instances")
        if number is None or not isinstance(instances, list):
            raise refused(path, f"frame {order} has no frame_id or no instances", _REMEDY)
        numbers.append(number)
        for instance in instances:
            if not isinstance(instance, dict) or not instance.get("keypoints"):
                raise refused(path, f"frame {order} has an instance without keypoints", _REMEDY)
            found.add(number, instance["keypoints"], track_of(instance.get("track_id")))
            scores.append(instance.get("keypoint_scores"))
    return found, numbers, scores


def _confidence(path: Path, scores: list[Any], positions: Float[np.ndarray, ...]) -> Float[np.ndarray, "d v"] | None:
    if scores[0] is None:
        return None
    values = to_numbers(scores)
    if values is None or values.shape[0] != len(positions) or values.size != np.prod(positions.shape[:2]):
        raise refused(path, "scores that do not fit its keypoints", _REMEDY)
    return values.reshape(positions.shape[:2])


def _layout(path: Path, positions: Float[np.ndarray, ...], data_set: Any) -> str:
    if positions.ndim != 3 or positions.shape[1] not in LAYOUTS or positions.shape[2] not in (2, 3):
        shape = " x ".join(map(str, positions.shape[1:]))
        known = ", ".join(map(str, LAYOUTS))
        raise refused(path, f"keypoints of shape {shape}", f"2 or 3 coordinates of {known} joints are read")
    if positions.shape[1] == 17 and (positions.shape[2] == 3 or data_set in ("h36m", "human36m")):
        return "h36m17"
    return LAYOUTS[positions.shape[1]]


def _upright(positions: Float[np.ndarray, "d v c"]) -> Float[np.ndarray, "d v c"]:
    if positions.shape[2] == 2:
        return positions * (1, -1)
    return positions[..., [0, 2, 1]] * (-1, 1, -1)


def sniff(path: Path) -> bool:
    """Whether it soon speaks of instances, or of keypoints and their scores."""
    head = read_beginning(path)
    return any(f'"{key}"'.encode() in head for key in ("meta_info", "instance_info", "instances", "keypoint_scores"))


FORMAT = Format(
    name="mmpose",
    description="MMPose .json (17, 26, 133 or 136 joints, 2 or 3 coordinates)",
    suffixes=(".json",),
    sniff=sniff,
    read=read,
)
