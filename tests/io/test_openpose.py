"""OpenPose: a folder of one file a frame, or all frames in one file; nobody is mixed up and nothing moved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import SMALL, damaged, refusal, survives

from halpose import io
from halpose.errors import FormatError
from halpose.io import openpose


def bodies(frames: int = 4, people: int = 2, joints: int = 25, seed: int = 0) -> np.ndarray:
    """(T, M, V, 3) of x, y, confidence: people two hundred pixels apart who hardly move."""
    rng = np.random.default_rng(seed)
    body = rng.uniform(10, 90, (people, joints, 2)) + 200 * np.arange(people)[:, None, None]
    xy = body + rng.uniform(-1, 1, (frames, people, joints, 2))
    return np.concatenate((xy, rng.uniform(0.1, 1, (frames, people, joints, 1))), axis=-1).round(3)


def frame_of(people: np.ndarray, key: str = "pose_keypoints_2d") -> dict[str, Any]:
    others = {"face_keypoints_2d": [1.0] * 210, "hand_left_keypoints_2d": [], "pose_keypoints_3d": []}
    return {
        "version": 1.3,
        "people": [{"person_id": [-1], key: body.ravel().tolist(), **others} for body in people],
    }


def make_folder(folder: Path, all_people: np.ndarray, name: str = "walk", start: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    for number, people in enumerate(all_people):
        (folder / f"{name}_{number + start:012d}_keypoints.json").write_text(json.dumps(frame_of(people)))
    return folder


def make_file(path: Path, all_people: np.ndarray | None = None) -> Path:
    all_people = bodies() if all_people is None else all_people
    path.write_text(json.dumps([frame_of(people) for people in all_people]))
    return path


def agree(clip: Any, all_people: np.ndarray) -> None:
    """Positions with y turned, and confidence, are the numbers written; people may stand in another order."""
    expected = all_people.swapaxes(0, 1).astype(np.float32)
    order = np.argsort(np.nanmean(clip.positions[..., 0], axis=(1, 2)))
    np.testing.assert_array_equal(clip.positions[order], expected[..., :2] * np.float32([1, -1]))
    np.testing.assert_array_equal(clip.confidence[order], expected[..., 2])


@pytest.mark.parametrize(("joints", "layout"), [(25, "openpose25"), (18, "openpose18")])
@pytest.mark.parametrize("people", [1, 3])
def test_a_folder_is_a_recording(tmp_path: Path, joints: int, layout: str, people: int) -> None:
    made = bodies(5, people, joints)
    (clip,) = io.read(make_folder(tmp_path / "poses", made, start=7))
    agree(clip, made)
    assert (clip.name, clip.layout, clip.fps, clip.label) == ("walk", layout, 0.0, -1)
    assert clip.people == tuple("123"[:people])


def test_recordings_of_one_folder_are_told_apart(tmp_path: Path) -> None:
    made = {name: bodies(3 + at, 1, seed=at) for at, name in enumerate(("a", "b_1", "b_2"))}
    for name, all_people in made.items():
        make_folder(tmp_path, all_people, name)
    (tmp_path / "notes.txt").write_text("not a frame")
    clips = list(io.read(tmp_path))
    assert [clip.name for clip in clips] == list(made)
    for clip in clips:
        agree(clip, made[clip.name])


def test_frames_without_names_are_called_as_their_folder(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "kick", bodies(2, 1))
    for file in list(folder.iterdir()):
        file.rename(folder / file.name.removeprefix("walk_"))
    (clip,) = io.read(folder)
    assert clip.name == "kick" and clip.frames == 2


@pytest.mark.parametrize(
    ("name", "called"), [("{:03d}.json", "poses"), ("walk-{}.json", "walk"), ("a1_{:05d}.json", "a1")]
)
def test_files_of_a_frame_may_be_called_by_any_number(tmp_path: Path, name: str, called: str) -> None:
    made = bodies(12, 1)
    for at, people in enumerate(made):
        path = tmp_path / "poses" / name.format(at)
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(frame_of(people)))
    files = sorted(path.parent.iterdir())
    assert io.recordings(files) == [path.parent] and io.sniff(path.parent) == "openpose"
    (clip,) = io.read(path.parent)
    agree(clip, made)
    assert clip.name == called


def test_numbered_recordings_are_not_frames(tmp_path: Path) -> None:
    files = [make_file(tmp_path / f"take_{at}.json") for at in range(3)]
    assert io.recordings(files) == files
    single = tmp_path / "1.json"
    single.write_text(json.dumps(frame_of(bodies(1)[0])))
    assert io.recordings([single]) == [single], "one file alone may be all there is"


def test_absent_people_frames_and_joints_are_missing(tmp_path: Path) -> None:
    made = bodies(5, 1)
    made[1, 0, 4] = 0
    made[2, 0, 5, 2] = 0
    folder = make_folder(tmp_path, made)
    (folder / "walk_000000000003_keypoints.json").write_text(json.dumps(frame_of(made[3, :0])))
    (folder / "walk_000000000004_keypoints.json").rename(folder / "walk_000000000006_keypoints.json")
    (clip,) = io.read(folder)
    assert clip.frames == 7
    seen = np.isfinite(clip.positions[0]).all(axis=-1)
    assert seen.all(axis=1).tolist() == [True, False, False, False, False, False, True]
    assert set(np.flatnonzero(~seen[1])) == {4} and set(np.flatnonzero(~seen[2])) == {5} and not seen[3:6].any()
    assert np.array_equal(clip.confidence == 0, ~seen[None])


def test_people_who_cross_keep_their_identities(tmp_path: Path) -> None:
    """Two bodies pass through each other, written in random order, with joints missing: a row stays one person."""
    rng = np.random.default_rng(2)
    shape = rng.uniform(-50, 50, (25, 2))
    frames = np.empty((60, 2, 25, 3))
    for at in range(60):
        for person, x in enumerate((5 * at, 295 - 5 * at)):
            frames[at, person] = np.c_[shape + (x, 500) + rng.normal(0, 0.5, (25, 2)), np.ones(25)]
        frames[at] = frames[at, rng.permutation(2)]
    frames[rng.random(frames.shape[:3]) < 0.1] = 0
    (clip,) = io.read(make_folder(tmp_path, frames))
    assert clip.people == ("1", "2")
    middles = np.nanmean(clip.positions[..., 0] - shape[:, 0], axis=2)
    for direction in np.sign(middles[:, 1] - middles[:, 0]):
        row = middles[np.sign(middles[:, 1] - middles[:, 0]) == direction][0]
        np.testing.assert_allclose(row, (5 * np.arange(60)) if direction > 0 else 295 - 5 * np.arange(60), atol=1)


@pytest.mark.parametrize("key", ["pose_keypoints_2d", "pose_keypoints"])
def test_one_file_with_all_frames(tmp_path: Path, key: str) -> None:
    made = bodies(joints=18)
    frames = [frame_of(people, key) for people in made]
    path = tmp_path / "a.json"
    for content in (frames, {"fps": 30, "frames": frames}, {f"{at}.jpg": frame for at, frame in enumerate(frames)}):
        path.write_text(json.dumps(content))
        assert io.sniff(path) == "openpose"
        (clip,) = io.read(path)
        agree(clip, made)
        assert clip.name == "a"


def test_what_alphapose_writes_in_the_form_of_cmu(tmp_path: Path) -> None:
    made = bodies(3, 1, 18)
    path = tmp_path / "a.json"
    frames = {f"{at}.jpg": {"bodies": [{"joints": people[0].ravel().tolist()}]} for at, people in enumerate(made)}
    path.write_text(json.dumps(frames))
    (clip,) = io.read(path)
    agree(clip, made)


def test_a_single_frame(tmp_path: Path) -> None:
    made = bodies(1)
    (clip,) = io.read(make_folder(tmp_path, made) / "walk_000000000000_keypoints.json")
    agree(clip, made)
    assert clip.name == "walk_000000000000"


def test_of_135_joints_those_of_coco_are_kept(tmp_path: Path) -> None:
    made = bodies(2, 1, 135)
    (clip,) = io.read(make_file(tmp_path / "a.json", made))
    agree(clip, made[:, :, :17])
    assert clip.layout == "coco17"


def test_whoever_has_no_body_is_left_out(tmp_path: Path) -> None:
    made = bodies(2, 1)
    frames = [frame_of(people) for people in made]
    frames[0]["people"].append({"pose_keypoints_2d": [], "face_keypoints_2d": [1.0] * 210})
    frames[1]["people"].append({"pose_keypoints_2d": None})
    (tmp_path / "a.json").write_text(json.dumps(frames))
    (clip,) = io.read(tmp_path / "a.json")
    agree(clip, made)


def test_kinetics_skeleton(tmp_path: Path) -> None:
    made = bodies(4, 2, 18)
    frames = [
        {
            "frame_index": at + 1,
            "skeleton": [{"pose": b[:, :2].ravel().tolist(), "score": b[:, 2].tolist()} for b in people],
        }
        for at, people in enumerate(made)
    ]
    path = tmp_path / "abc.json"
    path.write_text(json.dumps({"data": frames, "label": "abseiling", "label_index": 3}))
    assert io.sniff(path) == "openpose"
    (clip,) = io.read(path)
    agree(clip, made)
    assert (clip.label, clip.layout, clip.name) == (3, "openpose18", "abc")
    frames[0]["skeleton"][0]["score"].pop()
    path.write_text(json.dumps({"data": frames}))
    assert "not numbers, as many for everybody" in refusal(openpose.read, path)


def test_recordings_are_found_among_other_files() -> None:
    files = [Path(f"a/walk_{at:012d}_keypoints.json") for at in range(3)]
    others = [Path("a/notes.txt"), Path("b/keypoints.json"), Path("c/0_keypoints.json"), Path("c/1_keypoints.json")]
    assert io.recordings([*files, *others]) == [Path("a"), Path("a/notes.txt"), Path("b/keypoints.json"), Path("c")]


def test_folders_of_other_things_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(FormatError, match="a folder without files of one frame each; known are openpose"):
        io.sniff(tmp_path)
    assert "no files of one frame each" in refusal(openpose.read, tmp_path)


def test_one_damaged_frame_costs_its_recording_only(tmp_path: Path) -> None:
    for name in "abc":
        make_folder(tmp_path, bodies(2, 1), name)
    (tmp_path / "b_000000000001_keypoints.json").write_text('{"people": [')
    found = []
    with pytest.raises(FormatError, match=r"b_000000000001_keypoints.json: not readable as JSON"):
        for clip in io.read(tmp_path):
            found.append(clip.name)
    assert found == ["a", "c"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "nobody in any of 0 frames"),
        ([{"people": []}], "nobody in any of 1 frames"),
        ([{"people": 3}], "frame 0 has no list of people"),
        ([[1]], "frame 0 has no list of people"),
        (3, "no frames in it"),
        ([{"people": [{"hand": []}]}], "frame 0 has a person without joints"),
        ([{"people": [{"pose_keypoints_2d": [1.0] * 74}]}], "74 numbers a person; x, y and confidence of 25, 18, 135"),
        ([{"people": [{"pose_keypoints_2d": [1.0] * 45}]}], "45 numbers a person"),
        ([{"people": [{"pose_keypoints_2d": ["1"] * 75}]}], "not numbers, as many for everybody"),
        ([{"people": [{"pose_keypoints_2d": [0.0] * 75}]}], "nobody in any frame"),
        ({"data": [{"frame_index": 1}]}, "a frame without frame_index and skeleton"),
        ({"data": [{"frame_index": 1, "skeleton": [{}]}]}, "frame 1 has a person without a pose"),
        ({"data": []}, "nobody in any of 0 frames"),
    ],
)
def test_other_content_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    assert message in refusal(openpose.read, path)


@SMALL
@given(data=st.data())
def test_survives_any_damage(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "openpose"
    made = bodies(2, 1, 18)
    file = make_file(folder.with_suffix(".json"), made)
    file.write_bytes(data.draw(damaged(file.read_bytes())))
    survives(openpose.read, file)
    frame = make_folder(folder, made) / "walk_000000000001_keypoints.json"
    frame.write_bytes(data.draw(damaged(frame.read_bytes())))
    survives(openpose.read, folder)
