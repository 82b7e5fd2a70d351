"""AlphaPose: everybody in every frame of a list; tracked people keep who they are, others are followed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import SMALL, damaged, refusal, survives
from test_coco import results
from test_openpose import agree, bodies

from halpose import io
from halpose.io import alphapose


def entries(all_people: np.ndarray, tracked: bool = True) -> list[dict[str, Any]]:
    people = len(all_people[0])
    made = results(all_people)
    for at, person in enumerate(made):
        person["image_id"] = f"{person['image_id'] - 1}.jpg"
        person["idx"] = at % people + 1 if tracked else 0
    return made


def make_file(path: Path, content: Any = None) -> Path:
    path.write_text(json.dumps(entries(bodies(joints=17)) if content is None else content))
    return path


@pytest.mark.parametrize(("joints", "layout", "kept"), [
    (17, "coco17", 17), (26, "halpe26", 26), (133, "coco17", 17), (136, "halpe26", 26),
])  # fmt: skip
@pytest.mark.parametrize("tracked", [True, False])
def test_reads_what_is_written(tmp_path: Path, joints: int, layout: str, kept: int, tracked: bool) -> None:
    made = bodies(5, 3, joints)
    path = make_file(tmp_path / "a.json", entries(made, tracked))
    assert io.sniff(path) == "alphapose"
    (clip,) = io.read(path)
    agree(clip, made[:, :, :kept])
    assert (clip.layout, clip.name, clip.people) == (layout, "a", ("1", "2", "3"))


def test_tracks_hold_where_everybody_jumps(tmp_path: Path) -> None:
    """Nobody could tell from their movement who it is; the file can."""
    made = bodies(6, 2, 17)
    made[1::2] = made[1::2, ::-1]
    (clip,) = io.read(make_file(tmp_path / "a.json", entries(made)))
    np.testing.assert_array_equal(clip.positions[0, :, 0, 0], made[:, 0, 0, 0].astype(np.float32))


def test_frames_without_people_are_missing(tmp_path: Path) -> None:
    made = bodies(5, 1, 17)
    content = entries(made)
    del content[2]
    (clip,) = io.read(make_file(tmp_path / "a.json", content))
    assert np.isfinite(clip.positions[0, :, 0, 0]).tolist() == [True, True, False, True, True]


def test_heat_maps_above_one_are_certain(tmp_path: Path) -> None:
    made = bodies(2, 1, 17)
    made[..., 2] = 5.5
    (clip,) = io.read(make_file(tmp_path / "a.json", entries(made)))
    assert clip.confidence is not None and (clip.confidence == 1).all()


@pytest.mark.parametrize(
    "content", [[], {}, 3, [1], [{"image_id": "1.jpg"}], [{"image_id": "1", "keypoints": [1] * 9}]]
)
def test_other_content_is_refused(tmp_path: Path, content: Any) -> None:
    assert str(tmp_path) in refusal(alphapose.read, make_file(tmp_path / "a.json", content))


@SMALL
@given(data=st.data())
def test_survives_any_damage(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = make_file(tmp_path_factory.getbasetemp() / "alphapose.json", entries(bodies(2, 1, 17)))
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    survives(alphapose.read, path)
