"""An examination of files, folders and stores, in one process or several, and its report."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from faults import spike

from halpose import io
from halpose.data.own import prepare_own
from halpose.data.store import Store
from halpose.doctor import CHECKS, SEVERITIES, examine
from halpose.doctor.examine import examine_patients
from halpose.doctor.finding import Finding
from halpose.doctor.patients import find_patients
from halpose.doctor.report import MOST_FINDINGS, Findings
from halpose.errors import ConfigError, DataError
from halpose.skeleton import Sequence

Clips = list[Sequence]
Write = Callable[[Path, Clips], Path]


@pytest.fixture
def folder(alone: Clips, tmp_path: Path, write_files: Write) -> Path:
    """Six sound recordings in two folders, one that jumps, one cut off, one empty, and what is none."""
    root = write_files(tmp_path / "raw" / "a", alone[:3]).parent
    write_files(root / "b", [*alone[3:6], spike(alone[6], 3, 20, 1, np.ones(3))])
    whole = (root / "a" / f"{alone[0].name}.skeleton").read_text()
    (root / "b" / "cut.skeleton").write_text(whole[: len(whole) // 2])
    (root / "b" / "empty.skeleton").write_text("")
    (root / "LICENSE").write_text("ours")
    (root / "notes.txt").write_text("said on Monday\n")
    return root


def test_a_folder(folder: Path, alone: Clips) -> None:
    found = examine(folder, workers=1)
    assert len(found.clips) == 7 and dict(found.formats) == {"ntu": 8}
    damaged = {one.file: one for one in found.findings if one.check == "damaged"}
    assert {name: one.severity for name, one in damaged.items()} == {
        "b/cut.skeleton": "error", "b/empty.skeleton": "warning", "notes.txt": "warning", "": "note",
    }  # fmt: skip
    assert "the file is empty" in damaged["b/empty.skeleton"].what and "1 no ending" in damaged[""].what
    (jumps,) = (one for one in found.findings if one.check == "spikes")
    assert (jumps.file, jumps.joints, jumps.frames) == (f"b/{alone[6].name}.skeleton", ("head",), (20, 21))
    assert found.clips[jumps.at].name == f"b/{alone[6].name}" == jumps.clip
    assert jumps.where == f"b/{alone[6].name}.skeleton, person 1, head, frame 20"


def test_the_report_is_json_with_counts_that_add_up(folder: Path) -> None:
    found = examine(folder, workers=1)
    said = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert sum(said["counts"].values()) == sum(group["count"] for group in said["kinds"]) == len(said["findings"])
    order = [SEVERITIES.index(one["severity"]) for one in said["findings"]]
    assert order == sorted(order) and {one["check"] for one in said["findings"]} <= set(CHECKS)
    (jumps,) = (one for one in said["findings"] if one["check"] == "spikes")
    assert jumps["places"] == [{"joints": ["head"], "frames": [20, 21]}]
    assert all(one["what"] and one["remedy"] for one in said["findings"])


@pytest.mark.slow
def test_several_processes_say_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("halpose.doctor.patients._FILES", 2)
    patients = find_patients(folder)
    assert len(patients.portions) == 4
    told: list[tuple[int, int]] = []
    one = examine_patients(patients, workers=1, progress=lambda now: told.append((now.done, now.files))).to_dict()
    two = examine_patients(patients, workers=2).to_dict()
    assert one | {"seconds": 0} == two | {"seconds": 0}
    assert told == [(2, 8), (4, 8), (6, 8), (8, 8)]


def test_a_store(toy_store: Path) -> None:
    found = examine(toy_store, workers=1)
    assert len(found.clips) == 120 and [clip.name for clip in found.clips] == Store.open(toy_store).clips.name.tolist()
    assert set(found.labelling.splits) == {"x-sub"} and found.labelling.classes[3] == "squat"
    assert found.counts()["error"] == 0
    with pytest.raises(ConfigError, match="no split named 'x-view'; it has x-sub"):
        examine(toy_store, split="x-view", workers=1)
    with pytest.raises(DataError, match="leave --labels out"):
        examine(toy_store, labels=toy_store / "labels.csv")


def test_labels(folder: Path, alone: Clips) -> None:
    lines = [
        f"{clip.name},{'wave' if at % 2 else 'sit'},p{at // 3},{'test' if at == 5 else 'train'}"
        for at, clip in enumerate(alone[:7])
    ]
    table = folder / "labels.csv"
    table.write_text("\n".join(["file,label,subject,split", *lines]))
    found = examine(folder, labels=table, workers=1)
    assert found.labelling.classes == ("sit", "wave") and [clip.subject for clip in found.clips[:4]] == ["p0"] * 3 + [
        "p1"
    ]
    kinds = {(one.check, one.kind): one for one in found.findings}
    assert ("leakage", "people in both") in kinds and "p1" in kinds["leakage", "people in both"].what
    assert not any("labels.csv" in one.file for one in found.findings)


def test_a_layout_to_map_to(folder: Path) -> None:
    found = examine(folder, layout="kinect20", workers=1)
    assert {(clip.layout, clip.joints) for clip in found.clips} == {("kinect20", 20)}


def test_a_single_file(folder: Path, alone: Clips) -> None:
    found = examine(folder / "a" / f"{alone[1].name}.skeleton", workers=1)
    assert [clip.name for clip in found.clips] == [alone[1].name] and found.counts()["warning"] == 0


def test_people_who_lie_before_a_camera_are_not_to_be_turned(tmp_path: Path) -> None:
    """Landmarks of an image have no unit, and the image says what is up: of the files, and of a store made of them."""
    rng = np.random.default_rng(0)
    body = rng.normal(0, 0.02, (33, 3)) + np.linspace(0, 0.9, 33)[:, None] * (1, 0.1, 0)  # from nose to toes along x
    (tmp_path / "poses").mkdir()
    for name in "abcdef":
        frames = [
            [{"x": x, "y": y, "z": z, "visibility": 0.9} for x, y, z in body + rng.normal(0, 0.003, (33, 3))]
            for _ in range(40)
        ]
        (tmp_path / "poses" / f"{name}.json").write_text(json.dumps({"landmarks": frames}))
    prepare_own(tmp_path / "poses", tmp_path / "store", workers=1)
    for path in (tmp_path / "poses", tmp_path / "store"):
        found = examine(path, workers=1)
        assert not {finding.check for finding in found.findings} & {"axes", "units"}


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        examine(tmp_path / "none")
    (tmp_path / "README").write_text("nothing")
    with pytest.raises(DataError, match="no recordings; known endings"):
        examine(tmp_path)


def test_findings_without_end_are_counted_and_the_first_kept() -> None:
    found = Findings()
    found.add(Finding("spikes", "joints jump", "warning", "x", "y", clip=str(at)) for at in range(MOST_FINDINGS + 7))
    (group,) = found.groups()
    assert group.count == MOST_FINDINGS + 7 and len(group.first) == MOST_FINDINGS == len(list(found))


@pytest.mark.data
@pytest.mark.slow
def test_real_recordings(halpose_data: Path) -> None:
    """What is known of them is said; about most clips nothing is."""
    found = examine(halpose_data / "hdm05")
    assert found.counts()["error"] == 0 and found.counts()["warning"] < 0.01 * len(found.clips)
    copies = [one for one in examine(halpose_data / "nw-ucla").findings if one.kind == "the same"]
    # Two actions have the same files under camera 2 and camera 3.
    assert copies and all("/a02_" in name or "/a03_" in name for one in copies for name in one.clips)


def test_clips_that_have_no_name_of_their_own(alone: Clips, tmp_path: Path) -> None:
    """Several clips of one file are named by it."""
    clips = [replace(clip, name=f"take{at}") for at, clip in enumerate(alone[:3])]
    io.write(tmp_path / "all.pkl", clips, "pyskl")
    found = examine(tmp_path / "all.pkl", workers=1)
    assert [clip.name for clip in found.clips] == ["all/take0", "all/take1", "all/take2"]
