from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from document import Document

from halpose import io
from halpose.data.store import Store
from halpose.errors import DataError
from halpose.report.page import render_page
from halpose.report.recording import open_recording
from halpose.report.view_page import view_page
from halpose.skeleton import Sequence

NASTY = "<script>alert(1)</script>"


@pytest.fixture
def pickle_file(standing: np.ndarray, tmp_path: Path) -> Path:
    """Three clips of one file, as pyskl keeps them; the second has a person who is never seen."""
    body = np.zeros((25, 3))
    body[:20] = standing
    clips = []
    for number, name in enumerate(("first", NASTY, "third")):
        x = np.repeat(np.stack([body, np.full_like(body, np.nan)])[:, None], 30, axis=1) + 0.01 * number
        clips.append(Sequence(x.astype(np.float32), "kinect25", name, label=number))
    path = tmp_path / "clips.pkl"
    io.write(path, clips, "pyskl")
    return path


def test_the_first_clip_of_several_is_shown_and_said(pickle_file: Path) -> None:
    found = open_recording(pickle_file)
    assert found.sequence.name == "first"
    assert any("the first" in note for note in found.notes) and any("30 frames per second" in n for n in found.notes)
    assert found.sequence.positions.shape[0] == 1  # who is never seen is left out
    assert dict(found.facts)["People"] == "1"


@pytest.mark.parametrize("name", ["third", "2"])
def test_a_clip_by_name_or_number(pickle_file: Path, name: str) -> None:
    assert open_recording(pickle_file, name).sequence.name == "third"


def test_a_clip_that_is_not_there_names_those_that_are(pickle_file: Path, toy_store: Path) -> None:
    with pytest.raises(DataError, match="no clip 'thrid' among 3; there are third"):
        open_recording(pickle_file, "thrid")
    with pytest.raises(DataError, match="no clip '120' among 120"):
        open_recording(toy_store, "120")


def test_a_clip_of_a_store(toy_store: Path, store: Store) -> None:
    name = str(store.clips.name[7])
    by_name, by_number = open_recording(toy_store, name), open_recording(toy_store, "7")
    assert np.array_equal(by_name.sequence.positions, by_number.sequence.positions, equal_nan=True)
    assert by_name.action == store.classes[store.clips.label[7]]
    assert by_name.sequence.positions.shape[0] == store.clips.people[7]
    assert by_name.fps == 30
    assert by_name.notes == ("Synthetic motion: generated, not a recording of people.",)


def test_seconds_pick_frames(toy_store: Path) -> None:
    whole, part = open_recording(toy_store, "3"), open_recording(toy_store, "3", start=0.2, end=0.5)
    assert np.array_equal(part.sequence.positions, whole.sequence.positions[:, 6:15], equal_nan=True)
    assert "from 0.20 to 0.50 s" in " ".join(part.notes)
    for start, end in ((99.0, 0.0), (0.5, 0.2)):
        with pytest.raises(DataError, match="nothing between"):
            open_recording(toy_store, "3", start=start, end=end)


def test_nobody_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.pkl"
    io.write(path, [Sequence(np.full((1, 4, 25, 3), np.nan, np.float32), "kinect25", "nobody", label=0)], "pyskl")
    with pytest.raises(DataError, match="nobody is seen"):
        open_recording(path)


def test_the_page_is_one_large_player_and_escapes_names(pickle_file: Path) -> None:
    page = Document(render_page(view_page(open_recording(pickle_file, "1"))))
    assert len(page.all("canvas")) == 1 and page.all("div", class_="single")
    assert len(page.all("script")) == 2 and page.words().count(NASTY) >= 2
    assert page.data()["clips"][0]["shape"][1] == 30
