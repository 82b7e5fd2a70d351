"""What the readers of pose estimators share: who, when, what is missing, and how much at most."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import SMALL

from halpose.errors import FormatError
from halpose.io import json_file, poses
from halpose.io.poses import Found, assemble, image_place, image_size, track_of
from halpose.skeleton import Sequence

PATH = Path("somewhere/clip.json")


def found_of(frames: list[int], tracks: list[str] | None = None) -> Found:
    return Found(frames, [None] * len(frames), tracks or [""] * len(frames))


def whole(found: Found, positions: np.ndarray, confidence: np.ndarray | None = None, **others: Any) -> Sequence:
    return assemble(PATH, "clip", "coco17", found, positions, confidence, **others)


@SMALL
@given(data=st.data())
def test_every_pose_is_where_its_frame_and_track_say(data: st.DataObject) -> None:
    """In any order; frames that nobody is in, and people who are not in a frame, are missing there."""
    entries = data.draw(
        st.lists(st.tuples(st.integers(0, 12), st.sampled_from("abc")), min_size=1, max_size=20, unique=True)
    )
    rng = np.random.default_rng(len(entries))
    positions = rng.uniform(1, 500, (len(entries), 17, 2))
    confidence = rng.uniform(0.1, 1, (len(entries), 17))
    frames, tracks = [frame for frame, _ in entries], [track for _, track in entries]
    clip = whole(found_of(frames, tracks), positions, confidence)
    assert set(clip.people) == set(tracks) and clip.frames == max(frames) - min(frames) + 1
    assert clip.confidence is not None
    expected = np.full(clip.positions.shape, np.nan, np.float32)
    for (frame, track), pose, sure in zip(entries, positions, confidence, strict=True):
        person, at = clip.people.index(track), frame - min(frames)
        expected[person, at] = pose
        assert np.array_equal(clip.confidence[person, at], sure.astype(np.float32))
    np.testing.assert_array_equal(clip.positions, expected)
    assert np.array_equal(clip.confidence == 0, np.isnan(expected[..., 0]))


def test_frames_without_people_at_both_ends_are_kept_where_the_file_has_them() -> None:
    clip = whole(found_of([5, 6]), np.ones((2, 17, 2)), every_frame=range(3, 10))
    assert clip.frames == 7
    assert np.isfinite(clip.positions[0, :, 0, 0]).tolist() == [False, False, True, True, False, False, False]


def test_numbers_that_are_names_give_the_order_only() -> None:
    positions = np.arange(1, 4)[:, None, None] + 10 * np.arange(17)[:, None] * np.ones((3, 17, 2))
    clip = whole(found_of([397133, 37777, 252219]), positions)
    assert clip.positions[0, :, 0, 0].tolist() == [2, 3, 1]


def test_a_name_that_two_people_of_one_frame_bear_is_the_first_ones() -> None:
    positions = 100.0 * np.arange(1, 5)[:, None, None] + np.arange(17)[:, None] * np.ones((4, 17, 2))
    clip = whole(found_of([0, 0, 1, 1], ["a", "b", "b", "b"]), positions)
    assert clip.people == ("a", "b", "b (2)")
    expected = [[100, np.nan], [200, 300], [np.nan, 400]]
    np.testing.assert_array_equal(clip.positions[:, :, 0, 0], expected)


def test_a_file_that_calls_everybody_the_same_does_not_follow_them() -> None:
    positions = np.stack([np.full((17, 2), x) + np.arange(17)[:, None] for x in (1.0, 300, 2, 301)])
    clip = whole(found_of([0, 0, 1, 1], ["1", "1", "1", "1"]), positions)
    assert clip.people == ("1", "2")
    np.testing.assert_array_equal(clip.positions[:, :, 0, 0], [[1, 2], [300, 301]])


def test_what_is_missing() -> None:
    positions, confidence = np.ones((2, 17, 2)), np.full((2, 17), 0.5)
    positions[0, 3], confidence[0, 4], positions[0, 5, 1] = 0, 0, 0
    confidence[0, 6], confidence[0, 7], positions[0, 8, 0] = np.nan, 7, np.nan
    clip = whole(found_of([0, 1]), positions, confidence)
    assert clip.confidence is not None
    assert set(np.flatnonzero(np.isnan(clip.positions[0, 0]).all(axis=-1))) == {3, 4, 6, 8}
    assert clip.confidence[0, 0].tolist() == [0.5, 0.5, 0.5, 0, 0, 0.5, 0, 1, 0, *[0.5] * 8]


def test_a_body_of_zeros_is_nobody_and_three_zeros_are_a_place() -> None:
    positions = np.ones((3, 17, 3))
    positions[0], positions[1, 2] = 0, 0
    clip = whole(found_of([0, 1, 2]), positions, every_frame=[0, 1, 2])
    assert np.isnan(clip.positions[0, 0]).all() and (clip.positions[0, 1, 2] == 0).all()
    with pytest.raises(FormatError, match="nobody in any frame"):
        whole(found_of([0]), np.zeros((1, 17, 2)))


def test_crowds_and_endless_recordings_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FormatError, match="more than 128 people in one frame"):
        whole(found_of([0] * 129), np.random.default_rng(0).uniform(1, 9, (129, 17, 2)))
    monkeypatch.setattr(poses, "_LARGEST", 17 * 2 * 10)
    with pytest.raises(FormatError, match="1 people in 11 frames; cut it into shorter recordings"):
        whole(found_of([0, 10]), np.ones((2, 17, 2)))
    assert whole(found_of([0, 9]), np.ones((2, 17, 2))).frames == 10


def test_a_crowd_of_strangers_is_refused_before_memory_is_taken() -> None:
    """Everybody in a frame of their own would be a row of a table of as many frames."""
    many = 20_000
    found, positions = found_of(list(range(many)), [str(at) for at in range(many)]), np.ones((many, 17, 2))
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="20000 people in 20000 frames; cut it"):
            whole(found, positions)
        assert tracemalloc.get_traced_memory()[1] < 8 * positions.nbytes
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("image", "place"),
    [
        ("12.jpg", ("", 12)),
        ("frame_000012.png", ("frame", 12)),
        ("walk-3_rgb_0007.jpg", ("walk-3_rgb", 7)),
        ("0007_rgb.jpg", ("", 7)),
        ("videos/walk/000012.jpg", ("walk", 12)),
        (r"C:\walk\a_12.jpg", ("walk_a", 12)),
        (12, ("", 12)),
        (12.0, ("", 12)),
        ("me.jpg", ("", 99)),
        ("9" * 16, ("", 99)),
        (None, ("", 99)),
        (True, ("", 99)),
        (-1, ("", 99)),
    ],
)
def test_what_the_name_of_an_image_tells(image: Any, place: tuple[str, int]) -> None:
    assert image_place(image, 99) == place


def test_names_without_end_cost_nothing() -> None:
    started = time.perf_counter()
    assert image_place("1" * 100_000 + "a7", 99)[1] == 7
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    ("value", "track"),
    [(3, "3"), (3.0, "3"), ("ann", "ann"), ([4], "4"), ([[5], 6], "5"), (-1, ""), ([-1], ""), (None, ""), ([], "")],
)
def test_what_a_track_says(value: Any, track: str) -> None:
    assert track_of(value) == track


def test_image_size() -> None:
    assert image_size(640, 480) == {"img_shape": (480, 640)}
    for width, height in ((None, 480), (0, 480), ("x", 1), (1 << 21, 480), (True, 480)):
        assert image_size(width, height) == {}


@pytest.mark.parametrize(
    "value", ["x", ["1"], [[1, 2], [3]], [True, None], {}, [{}], [10**400, None], [[None, "a"]], [[True, None]]]
)
def test_only_numbers_are_numbers(value: Any) -> None:
    assert json_file.to_numbers(value) is None


def test_null_is_missing() -> None:
    np.testing.assert_array_equal(json_file.to_numbers([[1, None], [2.5, 3]]), [[1, np.nan], [2.5, 3]])


def test_json_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(FormatError, match="not readable as JSON"):
        json_file.read_json(path)
    path.write_text(" " * 100 + "[]")
    with pytest.raises(FormatError, match="larger than"):
        json_file.read_json(path, 101)
    monkeypatch.setattr(json_file, "_MOST_PARTS", 3)
    path.write_text('[[], {"a": 1}]')
    assert json_file.read_json(path) == [[], {"a": 1}]
    path.write_text('[[], {"a": []}]')
    with pytest.raises(FormatError, match="more than 3 lists and objects"):
        json_file.read_json(path)
