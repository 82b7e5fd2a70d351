"""A store that was never written: a few cleaned clips in memory, in the shape that everything else reads."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Items
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import UInt8

from halpose.data.confidence import of_positions, to_bytes
from halpose.data.normalise import CleanClip
from halpose.data.store import Clips, Store
from halpose.data.store_files import COLUMNS, FORMAT_VERSION, HAS_CONFIDENCE
from halpose.data.upright import Upright
from halpose.errors import DataError
from halpose.skeleton import Layout


def memory_store(
    clips: Items[CleanClip],
    layout: Layout,
    name: str = "recordings",
    classes: Items[str] = (),
    upright: Mapping[str, Upright] | None = None,
) -> Store:
    """Clips as a store.

    Args:
        clips: one or more, of one shape.
        layout: theirs.
        name: of the data set that they are.
        classes: class names in the order of the labels.
        upright: what was done to the recordings of each skeleton.

    Raises:
        DataError: there is no clip, or they differ in people, joints or coordinates.
    """
    shapes = {(len(clip.positions), *clip.positions.shape[2:]) for clip in clips}
    if len(shapes) != 1:
        found = " and ".join(map(str, sorted(shapes))) or "no clip"
        raise DataError(f"{name}: clips of one (people, joints, coordinates) make a store, and here is {found}")
    people, _, channels = shapes.pop()
    frames = np.concatenate([clip.positions.swapaxes(0, 1) for clip in clips]).astype(np.float32, copy=False)
    lengths = [clip.positions.shape[1] for clip in clips]
    columns: dict[str, Any] = {
        column: np.array([getattr(clip, column) for clip in clips], dtype=None if kind == "U" else kind)
        for column, (kind, _) in COLUMNS.items()
    }
    meta = {
        "format_version": FORMAT_VERSION, "name": name, "layout": layout.to_dict(), "classes": list(classes),
        "people": people, "channels": channels, "clips": len(clips), "frames": len(frames), "splits": [],
        "provenance": {"upright": {name: one.to_dict() for name, one in upright.items()}} if upright else {},
        "synthetic": False, "repairs": {}, "set_aside": 0,
    }  # fmt: skip
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    confidence = None
    if any(clip.confidence is not None for clip in clips):
        meta[HAS_CONFIDENCE] = True
        confidence = np.concatenate([_bytes(clip).swapaxes(0, 1) for clip in clips])
    return Store(Path(name), meta, cast(np.memmap, frames), Clips(offsets=offsets, **columns), confidence)  # type: ignore[arg-type]


def _bytes(clip: CleanClip) -> UInt8[np.ndarray, "m t v"]:
    return of_positions(clip.positions) if clip.confidence is None else to_bytes(clip.confidence)
