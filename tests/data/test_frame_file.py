"""Frames from the file: those that were asked for, little beside them, and a word where the file is not what it was."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from halpose.data.frame_file import FrameFile, frame_reader
from halpose.data.normalise import clean
from halpose.data.store import Store, StoreError, StoreWriter
from halpose.skeleton import Sequence

Build = Callable[..., Store]


@pytest.fixture
def long_store(store: Store, tmp_path: Path) -> Build:
    """A function that makes a store of one clip of 20 000 frames, of any type."""

    def build(dtype: str = "float32") -> Store:
        walk = np.random.default_rng(0).normal(size=(1, 20_000, 20, 3)).astype(np.float32)
        with StoreWriter(tmp_path / dtype, layout=store.layout, people=1, dtype=dtype) as writer:
            writer.append(clean(Sequence(walk, "kinect20", "long"), people=1))
        return Store.open(tmp_path / dtype)

    return build


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_frames_are_those_of_the_map_however_they_lie(long_store: Build, dtype: str) -> None:
    store, rng = long_store(dtype), np.random.default_rng(1)
    read = FrameFile(store).read
    for rows in (
        np.arange(100, 300),
        np.unique(rng.integers(0, len(store.frames), 500)),
        np.concatenate([np.arange(5), [400, 9000, 9001], np.arange(len(store.frames) - 3, len(store.frames))]),
        np.array([7]),
        np.array([], dtype=np.int64),
    ):
        found = read(rows)
        assert found.dtype == store.frames.dtype
        np.testing.assert_array_equal(found, store.frames[rows])


def test_of_a_long_recording_little_more_is_read_than_was_asked_for(
    long_store: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = long_store()
    sizes: list[int] = []

    class Counted(io.FileIO):
        def readinto(self, buffer: Any) -> int:
            sizes.append(len(buffer))
            return super().readinto(buffer) or 0

    file = FrameFile(store)
    monkeypatch.setattr(Path, "open", lambda path, *_, **__: Counted(path))
    frame = store.frames[0].nbytes
    taps = np.arange(64) * 300
    file.read(np.unique(np.concatenate((taps, taps + 1))))
    assert sizes == [2 * frame] * 64
    sizes.clear()
    file.read(np.arange(0, 4000, 10))  # close together: one read
    assert sizes == [3991 * frame]


def test_frames_that_are_no_file_are_indexed(store: Store) -> None:
    rows = np.array([3, 4, 90])
    np.testing.assert_array_equal(frame_reader(store)(rows), store.frames[rows])
    held = replace(store, frames=np.array(store.frames))
    np.testing.assert_array_equal(frame_reader(held)(rows), store.frames[rows])


def test_a_file_that_is_gone_or_shorter_or_another_is_named(store: Store, tmp_path: Path) -> None:
    copy = Store.open(shutil.copytree(store.path, tmp_path / "copy"))
    read, file = FrameFile(copy).read, copy.path / "frames.npy"
    whole = file.read_bytes()
    with file.open("r+b") as opened:
        opened.truncate(1000)
    with pytest.raises(StoreError, match=r"frames.npy: shorter than it was"):
        read(np.arange(40))
    other = tmp_path / "other"
    other.write_bytes(whole)
    other.replace(file)
    with pytest.raises(StoreError, match="another file than when the store was opened; open the store again"):
        read(np.arange(40))
    file.unlink()
    with pytest.raises(StoreError, match="frames.npy: cannot be read .No such file"):
        read(np.arange(40))
