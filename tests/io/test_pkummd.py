"""PKU-MMD: one clip per labelled interval, cut where the label file says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import SMALL, damaged, refusal, survives

from halpose.errors import FormatError
from halpose.io import pkummd
from halpose.skeleton import Sequence


def frames_of(count: int) -> np.ndarray:
    """Two people; the second enters in frame 4."""
    positions = np.random.default_rng(0).normal((0, 0, 3), 0.6, (count, 2, 25, 3)).round(6)
    positions[:4, 1] = 0
    return positions


def make_video(root: Path, name: str, positions: np.ndarray, labels: str, folder: str = "label") -> Path:
    """As the archives are unpacked; lines after the first start with a space, as in the original files."""
    for below in ("skeleton", folder):
        (root / below).mkdir(exist_ok=True)
    rows = [" ".join(f"{value:.6f}" for value in frame.ravel()) for frame in positions]
    (root / "skeleton" / f"{name}.txt").write_text("\n ".join(rows) + "\n")
    (root / folder / f"{name}.txt").write_text(labels)
    return root / "skeleton" / f"{name}.txt"


def test_every_interval_is_a_clip(tmp_path: Path) -> None:
    positions = frames_of(30)
    path = make_video(tmp_path, "0017-M", positions, "7,0,5,1\n51,5,29,2\n\n1,29,40,1\n")
    clips = list(pkummd.read(path))
    assert [clip.label for clip in clips] == [6, 50, 0]
    assert [clip.name for clip in clips] == ["0017-M_000", "0017-M_001", "0017-M_002"]
    assert [clip.frames for clip in clips] == [5, 24, 1]
    assert {clip.extra["video"] for clip in clips} == {"0017-M"}
    assert (clips[1].extra["start"], clips[1].extra["end"], clips[1].extra["label_confidence"]) == (5, 29, "2")
    expected = np.where((positions == 0).all(axis=(2, 3), keepdims=True), np.nan, positions).astype(np.float32)
    for clip, (start, end) in zip(clips, ((0, 5), (5, 29), (29, 30)), strict=True):
        assert np.array_equal(clip.positions, expected[start:end].swapaxes(0, 1), equal_nan=True)
    assert np.isnan(clips[0].positions[1, :4]).all() and not np.isnan(clips[0].positions[1, 4]).any()


@pytest.mark.parametrize(
    ("name", "camera", "subject"), [("0002-L", 1, ""), ("0002-M", 2, ""), ("A01N07-R", 3, "N07"), ("mine", 0, "")]
)
def test_name_tells_camera_and_subject(tmp_path: Path, name: str, camera: int, subject: str) -> None:
    (clip,) = pkummd.read(make_video(tmp_path, name, frames_of(6), "3,1,5,1"))
    assert (clip.camera, clip.subject) == (camera, subject)
    assert (clip.layout, clip.fps, clip.people) == ("kinect25", 30.0, ("1", "2"))


@pytest.mark.parametrize("folder", ["label", "Label", "Train_Label_PKU_final", "label_v2"])
def test_labels_lie_in_a_folder_beside(tmp_path: Path, folder: str) -> None:
    (clip,) = pkummd.read(make_video(tmp_path, "0002-L", frames_of(6), "3,1,5,1", folder))
    assert clip.label == 2


def test_a_joint_at_the_origin_is_no_missing_person(tmp_path: Path) -> None:
    positions = frames_of(6)
    positions[5, 0, 3] = 0
    (clip,) = pkummd.read(make_video(tmp_path, "0002-L", positions, "3,0,6,1"))
    assert (clip.positions[0, 5, 3] == 0).all()


def test_interval_outside_the_video_costs_the_others_nothing(tmp_path: Path) -> None:
    path = make_video(tmp_path, "0002-L", frames_of(10), "1,0,4,1\n2,10,14,1\n3,5,9,1\n4,99,120,1\n")
    found: list[Sequence] = []
    clips: Iterator[Sequence] = pkummd.read(path)
    with pytest.raises(FormatError, match=r"line 2: .*starts at frame 10, but 0002-L.txt has 10 frames .2 such"):
        found.extend(clips)
    assert [clip.label for clip in found] == [0, 2]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("", "empty"),
        ("\n\n", "no action"),
        ("1,2\n", "line 1: '1,2' is not class,start,end,confidence"),
        ("1,0,4,1\n\n0,4,8,1\n", "line 3"),
        ("1,4,4,1\n", "line 1"),
        ("1,-4,4,1\n", "line 1"),
        ("1,a,4,1\n", "line 1"),
        ("1,0,4,1,7\n", "line 1"),
        ("99999999999999999999,0,4,1\n", "line 1"),
    ],
)
def test_bad_labels_are_named_with_their_line(tmp_path: Path, labels: str, message: str) -> None:
    path = make_video(tmp_path, "0002-L", frames_of(10), labels)
    found = refusal(pkummd.read, path)
    assert message in found and str(tmp_path / "label") in found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "", "empty"),
        (lambda text: text[: len(text) // 2], "and is the last"),
        (lambda text: text.replace(" ", " 0.5 ", 1), "line 1 has 151 numbers, not 150"),
        (lambda text: text.replace("-", "x", 1), "is not a number"),
    ],
)
def test_bad_skeletons_are_refused(tmp_path: Path, change, message: str) -> None:
    path = make_video(tmp_path, "0002-L", frames_of(10), "1,0,4,1")
    path.write_text(change(path.read_text()))
    assert message in refusal(pkummd.read, path)


def test_missing_labels_say_where_they_should_be(tmp_path: Path) -> None:
    path = make_video(tmp_path, "0002-L", frames_of(10), "1,0,4,1")
    (tmp_path / "label" / "0002-L.txt").unlink()
    assert str(tmp_path / "label" / "0002-L.txt") in refusal(pkummd.read, path)


@SMALL
@given(data=st.data(), of_labels=st.booleans())
def test_survives_any_damage(data: st.DataObject, of_labels: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.getbasetemp()
    path = make_video(root, "fuzzed", frames_of(6), "7,0,3,1\n51,3,6,2\n", "label of fuzzed")
    target = root / "label of fuzzed" / "fuzzed.txt" if of_labels else path
    target.write_bytes(data.draw(damaged(target.read_bytes())))

    def read(_: Path) -> Iterator[Sequence]:
        try:
            yield from pkummd.read(path)
        except FormatError as error:
            raise FormatError(f"{root / 'skeleton'} {error}") from None

    survives(read, path)


def test_sniff(tmp_path: Path) -> None:
    path = make_video(tmp_path, "0002-L", frames_of(6), "1,0,4,1")
    assert pkummd.sniff(path)
    assert not pkummd.sniff(tmp_path / "label" / "0002-L.txt")
