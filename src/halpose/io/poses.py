"""What pose estimators write, people found in single frames, put together as recordings.

The conventions that all of their readers keep: x and y are pixels unless the file has something else, and y points up,
so that the sign of an image's y is turned. A joint is missing (NaN) where its confidence is 0 or, in two dimensions,
where x and y are both 0; so is a body of zeros. Confidence is kept, within 0..1, and is 0 where a joint is missing.
People whom the file does not follow from frame to frame are followed here (`halpose.io.linking`). Frames between the
first and the last that the file does not speak of show nobody. Frames per second are 0, unknown, unless the file says
them. That y is up is known and need not be told by how people stand.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from collections.abc import Sequence as Items
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from halpose.io.base import refused, to_float32
from halpose.io.json_file import to_numbers, to_whole
from halpose.io.linking import link
from halpose.skeleton import Y_IS_UP, Sequence

_LARGEST = 1 << 28  # coordinates of a recording, a gigabyte
_MOST_PEOPLE = 128  # in a frame
_SPARSE = 10
_DIGITS = re.compile(r"\d+")
_REMEDY = "write it again, or leave it out"


@dataclass
class Found:
    """People found in the frames of one recording, in any order; a row of each list is one person in one frame.

    Attributes:
        frames: number of the frame.
        joints: numbers as the file has them, of one shape for all.
        tracks: who it is, where the file follows people; "" where it does not say.
    """

    frames: list[int] = field(default_factory=list)
    joints: list[Any] = field(default_factory=list)
    tracks: list[str] = field(default_factory=list)

    def add(self, frame: int, joints: Any, track: str = "") -> None:
        """Note one person in one frame."""
        self.frames.append(frame)
        self.joints.append(joints)
        self.tracks.append(track)

    def numbers(self, path: Path) -> Float[np.ndarray, "d ..."]:
        """The joints of all of them.

        Raises:
            FormatError: some are no numbers, or not of one shape.
        """
        values = to_numbers(self.joints)
        if values is None:
            raise refused(path, "the joints of its people are not numbers, as many for everybody", _REMEDY)
        return values


def triples(path: Path, found: Found, joints: Iterable[int]) -> Float[np.ndarray, "d v 3"]:
    """Joints that are written as x, y, confidence, x, y, confidence ..., or as such threes.

    Raises:
        FormatError: they are not numbers, or of so many joints as none of those asked for.
    """
    values = found.numbers(path)
    known = tuple(joints)
    if values.ndim == 3 and values.shape[2] == 3:
        values = values.reshape(len(values), -1)
    if values.ndim != 2 or values.shape[1] % 3 or values.shape[1] // 3 not in known:
        usual = ", ".join(map(str, known))
        raise refused(path, f"{_shape(values)} numbers a person", f"x, y and confidence of {usual} joints are expected")
    return values.reshape(len(values), -1, 3)


def _shape(values: np.ndarray) -> str:
    return " x ".join(map(str, values.shape[1:])) or "no"


def assemble(
    path: Path,
    name: str,
    layout: str,
    found: Found,
    positions: Float[np.ndarray, "d v c"],
    confidence: Float[np.ndarray, "d v"] | None,
    every_frame: Items[int] = (),
    fps: float = 0.0,
    extra: dict[str, Any] | None = None,
) -> Sequence:
    """One recording of the people who were found in its frames.

    Args:
        path: of the file, for messages.
        name: of the recording.
        layout: of the joints.
        found: whose frames and tracks say when and who.
        positions: their joints, y up.
        confidence: how sure each joint is.
        every_frame: numbers of all frames there are, where the file has also those that show nobody.
        fps: frames per second.
        extra: anything else that the file says.

    Raises:
        FormatError: nobody is in any frame, there are too many people in one, or the recording is too long to hold.
    """
    sure = None if confidence is None else np.clip(np.nan_to_num(confidence), 0, 1)
    positions = _with_missing(positions, sure)
    there = np.isfinite(positions[..., 0]).any(axis=1)
    if not there.any():
        raise refused(path, "nobody in any frame", "leave it out")
    places, length = places_of(found.frames, every_frame)
    order = np.flatnonzero(there)[np.argsort(places[there], kind="stable")]
    frames, positions = places[order], positions[order]
    if np.bincount(frames).max() > _MOST_PEOPLE:
        raise refused(path, f"more than {_MOST_PEOPLE} people in one frame", "give recordings of fewer people")
    rows, people = _rows(frames, [found.tracks[at] for at in order], positions)
    if len(people) * length * positions[0].size > _LARGEST:
        raise refused(path, f"{len(people)} people in {length} frames", "cut it into shorter recordings")
    joints, channels = positions.shape[1:]
    whole = np.full((len(people), length, joints, channels), np.nan, dtype=np.float32)
    whole[rows, frames] = to_float32(positions)
    sureness = None
    if sure is not None:
        sureness = np.zeros(whole.shape[:3], dtype=np.float32)
        sureness[rows, frames] = np.where(np.isnan(positions[..., 0]), 0, sure[order])
    return Sequence(
        positions=whole,
        layout=layout,
        name=name,
        people=people,
        fps=fps,
        confidence=sureness,
        extra={Y_IS_UP: True, **(extra or {})},
    )


def places_of(frames: Items[int], every_frame: Items[int] = ()) -> tuple[Int[np.ndarray, " d"], int]:
    """Where in the recording each frame stands, and how many frames the recording has.

    Numbers of which most are absent are names and not times (COCO numbers its images so): they give the order only.

    Args:
        frames: numbers of the frames that are asked for.
        every_frame: of others that there are.
    """
    there = np.unique(np.array([*frames, *every_frame], dtype=np.int64))
    span = int(there[-1] - there[0]) + 1
    wanted = np.array(frames, dtype=np.int64)
    if span > _SPARSE * len(there):
        return np.searchsorted(there, wanted), len(there)
    return wanted - there[0], span


def _with_missing(
    positions: Float[np.ndarray, "d v c"], confidence: Float[np.ndarray, "d v"] | None
) -> Float[np.ndarray, "d v c"]:
    """A copy with NaN where a joint is missing, whole."""
    missing = np.isnan(positions).any(axis=-1) | (positions == 0).all(axis=(1, 2))[:, None]
    if confidence is not None:
        missing |= confidence == 0
    if positions.shape[-1] == 2:
        missing |= (positions == 0).all(axis=-1)
    return np.where(missing[..., None], np.nan, positions)


def _rows(
    frames: Int[np.ndarray, " d"], tracks: list[str], positions: Float[np.ndarray, "d v c"]
) -> tuple[Int[np.ndarray, " d"], tuple[str, ...]]:
    """A row for each person, and their names: as the file follows them, or as they are followed here.

    A file that calls everybody the same does not follow them. Where a name stands twice in one frame of another file,
    its second bearer is somebody else.
    """
    crowded = len(set(frames.tolist())) < len(frames)
    if all(tracks) and not (crowded and len(set(tracks)) == 1):
        bearers = Counter[tuple[int, str]]()
        for at, place in enumerate(zip(frames.tolist(), tracks, strict=True)):
            bearers[place] += 1
            if bearers[place] > 1:
                tracks[at] += f" ({bearers[place]})"
        people = list(dict.fromkeys(tracks))
        number = {track: at for at, track in enumerate(people)}
        return np.array([number[track] for track in tracks]), tuple(people)
    rows = link(frames, positions)
    return rows, tuple(str(row + 1) for row in range(rows.max() + 1))


def image_place(image: Any, order: int) -> tuple[str, int]:
    """Name of the recording and number of the frame that an image's name tells: "walk_0012.png" is ("walk", 12).

    Args:
        image: its name or number.
        order: the number of one that has none.
    """
    number = to_whole(image)
    if number is not None:
        return "", number
    if not isinstance(image, str):
        return "", order
    file = PurePosixPath(image.replace("\\", "/"))
    numbers = list(_DIGITS.finditer(file.stem))
    if not numbers or len(numbers[-1][0]) > 15:
        return file.parent.name, order
    name = file.stem[: numbers[-1].start()].strip("_-. ")
    return "_".join(part for part in (file.parent.name, name) if part), int(numbers[-1][0])


def track_of(value: Any) -> str:
    """Who it is, from a number, a text or a list that begins with one; "" where that does not say."""
    while isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, str) and len(value) <= 64:
        return value
    number = to_whole(value)
    return "" if number is None else str(number)


def image_size(width: Any, height: Any) -> dict[str, Any]:
    """`img_shape`, (height, width), as pyskl calls it, where both are known."""
    sizes = to_whole(height, 1 << 20), to_whole(width, 1 << 20)
    return {"img_shape": sizes} if all(sizes) else {}
