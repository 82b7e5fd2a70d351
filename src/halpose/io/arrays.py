"""Arrays of one's own: `.npy` with one recording, `.npz` with one or many.

The positions are (T, V, C), or (M, T, V, C) where there are several people, or in an archive (N, M, T, V, C) for many
recordings of one length; C is 3, or 2. NaN is missing, and a person of zeros is. An archive names them `positions`,
`joints`, `keypoints`, `poses`, `data`, `x`, or has no other array; and beside them it may have

    names or joint_names    of the joints; then the layout is that of these names, or one of the file's own
    layout                  the name of a layout
    fps                     frames per second
    label, labels, subject, subjects, name, clips, lengths
                            of the recording, or one for each
    confidence              (T, V), (M, T, V) or (N, M, T, V)

Where neither names nor a layout are given, the number of joints tells the layout, as the field has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from halpose.errors import ConfigError, DataError
from halpose.file_layout import layout_of, named_layout
from halpose.io.base import LAYOUT_OF_JOINTS, Format, people_to_missing, refused, to_float32
from halpose.io.npy import archive_names, array_shape, open_array, read_archive
from halpose.skeleton import Layout, Sequence, load_layout

MOST_JOINTS = 1000
_POSITIONS = ("positions", "joints", "keypoints", "poses", "data", "x")
_NAMES = ("joint_names", "names")
_BESIDE = (*_NAMES, "layout", "fps", "label", "labels", "subject", "subjects", "name", "clips", "lengths", "confidence")
_REMEDY = "save positions of shape (frames, joints, 3) or (people, frames, joints, 3)"


def read(path: Path) -> Iterator[Sequence]:
    """The clips of a file.

    Raises:
        FormatError: it is damaged, or its arrays are not those of recordings.
    """
    if path.suffix.lower() == ".npy":
        arrays: Mapping[str, np.ndarray] = {"positions": open_array(path)}
        key = "positions"
    else:
        there = archive_names(path)
        key = _key(there) or "positions"
        arrays = read_archive(path, (key, *sorted(there & set(_BESIDE) - {key})))
    positions = arrays[key]
    if positions.ndim not in (3, 4, 5) or positions.shape[-1] not in (2, 3) or positions.dtype.kind not in "fiu":
        shape = " x ".join(map(str, positions.shape))
        raise refused(path, f"{key} is an array of {positions.dtype}, {shape}", _REMEDY)
    if not positions.size or positions.shape[-2] > MOST_JOINTS:
        raise refused(path, f"{key} has shape {positions.shape}", _REMEDY)
    layout, order = _layout(path, arrays, positions.shape[-2])
    fps = _fps(path, arrays)
    every = positions if positions.ndim == 5 else positions[None] if positions.ndim == 4 else positions[None, None]
    confidence = _confidence(path, arrays, every.shape[:-1])
    lengths = _of_each(path, arrays, ("lengths",), len(every))
    names = _of_each(path, arrays, ("name", "clips"), len(every))
    labels = _of_each(path, arrays, ("label", "labels"), len(every))
    subjects = _of_each(path, arrays, ("subject", "subjects"), len(every))
    for clip in range(len(every)):
        length = _length(path, lengths[clip], every.shape[2]) if lengths is not None else every.shape[2]
        label = labels[clip] if labels is not None else -1
        number = int(label) if isinstance(label, int) and label >= 0 else -1
        yield Sequence(
            positions=people_to_missing(to_float32(every[clip][:, :length][:, :, order])),
            layout=layout,
            name=str(names[clip]) if names is not None else path.stem if len(every) == 1 else f"{path.stem}_{clip:05d}",
            label=number,
            subject=str(subjects[clip]) if subjects is not None else "",
            people=tuple(str(person + 1) for person in range(every.shape[1])),
            fps=fps,
            confidence=None if confidence is None else confidence[clip][:, :length][:, :, order],
            extra={
                **({"label": label} if isinstance(label, str) else {}),
                **({} if {*_NAMES, "layout"} & set(arrays) else {"by_number": True}),
            },
        )


def _key(there: set[str]) -> str | None:
    """The array with the positions, by name, or because there is no other."""
    found = next((name for name in _POSITIONS if name in there), None)
    others = there - set(_BESIDE)
    return found or (next(iter(others)) if len(others) == 1 else None)


def _layout(path: Path, arrays: Mapping[str, np.ndarray], joints: int) -> tuple[str | Layout, list[int]]:
    """The layout, and where each of its joints stands in the array."""
    order = list(range(joints))
    called = next((arrays[name] for name in _NAMES if name in arrays), None)
    if called is not None:
        names = tuple(str(name) for name in called.ravel())
        if called.dtype.kind != "U" or len(names) != joints:
            raise refused(path, f"{len(names)} names for {joints} joints", _REMEDY)
        try:
            return named_layout(names, "npz")
        except DataError as error:
            raise refused(path, str(error), _REMEDY) from None
    if "layout" in arrays:
        name = str(arrays["layout"].ravel()[0]) if arrays["layout"].size == 1 else ""
        try:
            expected = len(load_layout(name)) if not name.endswith(".toml") else 0
        except ConfigError as error:
            raise refused(path, str(error), _REMEDY) from None
        if expected != joints:
            raise refused(path, f"{joints} joints, but layout {name} has {expected}", _REMEDY)
        return name, order
    if joints in LAYOUT_OF_JOINTS:
        return LAYOUT_OF_JOINTS[joints], order
    return layout_of(tuple(f"joint{joint}" for joint in range(joints)), None, "npy"), order


def _fps(path: Path, arrays: Mapping[str, np.ndarray]) -> float:
    if "fps" not in arrays:
        return 0.0
    fps = arrays["fps"]
    if fps.size != 1 or fps.dtype.kind not in "fiu" or not 0 <= float(fps.ravel()[0]) < 1e6:
        raise refused(path, "fps is not one number", _REMEDY)
    return float(fps.ravel()[0])


def _confidence(path: Path, arrays: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> np.ndarray | None:
    if "confidence" not in arrays:
        return None
    confidence = arrays["confidence"]
    if confidence.size != np.prod(shape) or confidence.shape[-1] != shape[-1] or confidence.dtype.kind not in "fiu":
        raise refused(path, f"confidence has shape {confidence.shape}, positions have {shape}", _REMEDY)
    certain: np.ndarray = np.clip(np.nan_to_num(to_float32(confidence.reshape(shape))), 0, 1)
    return certain


def _of_each(path: Path, arrays: Mapping[str, np.ndarray], keys: tuple[str, ...], clips: int) -> list[Any] | None:
    """What an archive says of each clip, where it says anything."""
    key = next((key for key in keys if key in arrays), None)
    if key is None:
        return None
    values = arrays[key].ravel()
    if len(values) != clips or values.dtype.kind not in "Uiu":
        raise refused(path, f"{key} has {len(values)} entries of {values.dtype} for {clips} clips", _REMEDY)
    said: list[Any] = values.tolist()
    return said


def _length(path: Path, length: Any, frames: int) -> int:
    if not isinstance(length, int) or not 0 < length <= frames:
        raise refused(path, f"a length of {length}, but there are {frames} frames", _REMEDY)
    return length


def sniff(path: Path) -> bool:
    """Whether its array has three or four axes, the last of two or three coordinates; or an archive has such a name."""
    shape = array_shape(path)
    if shape:
        return len(shape) in (3, 4) and shape[-1] in (2, 3)
    there = archive_names(path)
    return _key(there) is not None and not {"length", "classes"} <= there


FORMAT = Format(
    name="arrays",
    description="arrays of one's own: .npy or .npz of (frames, joints, 3), with people before",
    suffixes=(".npy", ".npz"),
    sniff=sniff,
    read=read,
)
