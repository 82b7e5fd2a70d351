"""AlphaPose: `alphapose-results.json`, a list of everybody in every frame.

`{"image_id": "12.jpg", "category_id": 1, "keypoints": [x, y, confidence, ...], "score": ..., "idx": 1}`: 17 joints
(COCO), 26 (Halpe), or 133 and 136 (whole bodies), of which the first 17 and 26 are kept. `idx` is who it is, where
people were tracked; where everybody has the same, nobody was, and they are followed here. A confidence above 1, as its
heat maps have, is 1. Pixels with y down, turned to y up. What it writes with `--format open` is read as OpenPose's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from halpose.io.base import Format
from halpose.io.coco import Recording, image_in, people, sequences
from halpose.io.json_file import read_beginning, read_json
from halpose.io.poses import image_place, track_of
from halpose.skeleton import Sequence


def read(path: Path) -> Iterator[Sequence]:
    """The recordings of a file: images are of one recording if their names differ by the number only.

    Raises:
        FormatError: the file is damaged or holds something else. Recordings that cannot be used are refused after all
            others were given.
    """
    recordings: dict[str, Recording] = {}
    for order, person in enumerate(people(path, read_json(path))):
        name, frame = image_place(person["image_id"], order)
        found = recordings.setdefault(name, Recording()).found
        found.add(frame, person.get("keypoints"), track_of(person.get("idx")))
    yield from sequences(path, recordings)


def sniff(path: Path) -> bool:
    """Whether it is a list that soon speaks of keypoints in images that have names."""
    head = read_beginning(path)
    return head.startswith(b"[") and image_in(head) == b'"'


FORMAT = Format(
    name="alphapose",
    description="AlphaPose .json (17, 26, 133 or 136 joints, 2 coordinates)",
    suffixes=(".json",),
    sniff=sniff,
    read=read,
)
