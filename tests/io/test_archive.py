"""Motion-capture archives: clips cut from one long array, joints checked by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import SMALL, damaged, refusal, survives

from halpose.io import archive
from halpose.skeleton import load_layout

BANDAI_JOINTS = (
    "Hips Spine Chest Neck Head Shoulder_L UpperArm_L LowerArm_L Hand_L Shoulder_R UpperArm_R LowerArm_R Hand_R "
    "UpperLeg_L LowerLeg_L Foot_L Toes_L UpperLeg_R LowerLeg_R Foot_R Toes_R"
)
HDM_JOINTS = (
    "root root_@_lhipjoint lhipjoint_@_lfemur lfemur_@_ltibia ltibia_@_lfoot lfoot_@_ltoes root_@_rhipjoint "
    "rhipjoint_@_rfemur rfemur_@_rtibia rtibia_@_rfoot rfoot_@_rtoes root_@_lowerback lowerback_@_upperback "
    "upperback_@_thorax thorax_@_lowerneck lowerneck_@_upperneck upperneck_@_head thorax_@_lclavicle "
    "lclavicle_@_lhumerus lhumerus_@_lradius lradius_@_lwrist lwrist_@_lhand lhand_@_lfingers lwrist_@_lthumb "
    "thorax_@_rclavicle rclavicle_@_rhumerus rhumerus_@_rradius rradius_@_rwrist rwrist_@_rhand rhand_@_rfingers "
    "rwrist_@_rthumb"
)
# The joint in which each bone of the ASF skeleton ends.
HDM_ENDS = {"lhipjoint": "left_hip", "rfemur": "right_knee", "rclavicle": "right_shoulder", "lhumerus": "left_elbow"}


def hdm05(path: Path, **others: Any) -> Path:
    arrays = {
        "x": np.random.default_rng(0).normal(0, 30, (7, 1, 31, 3)).astype(np.float32),
        "length": np.array([2, 4, 1]),
        "label": np.array([1, 0, 1]),
        "classes": np.array(["squat", "sneak"]),
        "name": np.array(["HDM_bd_a_001_120.amc.mat", "HDM_mm_b_002_120.amc.mat", "three"]),
        "subject": np.array(["bd", "mm", "tr"]),
        "joints": np.array(HDM_JOINTS.split()),
    }
    np.savez(path, **{**arrays, **others})
    return path


def bandai(path: Path, **others: Any) -> Path:
    rng = np.random.default_rng(0)
    arrays = {
        "root": rng.normal(0, 1, (7, 1, 3)).astype(np.float32),
        "rel": rng.normal(0, 0.4, (7, 20, 3)).astype(np.float16),
        "length": np.array([2, 4, 1]),
        "label": np.array([1, 0, 1]),
        "classes": np.array(["walk", "run"]),
        "name": np.array(["dataset-2_run_old_001", "dataset-2_walk_old_001", "dataset-2_run_happy_001"]),
        "style": np.array(["old", "old", "happy"]),
        "joints": np.array(BANDAI_JOINTS.split()),
    }
    np.savez(path, **{**arrays, **others})
    return path


def test_hdm05_in_metres(tmp_path: Path) -> None:
    path = hdm05(tmp_path / "a.npz")
    clips = list(archive.read_hdm05(path))
    x = np.load(path)["x"]
    for clip, (start, end) in zip(clips, ((0, 2), (2, 6), (6, 7)), strict=True):
        assert np.allclose(clip.positions[0], x[start:end, 0] * 0.0254, rtol=1e-6)
        assert clip.layout == "hdm31"
    assert [clip.label for clip in clips] == [1, 0, 1]
    assert [clip.subject for clip in clips] == ["bd", "mm", "tr"]
    assert [clip.name for clip in clips] == ["HDM_bd_a_001_120", "HDM_mm_b_002_120", "three"]


def test_bandai_puts_the_root_back(tmp_path: Path) -> None:
    path = bandai(tmp_path / "a.npz")
    clips = list(archive.read_bandai(path))
    arrays = np.load(path)
    assert [clip.frames for clip in clips] == [2, 4, 1]
    whole = np.concatenate([clip.positions[0] for clip in clips])
    assert np.array_equal(whole[:, :1], arrays["root"])
    assert np.allclose(whole[:, 1:] - whole[:, :1], arrays["rel"].astype(np.float32), atol=1e-6)
    assert [clip.extra["style"] for clip in clips] == ["old", "old", "happy"]
    assert {clip.layout for clip in clips} == {"bandai21"}


def test_layouts_name_the_joints_of_the_files() -> None:
    joints = load_layout("hdm31").joints
    bones = [joint.rpartition("_@_")[2] for joint in HDM_JOINTS.split()]
    assert len(bones) == len(joints) == 31
    for bone, joint in HDM_ENDS.items():
        assert joints[bones.index(bone)] == joint
    sides = {"l": "left_", "r": "right_"}
    for bone, joint in zip(bones[1:11] + bones[17:], joints[1:11] + joints[17:], strict=True):
        assert joint.startswith(sides[bone[0]])
    for joint, name in zip(BANDAI_JOINTS.split(), load_layout("bandai21").joints, strict=True):
        assert {"_L": "left", "_R": "right"}.get(joint[-2:], "") == (name.partition("_")[0] if "t_" in name else "")


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"length": np.array([2, 4, 2])}, "do not add up to its 7 frames"),
        ({"length": np.array([2, 5, 0])}, "do not add up"),
        ({"length": np.array([2, -4, 9])}, "do not add up"),
        ({"length": np.array([2**63 - 1, 2**63 - 1, 9])}, "do not add up"),
        ({"length": np.array([2.0, 4, 1])}, "whole numbers"),
        ({"length": np.array([7])}, "different shapes"),
        ({"label": np.array([0, 1, 2])}, "a label without a class"),
        ({"label": np.array([0, -1, 1])}, "a label without a class"),
        ({"joints": np.array(BANDAI_JOINTS.split()[::-1])}, "its joints are"),
        ({"root": np.zeros((7, 2, 3), np.float32)}, "root (7, 2, 3)"),
        ({"rel": np.zeros((6, 20, 3), np.float32)}, "rel (6, 20, 3)"),
        ({"rel": np.full((7, 20, 3), "x")}, "rel"),
        ({"style": np.array(["old"])}, "different shapes"),
    ],
)
def test_arrays_have_to_belong_together(tmp_path: Path, others: dict[str, Any], message: str) -> None:
    assert message in refusal(archive.read_bandai, bandai(tmp_path / "a.npz", **others))


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"x": np.zeros((7, 31, 3), np.float32)}, "x is float32 of shape (7, 31, 3)"),
        ({"x": np.zeros((7, 1, 31, 3), np.int64)}, "x is int64"),
        ({"joints": np.array(HDM_JOINTS.split()[:-1])}, "its joints are root"),
    ],
)
def test_hdm05_has_to_have_its_shape(tmp_path: Path, others: dict[str, Any], message: str) -> None:
    assert message in refusal(archive.read_hdm05, hdm05(tmp_path / "a.npz", **others))


def test_sniff_tells_them_apart(tmp_path: Path) -> None:
    one, other = hdm05(tmp_path / "a.npz"), bandai(tmp_path / "b.npz")
    assert archive.HDM05.sniff(one) and not archive.HDM05.sniff(other)
    assert archive.BANDAI.sniff(other) and not archive.BANDAI.sniff(one)


@SMALL
@given(data=st.data())
def test_survives_any_damage(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.getbasetemp()
    for make, read in ((hdm05, archive.read_hdm05), (bandai, archive.read_bandai)):
        path = make(root / "fuzzed.npz")
        path.write_bytes(data.draw(damaged(path.read_bytes())))
        survives(read, path)
