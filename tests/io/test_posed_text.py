"""Kinect and Vicon text: positions are taken, orientations left, axes and units put right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import SMALL, damaged, refusal, survives

from halpose.io import posed_text
from halpose.mapping import map_joints
from halpose.skeleton import load_layout


def make_file(path: Path, joints: int = 25) -> Path:
    """Three frames; joint v of frame t is at (t, v, 1)."""
    frames = np.random.default_rng(0).uniform(-1, 1, (3, joints, 7))
    frames[..., :3] = np.stack(np.broadcast_arrays(np.arange(3)[:, None], np.arange(joints), 1.0), axis=-1)
    path.write_bytes(b"".join(b" ".join(b"%.6f" % v for v in row.ravel()) + b" \r\n" for row in frames))
    return path


def test_kinect(tmp_path: Path) -> None:
    (clip,) = posed_text.read_kinect(make_file(tmp_path / "G3-Kinect-1.txt"))
    assert (clip.layout, clip.name, clip.fps, clip.positions.shape) == ("kinect25", "G3-Kinect-1", 30.0, (1, 3, 25, 3))
    np.testing.assert_array_equal(clip.positions[0, 2, 7], [2, 7, 1])


def test_vicon_is_turned_and_scaled(tmp_path: Path) -> None:
    (clip,) = posed_text.read_vicon(make_file(tmp_path / "a.txt", 17))
    assert (clip.layout, clip.fps) == (posed_text.VICON_TARGETS, 0.0)
    np.testing.assert_allclose(clip.positions[0, 2, 7], [0.002, 0.001, -0.007], rtol=1e-6)


def test_vicon_targets_stand_for_joints() -> None:
    mapped = map_joints(posed_text.VICON_TARGETS, load_layout("kinect20"))
    for joint, targets in (
        ("left_elbow", ("left_upper_arm_target", "left_forearm_target")),
        ("right_knee", ("right_thigh_target", "right_shin_target")),
    ):
        assert mapped.filled[joint] == targets


def test_a_joint_of_zeros_is_missing(tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.txt")
    words = path.read_text().split()
    words[7 * 4 : 7 * 4 + 3] = ["0.0"] * 3
    lines = [" ".join(words[at : at + 175]) for at in range(0, len(words), 175)]
    path.write_text("\n".join(lines) + "\n")
    (clip,) = posed_text.read_kinect(path)
    assert np.isnan(clip.positions[0, 0, 4]).all() and np.isnan(clip.positions).sum() == 3
    path.write_text((" ".join("0" * 175) + "\n") * 4)
    assert "nobody in any of 4 frames" in refusal(posed_text.read_kinect, path)


def test_damage_is_named(tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.txt")
    text = path.read_text()
    path.write_text(text[:-40])
    assert "line 3 has" in refusal(posed_text.read_kinect, path)
    path.write_text(text.replace("1.000000", "one", 1))
    assert "line 1: 'one' is not a number" in refusal(posed_text.read_kinect, path)
    assert "line 1 has 175 numbers, not 119" in refusal(posed_text.read_vicon, make_file(path))


@SMALL
@given(data=st.data(), vicon=st.booleans())
def test_survives_any_damage(data: st.DataObject, vicon: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = make_file(tmp_path_factory.getbasetemp() / "fuzzed_posed.txt", 17 if vicon else 25)
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    survives(posed_text.read_vicon if vicon else posed_text.read_kinect, path)


def test_sniff(tmp_path: Path) -> None:
    kinect, vicon = make_file(tmp_path / "a.txt"), make_file(tmp_path / "b.txt", 17)
    assert posed_text.sniff_kinect(kinect) and not posed_text.sniff_vicon(kinect)
    assert posed_text.sniff_vicon(vicon) and not posed_text.sniff_kinect(vicon)
