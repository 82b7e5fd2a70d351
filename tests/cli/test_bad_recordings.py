"""Raw files with every fault that happens: each is named or repaired, and no sound clip is lost or changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recordings import FRAMES, long_clip, skeleton_text, sound, walkers, with_coordinate
from terminal import TINY, halpose, set_words

from halpose import io
from halpose.data.normalise import clean
from halpose.data.store import Store
from halpose.errors import DataError, FormatError

# file name -> (content, what the report says); all of them are set aside
REFUSED = {
    "S001C001P001R001A011": ("", "the file is empty"),
    "S001C001P001R001A012": (sound()[: len(sound()) // 2], "the file ends in frame 20 of 40"),
    "S001C001P001R001A013": (sound()[:-40], "the file ends in frame 40 of 40"),
    "S001C001P001R001A014": ("3\n0\n0\n0\n", "no body in any of 3 frames"),
    "S001C001P001R001A015": ("0\n", "0 frames"),
    "S001C001P001R001A016": (sound().replace("\n25\n", "\n20\n"), "20 joints instead of 25 in frame 1 of 40"),
    "S001C001P001R001A017": (with_coordinate(sound(), "-1.#IND"), "'-1.#IND' is not a number in frame 6 of 40"),
    "S001C001P001R001A018": ("\x00\x01\x02\x7fELF\n", "is not the number of frames"),
    "S001C001P001R001A019": (skeleton_text(np.full((1, 3, 25, 3), np.nan), [[1]] * 3), "nobody in any frame"),
}  # fmt: skip
# Sound clips beside them; what is repaired is told.
KEPT = {
    "S001C001P003R001A001": (sound(), {}),
    "S001C001P003R001A002": (with_coordinate(sound(), "NaN"), {"joints_filled": 1}),
    "S001C001P003R001A003": (with_coordinate(sound(), "inf"), {"infinite": 1, "joints_filled": 1}),
    "S001C001P003R001A004": (with_coordinate(sound(), "-1e400"), {"infinite": 1, "joints_filled": 1}),
    "S001C001P003R001A005": (skeleton_text(walkers(frames=1), [[1]]), {}),
    "S001C001P003R001A006": (skeleton_text(walkers(2), [[1, 2]] * FRAMES), {}),
    "S001C001P003R001A007": (
        skeleton_text(walkers(2), [[1, 2]] * 15 + [[2, 1]] * (FRAMES - 15)),
        {"people_swapped": 1},
    ),
    "S001C001P003R001A008": (long_clip(10_000), {}),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    for name, (text, _) in {**REFUSED, **KEPT}.items():
        (folder / f"{name}.skeleton").write_text(text)
    return folder


@pytest.fixture(scope="module")
def prepared(source: Path) -> tuple[dict[str, Any], Store]:
    out = source.with_name(f"{source.name}-store")
    outcome = halpose("data", "prepare", "ntu60", "--source", source, "--out", out, "--json")
    assert outcome.code == 0, outcome.err
    return outcome.json, Store.open(out)


def clip(store: Store, name: str) -> np.ndarray:
    positions = store.clip(store.clips.name.tolist().index(name)).positions
    assert isinstance(positions, np.ndarray)
    return positions


def test_every_file_is_kept_or_named_with_its_reason(prepared: tuple[dict[str, Any], Store]) -> None:
    said, store = prepared
    report = json.loads((store.path / "report.json").read_text())
    reasons = {Path(entry["file"]).stem: entry["reason"] for entry in report["set_aside"]}
    assert set(reasons) == set(REFUSED)
    for name, (_, words) in REFUSED.items():
        assert words in reasons[name], name
    assert sorted(store.clips.name) == sorted(KEPT)
    assert report["repaired"] == {name: repairs for name, (_, repairs) in KEPT.items() if repairs}
    assert (said["clips"], said["set_aside"], said["files"]) == (len(KEPT), len(REFUSED), len(KEPT) + len(REFUSED))
    assert said["repairs"] == {"infinite": 2, "joints_filled": 3, "people_swapped": 1}


def test_sound_clips_and_repaired_ones_hold_what_was_recorded(prepared: tuple[dict[str, Any], Store]) -> None:
    _, store = prepared
    walked = walkers()[0]
    np.testing.assert_allclose(clip(store, "S001C001P003R001A001")[0], walked, atol=1e-6)
    for name in ("S001C001P003R001A002", "S001C001P003R001A003", "S001C001P003R001A004"):
        mended = clip(store, name)[0]
        expected = walked.copy()
        expected[5, 7] = (walked[4, 7] + walked[6, 7]) / 2
        np.testing.assert_allclose(mended, expected, atol=2e-6)
    np.testing.assert_array_equal(clip(store, "S001C001P003R001A007"), clip(store, "S001C001P003R001A006"))


def test_one_frame_and_ten_thousand_frames_are_clips_like_others(
    prepared: tuple[dict[str, Any], Store], tmp_path: Path
) -> None:
    _, store = prepared
    assert clip(store, "S001C001P003R001A005").shape[1] == 1
    assert clip(store, "S001C001P003R001A008").shape[1] == 10_000
    words = ["train", store.path, *set_words(*TINY, "data.part=all"), "--out", tmp_path / "run", "--json"]
    outcome = halpose(*words)
    assert outcome.code == 0, outcome.err
    assert np.isfinite(outcome.json["loss"])
    assert outcome.json["notes"] == ["batch_size lowered from 16 to 8, the number of clips"]


@pytest.mark.parametrize("name", REFUSED)
def test_the_library_says_what_where_and_what_would_work(name: str, source: Path) -> None:
    file = source / f"{name}.skeleton"
    with pytest.raises(DataError) as caught:
        for sequence in io.read(file):
            clean(sequence, people=2)
    message = str(caught.value)
    assert name in message and "; " in message  # the fault; the remedy
    if isinstance(caught.value, FormatError):
        assert str(file) in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "the file is empty"),
        ('{"skeletons": [[', "not readable as JSON"),
        ("[" * 100_000, "not readable as JSON"),
        ('{"label": 1}', "no skeletons in it"),
        (json.dumps({"skeletons": np.ones((5, 19, 3)).tolist()}), "5x19x3, not numbers of shape frames x 20 x 3"),
        (json.dumps({"skeletons": [[[0, 0, "x"]] * 20]}), "not numbers"),
    ],
)
def test_unreadable_json(content: str, words: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    sound = {"skeletons": np.round(walkers()[0, :5, :20], 3).tolist()}
    (source / "a01_s01_e00_v01.json").write_text(json.dumps(sound))
    (source / "a01_s01_e01_v01.json").write_text(content)
    outcome = halpose("data", "prepare", "nw-ucla", "--source", source, "--out", tmp_path / "store")
    assert outcome.code == 0
    assert "set aside: 1 damaged" in outcome.out
    [entry] = json.loads((tmp_path / "store" / "report.json").read_text())["set_aside"]
    assert entry["file"] == "a01_s01_e01_v01.json" and words in entry["reason"]
    assert len(Store.open(tmp_path / "store")) == 1


def test_nothing_but_damage_makes_no_store(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "S001C001P001R001A001.skeleton").write_text("")
    outcome = halpose("data", "prepare", "ntu60", "--source", source, "--out", tmp_path / "out" / "store", "--json")
    outcome.fails("none of the 1 files of NTU RGB+D 60 could be used", "the file is empty")
    assert outcome.json["kind"] == "DataError"
    assert not (tmp_path / "out" / "store").exists()
    assert not any((tmp_path / "out").iterdir())
