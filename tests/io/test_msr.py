"""MSR-Action3D: joints by name, empty frames missing, confidence kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import SMALL, damaged, refusal, survives

from halpose.io import msr
from halpose.skeleton import load_layout

# Numbers, from 1, that the skeleton of this data set has in the literature.
SOURCE_NUMBERS = {
    **{"hip_center": 7, "spine": 4, "shoulder_center": 3, "head": 20},
    **{"left_shoulder": 1, "left_elbow": 8, "left_wrist": 10, "left_hand": 12},
    **{"right_shoulder": 2, "right_elbow": 9, "right_wrist": 11, "right_hand": 13},
    **{"left_hip": 5, "left_knee": 14, "left_ankle": 16, "left_foot": 18},
    **{"right_hip": 6, "right_knee": 15, "right_ankle": 17, "right_foot": 19},
}


def make_file(path: Path, rows: np.ndarray | None = None) -> Path:
    """A file of (frames, 20, 4)."""
    if rows is None:
        rows = np.random.default_rng(0).uniform(0.1, 1, (4, 20, 4))
    path.write_text("".join(" ".join(f"{value:.6f}" for value in row) + "\n" for row in rows.reshape(-1, 4)))
    return path


def test_joints_keep_their_names(tmp_path: Path) -> None:
    rows = np.zeros((3, 20, 4)) + np.arange(1, 21)[:, None]
    (clip,) = msr.read(make_file(tmp_path / "a01_s01_e01_skeleton3D.txt", rows))
    joints = load_layout(clip.layout).joints
    assert set(joints) == set(SOURCE_NUMBERS)
    for joint, number in SOURCE_NUMBERS.items():
        assert (clip.positions[0, :, joints.index(joint)] == number).all()


def test_coordinates_and_confidence_keep_their_places(tmp_path: Path) -> None:
    rows = np.zeros((2, 20, 4)) + [1.0, 2.0, 3.0, 0.25]
    rows[1, 6, 3] = 7  # hip_center; more than certain
    (clip,) = msr.read(make_file(tmp_path / "a.txt", rows))
    assert (clip.positions == [1, 2, 3]).all()
    assert clip.confidence is not None
    assert clip.confidence[0, 1, 0] == 1 and (clip.confidence[0, 0] == 0.25).all()


def test_name_tells_who_and_what(tmp_path: Path) -> None:
    (clip,) = msr.read(make_file(tmp_path / "a20_s10_e03_skeleton3D.txt"))
    assert (clip.name, clip.label, clip.subject, clip.extra) == ("a20_s10_e03", 19, "s10", {"trial": 3})
    (clip,) = msr.read(make_file(tmp_path / "mine.txt"))
    assert (clip.name, clip.label, clip.subject) == ("mine", -1, "")


def test_frame_of_zeros_is_missing(tmp_path: Path) -> None:
    rows = np.ones((3, 20, 4))
    rows[1] = 0
    (clip,) = msr.read(make_file(tmp_path / "a.txt", rows))
    assert np.isnan(clip.positions[0, 1]).all()
    assert not np.isnan(clip.positions[0, [0, 2]]).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "", "empty"),
        (lambda text: "0 0 0 0\n" * 40, "nobody in any of 2 frames"),
        (lambda text: "\n".join(text.splitlines()[:45]) + "\n", "the file ends in frame 3, after 5 of 20 joints"),
        (lambda text: text[:-4], "line 80 has no end"),
        (lambda text: text.replace("\n", " 1\n", 1), "line 1 has 5 numbers, not 4"),
        (lambda text: text.replace("0.", "O.", 1), "line 1: 'O."),
        (lambda text: "\x00" * 100, "numbers, not 4"),
    ],
)
def test_damage_is_named(tmp_path: Path, change, message: str) -> None:
    path = make_file(tmp_path / "a.txt")
    path.write_text(change(path.read_text()))
    assert message in refusal(msr.read, path)


@SMALL
@given(data=st.data())
def test_survives_any_damage(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = make_file(tmp_path_factory.getbasetemp() / "fuzzed_msr.txt")
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    survives(msr.read, path)


def test_sniff(tmp_path: Path) -> None:
    assert msr.sniff(make_file(tmp_path / "a.txt"))
    (tmp_path / "b.txt").write_text("1 2 3\n4 5 6\n")
    assert not msr.sniff(tmp_path / "b.txt")
