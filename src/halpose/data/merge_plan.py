"""What a merged store will hold, decided before a frame is copied: which clips, under which names, in which splits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, Int8

from halpose.data.store import Store
from halpose.data.store_columns import BLOCK
from halpose.data.store_files import COLUMNS
from halpose.errors import DataError


@dataclass
class Plan:
    """A merged store, but for its frames.

    Attributes:
        stores: in the order of their clips.
        keep: of each store, which clips are taken.
        labels: of each store, label -> label of the merged store; the last entry is for -1.
        prefixes: of each store, what is put before names and subjects.
        name, classes, provenance, report, repairs, splits: of the merged store.
        notes: what its user should know.
    """

    stores: list[Store]
    keep: list[Bool[np.ndarray, " n"]]
    labels: list[Int[np.ndarray, " classes"]]
    prefixes: list[str]
    name: str
    classes: tuple[str, ...]
    provenance: dict[str, Any]
    report: dict[str, Any]
    repairs: Mapping[str, int]
    splits: dict[str, Int8[np.ndarray, " clips"]]
    notes: list[str] = field(default_factory=list)

    @property
    def clips(self) -> int:
        """How many clips there will be."""
        return sum(int(keep.sum()) for keep in self.keep)

    @property
    def dropped(self) -> int:
        """How many clips are left out, being in an earlier store already."""
        return sum(int((~keep).sum()) for keep in self.keep)

    @property
    def frames(self) -> int:
        """How many frames there will be."""
        return sum(end - start for _, start, end in self.runs())

    def runs(self) -> Iterator[tuple[int, int, int]]:
        """Which frames to copy: number of a store, first frame, and the frame after the last."""
        for number, (store, keep) in enumerate(zip(self.stores, self.keep, strict=True)):
            edges = np.flatnonzero(np.diff(keep.astype(np.int8), prepend=0, append=0))
            for first, end in edges.reshape(-1, 2):
                yield number, int(store.clips.offsets[first]), int(store.clips.offsets[end])

    def tables(self) -> Iterator[tuple[Int[np.ndarray, " n"], dict[str, np.ndarray]]]:
        """What is known of the clips, a few thousand at a time: frames of each, and its columns."""
        for store, keep, labels, prefix in zip(self.stores, self.keep, self.labels, self.prefixes, strict=True):
            for start in range(0, len(store), BLOCK):
                rows = start + np.flatnonzero(keep[start : start + BLOCK])
                if not len(rows):
                    continue
                columns = {column: getattr(store.clips, column)[rows] for column in COLUMNS}
                columns["label"] = labels[columns["label"]]
                for column in ("name", "subject") if prefix else ():
                    known = columns[column] != ""
                    columns[column] = np.where(known, np.char.add(prefix, columns[column]), columns[column])
                yield store.clips.offsets[rows + 1] - store.clips.offsets[rows], columns


def check_alike(stores: Items[Store]) -> None:
    """Frames of one shape and kind.

    Raises:
        DataError: they are not, and which two differ in what.
    """
    first, remedy = stores[0], "only stores of one layout, number of people, channels and dtype can be merged"
    for store in stores[1:]:
        for what, other, one in (
            ("layout", store.meta["layout"]["name"], first.meta["layout"]["name"]),
            ("people", store.meta["people"], first.meta["people"]),
            ("channels", store.meta["channels"], first.meta["channels"]),
        ):
            if other != one:
                raise DataError(f"{store.path}: {what} {other}, but {first.path} has {one}; {remedy}")
        if store.meta["layout"] != first.meta["layout"]:
            raise DataError(
                f"{store.path}: its layout has the name of that of {first.path}, but other joints; {remedy}: prepare "
                "both with the same layout"
            )
        if store.frames.dtype != first.frames.dtype:
            raise DataError(
                f"{store.path}: {store.frames.dtype}, but {first.path} is {first.frames.dtype}; {remedy}: prepare one "
                f"of them again with --dtype {first.frames.dtype}"
            )
