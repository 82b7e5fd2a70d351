"""COCO keypoints: annotations of a data set, or the results that any pose estimator writes for its evaluation.

Annotations are `{"images": [{"id": 1, "file_name": ...}], "annotations": [{"image_id": 1, "keypoints": [x, y, v, ...],
"track_id": 3}], "categories": [{"keypoints": [names]}]}`, results a list of `{"image_id": 1, "keypoints": [x, y,
confidence, ...], "score": ...}`. 17 joints (COCO), 26 (Halpe), or 133 and 136 (whole bodies), of which the first 17
and 26 are kept; other names, such as PoseTrack's, are sorted into the 17 where they are the same, and those not there
are missing.

Images belong to a recording by `video_id` or `vid_id`, else by their names without the number, and stand in it by
`frame_id`, else by that number. Visibility 1, marked but hidden, is a confidence of a half. Pixels with y down, turned
to y up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from halpose.errors import FormatError
from halpose.io.base import Format, refused
from halpose.io.json_file import read_beginning, read_json, to_whole
from halpose.io.poses import Found, assemble, image_place, image_size, track_of, triples
from halpose.skeleton import Sequence, load_layout

LAYOUTS = {17: "coco17", 26: "halpe26", 133: "coco17", 136: "halpe26"}
_REMEDY = 'expected {"image_id": ..., "keypoints": [x, y, confidence, ...]} for everybody in every frame'
_NEEDED = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")


@dataclass
class Recording:
    """What a file holds of one recording: its people, and all of its frames, where it names them."""

    found: Found = field(default_factory=Found)
    frames: list[int] = field(default_factory=list)
    size: dict[str, Any] = field(default_factory=dict)


def read(path: Path) -> Iterator[Sequence]:
    """The recordings of a file.

    Raises:
        FormatError: the file is damaged or holds something else. Recordings that cannot be used are refused after all
            others were given.
    """
    content = read_json(path)
    if isinstance(content, dict):
        recordings, names = _annotated(path, content)
        yield from sequences(path, recordings, names, certain=2.0)
    else:
        yield from sequences(path, _results(path, content))


def people(path: Path, content: Any) -> Iterator[dict[str, Any]]:
    """The entries of a list of people.

    Raises:
        FormatError: it is no such list, or empty.
    """
    if not isinstance(content, list):
        raise refused(path, "no list of people", _REMEDY)
    if not content:
        raise refused(path, "nobody in any frame", "leave it out")
    for number, person in enumerate(content):
        if not isinstance(person, dict) or "image_id" not in person:
            raise refused(path, f"entry {number} does not say in which image it is", _REMEDY)
        yield person


def sequences(
    path: Path, recordings: dict[str, Recording], names: tuple[str, ...] = (), certain: float = 1.0
) -> Iterator[Sequence]:
    """Each recording of a file.

    Args:
        path: the file.
        recordings: by name; one alone, or without a name, is called as the file is.
        names: of the joints, where the file tells.
        certain: the number that stands for a joint that is surely there.

    Raises:
        FormatError: some cannot be used; after all others were given.
    """
    faults: list[FormatError] = []
    for name, recording in recordings.items():
        try:
            values = triples(path, recording.found, LAYOUTS)
            layout = LAYOUTS[values.shape[1]]
            values = _in_order(path, values, names) if names else values[:, : len(load_layout(layout))]
            yield assemble(
                path,
                name if name and len(recordings) > 1 else path.stem,
                "coco17" if names else layout,
                recording.found,
                values[..., :2] * (1, -1),
                values[..., 2] / certain,
                recording.frames,
                extra=recording.size,
            )
        except FormatError as error:
            faults.append(error)
    if faults:
        raise faults[0]


def _results(path: Path, content: Any) -> dict[str, Recording]:
    recordings: dict[str, Recording] = {}
    for order, person in enumerate(people(path, content)):
        name, frame = image_place(person["image_id"], order)
        found = recordings.setdefault(name, Recording()).found
        found.add(frame, person.get("keypoints"), track_of(person.get("track_id", person.get("idx"))))
    return recordings


def _annotated(path: Path, content: dict[str, Any]) -> tuple[dict[str, Recording], tuple[str, ...]]:
    """The recordings of an annotated data set, and the names of its joints where they are not COCO's."""
    recordings: dict[str, Recording] = {}
    places: dict[Any, tuple[str, int]] = {}
    videos = {str(video.get("id")): str(video.get("name")) for video in _objects(content.get("videos"))}
    for order, image in enumerate(_objects(content.get("images"))):
        name, frame = image_place(image.get("file_name"), order)
        video = image.get("video_id", image.get("vid_id"))
        if video is not None:
            name = videos.get(str(video), str(video))
        numbered = to_whole(image.get("frame_id"))
        frame = frame if numbered is None else numbered
        recording = recordings.setdefault(name, Recording())
        recording.frames.append(frame)
        recording.size = recording.size or image_size(image.get("width"), image.get("height"))
        places[str(image.get("id"))] = name, frame
    for person in people(path, content.get("annotations")):
        joints = person.get("keypoints")
        if not joints or person.get("iscrowd") or person.get("num_keypoints") == 0:
            continue
        if str(person["image_id"]) not in places:
            raise refused(path, f"no image of number {str(person['image_id'])[:20]}", "write it again")
        name, frame = places[str(person["image_id"])]
        recordings[name].found.add(frame, joints, track_of(person.get("track_id")))
    seen = {name: recording for name, recording in recordings.items() if recording.found.joints}
    if not seen:
        raise refused(path, "nobody in any frame", "leave it out")
    return seen, _joint_names(path, content)


def _joint_names(path: Path, content: dict[str, Any]) -> tuple[str, ...]:
    """Names of the joints, or nothing where they are the usual ones or not told."""
    told = {
        tuple(str(name) for name in category["keypoints"])
        for category in _objects(content.get("categories"))
        if isinstance(category.get("keypoints"), list)
    }
    if len(told) > 1:
        raise refused(path, "bodies of several kinds", "give a file of people only")
    names = told.pop() if told else ()
    usual = load_layout("coco17").joints
    if len(names) in LAYOUTS and names[: len(usual)] == usual:
        return ()
    return names


def _in_order(path: Path, values: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """The joints of COCO, by name."""
    joints = load_layout("coco17").joints
    needed = [f"{side}_{joint}" for side in ("left", "right") for joint in _NEEDED]
    if len(names) != values.shape[1] or not set(names).issuperset(needed):
        raise refused(path, f"joints {', '.join(names)[:200]}", f"a body needs {', '.join(needed)}")
    ordered = np.full((len(values), len(joints), 3), np.nan)
    for at, joint in enumerate(joints):
        if joint in names:
            ordered[:, at] = values[:, names.index(joint)]
    return ordered


def _objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; none if it is no list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def sniff(path: Path) -> bool:
    """Whether it soon speaks of images and annotations, or of keypoints in images that have numbers."""
    head = read_beginning(path)
    if head.startswith(b"{"):
        return any(f'"{key}"'.encode() in head for key in ("images", "annotations", "categories"))
    image = image_in(head)
    return image is not None and not image.startswith(b'"')


def image_in(head: bytes) -> bytes | None:
    """What the first entry of a list of people says of its image, from its beginning; None if it is no such list."""
    _, key, after = head.partition(b'"image_id"')
    return after.lstrip(b" \t\r\n:")[:1] if key and b'"keypoints"' in head else None


FORMAT = Format(
    name="coco",
    description="COCO keypoints .json, annotations or results (17, 26, 133 or 136 joints, 2 coordinates)",
    suffixes=(".json",),
    sniff=sniff,
    read=read,
)
