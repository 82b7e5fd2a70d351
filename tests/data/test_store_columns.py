"""Columns of many clips: spooled in blocks to the archive that numpy would write, mapped when they are large."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from halpose.data import store_columns, store_files
from halpose.data.store import Store, StoreError
from halpose.data.store_columns import ColumnSpool
from halpose.data.store_files import COLUMNS


def values(count: int) -> list[dict[str, Any]]:
    """A value of its own for every column of every clip; names of all lengths, some in other scripts."""
    rng = np.random.default_rng(1)
    return [
        {
            "subject": "é" * (at % 3),
            "name": f"clip{'x' * (at * 7 % 11)}{at}",
            **{
                column: (rng.random(row) * 100).astype(kind) if row else np.dtype(kind).type(at % 100)
                for column, (kind, row) in COLUMNS.items()
                if kind != "U"
            },
        }
        for at in range(count)
    ]


def archive(rows: list[dict[str, Any]], lengths: list[int], splits: dict[str, np.ndarray]) -> bytes:
    """What numpy makes of all columns at once."""
    columns = {
        column: np.array([row[column] for row in rows], dtype=str if kind == "U" else kind)
        for column, (kind, _) in COLUMNS.items()
    }
    buffer = io.BytesIO()
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    np.savez(buffer, offsets=offsets, **columns, **{f"split/{name}": codes for name, codes in splits.items()})  # type: ignore[arg-type]
    return buffer.getvalue()


def test_a_spool_that_was_written_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_columns, "BLOCK", 3)
    rows, lengths = values(10), list(range(1, 11))
    spool = ColumnSpool(tmp_path)
    for at, (row, length) in enumerate(zip(rows, lengths, strict=True)):
        if at == 5:
            spool.write(io.BytesIO(), {})
        spool.append(length, row)
    written = io.BytesIO()
    spool.write(written, {})
    spool.close()
    found, wanted = np.load(io.BytesIO(written.getvalue())), np.load(io.BytesIO(archive(rows, lengths, {})))
    for name in wanted.files:
        np.testing.assert_array_equal(found[name], wanted[name])


@pytest.mark.parametrize("block", [1, 3, 10, 11, 8192])
@pytest.mark.parametrize("at_once", [0, 4, 11])
def test_the_archive_is_numpys_whatever_the_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, at_once: int
) -> None:
    monkeypatch.setattr(store_columns, "BLOCK", block)
    rows, lengths = values(11), [*range(1, 12)]
    spool = ColumnSpool(tmp_path)
    for row, length in zip(rows[: 11 - at_once], lengths, strict=False):
        spool.append(length, row)
    if at_once:
        rest = {column: np.array([row[column] for row in rows[11 - at_once :]]) for column in COLUMNS}
        rest["name"] = rest["name"].astype("U40")  # wider than it need be
        spool.extend(np.array(lengths[11 - at_once :]), rest)
    assert (len(spool), spool.frames) == (11, 66) and not list(tmp_path.iterdir())
    splits = {"x-sub": np.arange(11, dtype=np.int8)}
    buffer = io.BytesIO()
    spool.write(buffer, splits)
    spool.close()
    assert buffer.getvalue() == archive(rows, lengths, splits)


class TestMapped:
    @pytest.fixture
    def mapped(self, toy_store: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
        monkeypatch.setattr(store_files, "MAPPED_BYTES", 0)
        return Store.open(toy_store)

    def test_columns_are_the_same_and_not_in_memory(self, mapped: Store, toy_store: Path, monkeypatch) -> None:
        monkeypatch.undo()
        read = Store.open(toy_store)
        for column in ("offsets", *COLUMNS):
            ours, theirs = getattr(mapped.clips, column), getattr(read.clips, column)
            np.testing.assert_array_equal(ours, theirs)
            assert type(ours) is np.ndarray and isinstance(ours.base, np.memmap) and not ours.flags.writeable
            assert not isinstance(theirs.base, np.memmap)
        np.testing.assert_array_equal(mapped.clips.split["x-sub"], read.clips.split["x-sub"])
        assert mapped.info() == read.info()
        np.testing.assert_array_equal(mapped.clip(7).positions, read.clip(7).positions)

    def test_damage_of_the_index_is_still_named(self, mapped: Store, tmp_path: Path) -> None:
        whole = (mapped.path / "clips.npz").read_bytes()
        copy = Path(shutil.copytree(mapped.path, tmp_path / "copy"))
        for at in range(0, len(whole), 997):
            damaged = bytearray(whole)
            damaged[at] ^= 0xFF
            (copy / "clips.npz").write_bytes(damaged)
            try:
                Store.open(copy)
            except StoreError as error:
                assert "clips.npz" in str(error) or str(copy) in str(error)
        (copy / "clips.npz").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(StoreError):
            Store.open(copy)

    def test_headers_that_lie_about_their_size_are_refused(self, mapped: Store, tmp_path: Path) -> None:
        whole = (mapped.path / "clips.npz").read_bytes()
        copy = Path(shutil.copytree(mapped.path, tmp_path / "copy"))
        assert whole.count(b"'shape': (120,), ") > 3
        (copy / "clips.npz").write_bytes(whole.replace(b"'shape': (120,), ", b"'shape': (119,), ", 1))
        with pytest.raises(StoreError, match=r"clips.npz: damaged \(label.npy has 608 bytes"):
            Store.open(copy)

    def test_a_compressed_archive_is_read(self, mapped: Store, tmp_path: Path) -> None:
        copy = Path(shutil.copytree(mapped.path, tmp_path / "copy"))
        with np.load(copy / "clips.npz") as arrays:
            np.savez_compressed(copy / "clips.npz", **{name: arrays[name] for name in arrays.files})
        store = Store.open(copy)
        np.testing.assert_array_equal(store.clips.name, mapped.clips.name)
        assert not isinstance(store.clips.name.base, np.memmap)
