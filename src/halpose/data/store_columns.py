"""The columns of `clips.npz` on their way to disk: a few thousand clips in memory, however many there are.

Ten million clips as Python objects take ten gigabytes, as columns two. Here they are spooled, block by block, into a
nameless file beside the store, and the archive is put together from the blocks at the end.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
from jaxtyping import Int, Int8

from halpose.data.store_files import COLUMNS

BLOCK = 8192  # clips


class ColumnSpool:
    """Collects what is known of each clip and writes it as `clips.npz`.

    Args:
        folder: where the spool lies; it has no name there and goes with the process.
    """

    def __init__(self, folder: Path) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (lives as long as the writer)
        self._rows: dict[str, list[Any]] = {column: [] for column in COLUMNS}
        self._lengths: list[int] = []
        self._offsets = [np.zeros(1, np.int64)]
        # For each column, where its blocks begin in the spool, how many clips they hold and of what type.
        self._blocks: dict[str, list[tuple[int, int, np.dtype[Any]]]] = {column: [] for column in COLUMNS}
        self._count = self._frames = 0

    def __len__(self) -> int:
        return self._count

    @property
    def frames(self) -> int:
        """Frames of all clips."""
        return self._frames

    def append(self, frames: int, values: Mapping[str, Any]) -> None:
        """One clip of so many frames, with a value for each of `COLUMNS`."""
        self._lengths.append(frames)
        for column, rows in self._rows.items():
            rows.append(values[column])
        self._count += 1
        self._frames += frames
        if len(self._lengths) == BLOCK:
            self._flush()

    def extend(self, lengths: Int[np.ndarray, " n"], columns: Mapping[str, np.ndarray]) -> None:
        """Many clips at once, as arrays with one row a clip."""
        self._flush()
        self._count += len(lengths)
        self._frames += int(lengths.sum())
        self._keep(np.asarray(lengths), columns)

    def write(self, file: BinaryIO, splits: Mapping[str, Int8[np.ndarray, " n"]]) -> None:
        """Write `clips.npz`: offsets, the columns, the splits."""
        self._flush()
        with zipfile.ZipFile(file, "w") as archive:
            offsets = np.concatenate(self._offsets)
            write_member(archive, "offsets", offsets.dtype, offsets.shape, [offsets])
            for column, (kind, row) in COLUMNS.items():
                dtype = np.dtype(f"U{self._width(column)}" if kind == "U" else kind)
                write_member(archive, column, dtype, (len(self), *row), self._read(column, dtype, row))
            for name, codes in splits.items():
                write_member(archive, f"split/{name}", codes.dtype, codes.shape, [codes])

    def close(self) -> None:
        """Let go of the spool."""
        self._file.close()

    def _flush(self) -> None:
        """Move the clips that are held as objects into the spool."""
        if not self._lengths:
            return
        columns = {
            column: np.array(self._rows[column], dtype=str if kind == "U" else kind)
            for column, (kind, _) in COLUMNS.items()
        }
        self._keep(np.array(self._lengths, dtype=np.int64), columns)
        self._lengths.clear()
        for rows in self._rows.values():
            rows.clear()

    def _keep(self, lengths: Int[np.ndarray, " n"], columns: Mapping[str, np.ndarray]) -> None:
        self._offsets.append(self._offsets[-1][-1] + np.cumsum(lengths, dtype=np.int64))
        for column, blocks in self._blocks.items():
            kind = COLUMNS[column][0]
            for start in range(0, len(lengths), BLOCK):
                block = np.asarray(columns[column][start : start + BLOCK])
                block = block.astype(f"U{_longest(block)}" if kind == "U" else kind, copy=False)
                blocks.append((self._file.tell(), len(block), block.dtype))
                self._file.write(block.tobytes())

    def _width(self, column: str) -> int:
        """Characters of a text column's longest value."""
        return max((dtype.itemsize // 4 for _, _, dtype in self._blocks[column]), default=1)

    def _read(self, column: str, dtype: np.dtype[Any], row: tuple[int, ...]) -> Iterator[np.ndarray]:
        for at, count, kept in self._blocks[column]:
            self._file.seek(at)
            data = self._file.read(count * int(np.prod(row, dtype=int)) * kept.itemsize)
            yield np.frombuffer(data, kept).reshape(count, *row).astype(dtype, copy=False)


def _longest(texts: np.ndarray) -> int:
    """Characters of the longest of these texts; numpy knows no type of width zero."""
    return max(1, int(np.char.str_len(texts).max(initial=0)))


def write_member(
    archive: zipfile.ZipFile, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], blocks: Iterable[np.ndarray]
) -> None:
    """One array of the archive, block by block."""
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array_header_1_0(
            member,
            {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape},
        )
        for block in blocks:
            member.write(block.tobytes())
