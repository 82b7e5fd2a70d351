"""UTD-MHAD: joints by name, one clip a file, nothing but d_skel loaded."""

from __future__ import annotations

import base64
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import SMALL, damaged, refusal, survives
from scipy.io import savemat

from halpose.io import utd
from halpose.io.base import zeros_to_missing
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


def test_what_ends_the_process_of_scipy_is_refused(tmp_path: Path) -> None:
    """Found by fuzzing (`benchmarks/fuzz_readers.py`): `scipy.io.whosmat` reads beyond the end of it."""
    found = (
        "TUFUTEFCIDUuMCBNQVQtZmlsZSBQbGF0Zm9ybTogcG9zaXgsIENyZWF0ZWQgb246IFN1biBOb3YgMjIgMjM6Mzk6MTIg/////wMA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABSU0OAAAAoAkAAAYAAQAIAAAABgAAAAAA"
        "AAAFAAAADAAAABQAAAADAAAABQAAAAAAAAABAAAABgAAAGRfc2tlbOtBFAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    )
    (tmp_path / "a.mat").write_bytes(base64.b64decode(found))
    assert "damaged (cut off)" in refusal(utd.read, tmp_path / "a.mat")


@pytest.mark.parametrize("kind", ["f8", "f4", "i2", "u1", "i4"])
def test_numbers_of_all_kinds_and_both_orders_of_bytes(tmp_path: Path, kind: str) -> None:
    skeleton = np.arange(20 * 3 * 2).reshape(20, 3, 2).astype(kind)
    make_file(tmp_path / "a.mat", skeleton)
    (clip,) = utd.read(tmp_path / "a.mat")
    expected = zeros_to_missing(skeleton.transpose(2, 0, 1)[:, [3, 2, 1, 0, *range(4, 20)]].astype(np.float32))
    np.testing.assert_array_equal(clip.positions[0], expected)
    value = struct.pack(">IIIIIIiiiI", 6, 8, 6, 0, 5, 12, 20, 3, 1, 0) + struct.pack(">II8s", 1, 6, b"d_skel")
    value += struct.pack(">II60d", 9, 480, *np.arange(60.0))
    head = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(">H", 0x100) + b"MI"
    (tmp_path / "b.mat").write_bytes(head + struct.pack(">II", 14, len(value)) + value)
    (clip,) = utd.read(tmp_path / "b.mat")
    assert clip.positions[0, 0, load_layout("kinect20").index("shoulder_center")].tolist() == [1, 21, 41]


def test_compression_is_bounded(tmp_path: Path) -> None:
    bomb = zlib.compress(struct.pack("<II", 14, 1 << 27) + b"\x00" * (1 << 27), 9)
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    (tmp_path / "a.mat").write_bytes(head + struct.pack("<II", 15, len(bomb)) + bomb)
    assert "more than 64 MiB" in refusal(utd.read, tmp_path / "a.mat")


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
