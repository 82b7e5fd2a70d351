"""KERAAL: three estimators' joints by their names; missing joints and frames are missing."""

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
from halpose.io import keraal
from halpose.skeleton import load_layout

OPENPOSE = {
    "Nose": "nose", "Neck": "shoulder_center", "rShoulder": "right_shoulder", "lElbow": "left_elbow",
    "lHip": "left_hip", "rAnkle": "right_ankle", "rEar": "right_ear", "lEye": "left_eye",
}  # fmt: skip
BLAZEPOSE = {
    "Nose": "nose", "Left_eye_inner": "left_eye_inner", "Mouth_left": "left_mouth", "Right_pinky": "right_pinky",
    "Left_index": "left_index", "Right_foot_index": "right_foot", "Left_heel": "left_heel",
}  # fmt: skip


def make_file(path: Path, names: tuple[str, ...] = tuple(OPENPOSE), channels: int = 2, first: float = 1.0) -> Path:
    rng = np.random.default_rng(0)
    frames = {str(first + at): {name: rng.uniform(0.1, 1, channels).tolist() for name in names} for at in range(3)}
    path.write_text(json.dumps({"positions": frames}))
    return path


@pytest.mark.parametrize(
    ("names", "layout", "channels"),
    [
        (OPENPOSE, "openpose18", 2),
        (BLAZEPOSE, "mediapipe33", 3),
        ({str(at): name for at, name in enumerate(load_layout("coco17").joints)}, "coco17", 2),
    ],
)
def test_joints_by_name(tmp_path: Path, names: dict[str, str], layout: str, channels: int) -> None:
    path = make_file(tmp_path / "a.json", tuple(names), channels)
    written = list(json.loads(path.read_text())["positions"].values())
    (clip,) = io.read(path)
    assert clip.layout == layout and clip.positions.shape[3] == channels and clip.confidence is None
    joints = load_layout(layout).joints
    signs = np.array([1, -1, -1][:channels])
    for name, joint in names.items():
        expected = np.array([frame[name] for frame in written]) * signs
        assert np.array_equal(clip.positions[0, :, joints.index(joint)], expected.astype(np.float32))
    assert np.isnan(clip.positions).all(axis=(0, 1, 3)).sum() == len(joints) - len(names)


def test_gaps(tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.json")
    frames = json.loads(path.read_text())["positions"]
    frames["6.0"] = {}
    frames["5.0"] = {**frames["2.0"], "Nose": None}
    del frames["2.0"]["Neck"]
    path.write_text(json.dumps({"positions": frames}))
    assert "joints that are not 2 numbers" in refusal(keraal.read, path)
    del frames["5.0"]["Nose"]
    path.write_text(json.dumps({"positions": frames}))
    (clip,) = io.read(path)
    seen = np.isfinite(clip.positions[0, :, :, 0])
    assert seen.any(axis=1).tolist() == [True, True, True, False, True, False]
    assert seen[:, 0].tolist() == [True, True, True, False, False, False]
    assert seen[:, 1].tolist() == [True, False, True, False, True, False]


@pytest.mark.parametrize(
    "content",
    [
        *([], {}, {"positions": {}}, {"positions": 3}, {"positions": {"x": {}}}, {"positions": {"1": 3}}),
        *({"positions": {"1": {}}}, {"positions": {"1": {"tail": [1, 2]}}}, {"positions": {"1": {"Nose": [1]}}}),
        *({"positions": {"1": {"Nose": "x"}}}, {"positions": {"1": {"Nose": [1, "2"]}}}),
        *({"positions": {"-1": {"Nose": [1, 2]}}}, {"positions": {"1.5": {"Nose": [1, 2]}}}),
    ],
)
def test_other_content_is_refused(tmp_path: Path, content: Any) -> None:
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert str(tmp_path) in refusal(keraal.read, tmp_path / "a.json")


@SMALL
@given(data=st.data())
def test_survives_any_damage(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = make_file(tmp_path_factory.getbasetemp() / "keraal.json")
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    survives(keraal.read, path)


@pytest.mark.data
@pytest.mark.parametrize(
    ("tool", "layout", "frames"),
    [("openpose", "openpose18", 197), ("alphapose", "coco17", 196), ("blazepose", "mediapipe33", 196)],
)
def test_real_recordings_stand_upright(halpose_data: Path, tool: str, layout: str, frames: int) -> None:
    paths = sorted((halpose_data / "samples" / tool).glob("*.json"))
    if not paths:
        pytest.skip(f"no samples of {tool}")
    for path in paths:
        assert io.sniff(path) == "keraal"
        (clip,) = io.read(path)
        assert clip.layout == layout and clip.positions.shape[:2] == (1, frames)
        index = load_layout(layout).index
        nose, hip, knee, ankle = (
            np.nanmedian(clip.positions[0, :, index(joint), 1])
            for joint in ("nose", "left_hip", "left_knee", "left_ankle")
        )
        assert nose > hip > knee > ankle
        # They face the camera: left is on the right of the image.
        across = clip.positions[0, :, index("left_shoulder"), 0] - clip.positions[0, :, index("right_shoulder"), 0]
        assert np.nanmedian(across) > 0
