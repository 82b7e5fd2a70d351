"""MediaPipe: every form in which programs write 33 landmarks a frame; y up, left left, metres where there are any."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import SMALL, damaged, refusal, survives

from halpose import io
from halpose.errors import FormatError
from halpose.io import blazepose
from halpose.skeleton import load_layout

Form = Callable[[list[Any]], Any]


def landmarks(frames: int = 3, people: int = 1, seed: int = 0) -> np.ndarray:
    """(T, M, 33, 4) of x, y, z, visibility; the people stand apart."""
    rng = np.random.default_rng(seed)
    body = rng.uniform(0.1, 0.3, (people, 33, 3)) + 0.5 * np.arange(people)[:, None, None]
    xyz = body + rng.uniform(-0.01, 0.01, (frames, people, 33, 3))
    return np.concatenate((xyz, rng.uniform(0.1, 1, (frames, people, 33, 1))), axis=-1).round(4)


def points(body: np.ndarray, confidence: str = "visibility") -> list[dict[str, float]]:
    return [dict(zip(("x", "y", "z", confidence), point, strict=True)) for point in body.tolist()]


def make_file(path: Path, content: Any = None) -> Path:
    path.write_text(json.dumps([points(people[0]) for people in landmarks()] if content is None else content))
    return path


FORMS: dict[str, Form] = {
    "a list of landmarks a frame": lambda frames: frames,
    "objects": lambda frames: [{"frame": at, "landmarks": frame} for at, frame in enumerate(frames)],
    "results": lambda frames: {"fps": 25, "frames": [{"pose_landmarks": frame} for frame in frames]},
    "protocol buffers": lambda frames: [{"pose_landmarks": {"landmark": frame}} for frame in frames],
    "one name for all": lambda frames: {"poseLandmarks": frames},
    "frames by name": lambda frames: {"data": {str(at): {"landmarks": frame} for at, frame in enumerate(frames)}},
    "world": lambda frames: [{"pose_landmarks": [], "pose_world_landmarks": frame} for frame in frames],
    "several people": lambda frames: [{"worldLandmarks": [frame]} for frame in frames],
    "tensorflow": lambda frames: [[{"score": 0.9, "keypoints3D": frame}] for frame in frames],
}


@pytest.mark.parametrize("form", list(FORMS))
def test_every_form(tmp_path: Path, form: str) -> None:
    made = landmarks()
    path = make_file(tmp_path / "a.json", FORMS[form]([points(people[0]) for people in made]))
    assert io.sniff(path) == "blazepose"
    (clip,) = io.read(path)
    expected = (made[:, 0, :, :3] * (1, -1, -1)).astype(np.float32)
    np.testing.assert_array_equal(clip.positions[0], expected)
    assert clip.confidence is not None
    np.testing.assert_array_equal(clip.confidence[0], made[:, 0, :, 3].astype(np.float32))
    assert (clip.layout, clip.fps, clip.people) == ("mediapipe33", 25.0 if form == "results" else 0.0, ("1",))


def test_lists_of_numbers(tmp_path: Path) -> None:
    made = landmarks()
    for channels, confidence in ((4, True), (3, False)):
        path = make_file(tmp_path / "a.json", {"landmarks": made[:, 0, :, :channels].tolist()})
        (clip,) = io.read(path)
        np.testing.assert_array_equal(clip.positions[0, ..., 0], made[:, 0, :, 0].astype(np.float32))
        assert (clip.confidence is not None) == confidence


def test_two_coordinates_stay_two(tmp_path: Path) -> None:
    made = landmarks()
    frames = [[{"x": x, "y": y, "score": c} for x, y, _, c in people[0].tolist()] for people in made]
    (clip,) = io.read(make_file(tmp_path / "a.json", [{"keypoints": frame} for frame in frames]), "blazepose")
    np.testing.assert_array_equal(clip.positions[0], (made[:, 0, :, :2] * (1, -1)).astype(np.float32))
    assert clip.confidence is not None


def test_seventeen_landmarks_are_those_of_coco(tmp_path: Path) -> None:
    """As MoveNet's and other detectors of TensorFlow.js give them, with a z or without."""
    made = landmarks()[:, :, :17]
    names = load_layout("coco17").joints
    for more in ({}, {"z": 0.5}):
        frames = [
            {
                "keypoints": [
                    {"x": x, "y": y, "score": c, "name": n, **more} for n, (x, y, _, c) in zip(names, b, strict=True)
                ]
            }
            for b in made[:, 0].tolist()
        ]
        path = make_file(tmp_path / "a.json", frames)
        assert io.sniff(path) == "blazepose"
        (clip,) = io.read(path)
        assert (clip.layout, clip.people) == ("coco17", ("1",))
        np.testing.assert_array_equal(clip.positions[0], (made[:, 0, :, :2] * (1, -1)).astype(np.float32))
    frames[2]["keypoints"] = points(landmarks()[0, 0])
    with pytest.raises(FormatError, match="frame 2 has 33 landmarks, not 17"):
        list(io.read(make_file(tmp_path / "a.json", frames)))


def test_somebody_alone_is_one_person_however_they_jump(tmp_path: Path) -> None:
    made = landmarks(8)
    made[5:, ..., :2] += 40
    (clip,) = io.read(make_file(tmp_path / "a.json", [{"landmarks": points(people[0])} for people in made]))
    assert clip.people == ("1",) and np.isfinite(clip.positions).all()


def test_metres_are_preferred_to_the_image(tmp_path: Path) -> None:
    image, world = landmarks(seed=1), landmarks(seed=2)
    frames = [
        {"pose_landmarks": points(a[0]), "pose_world_landmarks": points(b[0])}
        for a, b in zip(image, world, strict=True)
    ]
    frames[1]["pose_world_landmarks"] = []
    content = {"width": 640, "height": 480, "frames": frames}
    (clip,) = io.read(make_file(tmp_path / "a.json", content))
    expected = (world[:, 0, :, :3] * (1, -1, -1)).astype(np.float32)
    expected[1] = np.nan
    np.testing.assert_array_equal(clip.positions[0], expected)
    assert clip.extra == {"y_is_up": True}


def test_pixels_where_the_size_of_the_image_is_known(tmp_path: Path) -> None:
    made = landmarks()
    content = {"width": 640, "height": 480, "frames": [points(people[0]) for people in made]}
    (clip,) = io.read(make_file(tmp_path / "a.json", content))
    np.testing.assert_allclose(clip.positions[0], made[:, 0, :, :3] * (640, -480, -640), rtol=1e-6)
    assert clip.extra == {"img_shape": (480, 640), "y_is_up": True, "in_image": True}


def test_when_each_frame_was_tells_the_rate(tmp_path: Path) -> None:
    frames: list[Any] = [{"landmarks": points(people[0])} for people in landmarks(4)]
    rates = {(0, 40, 80, 120): 25, (0, 0, 0, 0): 0, (None, 40, 80, 120): 0, ("a", 1, 2, 3): 0, (90, 60, 30, 0): 0}
    for times, rate in (*rates.items(), ((0, 1e9, 2e9, 3e9), 0)):
        for frame, time in zip(frames, times, strict=True):
            frame["timestamp_ms"] = time
        (clip,) = io.read(make_file(tmp_path / "a.json", frames))
        assert clip.fps == rate


def test_frames_that_are_skipped_do_not_change_the_rate(tmp_path: Path) -> None:
    frames: list[Any] = [{"landmarks": points(people[0])} for people in landmarks(4)]
    for every, length, rate in ((2, 7, 25.0), (50, 4, 0.5)):  # numbers so far apart give the order only
        for number, frame in enumerate(frames):
            frame |= {"frame": every * number, "timestamp_ms": 40 * every * number}
        (clip,) = io.read(make_file(tmp_path / "a.json", frames))
        assert (clip.frames, clip.fps) == (length, rate)


def test_several_people_are_followed(tmp_path: Path) -> None:
    made = landmarks(6, 2)
    order = np.random.default_rng(0).integers(0, 2, 6)
    frames = [
        {"landmarks": [points(person) for person in (people if flip else people[::-1])]}
        for people, flip in zip(made, order, strict=True)
    ]
    (clip,) = io.read(make_file(tmp_path / "a.json", frames))
    rows = clip.positions[np.argsort(clip.positions[:, 0, 0, 0])]
    np.testing.assert_array_equal(rows, (made[..., :3] * (1, -1, -1)).swapaxes(0, 1).astype(np.float32))


def test_frames_without_anybody_are_missing(tmp_path: Path) -> None:
    frames: list[Any] = [{"landmarks": points(people[0])} for people in landmarks(5)]
    frames[1], frames[2], frames[4] = {"landmarks": None}, None, {"landmarks": []}
    (clip,) = io.read(make_file(tmp_path / "a.json", frames))
    assert np.isfinite(clip.positions[0, :, 0, 0]).tolist() == [True, False, False, True, False]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        *(([], "no list of frames"), ({}, "no list of frames"), (3, "no list of frames")),
        *(({"frames": []}, "no list of frames"), ({"landmarks": "x"}, "no list of frames")),
        ([None, {}], "nobody in any of 2 frames"),
        ([{"landmarks": points(landmarks()[0, 0][:20])}], "frame 0 has 20 landmarks, not 33"),
        ([{"landmarks": [3] * 33}], "frame 0 has 1 landmarks, not 33 or 17"),
        ([{"landmarks": [{"x": "1", "y": 1, "z": 1}] * 33}], "not numbers"),
        ([{"landmarks": [{"x": 0, "y": 0, "z": 0}] * 33}], "nobody in any frame"),
        ([[[1, 2, 3]] * 32 + [[1]]], "not numbers"),
    ],
)
def test_other_content_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    assert message in refusal(blazepose.read, make_file(tmp_path / "a.json", content))


@SMALL
@given(data=st.data())
def test_survives_any_damage(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    form = FORMS[data.draw(st.sampled_from(sorted(FORMS)))]
    content = form([points(people[0]) for people in landmarks(2)])
    path = make_file(tmp_path_factory.getbasetemp() / "blazepose.json", content)
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    survives(blazepose.read, path)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(("x", "y", "landmarks", "landmark", "frames", "keypoints", "a")), inner)
    ),
    max_leaves=20,
)


@SMALL
@given(content=JUNK)
def test_survives_any_content(content: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    survives(blazepose.read, make_file(tmp_path_factory.getbasetemp() / "junk.json", content))
