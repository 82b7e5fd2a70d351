"""Arrays as ST-GCN, 2s-AGCN and what grew from them keep a data set in: `NAME_data_joint.npy` and `NAME_label.pkl`.

The array is (clips, 3, frames, joints, people), mostly normalised already and padded with zeros to one length;
`NAME_num_frame.npy` holds the true lengths, where there is one. The pickle is (names, labels). The array is
memory-mapped; clips are read one at a time. A body of zeros is missing; a single joint at the origin is not,
because these arrays are often centred on a joint.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from halpose.io.base import LAYOUT_OF_JOINTS, Format, people_to_missing, refused, to_float32
from halpose.io.npy import array_shape, open_array
from halpose.io.ntu import name_fields
from halpose.io.unpickle import load_pickle, plain
from halpose.skeleton import Sequence, load_layout

_REMEDY = "make the files again from the raw data"


def read(path: Path, layout: str | None = None) -> Iterator[Sequence]:
    """The clips of an array.

    Args:
        path: the `.npy` with the data; labels and lengths lie beside it.
        layout: name of the joint layout; by the number of joints if not given.

    Raises:
        FormatError: a file is damaged or missing, or they do not fit each other.
        ConfigError: there is no layout of the given name.
    """
    data = open_array(path)
    if data.ndim != 5 or data.shape[1] not in (2, 3) or data.dtype.kind != "f":
        shape = " x ".join(map(str, data.shape))
        raise refused(path, f"an array of {data.dtype}, {shape}", "expected clips x 3 x frames x joints x people")
    clips, _, frames, joints, people = data.shape
    guessed = {} if layout else {"by_number": True}
    layout = layout or LAYOUT_OF_JOINTS.get(joints)
    if layout is None or len(load_layout(layout)) != joints:
        known = ", ".join(f"{number} ({usual})" for number, usual in LAYOUT_OF_JOINTS.items())
        raise refused(path, f"{joints} joints", f"give a layout of that many by name; known by number: {known}")
    names, labels = _labels(path, clips)
    lengths = _lengths(path, clips, frames)
    for clip in range(clips):
        positions = people_to_missing(to_float32(data[clip].transpose(3, 1, 2, 0)))
        length = lengths[clip] if lengths is not None else _without_padding(positions)
        fields = name_fields(names[clip])
        yield Sequence(
            positions=positions[:, :length],
            layout=layout,
            name=names[clip],
            label=labels[clip],
            subject=str(fields["subject"]) if fields else "",
            camera=fields.get("camera", 0),
            setup=fields.get("setup", 0),
            people=tuple(str(person + 1) for person in range(people)),
            extra=dict(guessed),
        )


def _without_padding(positions: np.ndarray) -> int:
    """The number of frames up to the last with anybody in it; all if there is none."""
    filled = np.flatnonzero(~np.isnan(positions).all(axis=(0, 2, 3)))
    return int(filled[-1]) + 1 if len(filled) else positions.shape[1]


def _beside(path: Path, ending: str) -> Path:
    stem = path.stem.removesuffix("_joint").removesuffix("_data")
    return path.with_name(f"{stem}_{ending}")


def _labels(path: Path, clips: int) -> tuple[list[str], list[int]]:
    """Names and labels of all clips."""
    labels_path = _beside(path, "label.pkl")
    content: Any = load_pickle(labels_path)
    if not isinstance(content, tuple | list) or len(content) != 2:
        raise refused(labels_path, "not a pair of names and labels", _REMEDY)
    names, labels = (_items(part) for part in content)
    if len(names) != clips or len(labels) != clips:
        raise refused(labels_path, f"{len(names)} names and {len(labels)} labels for {clips} clips", _REMEDY)
    if not all(isinstance(name, str) for name in names) or not all(type(label) is int for label in labels):
        raise refused(labels_path, "names should be text and labels whole numbers", _REMEDY)
    return [name.removesuffix(".skeleton") for name in names], labels


def _items(part: Any) -> list[Any]:
    part = plain(part)
    return list(part.tolist() if isinstance(part, np.ndarray) and part.ndim == 1 else part) if _is_list(part) else []


def _is_list(part: Any) -> bool:
    return isinstance(part, list | tuple) or (isinstance(part, np.ndarray) and part.ndim == 1)


def _lengths(path: Path, clips: int, frames: int) -> list[int] | None:
    """The true lengths of all clips, where there is a file of them."""
    lengths_path = _beside(path, "num_frame.npy")
    if not lengths_path.exists():
        return None
    lengths = open_array(lengths_path)
    if lengths.shape != (clips,) or lengths.dtype.kind not in "iu" or not ((lengths > 0) & (lengths <= frames)).all():
        raise refused(lengths_path, f"not {clips} numbers of frames up to {frames}", _REMEDY)
    return [int(length) for length in lengths]


def sniff(path: Path) -> bool:
    """Whether the array has five axes, of which the second has two or three coordinates."""
    shape = array_shape(path)
    return len(shape) == 5 and shape[1] in (2, 3)


FORMAT = Format(
    name="agcn",
    description="ST-GCN / 2s-AGCN arrays: NAME_data_joint.npy with NAME_label.pkl",
    suffixes=(".npy",),
    sniff=sniff,
    read=read,
)
