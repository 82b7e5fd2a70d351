"""The doctor's page: well formed, escaped, with a picture for each kind of finding and the wrong joints marked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from document import Document

from browser import OVERFLOW, chromium, opened
from halpose.data.normalise import clean
from halpose.data.store import StoreWriter
from halpose.doctor.examine import examine_patients
from halpose.doctor.mended_store import mend_store
from halpose.doctor.patients import find_patients
from halpose.report.doctor_page import render_doctor_page, write_doctor_page
from halpose.report.doctor_pictures import bars, histogram, missing_map, trace
from halpose.skeleton import Sequence, load_layout

HOSTILE = "<img src=x onerror=alert(1)>"
LAYOUT = load_layout("kinect20")


@pytest.fixture
def store(toy_recordings: list[Sequence], tmp_path: Path) -> Path:
    """Twelve clips: a spike in the third, a gap of a second in the fifth."""
    path = tmp_path / "sick"
    with StoreWriter(
        path, layout=LAYOUT, people=2, classes=[HOSTILE, "b", "c", "d", "e", "f"], synthetic=True
    ) as writer:
        for at, sequence in enumerate(toy_recordings[:12]):
            clip = clean(sequence, people=2)
            x = clip.positions.copy()
            if at == 2:
                x[0, 9:11, LAYOUT.index("left_hand")] += 0.6
            if at == 4:
                x[0, 2:19, LAYOUT.index("right_foot")] = np.nan
            writer.append(replace(clip, positions=x, name=HOSTILE if at == 2 else clip.name))
    return path


def rendered(path: Path) -> Document:
    patients = find_patients(path)
    return Document(render_doctor_page(patients, examine_patients(patients, workers=1)))


def test_every_part_is_there(store: Path) -> None:
    page = rendered(store)
    ids = {attributes.get("id") for attributes in page.all("section")}
    assert ids == {"findings", "clips", "missing", "spikes", "set", "facts"}
    assert "joints jump" in page.words() or "jump away and back" in page.words()
    assert page.all("rect", class_="missing") and page.all("rect", class_="wrong") and page.all("polyline", class_="x")
    assert page.all("tr") and page.all("td", class_="warning")


def test_the_clip_plays_with_the_wrong_joints_marked(store: Path) -> None:
    data = rendered(store).data()
    hand = LAYOUT.index("left_hand")
    (marks,) = (clip["marks"] for clip in data["clips"] if clip["name"] == HOSTILE)
    assert [0, hand, 9, 11] in marks
    assert {clip["name"] for clip in data["clips"]} >= {HOSTILE}


def test_names_from_files_are_shown_and_never_run(store: Path) -> None:
    patients = find_patients(store)
    text = render_doctor_page(patients, examine_patients(patients, workers=1))
    assert HOSTILE not in text and "&lt;img src=x" in text


def test_what_was_mended_is_said(store: Path, tmp_path: Path) -> None:
    patients = find_patients(store)
    found = examine_patients(patients, workers=1)
    mended = mend_store(patients, found, tmp_path / "out", workers=1)
    page = Document(write_doctor_page(tmp_path / "page.html", patients, found, mended).read_text())
    assert page.all("section", id="mended") and "joints that jumped away" in page.words()


def test_a_sound_recording_has_a_page_too(toy_recordings: list[Sequence], tmp_path: Path) -> None:
    path = tmp_path / "sound"
    with StoreWriter(path, layout=LAYOUT, people=2, classes=list("abcdef"), synthetic=True) as writer:
        writer.append(clean(replace(toy_recordings[0], name="one"), people=2))
    page = rendered(path)
    assert "Nothing is wrong." in page.words() and not page.all("section", id="set")


def test_the_map_says_what_is_missing_where() -> None:
    lost = np.zeros((10, 3), dtype=bool)
    lost[2:5, 1] = lost[7, 2] = True
    page = Document(missing_map(lost, ["a", "b", "c"], "clip"))
    first, second = page.all("rect", class_="missing")
    scale = float(page.all("rect", class_="seen")[0]["width"] or 0) / 10
    assert float(first["width"] or 0) == pytest.approx(3 * scale, abs=0.01)
    assert float(second["x"] or 0) - float(first["x"] or 0) == pytest.approx(5 * scale, abs=0.01)
    assert "13.3% of joints and frames" in str(page.all("svg")[0]["aria-label"])


def test_a_trace_breaks_where_the_joint_is_missing() -> None:
    track = np.stack([np.arange(20.0), np.zeros(20), np.ones(20)], axis=1)
    track[8:10] = np.nan
    page = Document(trace(track, [(4, 5)], (0, 20), "joint"))
    assert len(page.all("polyline", class_="x")) == 2 and len(page.all("rect", class_="wrong")) == 1
    assert str(page.all("polyline", class_="x")[0]["points"]).count(",") == 8


def test_bars_and_lengths_count_everything() -> None:
    page = Document(histogram([10, 20, 20, 40], "Frames"))
    assert "from 10 to 40 frames, median 20" in page.words() and len(page.all("rect", class_="bar")) == 3
    page = Document(bars({f"c{at}": at for at in range(60)}, "Clips"))
    assert len(page.all("rect", class_="bar")) == 40 and "the first 40 of 60" in page.words()


@pytest.mark.slow
def test_the_page_in_a_browser(store: Path, tmp_path: Path) -> None:
    """No word on the console, nothing asked for, nothing that runs over, readable in light and dark."""
    patients = find_patients(store)
    path = write_doctor_page(tmp_path / "page.html", patients, examine_patients(patients, workers=1))
    with chromium() as browser:
        for scheme in ("light", "dark"):
            with opened(browser, path, scheme) as seen:
                assert seen.console == [] and [asked for asked in seen.requests if "page.html" not in asked] == []
                assert [row for row in seen.contrasts() if row[0] < 4.5] == []
        with opened(browser, path, width=400) as narrow:
            assert narrow.page.evaluate(OVERFLOW) == []
