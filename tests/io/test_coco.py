"""COCO keypoints: annotated videos and results; who, when and how sure as the file says; joints by name."""

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
from halpose.errors import FormatError
from halpose.io import coco
from halpose.skeleton import load_layout

COCO = load_layout("coco17").joints


def results(all_people: np.ndarray, **others: Any) -> list[dict[str, Any]]:
    """Everybody in every frame, images numbered from 1."""
    return [
        {"image_id": at + 1, "category_id": 1, "keypoints": person.ravel().tolist(), "score": 0.9, **others}
        for at, people in enumerate(all_people)
        for person in people
    ]


def annotated(all_people: np.ndarray, video: str = "walk", first: int = 1000) -> dict[str, Any]:
    """An annotated video; every person is tracked, visibility is 2."""
    images, annotations = [], []
    for at, people in enumerate(all_people):
        image = {"id": first + at, "file_name": f"{video}_{at:06d}.jpg", "width": 640, "height": 480}
        images.append(image)
        for number, person in enumerate(people):
            marked = np.concatenate((person[:, :2], np.full((len(person), 1), 2)), axis=1).ravel().tolist()
            annotations.append({"image_id": image["id"], "keypoints": marked, "num_keypoints": 17, "track_id": number})
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "keypoints": list(COCO)}]}


def make_file(path: Path, content: Any = None) -> Path:
    path.write_text(json.dumps(results(bodies(joints=17)) if content is None else content))
    return path


@pytest.mark.parametrize(("joints", "layout", "kept"), [
    (17, "coco17", 17), (26, "halpe26", 26), (133, "coco17", 17), (136, "halpe26", 26),
])  # fmt: skip
def test_results(tmp_path: Path, joints: int, layout: str, kept: int) -> None:
    made = bodies(joints=joints)
    path = make_file(tmp_path / "a.json", results(made))
    assert io.sniff(path) == "coco"
    (clip,) = io.read(path)
    agree(clip, made[:, :, :kept])
    assert (clip.layout, clip.name, clip.people) == (layout, "a", ("1", "2"))


def test_tracks_are_kept(tmp_path: Path) -> None:
    made = bodies(3, 2, 17)
    content = results(made)
    for at, person in enumerate(content):
        person["track_id"] = ("x", 7)[at % 2]
    (clip,) = io.read(make_file(tmp_path / "a.json", content))
    assert clip.people == ("x", "7")
    agree(clip, made)


def test_annotations(tmp_path: Path) -> None:
    made = bodies(4, 2, 17)
    content = annotated(made)
    content["annotations"][0]["keypoints"][2] = 1
    content["annotations"][0]["keypoints"][5] = 0
    content["annotations"].append({"image_id": 1000, "keypoints": [0] * 51, "num_keypoints": 0})
    content["annotations"].append({"image_id": 1000, "keypoints": [9] * 51, "iscrowd": 1})
    content["annotations"].append({"image_id": 1000, "bbox": [0, 0, 9, 9]})
    path = make_file(tmp_path / "b.json", content)
    assert io.sniff(path) == "coco"
    (clip,) = io.read(path)
    assert clip.name == "b" and clip.people == ("0", "1") and clip.extra["img_shape"] == (480, 640)
    assert clip.confidence is not None
    assert clip.confidence[0, 0, :3].tolist() == [0.5, 0, 1] and (clip.confidence[1] == 1).all()
    assert np.isnan(clip.positions[0, 0, 1]).all() and np.isfinite(clip.positions).sum() == clip.positions.size - 2
    expected = made.swapaxes(0, 1)[..., :2].astype(np.float32) * np.float32([1, -1])
    np.testing.assert_array_equal(clip.positions[1], expected[1])


def test_videos_of_one_file(tmp_path: Path) -> None:
    """By the names of their images, by number, and by number and name; images without anybody are frames too."""
    made = {"run": bodies(3, 1, 17, 1), "walk": bodies(4, 1, 17, 2)}
    content: dict[str, Any] = {"images": [], "annotations": []}
    for first, (name, people) in enumerate(made.items()):
        part = annotated(people, name, first * 100)
        content["images"] += part["images"]
        content["annotations"] += part["annotations"]
    content["images"].append({"id": 999, "file_name": "run_000005.jpg"})
    for naming in ("image", "number", "title"):
        if naming != "image":
            for image in content["images"]:
                image["video_id"] = 1 if "run" in image["file_name"] else 2
        if naming == "title":
            content["videos"] = [{"id": 1, "name": "run.mp4"}, {"id": 2, "name": "walk.mp4"}]
            for image in content["images"]:
                image["frame_id"] = 5 * int(image["file_name"][-6:-4])
                image["file_name"] = "x.jpg"
        run, walk = io.read(make_file(tmp_path / "a.json", content))
        names = {"image": ("run", "walk"), "number": ("1", "2"), "title": ("run.mp4", "walk.mp4")}[naming]
        assert (run.name, walk.name) == names
        step = 5 if naming == "title" else 1
        assert run.frames == 5 * step + 1 and walk.frames == 3 * step + 1
        expected = made["run"][:, 0, :, :2].astype(np.float32) * np.float32([1, -1])
        np.testing.assert_array_equal(run.positions[0, : 2 * step + 1 : step], expected)


def test_joints_of_other_names_are_sorted(tmp_path: Path) -> None:
    """PoseTrack has a head's top and bottom where COCO has eyes."""
    names = [*COCO]
    names[1:3] = ["head_bottom", "head_top"]
    order = np.random.default_rng(0).permutation(17)
    made = bodies(3, 1, 17)
    content = annotated(made[:, :, order])
    content["categories"] = [{"keypoints": [names[at] for at in order]}]
    (clip,) = io.read(make_file(tmp_path / "a.json", content))
    expected = made[:, 0, :, :2].astype(np.float32) * np.float32([1, -1])
    expected[:, 1:3] = np.nan
    np.testing.assert_array_equal(clip.positions[0], expected)
    assert clip.layout == "coco17"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annotations": []}, "nobody in any frame"),
        ({"annotations": 3}, "no list of people"),
        ({"annotations": [3]}, "entry 0 does not say in which image it is"),
        ({"annotations": [{"image_id": 5, "keypoints": [1] * 51}]}, "no image of number 5"),
        ({"annotations": [{"image_id": 1000}]}, "nobody in any frame"),
        ({"images": 3}, "no image of number 1000"),
        ({"categories": [{"keypoints": ["tail"] * 17}]}, "a body needs left_shoulder, "),
        ({"categories": [{"keypoints": ["a"]}, {"keypoints": ["b"]}]}, "bodies of several kinds"),
    ],
)
def test_other_annotations_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = make_file(tmp_path / "a.json", {**annotated(bodies(2, 1, 17)), **change})
    assert message in refusal(coco.read, path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "nobody in any frame"),
        (3, "no list of people"),
        ([{"image_id": 1}], "no numbers a person"),
        ([{"image_id": 1, "keypoints": [1.0] * 50}], "50 numbers a person"),
        ([{"image_id": 1, "keypoints": ["a"] * 51}], "not numbers"),
        ([{"image_id": 1, "keypoints": [1] * 51}, {"image_id": 1, "keypoints": [1] * 78}], "not numbers, as many"),
    ],
)
def test_other_results_are_refused(tmp_path: Path, content: Any, message: str) -> None:
    assert message in refusal(coco.read, make_file(tmp_path / "a.json", content))


def test_one_damaged_recording_costs_itself_only(tmp_path: Path) -> None:
    content = results(bodies(2, 1, 17))
    for at, person in enumerate(content * 1):
        person["image_id"] = f"a_{at}.jpg"
    content += [{"image_id": "b_0.jpg", "keypoints": [1]}, {**content[0], "image_id": "c_0.jpg"}]
    found = []
    with pytest.raises(FormatError, match="1 numbers a person"):
        for clip in io.read(make_file(tmp_path / "a.json", content), "coco"):
            found.append(clip.name)
    assert found == ["a", "c"]


@SMALL
@given(data=st.data())
def test_survives_any_damage(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    made = bodies(2, 1, 17)
    content = data.draw(st.sampled_from((results(made), annotated(made))))
    path = make_file(tmp_path_factory.getbasetemp() / "coco.json", content)
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    survives(coco.read, path)
