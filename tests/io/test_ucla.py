"""Northwestern-UCLA: labels by the number in the name, one frame is enough, odd JSON is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import SMALL, damaged, refusal, survives

from halpose.io import ucla


def make_file(path: Path, frames: int = 3, **others: Any) -> Path:
    skeletons = np.random.default_rng(0).normal((0, 0, 3), 0.5, (frames, 20, 3)).round(6)
    path.write_text(json.dumps({"file_name": path.stem, "skeletons": skeletons.tolist(), "label": 1, **others}))
    return path


@pytest.mark.parametrize("frames", [1, 7])
def test_reads_what_is_written(tmp_path: Path, frames: int) -> None:
    path = make_file(tmp_path / "a12_s10_e04_v03.json", frames)
    (clip,) = ucla.read(path)
    expected = np.array(json.loads(path.read_text())["skeletons"], dtype=np.float32)
    assert np.array_equal(clip.positions, expected[None])
    assert (clip.name, clip.label, clip.subject, clip.camera) == ("a12_s10_e04_v03", 9, "s10", 3)
    assert clip.extra == {"trial": 4}


@pytest.mark.parametrize(("action", "label"), [(1, 0), (6, 5), (8, 6), (9, 7), (11, 8), (12, 9)])
def test_actions_are_counted_without_gaps(tmp_path: Path, action: int, label: int) -> None:
    (clip,) = ucla.read(make_file(tmp_path / f"a{action:02d}_s01_e00_v01.json"))
    assert clip.label == label


def test_unknown_action_is_refused(tmp_path: Path) -> None:
    assert "action 07" in refusal(ucla.read, make_file(tmp_path / "a07_s01_e00_v01.json"))


@pytest.mark.parametrize(("given_label", "label"), [(10, 9), (0, -1), (11, -1), ("2", -1), (True, -1), (None, -1)])
def test_other_names_take_the_files_label(tmp_path: Path, given_label: Any, label: int) -> None:
    (clip,) = ucla.read(make_file(tmp_path / "mine.json", label=given_label))
    assert (clip.label, clip.subject, clip.camera) == (label, "", 0)


def test_zero_joint_is_missing(tmp_path: Path) -> None:
    skeletons = np.ones((2, 20, 3))
    skeletons[1, 7] = 0
    (clip,) = ucla.read(make_file(tmp_path / "a.json", skeletons=skeletons.tolist()))
    assert np.isnan(clip.positions[0, 1, 7]).all() and np.isnan(clip.positions).sum() == 3


def test_nan_is_missing(tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.json")
    first = json.loads(path.read_text())["skeletons"][0][0][0]
    path.write_text(path.read_text().replace(str(first), "NaN", 1))
    (clip,) = ucla.read(path)
    assert np.isnan(clip.positions).sum() == 1


@pytest.mark.parametrize(
    "skeletons",
    [
        *([], [[]], [[[]]], 3, "x", None, {}, [1, 2]),
        np.ones((2, 25, 3)).tolist(),
        np.ones((2, 20, 2)).tolist(),
        [np.ones((20, 3)).tolist(), np.ones((19, 3)).tolist()],
        np.full((2, 20, 3), "1.5").tolist(),
        [[[10**400] * 3] * 20],
        [[[True, None, 1]] * 20],
    ],
)
def test_other_shapes_are_refused(tmp_path: Path, skeletons: Any) -> None:
    assert "skeletons" in refusal(ucla.read, make_file(tmp_path / "a.json", skeletons=skeletons))


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"{}", b"\xff\xfe\x00", b"[" * 100_000, b"1" * 5000])
def test_garbage_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    assert str(tmp_path) in refusal(ucla.read, tmp_path / "a.json")


@SMALL
@given(data=st.data())
def test_survives_any_damage(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = make_file(tmp_path_factory.getbasetemp() / "fuzzed.json", 2)
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    survives(ucla.read, path)


def test_sniff(tmp_path: Path) -> None:
    assert ucla.sniff(make_file(tmp_path / "a.json"))
    (tmp_path / "b.json").write_text('{"version": 1.2, "people": []}')
    assert not ucla.sniff(tmp_path / "b.json")
