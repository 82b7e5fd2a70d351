"""Several stores become one: shards of one data set exactly as if it had been prepared at once, or different sets.

Frames are copied in blocks of a few megabytes, whatever their number. They gather in `OUT.partial`, where a note of how
far they are certainly on disk is kept beside them, so that the same command goes on after a kill. The store appears
whole at the end.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Items
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np

from halpose.data.confidence import of_positions
from halpose.data.merge_plan import Plan, check_alike
from halpose.data.merge_sets import plan_sets
from halpose.data.merge_shards import is_shard, plan_shards
from halpose.data.parallel import claim
from halpose.data.store import Store
from halpose.data.store_files import CLIPS, CONFIDENCE, FORMAT_VERSION, FRAMES, META, REPORT, write_header
from halpose.data.store_writer import StoreWriter
from halpose.errors import DataError
from halpose.skeleton import Layout

__all__ = ["MergeReport", "merge"]

_BLOCK_BYTES = 8 << 20
_NOTED_BYTES = 256 << 20  # what a kill may cost
_COPIED = "copied"


@dataclass(frozen=True)
class MergeReport:
    """What `merge` did.

    Attributes:
        out, name, stores, clips, frames: what was made of how many stores.
        shards: whether they were shards of one preparation.
        duplicates: clips that were in an earlier store already.
        notes: what a user of the store should know.
        kept_frames: frames that an interrupted run had copied.
        seconds: how long.
    """

    out: Path
    name: str
    stores: int
    clips: int
    frames: int
    shards: bool
    duplicates: int
    notes: tuple[str, ...]
    kept_frames: int
    seconds: float

    def summary(self) -> list[str]:
        """The report in a few lines for people."""
        what = "shards" if self.shards else "stores"
        lines = [f"{self.name}: {self.clips} clips, {self.frames} frames of {self.stores} {what} -> {self.out}"]
        if self.kept_frames:
            lines.append(f"continued: {self.kept_frames} frames were copied already")
        return [*lines, *self.notes]


def merge(
    stores: Items[str | Path],
    out: str | Path,
    *,
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> MergeReport:
    """Join stores of one layout, number of people, channels and dtype.

    Args:
        stores: every shard of one preparation, in any order; or other stores, in the order that their clips shall have.
        out: the store to make.
        overwrite: replace a store that is there.
        progress: told how many frames are copied, and of how many.

    Raises:
        DataError: they do not go together, and why; or the store cannot be written.
    """
    started = time.perf_counter()
    out = Path(os.path.abspath(out))
    paths = [Path(os.path.abspath(store)) for store in stores]
    if len(set(paths)) < 2 or len(set(paths)) < len(paths):
        raise DataError(f"{', '.join(map(str, stores)) or 'no store'}: give two different stores or more")
    if out in paths:
        raise DataError(f"{out}: one of the stores to merge; choose another output")
    opened = [Store.open(path) for path in paths]
    check_alike(opened)
    shards = any(map(is_shard, opened))
    plan = plan_shards(opened) if shards else plan_sets(opened)
    first = opened[0]
    writer = StoreWriter(
        out,
        layout=Layout.from_dict(first.meta["layout"]),
        people=int(first.meta["people"]),
        channels=int(first.meta["channels"]),
        name=plan.name,
        synthetic=any(store.meta["synthetic"] for store in opened),
        classes=plan.classes,
        dtype=first.frames.dtype,
        overwrite=overwrite,
        provenance=plan.provenance,
    )
    with writer:
        partial = out.with_name(out.name + ".partial")
        claim(partial, _fingerprint(plan), 0)
        try:
            kept = _copy(plan, partial, progress)
            confidence = _copy_confidence(plan, partial / CONFIDENCE)
        except OSError as error:
            raise DataError(
                f"{partial}: cannot be written ({error.strerror or error}); what is copied is kept: free some space "
                "and run the same command again"
            ) from None
        writer.adopt(partial / FRAMES, plan.tables(), plan.repairs, confidence)
        for name, codes in plan.splits.items():
            writer.set_split(name, codes)
        writer.report = plan.report
    shutil.rmtree(partial, ignore_errors=True)
    return MergeReport(
        out=out,
        name=plan.name,
        stores=len(opened),
        clips=plan.clips,
        frames=plan.frames,
        shards=shards,
        duplicates=plan.dropped,
        notes=tuple(plan.notes),
        kept_frames=kept,
        seconds=time.perf_counter() - started,
    )


def _fingerprint(plan: Plan) -> str:
    """Changes whenever the frames might."""
    files = []
    for store in plan.stores:
        for name in (FRAMES, CONFIDENCE, CLIPS, META, REPORT):
            status = (store.path / name).stat() if (store.path / name).exists() else None
            files.append((str(store.path), name, status and (status.st_size, status.st_mtime_ns)))
    return hashlib.sha256(json.dumps(("merge", FORMAT_VERSION, files)).encode()).hexdigest()


def _copy(plan: Plan, partial: Path, progress: Callable[[int, int], None]) -> int:
    """Copy the frames that are not there yet.

    Returns:
        How many were.
    """
    frames, total = plan.stores[0].frames, plan.frames
    row = frames[:1].nbytes
    block = max(1, _BLOCK_BYTES // row) * row
    beginning = BytesIO()
    write_header(beginning, frames.dtype, (0, *frames.shape[1:]))
    kept = done = noted = _copied(partial, len(beginning.getvalue()), row, total)
    with (partial / FRAMES).open("r+b" if kept else "w+b") as target:
        target.write(beginning.getvalue())
        target.seek(kept * row, os.SEEK_CUR)
        target.truncate()
        for number, start, end in _from(plan, kept):
            with (plan.stores[number].path / FRAMES).open("rb") as source:
                source.seek(plan.stores[number].frames.offset + start * row)
                while start < end:
                    data = source.read(min((end - start) * row, block))
                    if len(data) % row or not data:
                        raise DataError(f"{plan.stores[number].path / FRAMES}: cut short while it was copied")
                    target.write(data)
                    start, done = start + len(data) // row, done + len(data) // row
                    progress(done, total)
                    if (done - noted) * row >= _NOTED_BYTES or done == total:
                        noted = _note(target, partial, done)
    return kept


def _copy_confidence(plan: Plan, file: Path) -> Path | None:
    """Write the confidence of all stores; of one without it, what its positions tell. It is small, and begun anew.

    Returns:
        The file, or None where there is nothing in it that the frames do not tell.
    """
    frames, tells_more = plan.stores[0].frames, False
    if all(store.confidence is None for store in plan.stores):
        return None
    with file.open("wb") as target:
        write_header(target, np.dtype(np.uint8), (plan.frames, *frames.shape[1:3]))
        block = max(1, _BLOCK_BYTES // frames[:1].nbytes)
        for number, start, end in plan.runs():
            store = plan.stores[number]
            for first in range(start, end, block):
                rows = slice(first, min(first + block, end))
                if store.confidence is None:
                    sure = of_positions(store.frames[rows])
                else:
                    sure = store.confidence[rows]
                    tells_more = tells_more or not np.array_equal(sure, of_positions(store.frames[rows]))
                target.write(np.ascontiguousarray(sure).data)
    return file if tells_more else None


def _from(plan: Plan, kept: int) -> Iterator[tuple[int, int, int]]:
    """The runs of frames, but for the first ones."""
    for number, start, end in plan.runs():
        skip = min(kept, end - start)
        kept -= skip
        if start + skip < end:
            yield number, start + skip, end


def _note(target: BinaryIO, partial: Path, done: int) -> int:
    """Keep a note of how many frames are on disk, once they are."""
    target.flush()
    os.fsync(target.fileno())
    passing = partial / f".{_COPIED}"
    passing.write_text(str(done))
    passing.replace(partial / _COPIED)
    return done


def _copied(partial: Path, header: int, row: int, total: int) -> int:
    """Frames that are certainly on disk."""
    try:
        done = int((partial / _COPIED).read_text())
        size = (partial / FRAMES).stat().st_size
    except (OSError, ValueError):
        return 0
    return done if 0 <= done <= total and size >= header + done * row else 0
