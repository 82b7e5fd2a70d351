"""pyskl and mmaction2 pickles: all clips of a data set with its splits, the format that the field exchanges.

`{"split": {name: [frame_dir, ...]}, "annotations": [...]}`, or a list of annotations only. An annotation has
`frame_dir`, `label`, `keypoint` (people, frames, joints, 2 or 3), `total_frames` and mostly `keypoint_score`
(people, frames, joints) and `img_shape`.

Two coordinates are pixels with y down; here y is up, so its sign is turned (and turned back when writing). A joint
is missing where all its coordinates and its score are zero, or, in two dimensions without scores, the coordinates
alone; a whole body of zeros is missing in any case. Pickles are read without calling anything they name.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from halpose.errors import ConfigError
from halpose.io.base import LAYOUT_OF_JOINTS, Format, people_to_missing, read_head, refused, to_float32
from halpose.io.ntu import name_fields
from halpose.io.unpickle import load_pickle, plain
from halpose.skeleton import Layout, Sequence, load_layout

_REMEDY = "give a pickle with an array keypoint (people, frames, joints, 2 or 3) in every annotation"
_KEPT = ("img_shape", "original_shape")
_MOST_PEOPLE = 1000


def read(path: Path, layout: str | None = None) -> Iterator[Sequence]:
    """The clips of a pickle.

    Args:
        path: the file.
        layout: name of the joint layout; by the number of joints if not given.

    Raises:
        FormatError: it is no such file, or holds more than data. Annotations that cannot be used are refused
            after all others were given.
        ConfigError: there is no layout of the given name.
    """
    if layout is not None:
        load_layout(layout)
    annotations, splits = _content(path)
    faults = []
    for index, annotation in enumerate(annotations):
        try:
            yield _sequence(annotation, index, layout, splits)
        except _Fault as fault:
            faults.append(str(fault))
    if faults:
        raise refused(path, f"{len(faults)} of {len(annotations)} annotations cannot be read: {faults[0]}", _REMEDY)


class _Fault(Exception):
    """What is wrong with an annotation."""


def _content(path: Path) -> tuple[list[Any], dict[str, tuple[str, ...]]]:
    """The annotations, and the splits that each clip is in."""
    content = load_pickle(path)
    annotations, split = content, {}
    if isinstance(content, dict) and "annotations" in content:
        annotations, split = content["annotations"], content.get("split", {})
    if not isinstance(annotations, list) or not annotations or not isinstance(annotations[0], dict):
        raise refused(path, "no list of annotations in it", 'expected {"split": ..., "annotations": [...]}')
    if not isinstance(split, dict) or not all(isinstance(names, list | tuple) for names in split.values()):
        raise refused(path, "its split is not a list of clips per name", _REMEDY)
    splits: dict[str, tuple[str, ...]] = {}
    for name, members in split.items():
        for member in members:
            if isinstance(member, str):
                splits[member] = (*splits.get(member, ()), str(name))
    return annotations, splits


def _sequence(annotation: Any, index: int, layout: str | None, splits: dict[str, tuple[str, ...]]) -> Sequence:
    if not isinstance(annotation, dict):
        raise _Fault(f"annotation {index} is no dictionary")
    name = annotation.get("frame_dir", annotation.get("filename"))
    name = name if isinstance(name, str) and name else f"clip_{index:06d}"
    keypoint = plain(annotation.get("keypoint"))
    if keypoint is None:
        raise _Fault(f"{name} has no keypoint array (for Kinetics they are in other files, which are not read)")
    if not isinstance(keypoint, np.ndarray) or keypoint.dtype.kind not in "fiu" or keypoint.ndim != 4:
        raise _Fault(f"{name} has no keypoint array of (people, frames, joints, 2 or 3)")
    people, frames, joints, channels = keypoint.shape
    if channels not in (2, 3) or not 0 < people <= _MOST_PEOPLE or not frames or not joints:
        raise _Fault(f"{name} has a keypoint array of shape {keypoint.shape}")
    if _whole(annotation.get("total_frames", frames)) != frames:
        raise _Fault(f"{name} says {annotation['total_frames']!r:.20} frames but has {frames}")
    score = plain(annotation.get("keypoint_score"))
    if score is not None:
        if not isinstance(score, np.ndarray) or score.dtype.kind not in "fiu" or score.shape != keypoint.shape[:3]:
            raise _Fault(f"{name} has a keypoint_score that does not fit its keypoint array")
        score = np.clip(np.nan_to_num(to_float32(score)), 0, 1)
    positions = _with_missing(to_float32(keypoint), score)
    if channels == 2:
        positions[..., 1] *= -1
    named = annotation.get("layout")
    fields = name_fields(name)
    return Sequence(
        positions=positions,
        layout=_layout(name, joints, layout or (named if isinstance(named, str) else None)),
        name=name,
        label=_whole(annotation.get("label", -1)),
        subject=str(fields["subject"]) if fields else "",
        camera=fields.get("camera", 0),
        setup=fields.get("setup", 0),
        people=tuple(str(person + 1) for person in range(people)),
        confidence=score,
        extra={
            "splits": splits.get(name, ()),
            **({} if layout or isinstance(named, str) else {"by_number": True}),
            **{key: plain(annotation[key]) for key in _KEPT if key in annotation},
        },
    )


def _whole(value: Any) -> int:
    """A whole number, or -1."""
    value = plain(value)
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    return value if isinstance(value, int) and -1 <= value < 1 << 31 else -1


def _with_missing(
    positions: Float32[np.ndarray, "m t v c"], score: Float32[np.ndarray, "m t v"] | None
) -> Float32[np.ndarray, "m t v c"]:
    """Turn zeros that stand for nothing into NaN, in place."""
    if score is not None:
        positions[(score == 0) & (positions == 0).all(axis=-1)] = np.nan
    elif positions.shape[-1] == 2:
        positions[(positions == 0).all(axis=-1)] = np.nan
    return people_to_missing(positions)


def _layout(clip: str, joints: int, name: str | None) -> str:
    """A layout of so many joints: the given one, or the usual one."""
    if name is None:
        if joints in LAYOUT_OF_JOINTS:
            return LAYOUT_OF_JOINTS[joints]
        known = ", ".join(f"{number} ({usual})" for number, usual in LAYOUT_OF_JOINTS.items())
        raise _Fault(f"{clip} has {joints} joints; known are {known}, others with a layout given by name")
    try:
        expected = len(load_layout(name))
    except ConfigError as error:
        raise _Fault(f"{clip}: {error}") from None
    if expected != joints:
        raise _Fault(f"{clip} has {joints} joints, but layout {name} has {expected}")
    return name


def write(path: Path, sequences: list[Sequence]) -> None:
    """Write clips as one pickle; `read` gives back positions, label, layout, confidence and splits.

    Args:
        path: the file.
        sequences: clips with different names; `extra["splits"]` names the splits that each is in.

    Raises:
        FormatError: two clips have one name, there is none, or one has a layout that goes by no name.
    """
    names = [clip.name for clip in sequences]
    if not names or len(set(names)) < len(names):
        twice = next((name for name in names if names.count(name) > 1), None)
        raise refused(path, f"two clips named {twice}" if twice else "no clips", "give clips of different names")
    own = next((clip for clip in sequences if isinstance(clip.layout, Layout)), None)
    if own:  # the field's pickles name a layout; they have no place for one
        raise refused(path, f"{own.name} has a skeleton of its own", "map it to a named layout (halpose.mapping) first")
    split: dict[str, list[str]] = {}
    for clip in sequences:
        for name in clip.extra.get("splits", ()):
            split.setdefault(name, []).append(clip.name)
    content = {"split": split, "annotations": [_annotation(clip) for clip in sequences]}
    with path.open("wb") as file:
        pickle.dump(content, file, protocol=4)


def _annotation(clip: Sequence) -> dict[str, Any]:
    missing = np.isnan(clip.positions).any(axis=-1)
    keypoint = np.where(missing[..., None], 0, clip.positions).astype(np.float32)
    flat = clip.positions.shape[-1] == 2
    if flat:
        keypoint[..., 1] *= -1
    annotation = {
        "frame_dir": clip.name,
        "label": clip.label,
        "total_frames": clip.frames,
        "keypoint": keypoint,
        "layout": clip.layout,
        **{key: clip.extra[key] for key in _KEPT if key in clip.extra},
    }
    # A reader of zeros alone cannot tell a joint that is missing from one at the origin; scores can.
    zero = (keypoint == 0).all(axis=-1)
    told = zero if flat else zero & zero.all(axis=-1, keepdims=True)
    if clip.confidence is not None or (told != missing).any():
        score = np.ones(missing.shape) if clip.confidence is None else clip.confidence
        annotation["keypoint_score"] = np.where(missing, 0, score).astype(np.float32)
    return annotation


def sniff(path: Path) -> bool:
    """Whether it is a pickle that soon speaks of annotations or keypoints."""
    head = read_head(path, 1 << 20)
    return head[:1] == b"\x80" and any(word in head for word in (b"annotations", b"keypoint", b"frame_dir"))


FORMAT = Format(
    name="pyskl",
    description="pyskl / mmaction2 pickle (any joints, 2 or 3 coordinates)",
    suffixes=(".pkl", ".pickle"),
    sniff=sniff,
    read=read,
    write=write,
)
