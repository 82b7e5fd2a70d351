"""UTD-MHAD: joints by name, one clip a file, nothing but d_skel loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import SMALL, damaged, refusal, survives
from scipy.io import savemat

from halpose.io import utd
from halpose.skeleton import load_layout

# The order that the data set's own list of joints gives.
SOURCE_JOINTS = (
    *("head", "shoulder_center", "spine", "hip_center"),
    *("left_shoulder", "left_elbow", "left_wrist", "left_hand"),
    *("right_shoulder", "right_elbow", "right_wrist", "right_hand"),
    *("left_hip", "left_knee", "left_ankle", "left_foot"),
    *("right_hip", "right_knee", "right_ankle", "right_foot"),
)


def make_file(path: Path, skeleton: np.ndarray | None = None, name: str = "d_skel", compress: bool = False) -> Path:
    if skeleton is None:
        skeleton = np.random.default_rng(0).normal((0, 0, 3), 0.5, (5, 20, 3)).transpose(1, 2, 0)
    savemat(path, {name: skeleton}, do_compression=compress)
    return path


@pytest.mark.parametrize("compress", [False, True])
def test_joints_keep_their_names(tmp_path: Path, compress: bool) -> None:
    frames = np.arange(4.0)
    skeleton = np.array([[[at + 1 + 100 * frame for frame in frames]] * 3 for at in range(20)])
    (clip,) = utd.read(make_file(tmp_path / "a27_s8_t4_skeleton.mat", skeleton, compress=compress))
    joints = load_layout(clip.layout).joints
    for at, joint in enumerate(SOURCE_JOINTS):
        assert (clip.positions[0, 2, joints.index(joint)] == at + 201).all()
    assert clip.positions.shape == (1, 4, 20, 3)


def test_coordinates_keep_their_places(tmp_path: Path) -> None:
    skeleton = np.zeros((20, 3, 2)) + np.array([1.0, 2.0, 3.0])[None, :, None]
    (clip,) = utd.read(make_file(tmp_path / "a.mat", skeleton))
    assert (clip.positions == [1, 2, 3]).all()


def test_name_tells_who_and_what(tmp_path: Path) -> None:
    (clip,) = utd.read(make_file(tmp_path / "a27_s8_t4_skeleton.mat"))
    assert (clip.name, clip.label, clip.subject, clip.extra) == ("a27_s8_t4", 26, "s8", {"trial": 4})
    (clip,) = utd.read(make_file(tmp_path / "mine.mat"))
    assert (clip.name, clip.label, clip.subject, clip.extra) == ("mine", -1, "", {})


def test_zero_joint_is_missing(tmp_path: Path) -> None:
    skeleton = np.ones((20, 3, 2))
    skeleton[0, :, 1] = 0
    (clip,) = utd.read(make_file(tmp_path / "a.mat", skeleton))
    assert np.isnan(clip.positions[0, 1, load_layout("kinect20").index("head")]).all()
    assert np.isnan(clip.positions).sum() == 3


@pytest.mark.parametrize(
    ("skeleton", "name", "message"),
    [
        (np.ones((25, 3, 4)), "d_skel", "d_skel (25, 3, 4)"),
        (np.ones((20, 3)), "d_skel", "d_skel (20, 3)"),
        (np.ones((20, 3, 0)), "d_skel", "no d_skel of shape"),
        (np.ones((20, 3, 4)), "d_depth", "d_depth (20, 3, 4)"),
        (np.full((20, 3, 4), "x"), "d_skel", "no d_skel of shape"),
    ],
)
def test_other_content_is_described(tmp_path: Path, skeleton: np.ndarray, name: str, message: str) -> None:
    assert message in refusal(utd.read, make_file(tmp_path / "a.mat", skeleton, name))


@pytest.mark.parametrize(
    "content", [b"", b"x" * 500, b"MATLAB 5.0 MAT-file" + b"\x00" * 200, b"MATLAB 7.3 MAT-file, HDF5", b"\x89HDF"]
)
def test_garbage_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mat").write_bytes(content)
    assert str(tmp_path) in refusal(utd.read, tmp_path / "a.mat")


@SMALL
@given(data=st.data(), compress=st.booleans())
def test_survives_any_damage(data: st.DataObject, compress: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = make_file(tmp_path_factory.getbasetemp() / "fuzzed.mat", compress=compress)
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    survives(utd.read, path)


def test_sniff(tmp_path: Path) -> None:
    assert utd.sniff(make_file(tmp_path / "a.mat"))
    assert utd.sniff(make_file(tmp_path / "a1_s1_t1_skeleton.mat", compress=True))
    assert not utd.sniff(make_file(tmp_path / "b.mat", np.ones((3, 3)), name="other"))
    (tmp_path / "c.mat").write_bytes(b"")
    assert not utd.sniff(tmp_path / "c.mat")
