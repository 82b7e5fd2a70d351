"""The prepared data set: one flat memory-mapped array, offsets, labels, provenance and a format version.

A store is a directory:

- `store.json` says what it is: format version, layout, classes, counts, splits, provenance, repairs.
- `frames.npy` holds every frame of every clip, one clip after another, as (F, M, V, C); NaN is missing. It is
  mapped, never read whole, so a store of any size opens at once and trains from disk.
- `clips.npz` holds what is known of each clip: where it starts, label, subject, camera, transforms, splits.
- `confidence.npy` says how sure the source was of each joint, as (F, M, V) bytes, 255 for certain; a joint that was
  filled in has 0. It is there only where it tells more than NaN does.
- `report.json` tells what was read, repaired and set aside, with reasons.

Positions are float32 by default. float16 halves the disk at a price: a coordinate between 2 and 4 metres from
the sensor is rounded by up to 0.98 mm, between 4 and 8 metres by up to 1.95 mm. A posture does not mind; the
motion from one frame to the next, often a few millimetres, does. Values beyond 65504 are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from halpose.data.confidence import from_bytes
from halpose.data.store_columns import BLOCK
from halpose.data.store_files import (
    META,
    NOT_IN_SPLIT,
    PART_CODES,
    PARTS,
    Clips,
    StoreError,
    check_agreement,
    map_confidence,
    map_frames,
    read_clips,
    read_meta,
)
from halpose.data.store_writer import StoreWriter
from halpose.errors import ConfigError
from halpose.skeleton import PREPARED, Layout, Sequence, layout_names, load_layout

__all__ = ["NOT_IN_SPLIT", "PARTS", "PART_CODES", "Clips", "Store", "StoreError", "StoreWriter"]


@dataclass(frozen=True)
class Store:
    """A prepared data set, opened with `Store.open`.

    Attributes:
        path: its directory.
        meta: the content of `store.json`.
        frames: (F, M, V, C) memory map, read-only; NaN is missing.
        clips: what is known of each clip.
        confidence: (F, M, V) memory map, how sure the source was of each joint, 0 to 255; None where it was of every
            joint that is there.
    """

    path: Path
    meta: Mapping[str, Any]
    frames: Float[np.memmap, "f m v c"]
    clips: Clips
    confidence: UInt8[np.memmap, "f m v"] | None = None

    @classmethod
    def open(cls, path: str | Path) -> Store:
        """Open a store without reading its frames.

        Raises:
            StoreError: there is no store, it is of another format version, or its files are missing, damaged
                or disagree with each other.
        """
        path = Path(path)
        meta = read_meta(path)
        frames = map_frames(path)
        clips = read_clips(path, tuple(meta["splits"]))
        check_agreement(path, meta, frames, clips)
        return cls(path, meta, frames, clips, map_confidence(path, meta, frames))

    def __len__(self) -> int:
        return len(self.clips)

    @cached_property
    def layout(self) -> Layout:
        """The joint layout, as it was when the store was written."""
        return Layout.from_dict(self.meta["layout"], where=str(self.path / META))

    @cached_property
    def _clip_layout(self) -> str | Layout:
        """The layout by name, where it is one that comes with halpose."""
        name = self.layout.name
        return name if name in layout_names() and load_layout(name).joints == self.layout.joints else self.layout

    @property
    def name(self) -> str:
        """Name of the data set."""
        return str(self.meta["name"])

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the labels; empty when unlabelled."""
        return tuple(self.meta["classes"])

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits."""
        return tuple(self.meta["splits"])

    def clip(self, index: int) -> Sequence:
        """One clip, copied from disk, in the shape that every other part of halpose reads."""
        index = range(len(self))[index]
        start, end = self.clips.offsets[index : index + 2]
        positions = np.array(self.frames[start:end], dtype=np.float32).swapaxes(0, 1)
        sure = None if self.confidence is None else from_bytes(self.confidence[start:end]).swapaxes(0, 1)
        return Sequence(
            positions=np.ascontiguousarray(positions),
            layout=self._clip_layout,
            name=str(self.clips.name[index]),
            label=int(self.clips.label[index]),
            subject=str(self.clips.subject[index]),
            camera=int(self.clips.camera[index]),
            setup=int(self.clips.setup[index]),
            fps=float(self.clips.fps[index]),
            confidence=None if sure is None else np.ascontiguousarray(sure),
            extra={PREPARED: True},
        )

    def __iter__(self) -> Iterator[Sequence]:
        return (self.clip(i) for i in range(len(self)))

    def part(self, split: str, part: str) -> Int[np.ndarray, " k"]:
        """Indices of the clips of one part of a split, ascending.

        Args:
            split: a name in `splits`; with part "all", "" stands for the whole store.
            part: train, validation, official (train + validation), test or all of the split.

        Raises:
            ConfigError: the store has no such split, or there is no such part.
        """
        if part not in PARTS:
            raise ConfigError(f"no part named {part!r}; a split has {', '.join(PARTS)}")
        if split == "" and part == "all":
            return np.arange(len(self), dtype=np.int64)
        if split not in self.clips.split:
            have = ", ".join(self.splits) or "none; part 'all' of split '' is the whole store"
            raise ConfigError(f"{self.path}: no split named {split!r}; it has {have}")
        codes = self.clips.split[split]
        wanted = {"official": (0, 1), "all": (0, 1, 2)}.get(part) or (PART_CODES[part],)
        return np.flatnonzero(np.isin(codes, wanted)).astype(np.int64)

    def info(self) -> dict[str, Any]:
        """What the store holds, in numbers: the object of `halpose data info --json`."""
        lengths = self.clips.lengths
        return {
            "name": self.name,
            "path": str(self.path),
            "format_version": int(self.meta["format_version"]),
            "synthetic": bool(self.meta["synthetic"]),
            "clips": len(self),
            "frames": int(lengths.sum()),
            "frames_per_clip": {
                "min": int(lengths.min()),
                "median": float(np.median(lengths)),
                "max": int(lengths.max()),
            },
            "people": int(self.frames.shape[1]),
            "layout": str(self.meta["layout"]["name"]),
            "joints": int(self.frames.shape[2]),
            "channels": int(self.frames.shape[3]),
            "dtype": str(self.frames.dtype),
            "bytes": int(self.frames.nbytes),
            "confidence": self.confidence is not None,
            "classes": len(self.classes),
            "subjects": len(self._subjects()),
            "splits": {split: {part: len(self.part(split, part)) for part in PART_CODES} for split in self.splits},
            "repairs": dict(self.meta["repairs"]),
            "set_aside": int(self.meta["set_aside"]),
            "provenance": dict(self.meta["provenance"]),
        }

    def _subjects(self) -> set[str]:
        """Everybody who is named; found block by block, because sorting millions of names takes a minute."""
        named = self.clips.subject
        found = {str(name) for at in range(0, len(named), BLOCK) for name in np.unique(named[at : at + BLOCK])}
        return found - {""}
