"""How sure the source was of each joint goes where the joint goes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from halpose.data.chunk_files import Prepared, read_chunk, write_chunk
from halpose.data.confidence import from_bytes, of_positions, to_bytes
from halpose.data.memory import memory_store
from halpose.data.merge import merge
from halpose.data.normalise import CleanClip, clean
from halpose.data.store import Store, StoreError, StoreWriter
from halpose.errors import DataError
from halpose.skeleton import Sequence, load_layout

Walk = Callable[..., np.ndarray]


def recording(rows: list[np.ndarray], confidence: np.ndarray | None = None) -> Sequence:
    return Sequence(np.stack(rows).astype(np.float32), "kinect20", "clip", confidence=confidence)


# --- cleaning


def test_what_is_seen_whole_needs_no_confidence(walk: Walk) -> None:
    """Neither absent people nor joints that are never seen say more than NaN does."""
    row = walk(40)
    row[:, 7] = np.nan
    assert clean(recording([row]), people=2).confidence is None


def test_what_was_filled_is_not_sure_and_everything_else_is(walk: Walk) -> None:
    row, other = walk(40), walk(40, x=1.0, seed=1)
    row[:, 7], row[3:6, 2], row[20] = np.nan, np.nan, np.nan
    other[:10] = np.nan
    clip = clean(recording([row, other]), people=3)
    first = int(np.isfinite(clip.positions[1, 0]).all())  # who moves more comes first
    expected = np.zeros((3, 40, 20), np.float32)
    expected[[first, 1 - first]] = np.isfinite(np.stack([row, other])[..., 0])
    np.testing.assert_array_equal(clip.confidence, expected)


@pytest.mark.parametrize("missing", [np.nan, np.inf])
def test_confidence_is_the_sources_where_there_is_a_joint(walk: Walk, missing: float) -> None:
    """Within 0..1, NaN is none, and frames that are cut off take theirs with them."""
    rng, row = np.random.default_rng(0), walk(30)
    row[:4], row[10, 5, 1] = np.nan, missing
    sure = rng.random((1, 30, 20))
    sure[0, 12, 3], sure[0, 13, 3], sure[0, 14, 3] = np.nan, 1.5, -0.5
    clip = clean(recording([row], sure), people=1)
    expected = sure[:, 4:].astype(np.float32)
    expected[0, [8, 10], [3, 3]], expected[0, 9, 3], expected[0, 6, 5] = 0, 1, 0
    assert clip.begin == 4
    np.testing.assert_array_equal(clip.confidence, expected)


def test_unsure_joints_that_are_not_believed_have_none(walk: Walk) -> None:
    sure = np.random.default_rng(0).random((1, 30, 20)).astype(np.float32)
    clip = clean(recording([walk(30)], sure), people=1, least_confidence=0.25)
    np.testing.assert_array_equal(clip.confidence, np.where(sure >= 0.25, sure, 0))


def test_confidence_follows_people_who_change_places_and_come_back(walk: Walk) -> None:
    """Of three numbers: the first two change places, the third is the first person again. Each person's is constant."""
    a, b = walk(60, speed=0.03), walk(60, x=0.9, speed=0.01, seed=1)
    one, two, three = a.copy(), b.copy(), a.copy()
    one[20:], two[20:] = b[20:], a[20:]
    one_sure, two_sure, three_sure = np.full((3, 60, 20), 0.25)
    one_sure[20:], two_sure[:20] = 0.75, 0.75
    two[45:], three[:45] = np.nan, np.nan
    two_sure[45:] = three_sure[:45] = 0.5  # of nobody
    clip = clean(recording([one, two, three], np.stack([one_sure, two_sure, three_sure])), people=2)
    assert clip.repairs == {"people_swapped": 1, "people_merged": 1}
    np.testing.assert_array_equal(clip.positions, [a, b])
    np.testing.assert_array_equal(clip.confidence, np.broadcast_to([[[0.25]], [[0.75]]], (2, 60, 20)))


def test_confidence_of_other_joints_is_refused(walk: Walk) -> None:
    with pytest.raises(DataError, match=r"confidence of shape \(1, 30, 19\), but there are"):
        clean(recording([walk(30)], np.ones((1, 30, 19))), people=1)


# --- what is kept


@pytest.fixture
def clips(walk: Walk) -> list[CleanClip]:
    """Three clips: one whole, one with a gap, one whose source says how sure it was."""
    gappy = walk(30, seed=1)
    gappy[5:9, 3], gappy[:, 6] = np.nan, np.nan
    sure = np.random.default_rng(0).uniform(0.1, 1, (1, 25, 20))
    rows = (walk(20), None), (gappy, None), (walk(25, seed=2), sure)
    return [
        replace(clean(recording([row], told), people=2), name=f"clip{at}", repairs={})
        for at, (row, told) in enumerate(rows)
    ]


def stored(path: Path, clips: list[CleanClip], name: str = "") -> Store:
    with StoreWriter(path, layout=load_layout("kinect20"), people=2, name=name) as writer:
        for clip in clips:
            writer.append(clip)
    return Store.open(path)


def expected_bytes(clips: list[CleanClip]) -> np.ndarray:
    """255 for certain, 0 for none; of a clip without confidence, what its positions tell."""
    rows = [np.isfinite(c.positions[..., 0]) if c.confidence is None else c.confidence for c in clips]
    return np.concatenate([np.rint(255 * row).astype(np.uint8).swapaxes(0, 1) for row in rows])


def test_bytes_round_to_the_nearest_and_only_zero_is_none() -> None:
    sure = np.array([[0, 1e-9, 0.001, 0.5, 0.999, 1]])
    np.testing.assert_array_equal(to_bytes(sure), [[0, 1, 1, 128, 255, 255]])
    every = np.arange(256, dtype=np.uint8)[None]
    np.testing.assert_array_equal(to_bytes(from_bytes(every)), every)
    assert from_bytes(every)[0, -1] == 1 and of_positions(np.array([[[np.nan] * 2, [0, 0]]])).tolist() == [[0, 255]]


def test_a_store_keeps_confidence_where_it_tells_more_than_positions(clips: list[CleanClip], tmp_path: Path) -> None:
    whole, whatever = stored(tmp_path / "whole", clips[:1]), stored(tmp_path / "all", clips)
    assert whole.confidence is None and "confidence" not in whole.meta and whole.clip(0).confidence is None
    assert not (whole.path / "confidence.npy").exists()
    assert whatever.meta["confidence"] is True
    np.testing.assert_array_equal(whatever.confidence, expected_bytes(clips))
    np.testing.assert_array_equal(stored(tmp_path / "back", clips[::-1]).confidence, expected_bytes(clips[::-1]))
    for clip, sequence in zip(clips, whatever, strict=True):
        told = np.isfinite(clip.positions[..., 0]) if clip.confidence is None else clip.confidence
        np.testing.assert_allclose(sequence.confidence, told, atol=0.002)  # type: ignore[arg-type]
        again = clean(sequence, people=2)  # what was filled once stays what was filled
        np.testing.assert_allclose(told if again.confidence is None else again.confidence, told, atol=0.002)
    # A source that says of every joint that it was certain says nothing.
    certain = replace(clips[0], confidence=np.isfinite(clips[0].positions[..., 0]).astype(np.float32))
    assert stored(tmp_path / "certain", [certain]).confidence is None


def test_confidence_of_other_joints_is_not_stored(clips: list[CleanClip], tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="clip0: confidence of shape"):
        stored(tmp_path / "store", [replace(clips[0], confidence=np.ones((2, 20, 19), np.float32))])


@pytest.mark.parametrize("fault", ["missing", "short", "shape", "type", "flag"])
def test_a_damaged_confidence_is_refused(clips: list[CleanClip], tmp_path: Path, fault: str) -> None:
    path = stored(tmp_path / "store", clips).path
    file, meta = path / "confidence.npy", json.loads((path / "store.json").read_text())
    if fault == "missing":
        file.unlink()
    elif fault == "short":
        file.write_bytes(file.read_bytes()[:-1])
    elif fault == "flag":
        (path / "store.json").write_text(json.dumps({**meta, "confidence": "yes"}))
    else:
        np.save(file, np.ones((75, 2, 19), np.uint8) if fault == "shape" else np.ones((75, 2, 20), np.int8))
    with pytest.raises(StoreError, match="confidence"):
        Store.open(path)


def test_chunks_and_stores_in_memory_hold_the_same(clips: list[CleanClip], tmp_path: Path) -> None:
    write_chunk(tmp_path / "chunk", "kinect20", 3, (Prepared(clip, "file", {}) for clip in clips))
    read = [item.clip for item in read_chunk(tmp_path / "chunk") if isinstance(item, Prepared)]
    assert [clip.confidence is None for clip in read] == [True, False, False]
    for store in (memory_store(clips, load_layout("kinect20")), stored(tmp_path / "store", read)):
        np.testing.assert_array_equal(store.confidence, expected_bytes(clips))
        np.testing.assert_array_equal(store.frames, np.concatenate([clip.positions.swapaxes(0, 1) for clip in clips]))
    assert memory_store(clips[:1], load_layout("kinect20")).confidence is None


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_merged_stores_with_and_without_confidence(
    clips: list[CleanClip], tmp_path: Path, order: tuple[int, ...]
) -> None:
    parts = [stored(tmp_path / f"part{at}", [clips[at]]) for at in order]
    merge([part.path for part in parts], tmp_path / "out")
    np.testing.assert_array_equal(Store.open(tmp_path / "out").confidence, expected_bytes([clips[at] for at in order]))
    other = stored(tmp_path / "other", [replace(clips[0], name="other")])
    merge([tmp_path / "part0", other.path], tmp_path / "none")
    assert Store.open(tmp_path / "none").confidence is None


def test_a_merged_store_keeps_none_for_clips_that_it_leaves_out(clips: list[CleanClip], tmp_path: Path) -> None:
    """The only clip whose confidence tells anything is there already, from a store that knows of none."""
    doubted = replace(clips[0], confidence=0.5 * np.isfinite(clips[0].positions[..., 0]).astype(np.float32))
    first = stored(tmp_path / "first", clips[:1], "set")
    second = stored(tmp_path / "second", [doubted, replace(clips[0], name="other")], "set")
    assert second.confidence is not None
    assert merge([first.path, second.path], tmp_path / "out").duplicates == 1
    assert Store.open(tmp_path / "out").confidence is None
