"""pyskl pickles: what is written comes back; others' are read with their missing joints."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import SMALL, damaged, refusal, survives

from halpose.errors import ConfigError, FormatError
from halpose.file_layout import layout_of
from halpose.io import pyskl
from halpose.skeleton import Sequence


def annotation(name: str = "a", **others: Any) -> dict[str, Any]:
    keypoint = np.random.default_rng(0).uniform(0.1, 300, (2, 4, 17, 2)).astype(np.float16)
    score = np.random.default_rng(1).uniform(0.1, 1, (2, 4, 17)).astype(np.float16)
    made = {"frame_dir": name, "label": 3, "total_frames": 4, "keypoint": keypoint, "keypoint_score": score}
    return {key: value for key, value in {**made, **others}.items() if value is not None}


def make_file(path: Path, *annotations: Any, split: Any = None, protocol: int = 4) -> Path:
    content: Any = list(annotations)
    if split is not None:
        content = {"split": split, "annotations": content}
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", range(6))
def test_reads_what_others_write(tmp_path: Path, protocol: int) -> None:
    made = annotation("b", img_shape=(320, 570))
    split = {"xsub_train": ["a", "b"], "xview_val": ["b"], "empty": []}
    a, b = pyskl.read(make_file(tmp_path / "a.pkl", annotation("a"), made, split=split, protocol=protocol))
    assert np.array_equal(b.positions[..., 0], made["keypoint"][..., 0].astype(np.float32))
    assert np.array_equal(b.positions[..., 1], -made["keypoint"][..., 1].astype(np.float32))
    assert b.confidence is not None
    assert np.array_equal(b.confidence, made["keypoint_score"].astype(np.float32))
    assert (b.name, b.label, b.layout, b.people) == ("b", 3, "coco17", ("1", "2"))
    assert b.extra["splits"] == ("xsub_train", "xview_val") and a.extra["splits"] == ("xsub_train",)
    assert b.extra["img_shape"] == (320, 570)


def test_list_without_splits(tmp_path: Path) -> None:
    (clip,) = pyskl.read(make_file(tmp_path / "a.pkl", annotation()))
    assert clip.extra["splits"] == ()


def test_three_coordinates_keep_their_sign(tmp_path: Path) -> None:
    keypoint = np.random.default_rng(0).normal(0, 1, (1, 4, 25, 3)).astype(np.float32)
    made = annotation("S001C002P003R001A060", keypoint=keypoint, keypoint_score=None)
    (clip,) = pyskl.read(make_file(tmp_path / "a.pkl", made))
    assert np.array_equal(clip.positions, keypoint)
    assert clip.layout == "kinect25" and clip.confidence is None
    assert (clip.setup, clip.camera, clip.subject, clip.label) == (1, 2, "3", 3)


def test_what_zeros_mean(tmp_path: Path) -> None:
    """A joint of zeros is missing in two dimensions, or if its score says so; a body of zeros always."""
    flat, deep = np.ones((1, 4, 17, 2), np.float32), np.ones((1, 4, 25, 3), np.float32)
    for keypoint in (flat, deep):
        keypoint[0, 0, 5] = 0
        keypoint[0, 1] = 0
    scores = {joints: np.ones((1, 4, joints), np.float32) for joints in (17, 25)}
    for score in scores.values():
        score[0, 0, 5] = 0
    joint = np.zeros((4, 25), bool)
    joint[0, 5] = True
    body = np.zeros((4, 25), bool)
    body[1] = True
    cases = [
        (flat, None, joint | body),
        (deep, None, body),
        (flat, scores[17], joint | body),
        (deep, scores[25], joint | body),
        (flat, np.ones((1, 4, 17)), body),
        (flat + 1, scores[17], np.zeros_like(body)),
    ]
    for keypoint, score, expected in cases:
        made = annotation(keypoint=keypoint, keypoint_score=score)
        (clip,) = pyskl.read(make_file(tmp_path / "a.pkl", made))
        assert np.array_equal(np.isnan(clip.positions[0, ..., 0]), expected[:, : keypoint.shape[2]])


@pytest.mark.parametrize(
    ("joints", "given_layout", "named", "layout"),
    [
        (17, None, None, "coco17"),
        (17, "h36m17", None, "h36m17"),
        (17, None, "h36m17", "h36m17"),
        (17, "coco17", "h36m17", "coco17"),
        (20, None, None, "kinect20"),
        (25, "openpose25", None, "openpose25"),
    ],
)
def test_layout_by_number_or_name(
    tmp_path: Path, joints: int, given_layout: str | None, named: str | None, layout: str
) -> None:
    made = annotation(keypoint=np.ones((1, 4, joints, 2)), keypoint_score=None, layout=named)
    (clip,) = pyskl.read(make_file(tmp_path / "a.pkl", made), given_layout)
    assert clip.layout == layout


FAULTS: dict[str, tuple[Any, str]] = {
    "no keypoints": (annotation(keypoint=None), "a has no keypoint array .for Kinetics"),
    "no array": (annotation(keypoint=[[1, 2]]), "a has no keypoint array of"),
    "words": (annotation(keypoint=np.full((1, 4, 17, 2), "x")), "a has no keypoint array of"),
    "flat": (annotation(keypoint=np.ones((4, 17, 2))), "a has no keypoint array of"),
    "four channels": (annotation(keypoint=np.ones((1, 4, 17, 4))), r"shape \(1, 4, 17, 4\)"),
    "nobody": (annotation(keypoint=np.ones((0, 4, 17, 2))), r"shape \(0, 4, 17, 2\)"),
    "no frame": (annotation(keypoint=np.ones((1, 0, 17, 2))), r"shape \(1, 0, 17, 2\)"),
    "frames": (annotation(total_frames=5), "a says 5 frames but has 4"),
    "frames in words": (annotation(total_frames="4"), "a says '4' frames but has 4"),
    "scores": (annotation(keypoint_score=np.ones((1, 4, 17))), "keypoint_score that does not fit"),
    "joints": (annotation(keypoint=np.ones((1, 4, 19, 2)), keypoint_score=None), "a has 19 joints; known are 15 "),
    "no dictionary": ("x", "annotation 1 is no dictionary"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_bad_annotation_costs_the_others_nothing(tmp_path: Path, fault: str) -> None:
    bad, message = FAULTS[fault]
    path = make_file(tmp_path / "a.pkl", annotation("first"), bad, annotation("last"))
    found: list[Sequence] = []
    clips: Iterator[Sequence] = pyskl.read(path)
    with pytest.raises(FormatError, match=f"1 of 3 annotations cannot be read: .*{message}"):
        found.extend(clips)
    assert [clip.name for clip in found] == ["first", "last"]


@pytest.mark.parametrize(
    "content", [3, [], {}, {"annotations": []}, {"annotations": 3}, {"annotations": [annotation()], "split": [1]}, [3]]
)
def test_other_content_is_refused(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(content))
    assert str(path) in refusal(pyskl.read, path)


def test_wrong_layout_is_refused(tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.pkl", annotation())
    with pytest.raises(FormatError, match="layout kinect25 has 25"):
        list(pyskl.read(path, "kinect25"))
    with pytest.raises(ConfigError, match="no layout named 'nonsense'"):
        list(pyskl.read(path, "nonsense"))
    named = make_file(tmp_path / "b.pkl", annotation(layout="nonsense"))
    assert "no layout named 'nonsense'" in refusal(pyskl.read, named)


def clips_of(seed: int) -> list[Sequence]:
    rng = np.random.default_rng(seed)
    made = []
    for number, (layout, joints, channels) in enumerate((("kinect25", 25, 3), ("coco17", 17, 2), ("h36m17", 17, 3))):
        positions = rng.normal(0, 1, (2, 5, joints, channels)).astype(np.float32)
        positions[1, :2] = np.nan
        if seed % 2:
            positions[0, 3, 4] = np.nan
            positions[0, 2, 1] = 0
        confidence = rng.uniform(0.1, 1, (2, 5, joints)).astype(np.float32) if seed % 3 == 0 else None
        if confidence is not None:
            confidence[np.isnan(positions[..., 0])] = 0
        extra = {"splits": ("train",) if number else ("train", "xview")}
        made.append(
            Sequence(positions, layout, f"clip{number}", number, people=("1", "2"), confidence=confidence, extra=extra)
        )
    return made


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 1000))
def test_write_then_read(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "written.pkl"
    clips = clips_of(seed)
    pyskl.write(path, clips)
    for clip, back in zip(clips, pyskl.read(path), strict=True):
        assert np.array_equal(back.positions, clip.positions, equal_nan=True)
        assert (back.name, back.label, back.layout, back.people) == (clip.name, clip.label, clip.layout, clip.people)
        assert back.extra["splits"] == clip.extra["splits"]
        if clip.confidence is not None:
            assert np.array_equal(back.confidence, clip.confidence)
        elif back.confidence is not None:
            assert np.array_equal(back.confidence, ~np.isnan(clip.positions[..., 0]))


def test_others_read_what_is_written(tmp_path: Path) -> None:
    pyskl.write(tmp_path / "a.pkl", clips_of(1))
    content = pickle.loads((tmp_path / "a.pkl").read_bytes())
    assert content["split"] == {"train": ["clip0", "clip1", "clip2"], "xview": ["clip0"]}
    flat = content["annotations"][1]
    assert flat["keypoint"].shape == (2, 5, 17, 2) and flat["keypoint_score"].shape == (2, 5, 17)
    assert np.isfinite(flat["keypoint"]).all() and flat["total_frames"] == 5 and flat["frame_dir"] == "clip1"
    assert np.array_equal(flat["keypoint"][0, 0, :, 1], -clips_of(1)[1].positions[0, 0, :, 1])


def test_names_have_to_differ(tmp_path: Path) -> None:
    clips = clips_of(1)
    clips[2].name = "clip0"
    for given_clips, message in ((clips, "two clips named clip0"), ([], "no clips")):
        with pytest.raises(FormatError, match=message):
            pyskl.write(tmp_path / "a.pkl", given_clips)
    assert not (tmp_path / "a.pkl").exists()


@SMALL
@given(data=st.data())
def test_survives_any_damage(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = make_file(tmp_path_factory.getbasetemp() / "fuzzed.pkl", annotation(), split={"train": ["a"]})
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    survives(pyskl.read, path)


def test_sniff(tmp_path: Path) -> None:
    assert pyskl.sniff(make_file(tmp_path / "a.pkl", annotation()))
    (tmp_path / "b.pkl").write_bytes(pickle.dumps((["a"], [1])))
    assert not pyskl.sniff(tmp_path / "b.pkl")


def test_signalling_nan_is_only_missing(tmp_path: Path) -> None:
    keypoint = np.ones((1, 4, 17, 2), np.float32)
    keypoint.view(np.uint32)[0, 0, 0] = 0x7FA00000
    (clip,) = pyskl.read(make_file(tmp_path / "a.pkl", annotation(keypoint=keypoint, keypoint_score=None)))
    assert np.isnan(clip.positions).sum() == 2
    assert np.isfinite(clip.positions + 1).sum() == 4 * 17 * 2 - 2


def test_a_skeleton_of_a_files_own_has_no_place(tmp_path: Path) -> None:
    clip = Sequence(np.zeros((1, 2, 2, 3), np.float32), layout_of(("Hips", "Head")), "a")
    with pytest.raises(FormatError, match="a has a skeleton of its own; map it to a named layout"):
        pyskl.write(tmp_path / "a.pkl", [clip])
