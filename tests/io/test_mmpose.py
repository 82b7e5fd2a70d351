"""MMPose: demos' and the inferencer's files, in two and three dimensions; left stays left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import SMALL, damaged, refusal, survives
from test_openpose import agree, bodies

from halpose import io
from halpose.io import mmpose


def frames_of(all_people: np.ndarray, tracked: bool = False) -> list[dict[str, Any]]:
    return [
        {
            "frame_id": at + 1,
            "instances": [
                {
                    "keypoints": person[:, :-1].tolist(),
                    "keypoint_scores": person[:, -1].tolist(),
                    "bbox": [[0, 0, 9, 9]],
                    "bbox_score": 0.9,
                    **({"track_id": number} if tracked else {}),
                }
                for number, person in enumerate(people)
            ],
        }
        for at, people in enumerate(all_people)
    ]


def make_file(path: Path, content: Any = None, data_set: str = "coco") -> Path:
    if content is None:
        content = frames_of(bodies(joints=17))
    if data_set:
        content = {"meta_info": {"dataset_name": data_set, "num_keypoints": 17}, "instance_info": content}
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("data_set", ["coco", ""])
@pytest.mark.parametrize("tracked", [True, False])
def test_reads_what_is_written(tmp_path: Path, data_set: str, tracked: bool) -> None:
    made = bodies(5, 3, 17)
    path = make_file(tmp_path / "a.json", frames_of(made, tracked), data_set)
    assert io.sniff(path) == "mmpose"
    (clip,) = io.read(path)
    agree(clip, made)
    assert clip.layout == "coco17" and clip.people == (("0", "1", "2") if tracked else ("1", "2", "3"))


@pytest.mark.parametrize(("joints", "layout", "kept"), [
    (26, "halpe26", 26), (133, "coco17", 17), (136, "halpe26", 26), (17, "h36m17", 17),
])  # fmt: skip
def test_joints(tmp_path: Path, joints: int, layout: str, kept: int) -> None:
    made = bodies(2, 1, joints)
    (clip,) = io.read(make_file(tmp_path / "a.json", frames_of(made), "h36m" if joints == 17 else "x"))
    agree(clip, made[:, :, :kept])
    assert clip.layout == layout


def test_three_coordinates_stand_upright_and_unmirrored(tmp_path: Path) -> None:
    """A body before a camera (x right, y down, z ahead), as the lifting demo leaves it."""
    rng = np.random.default_rng(0)
    camera = rng.normal(0, 0.5, (17, 3)) + rng.normal(0, 0.01, (3, 1, 17, 3))
    left = camera[..., [0, 2, 1]] * (-1, 1, -1)
    scored = np.concatenate((left, np.ones((3, 1, 17, 1))), axis=-1)
    (clip,) = io.read(make_file(tmp_path / "a.json", frames_of(scored)))
    assert clip.layout == "h36m17"
    # Half a turn about the camera's x: a rotation, so that nobody is their own mirror image.
    np.testing.assert_array_equal(clip.positions[0], (camera[:, 0] * (1, -1, -1)).astype(np.float32))


def test_an_image(tmp_path: Path) -> None:
    made = bodies(1, 2, 17)
    path = make_file(tmp_path / "a.json", frames_of(made)[0]["instances"], "")
    assert io.sniff(path) == "mmpose"
    (clip,) = io.read(path)
    agree(clip, made)


def test_without_scores_and_with_an_axis_too_many(tmp_path: Path) -> None:
    made = bodies(3, 1, 17)
    frames = frames_of(made)
    for frame in frames:
        (instance,) = frame["instances"]
        instance["keypoints"] = [instance["keypoints"]]
        instance["keypoint_scores"] = [instance["keypoint_scores"]]
    (clip,) = io.read(make_file(tmp_path / "a.json", frames))
    agree(clip, made)
    for frame in frames:
        del frame["instances"][0]["keypoint_scores"]
    (clip,) = io.read(make_file(tmp_path / "a.json", frames))
    assert clip.confidence is None


def test_frames_without_people_are_kept(tmp_path: Path) -> None:
    frames = frames_of(bodies(4, 1, 17))
    frames[0]["instances"] = frames[3]["instances"] = []
    (clip,) = io.read(make_file(tmp_path / "a.json", frames))
    assert np.isfinite(clip.positions[0, :, 0, 0]).tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (3, "no list of frames"),
        ([3], "no list of frames"),
        ([], "nobody in any of 0 frames"),
        ([{"frame_id": 1, "instances": []}], "nobody in any of 1 frames"),
        ([{"frame_id": -1, "instances": []}], "frame 0 has no frame_id or no instances"),
        ([{"frame_id": 1}], "frame 0 has no frame_id or no instances"),
        ([{"instances": [{"keypoints": []}]}], "frame 0 has an instance without keypoints"),
        ([{"instances": [{"keypoints": [[1, 2]] * 5}]}], "keypoints of shape 5 x 2"),
        ([{"instances": [{"keypoints": [1] * 17}]}], "keypoints of shape 17;"),
        ([{"instances": [{"keypoints": [["a", 2]] * 17}]}], "not numbers"),
        ([{"instances": [{"keypoints": [[1, 2]] * 17, "keypoint_scores": [1]}]}], "scores that do not fit"),
        ([{"instances": [{"keypoints": [[1, 2]] * 17, "keypoint_scores": 1}]}], "scores that do not fit"),
    ],
)
def test_other_content_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    for data_set in ("coco", ""):
        assert message in refusal(mmpose.read, make_file(tmp_path / "a.json", content, data_set))


@SMALL
@given(data=st.data())
def test_survives_any_damage(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = make_file(tmp_path_factory.getbasetemp() / "mmpose.json", frames_of(bodies(2, 1, 17)))
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    survives(mmpose.read, path)
