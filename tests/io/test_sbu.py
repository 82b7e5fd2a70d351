"""SBU: two people from image coordinates to metres."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import SMALL, damaged, refusal, survives

from halpose.io import sbu


def make_file(path: Path, image: np.ndarray | None = None) -> Path:
    """A file of (frames, 2, 15, 3)."""
    if image is None:
        image = np.random.default_rng(0).uniform(0.1, 0.9, (4, 2, 15, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [",".join([str(180 + t), *(f"{value:.5g}" for value in row.ravel())]) for t, row in enumerate(image)]
    path.write_text("\n".join(rows) + "\n")
    return path


def test_image_becomes_metres(tmp_path: Path) -> None:
    image = np.zeros((2, 2, 15, 3)) + [0.25, 0.75, 1.5625]
    image[1, 1, 4] = [1.0, 0.0, 0.78125]
    (clip,) = sbu.read(make_file(tmp_path / "skeleton_pos.txt", image))
    assert clip.positions.shape == (2, 2, 15, 3)
    # In millimetres: 1280 - 2560 x, 960 - 1920 y, 10000 z / 7.8125.
    assert np.allclose(clip.positions[0, 0, 0], [0.64, -0.48, 2.0])
    assert np.allclose(clip.positions[1, 1, 4], [-1.28, 0.96, 1.0])


def test_people_and_joints_keep_their_places(tmp_path: Path) -> None:
    image = np.zeros((2, 2, 15, 3)) + 0.1
    image[..., 0] += np.arange(15) / 100
    image[:, 1, :, 1] += 0.5
    (clip,) = sbu.read(make_file(tmp_path / "skeleton_pos.txt", image))
    assert (np.diff(clip.positions[..., 0], axis=-1) < 0).all()
    assert (clip.positions[0, ..., 1] > clip.positions[1, ..., 1]).all()


def test_folders_tell_who_and_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_file(tmp_path / "s01s07" / "08" / "003" / "skeleton_pos.txt")
    (clip,) = sbu.read(path)
    assert (clip.name, clip.label, clip.subject) == ("s01s07_08_003", 7, "s01s07")
    assert clip.extra == {"number": 3}
    monkeypatch.chdir(path.parent)
    (near,) = sbu.read(Path("skeleton_pos.txt"))
    assert (near.name, near.label) == (clip.name, clip.label)
    (other,) = sbu.read(make_file(tmp_path / "mine" / "a.txt"))
    assert (other.name, other.label, other.subject) == ("mine_a", -1, "")


def test_joint_of_zeros_is_missing(tmp_path: Path) -> None:
    image = np.zeros((2, 2, 15, 3)) + 0.5
    image[1, 0, 3] = 0
    (clip,) = sbu.read(make_file(tmp_path / "a.txt", image))
    assert np.isnan(clip.positions[0, 1, 3]).all() and np.isnan(clip.positions).sum() == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "", "empty"),
        (lambda text: text[: len(text) // 3], "line 2 has"),
        (lambda text: text[:-3], "line 4 has no end"),
        (lambda text: text.replace(",", ";", 3), "line 1 has 88 numbers, not 91"),
        (lambda text: text.replace("0.", "x.", 1), "line 1: 'x."),
        (lambda text: ",".join("0" * 91) + "\n", "nobody in any of 1 frames"),
    ],
)
def test_damage_is_named(tmp_path: Path, change, message: str) -> None:
    path = make_file(tmp_path / "a.txt")
    path.write_text(change(path.read_text()))
    assert message in refusal(sbu.read, path)


@SMALL
@given(data=st.data())
def test_survives_any_damage(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = make_file(tmp_path_factory.getbasetemp() / "fuzzed_sbu.txt")
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    survives(sbu.read, path)


def test_sniff(tmp_path: Path) -> None:
    assert sbu.sniff(make_file(tmp_path / "a.txt"))
    (tmp_path / "b.txt").write_text("1,2,3\n")
    assert not sbu.sniff(tmp_path / "b.txt")
