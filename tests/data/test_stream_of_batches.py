"""Reading ahead: the same frames in the same order, bounded memory, errors where they can be seen, no thread left."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from halpose.data.normalise import clean
from halpose.data.store import Store, StoreError, StoreWriter
from halpose.data.stream import RawBatch, Stream

CLIPS = np.array([5, 3, 99, 70, 71, 72, 8, 110, 11, 12])


@pytest.fixture
def store(toy_store: Path) -> Store:
    return Store.open(toy_store)


def batches(step: int) -> Tensor:
    """Four of the ten, whatever the step."""
    return torch.randperm(len(CLIPS), generator=torch.Generator().manual_seed(step))[:4]


def settle(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.005)


def agrees(batch: RawBatch, store: Store) -> None:
    expected = [store.frames[store.clips.offsets[at] : store.clips.offsets[at + 1]] for at in CLIPS[batch.chosen]]
    np.testing.assert_array_equal(batch.frames.numpy(), np.concatenate(expected))
    assert batch.lengths.tolist() == [len(frames) for frames in expected]
    assert batch.bytes == sum(frames.nbytes for frames in expected)


@pytest.mark.parametrize("ahead", [1, 3, 50])
def test_batches_are_the_stores_frames_in_the_order_of_the_steps(store: Store, ahead: int) -> None:
    with Stream(store, CLIPS, batches, 7, 27, ahead) as stream:
        found = list(stream)
    assert [batch.step for batch in found] == list(range(7, 27))
    for batch in found:
        np.testing.assert_array_equal(batch.chosen, batches(batch.step).numpy())
        agrees(batch, store)


def test_a_clip_may_be_chosen_twice_and_stores_may_be_float16(store: Store, tmp_path: Path) -> None:
    with StoreWriter(
        tmp_path / "half", layout=store.layout, people=2, classes=store.classes, dtype="float16"
    ) as writer:
        for sequence in store:
            writer.append(clean(sequence, people=2))
    half = Store.open(tmp_path / "half")
    with Stream(half, CLIPS, lambda step: torch.tensor([step, 9, step]), 2, 4) as stream:
        for batch in stream:
            agrees(batch, half)
            assert batch.frames.dtype == torch.float16


def test_a_stream_that_begins_later_goes_on_with_the_same_batches(store: Store) -> None:
    with Stream(store, CLIPS, batches, 0, 9) as stream:
        whole = list(stream)
    with Stream(store, CLIPS, batches, 4, 9) as stream:
        for ours, theirs in zip(whole[4:], stream, strict=True):
            np.testing.assert_array_equal(ours.frames.numpy(), theirs.frames.numpy())


def test_no_more_batches_are_read_than_may_wait(store: Store) -> None:
    asked: list[int] = []

    def counted(step: int) -> Tensor:
        asked.append(step)
        return batches(step)

    with Stream(store, CLIPS, counted, 0, 100, ahead=3) as stream:
        settle(lambda: len(asked) == 4)  # three wait, and one is in the thread's hands
        time.sleep(0.05)
        assert len(asked) == 4
        stream.take(0)
        settle(lambda: len(asked) == 5)
        time.sleep(0.05)
        assert asked == [0, 1, 2, 3, 4]


def test_the_caller_need_not_wait_for_what_was_read_meanwhile(store: Store) -> None:
    def slow(step: int) -> Tensor:
        time.sleep(0.02)
        return batches(step)

    with Stream(store, CLIPS, slow, 0, 6, ahead=6) as stream:
        stream.take(0)
        first = stream.waited
        settle(lambda: len(stream._ready) == 5)
        for step in range(1, 6):
            stream.take(step)
        assert first > 0.01 and stream.waited - first < 0.01


def test_an_error_in_the_thread_is_raised_where_the_batch_is_taken_after_those_before(store: Store) -> None:
    def failing(step: int) -> Tensor:
        if step == 2:
            raise RuntimeError("no such order")
        return batches(step)

    with Stream(store, CLIPS, failing, 0, 9) as stream:
        agrees(stream.take(0), store)
        agrees(stream.take(1), store)
        for _ in range(2):
            with pytest.raises(RuntimeError, match="no such order"):
                stream.take(2)
    assert not stream._thread.is_alive()


def test_a_file_that_is_gone_or_shorter_is_named(store: Store, tmp_path: Path) -> None:
    copy = Store.open(shutil.copytree(store.path, tmp_path / "copy"))
    with (copy.path / "frames.npy").open("r+b") as file:
        file.truncate(1000)
    with Stream(copy, CLIPS, batches, 0, 3) as stream, pytest.raises(StoreError, match=r"frames.npy: shorter than"):
        stream.take(0)
    (copy.path / "frames.npy").unlink()
    with Stream(copy, CLIPS, batches, 0, 3) as stream, pytest.raises(StoreError, match="frames.npy: cannot be read"):
        stream.take(0)


def test_the_thread_ends_with_the_block_however_it_ends(store: Store) -> None:
    before = threading.active_count()
    with Stream(store, CLIPS, batches, 0, 1000, ahead=2) as stream:
        stream.take(0)
    assert threading.active_count() == before
    with pytest.raises(KeyboardInterrupt), Stream(store, CLIPS, batches, 0, 1000, ahead=2) as stream:
        raise KeyboardInterrupt
    assert threading.active_count() == before
    with pytest.raises(ValueError, match="closed"):
        stream.take(0)
    Stream(store, CLIPS, batches, 0, 1).close()  # never begun


def test_misuse(store: Store) -> None:
    with pytest.raises(ValueError, match="one batch ahead at least"):
        Stream(store, CLIPS, batches, 0, 1, ahead=0)
    with Stream(store, CLIPS, batches, 3, 5) as stream:
        for step in (2, 4):
            with pytest.raises(ValueError, match="next is 3"):
                stream.take(step)
        assert [batch.step for batch in stream] == [3, 4]
        with pytest.raises(ValueError, match="its end 5"):
            stream.take(5)


@pytest.mark.gpu
def test_frames_are_pinned_for_a_gpu(store: Store) -> None:
    with Stream(store, CLIPS, batches, 0, 2, pinned=True) as stream:
        for batch in stream:
            assert batch.frames.is_pinned()
            agrees(batch, store)
