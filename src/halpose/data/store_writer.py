"""Writing a store: clip by clip, in bounded memory, whole or not at all."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Int

from halpose.data.confidence import of_positions, to_bytes
from halpose.data.normalise import CleanClip
from halpose.data.store_columns import ColumnSpool
from halpose.data.store_files import (
    CLIPS,
    COLUMNS,
    CONFIDENCE,
    FORMAT_VERSION,
    FRAMES,
    HAS_CONFIDENCE,
    META,
    NOT_IN_SPLIT,
    PART_CODES,
    REPORT,
    StoreError,
    check_agreement,
    close_on_disk,
    map_confidence,
    map_frames,
    read_clips,
    write_header,
)
from halpose.data.whole_folder import WholeFolder
from halpose.errors import ConfigError
from halpose.skeleton import Layout

_BYTE = np.dtype(np.uint8)


class StoreWriter:
    """Writes a store clip by clip; the directory appears, complete, when the `with` block ends well.

        with StoreWriter(path, layout=layout, people=2, classes=names) as writer:
            for clip in clips:
                writer.append(clip)
            writer.set_split("x-sub", codes)

    Frames and columns go straight to disk, so memory holds eight bytes a clip. Everything is written to
    `.NAME.partial` beside the target and renamed at the end (`halpose.data.whole_folder`); an exception removes it.

    Args:
        path: the directory to make.
        layout: joint layout of every clip.
        people: people per clip, M.
        channels: 3 or 2.
        name: name of the data set; the directory's name when empty.
        classes: class names in the order of the labels.
        dtype: float32, or float16 (see the module's remarks on its precision).
        synthetic: whether the clips were generated and not recorded.
        provenance: where the clips come from, as JSON-able values.
        overwrite: replace an existing store; nothing but a store or an empty directory is ever replaced.

    Attributes:
        classes, provenance: as above; may be changed until the block ends.
        report: what was read, repaired and set aside, as JSON-able values; goes to `report.json`. The length
            of its "set_aside" entry, when it has one, is counted in `store.json`.

    Raises:
        StoreError: the target exists, another process is writing it, or the disk refuses.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        layout: Layout,
        people: int,
        channels: int = 3,
        name: str = "",
        classes: tuple[str, ...] | list[str] = (),
        dtype: str | np.dtype[Any] = "float32",
        synthetic: bool = False,
        provenance: Mapping[str, Any] | None = None,
        overwrite: bool = False,
    ) -> None:
        self.path = Path(path).absolute()
        self.layout = layout
        self.name = name or self.path.name
        self.classes = list(classes)
        self.synthetic = synthetic
        self.provenance: dict[str, Any] = dict(provenance or {})
        self.report: dict[str, Any] = {}
        self._dtype = np.dtype(dtype)
        if self._dtype not in (np.float32, np.float16):
            raise ConfigError(f"a store holds float32 or float16, not {self._dtype}")
        self._shape = (people, len(layout), channels)
        self._folder = WholeFolder(self.path, overwrite)
        self._partial = self._folder.partial
        self._file: BinaryIO | None = None
        self._sure: BinaryIO | None = None
        self._has_confidence = False
        self._columns: ColumnSpool | None = None
        self._count = 0
        self._splits: dict[str, np.ndarray] = {}
        self._repairs: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._count

    def __enter__(self) -> StoreWriter:
        try:
            self._folder.begin()
            self._file = (self._partial / FRAMES).open("wb")
            write_header(self._file, self._dtype, (0, *self._shape))
            # Kept beside the frames from the first clip on, and dropped at the end where it tells no more than NaN do:
            # of a store whose joints were all seen there is nothing to keep, of any other a twelfth of its size.
            self._sure = (self._partial / CONFIDENCE).open("wb")
            write_header(self._sure, _BYTE, (0, *self._shape[:2]))
            self._columns = ColumnSpool(self._partial)
        except OSError as error:
            self._discard()
            raise self._disk_error(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        except OSError as failure:
            raise self._disk_error(failure) from failure
        finally:
            self._discard()

    def append(self, clip: CleanClip) -> None:
        """Add one clip after the others.

        Raises:
            StoreError: it has another layout or shape than the store, does not fit float16, or the disk is
                full.
        """
        if self._file is None or self._sure is None or self._columns is None:
            raise StoreError(f"{self.path}: clips are appended inside `with StoreWriter(...) as writer:`")
        people, frames, *joints = clip.positions.shape
        if clip.layout != self.layout.name or (people, *joints) != self._shape or frames < 1:
            raise StoreError(
                f"{clip.name}: layout {clip.layout}, (people, joints, channels) {(people, *joints)}, "
                f"{frames} frames; {self.path} takes {self.layout.name}, {self._shape}, one frame or more"
            )
        rows = np.ascontiguousarray(clip.positions.swapaxes(0, 1), dtype=np.float32)
        if self._dtype == np.float16:
            largest = float(np.nanmax(np.abs(rows), initial=0.0))
            if largest > float(np.finfo(np.float16).max):
                raise StoreError(f"{clip.name}: {largest:g} does not fit float16; use dtype float32")
            rows = rows.astype(np.float16)
        told = of_positions(rows)
        sure = told if clip.confidence is None else to_bytes(clip.confidence).swapaxes(0, 1)
        if sure.shape != told.shape:
            raise StoreError(f"{clip.name}: confidence of shape {clip.confidence.shape}, not one for each joint")  # type: ignore[union-attr]
        self._has_confidence = self._has_confidence or not np.array_equal(sure, told)
        try:
            self._file.write(rows.data)
            self._sure.write(np.ascontiguousarray(sure).data)
            self._columns.append(frames, {column: getattr(clip, column) for column in COLUMNS})
        except OSError as error:
            raise self._disk_error(error) from error
        self._count += 1
        self._repairs.update(clip.repairs)

    def adopt(
        self,
        frames: Path,
        clips: Iterable[tuple[Int[np.ndarray, " n"], Mapping[str, np.ndarray]]],
        repairs: Mapping[str, int],
        confidence: Path | None = None,
    ) -> None:
        """Take a file of frames that is written already, with all that is known of its clips, in place of appending.

        Args:
            frames: a `frames.npy` of this store's shape and type, on the same disk; it may stay where it is, but is
                the store's from now on.
            clips: in the order of the frames, in parts: frames of each clip, and a value for each of its columns.
            repairs: kind of repair -> how often.
            confidence: likewise a `confidence.npy`, where there is one.
        """
        if self._file is None or self._sure is None or self._columns is None or self._count:
            raise StoreError(f"{self.path}: frames are adopted inside the `with` block, before any clip is appended")
        try:
            self._file = self._take(self._file, frames, FRAMES)
            if confidence is not None:
                self._sure = self._take(self._sure, confidence, CONFIDENCE)
                self._has_confidence = True
            for lengths, columns in clips:
                self._columns.extend(lengths, columns)
        except OSError as error:
            raise self._disk_error(error) from error
        self._count = len(self._columns)
        self._repairs.update(repairs)

    def _take(self, old: BinaryIO, file: Path, name: str) -> BinaryIO:
        """A file in place of the one that was begun."""
        old.close()
        own = self._partial / name
        own.unlink()
        try:
            os.link(file, own)
        except OSError:  # a file system without links
            file.rename(own)
        return own.open("r+b")

    def set_split(self, name: str, codes: Int[np.ndarray, " n"]) -> None:
        """Say which part of a split each clip belongs to.

        Args:
            name: `x-sub`, `x-view`, ...
            codes: one per clip appended: 0 train, 1 validation, 2 test, -1 not in the split.
        """
        codes = np.asarray(codes)
        if not np.isin(codes, (NOT_IN_SPLIT, *PART_CODES.values())).all():
            raise StoreError(f"split {name}: codes are 0 train, 1 validation, 2 test, -1 not in the split")
        self._splits[name] = codes.astype(np.int8)

    def _finish(self) -> None:
        if not self._count:
            raise StoreError(f"{self.path}: no clip was written, so no store is made; see what was set aside")
        assert self._file is not None and self._sure is not None and self._columns is not None
        for file, dtype, shape in ((self._file, self._dtype, self._shape), (self._sure, _BYTE, self._shape[:2])):
            file.seek(0)
            write_header(file, dtype, (self._columns.frames, *shape))
            file.seek(0, os.SEEK_END)
            close_on_disk(file)
        self._file = self._sure = None
        if not self._has_confidence:
            (self._partial / CONFIDENCE).unlink()
        with (self._partial / CLIPS).open("wb") as file:
            self._columns.write(file, self._splits)
            close_on_disk(file)
        set_aside = self.report.get("set_aside", ())
        meta = {
            "format_version": FORMAT_VERSION,
            "name": self.name,
            "layout": self.layout.to_dict(),
            "classes": self.classes,
            "people": self._shape[0],
            "channels": self._shape[2],
            "clips": len(self),
            "frames": self._columns.frames,
            "splits": list(self._splits),
            "synthetic": self.synthetic,
            "provenance": self.provenance,
            "repairs": dict(self._repairs),
            "set_aside": set_aside if isinstance(set_aside, int) else len(set_aside),
            **({HAS_CONFIDENCE: True} if self._has_confidence else {}),
        }
        for file_name, content in ((REPORT, self.report), (META, meta)):
            with (self._partial / file_name).open("wb") as file:
                file.write(json.dumps(content, indent=1, ensure_ascii=False).encode())
                close_on_disk(file)
        # A store that would not open must not replace one that does.
        frames = map_frames(self._partial)
        check_agreement(self._partial, meta, frames, read_clips(self._partial, tuple(self._splits)))
        map_confidence(self._partial, meta, frames)
        self._folder.put_in_place()

    def _discard(self) -> None:
        """Let go of the files and the lock, and remove the partial directory if it is still ours."""
        for file in (self._file, self._sure):
            if file is not None:
                with suppress(OSError):  # closing flushes, and a full disk refuses a second time
                    file.close()
        self._file = self._sure = None
        if self._columns is not None:
            with suppress(OSError):
                self._columns.close()
            self._columns = None
        self._folder.let_go()

    def _disk_error(self, error: OSError) -> StoreError:
        return StoreError(
            f"{self.path}: cannot be written ({error.strerror or error}); free some space, or choose another place"
        )
