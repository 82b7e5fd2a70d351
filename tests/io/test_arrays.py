"""Arrays of one's own: of one recording or many, with and without names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import SMALL, damaged, refusal, survives

from halpose.io import arrays
from halpose.skeleton import load_layout


def some(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def make_file(path: Path) -> Path:
    if path.suffix == ".npy":
        np.save(path, some(4, 25, 3))
    else:
        names = [f"left_{n}" for n in range(6)]
        np.savez(path, positions=some(2, 4, 6, 3), joint_names=names, fps=50.0, label="wave")
    return path


@pytest.mark.parametrize("shape", [(4, 25, 3), (2, 4, 25, 3), (4, 25, 2), (1, 1, 17, 2)])
def test_a_bare_array(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "a.npy", some(*shape).astype(np.float64))
    assert arrays.sniff(tmp_path / "a.npy")
    (clip,) = arrays.read(tmp_path / "a.npy")
    np.testing.assert_array_equal(clip.positions, some(*shape).reshape(-1, *shape[-3:]))
    assert (clip.layout, clip.name) == ("kinect25" if 25 in shape else "coco17", "a")
    assert clip.extra == {"by_number": True}, "the layout is a guess"


def test_an_archive_says_more(tmp_path: Path) -> None:
    (clip,) = arrays.read(make_file(tmp_path / "a.npz"))
    assert clip.positions.shape == (2, 4, 6, 3) and clip.fps == 50.0 and clip.people == ("1", "2")
    assert clip.skeleton.joints[3] == "left_3" and clip.skeleton.name.startswith("npz6-")
    assert clip.extra == {"label": "wave"} and clip.label == -1


def test_names_put_joints_in_order(tmp_path: Path) -> None:
    known = load_layout("kinect20").joints
    x = some(4, 20, 3)
    np.savez(tmp_path / "a.npz", x=x, names=known[::-1])
    (clip,) = arrays.read(tmp_path / "a.npz")
    assert clip.layout == "kinect20"
    np.testing.assert_array_equal(clip.positions[0], x[:, ::-1])


def test_a_layout_by_name_or_number_or_neither(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", some(4, 17, 3))
    assert next(arrays.read(tmp_path / "a.npz")).layout == "coco17"
    np.savez(tmp_path / "a.npz", data=some(4, 17, 3), layout="h36m17")
    assert next(arrays.read(tmp_path / "a.npz")).layout == "h36m17"
    np.savez(tmp_path / "a.npz", data=some(4, 7, 3))
    assert next(arrays.read(tmp_path / "a.npz")).skeleton.joints == tuple(f"joint{n}" for n in range(7))


def test_many_recordings(tmp_path: Path) -> None:
    x, sure = some(3, 2, 5, 25, 3), np.random.default_rng(1).random((3, 2, 5, 25))
    x[0, 1] = 0
    np.savez(tmp_path / "a.npz", positions=x, lengths=[5, 3, 1], labels=[2, 0, -1], subjects=["a", "b", "a"],
             clips=["u", "v", "w"], confidence=sure)  # fmt: skip
    clips = list(arrays.read(tmp_path / "a.npz"))
    assert [clip.frames for clip in clips] == [5, 3, 1]
    assert [(clip.name, clip.label, clip.subject) for clip in clips] == [("u", 2, "a"), ("v", 0, "b"), ("w", -1, "a")]
    np.testing.assert_array_equal(clips[1].positions, x[1, :, :3])
    assert np.isnan(clips[0].positions[1]).all()
    assert clips[2].confidence is not None
    np.testing.assert_allclose(clips[2].confidence, sure[2, :, :1], rtol=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"positions": some(4, 25)}, "4 x 25"),
        ({"positions": some(4, 25, 4)}, "4 x 25 x 4"),
        ({"positions": some(0, 25, 3)}, "shape (0, 25, 3)"),
        ({"positions": np.array([[["a", "b", "c"]]])}, "array of <U1"),
        ({"positions": some(4, 25, 3), "joint_names": ["a"] * 24}, "24 names for 25 joints"),
        ({"positions": some(4, 2, 3), "joint_names": ["a", "a"]}, "two joints are called 'a'"),
        ({"positions": some(4, 25, 3), "layout": "kinect20"}, "25 joints, but layout kinect20 has 20"),
        ({"positions": some(4, 25, 3), "layout": "kinect26"}, "no layout named"),
        ({"positions": some(4, 25, 3), "layout": "/etc/x.toml"}, "25 joints, but layout /etc/x.toml has 0"),
        ({"positions": some(4, 25, 3), "fps": [1, 2]}, "fps is not one number"),
        ({"positions": some(4, 25, 3), "fps": np.nan}, "fps is not one number"),
        ({"positions": some(4, 25, 3), "confidence": some(4, 24)}, "confidence has shape (4, 24)"),
        ({"positions": some(2, 1, 4, 25, 3), "lengths": [4, 5]}, "a length of 5"),
        ({"positions": some(2, 1, 4, 25, 3), "labels": [1, 2, 3]}, "labels has 3 entries"),
        ({"a": some(4, 25, 3), "b": some(4, 25, 3)}, "no array positions in it"),
    ],
)
def test_what_is_no_recording_is_named(tmp_path: Path, content: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "a.npz", **content)
    assert message in refusal(arrays.read, tmp_path / "a.npz")


@SMALL
@given(data=st.data(), suffix=st.sampled_from((".npy", ".npz")))
def test_survives_any_damage(data: st.DataObject, suffix: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = make_file(tmp_path_factory.getbasetemp() / f"fuzzed_array{suffix}")
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    survives(arrays.read, path)
    assert arrays.sniff(path) in (True, False)


def test_sniff(tmp_path: Path) -> None:
    for shape, is_ours in (((4, 25, 3), True), ((2, 4, 25, 3), True), ((4, 25), False), ((3, 3, 9, 25, 2), False)):
        np.save(tmp_path / "a.npy", some(*shape))
        assert arrays.sniff(tmp_path / "a.npy") is is_ours
