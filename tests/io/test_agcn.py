"""AGCN arrays: clips without their padding, labels beside, nothing read before it is needed."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import SMALL, damaged, peak_bytes, refusal, survives

from halpose.errors import ConfigError, FormatError
from halpose.io import agcn

LENGTHS = (5, 9, 1)
NAMES = ["S001C002P003R001A004.skeleton", "S001C001P005R001A060.skeleton", "other"]


def make_files(folder: Path, stem: str = "val", lengths: bool = True, labels: Any = None, joints: int = 25) -> Path:
    """(3 clips, 3, 9 frames, joints, 2 people), centred: joint 1 is at the origin in every frame."""
    data = np.random.default_rng(0).normal(0, 1, (3, 3, 9, joints, 2)).astype(np.float32)
    data[:, :, :, 1, 0] = 0
    data[0, ..., 1] = 0
    for clip, length in enumerate(LENGTHS):
        data[clip, :, length:] = 0
    np.save(folder / f"{stem}_data_joint.npy", data)
    (folder / f"{stem}_label.pkl").write_bytes(pickle.dumps((NAMES, [3, 59, 0]) if labels is None else labels))
    if lengths:
        np.save(folder / f"{stem}_num_frame.npy", np.array(LENGTHS))
    return folder / f"{stem}_data_joint.npy"


@pytest.mark.parametrize("lengths", [True, False])
def test_clips_without_their_padding(tmp_path: Path, lengths: bool) -> None:
    path = make_files(tmp_path, lengths=lengths)
    data = np.load(path)
    clips = list(agcn.read(path))
    assert [clip.frames for clip in clips] == list(LENGTHS)
    for number, clip in enumerate(clips):
        expected = data[number, :, : LENGTHS[number]].transpose(3, 1, 2, 0)
        seen = ~(expected == 0).all(axis=(2, 3))
        assert np.array_equal(clip.positions[seen], expected[seen])
        assert np.isnan(clip.positions[~seen]).all()
    assert np.isnan(clips[0].positions[1]).all()
    assert (clips[0].positions[0, :, 1] == 0).all(), "the joint that the array is centred on is not missing"


def test_names_and_labels(tmp_path: Path) -> None:
    first, second, third = agcn.read(make_files(tmp_path))
    assert (first.name, first.label, first.subject, first.camera, first.setup) == ("S001C002P003R001A004", 3, "3", 2, 1)
    assert second.label == 59
    assert (third.name, third.label, third.subject, third.layout) == ("other", 0, "", "kinect25")


@pytest.mark.parametrize(
    "labels",
    [[NAMES, [3, 59, 0]], (tuple(NAMES), np.array([3, 59, 0])), (np.array(NAMES), (3, 59, 0))],
)
def test_labels_in_other_containers(tmp_path: Path, labels: Any) -> None:
    assert [clip.label for clip in agcn.read(make_files(tmp_path, labels=labels))] == [3, 59, 0]


def test_older_name_of_the_array(tmp_path: Path) -> None:
    path = make_files(tmp_path, "train")
    path.rename(tmp_path / "train_data.npy")
    assert len(list(agcn.read(tmp_path / "train_data.npy"))) == 3


@pytest.mark.parametrize(
    "labels",
    [
        3,
        (),
        (NAMES,),
        (NAMES, [1, 2]),
        (NAMES[:2], [1, 2, 3]),
        (NAMES, ["1", "2", "3"]),
        ([1, 2, 3], [1, 2, 3]),
        (3, 4),
    ],
)
def test_labels_have_to_fit(tmp_path: Path, labels: Any) -> None:
    assert "val_label.pkl" in refusal(agcn.read, make_files(tmp_path, labels=labels))


def test_labels_have_to_be_there_and_be_data(tmp_path: Path) -> None:
    path = make_files(tmp_path)
    (tmp_path / "val_label.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert "os.system" in refusal(agcn.read, path)
    (tmp_path / "val_label.pkl").unlink()
    assert "val_label.pkl: cannot be read" in refusal(agcn.read, path)


@pytest.mark.parametrize("lengths", [[5, 9], [5, 10, 1], [5, 0, 1], [5.0, 9.0, 1.0]])
def test_lengths_have_to_fit(tmp_path: Path, lengths: list[float]) -> None:
    path = make_files(tmp_path)
    np.save(tmp_path / "val_num_frame.npy", np.array(lengths))
    assert "val_num_frame.npy: not 3 numbers of frames up to 9" in refusal(agcn.read, path)


@pytest.mark.parametrize("shape", [(3, 3, 9, 25), (3, 4, 9, 25, 2), (0, 3, 9, 25, 2)])
def test_other_shapes_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = make_files(tmp_path)
    np.save(path, np.zeros(shape, np.float32))
    assert str(path) in refusal(agcn.read, path)
    np.save(path, np.zeros((3, 3, 9, 25, 2), np.int32))
    assert "int32" in refusal(agcn.read, path)


def test_layout_by_number_or_name(tmp_path: Path) -> None:
    path = make_files(tmp_path, joints=17)
    assert next(agcn.read(path)).layout == "coco17"
    assert next(agcn.read(path, "h36m17")).layout == "h36m17"
    with pytest.raises(FormatError, match="17 joints"):
        list(agcn.read(path, "kinect25"))
    with pytest.raises(ConfigError, match="no layout named 'nonsense'"):
        list(agcn.read(path, "nonsense"))
    assert "18 joints" in refusal(agcn.read, make_files(tmp_path, joints=18))


def test_one_clip_at_a_time(tmp_path: Path) -> None:
    path = make_files(tmp_path)
    np.save(path, np.ones((300, 3, 40, 25, 2), np.float32))
    (tmp_path / "val_num_frame.npy").unlink()
    (tmp_path / "val_label.pkl").write_bytes(pickle.dumps(([str(n) for n in range(300)], [0] * 300)))
    assert peak_bytes(agcn.read, path) < path.stat().st_size / 10


@SMALL
@given(data=st.data(), of_labels=st.booleans())
def test_survives_any_damage(data: st.DataObject, of_labels: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.getbasetemp()
    path = make_files(root, "fuzzed")
    target = root / "fuzzed_label.pkl" if of_labels else path
    content = target.read_bytes()
    target.write_bytes(
        data.draw(damaged(content if of_labels else content[:400])) + (b"" if of_labels else content[400:])
    )
    survives(agcn.read, path)


def test_sniff(tmp_path: Path) -> None:
    assert agcn.sniff(make_files(tmp_path))
    assert not agcn.sniff(tmp_path / "val_num_frame.npy")
