"""`halpose data doctor`: a report for people, one object for scripts, a page, and a mended store."""

from __future__ import annotations

from pathlib import Path

import pytest
from recordings import sound, with_coordinate
from terminal import halpose

from halpose import io
from halpose.data import synthetic
from halpose.data.store import Store
from halpose.doctor import CHECKS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four recordings: two sound, one with a spike, one cut off."""
    root = tmp_path / "raw"
    root.mkdir()
    for seed in range(2):
        (root / f"S001C001P00{seed + 1}R001A001.skeleton").write_text(sound(seed))
    (root / "S001C001P003R001A002.skeleton").write_text(with_coordinate(sound(2), "1.9", frame=20, joint=3))
    (root / "S001C001P001R002A002.skeleton").write_text(sound(3)[:5000])
    return root


def test_for_scripts(folder: Path) -> None:
    outcome = halpose("data", "doctor", folder, "--workers", 1, "--json")
    assert outcome.code == 0 and outcome.out.count("\n") == 1
    said = outcome.json
    assert (said["clips"], said["counts"]["error"], said["fix"]) == (3, 1, None)
    (spike,) = (one for one in said["findings"] if one["check"] == "spikes")
    assert spike["file"] == "S001C001P003R001A002.skeleton" and spike["frames"] == [20, 21]
    assert (spike["person"], spike["joints"], spike["severity"]) == (0, ["head"], "warning")
    assert {one["check"] for one in said["findings"]} <= set(CHECKS)


def test_for_people(folder: Path) -> None:
    outcome = halpose("data", "doctor", folder, "--workers", 1)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0].endswith("3 clips in 4 ntu, 120 frames")
    kinds = [tuple(line.split()[:2]) for line in lines if line.startswith(("error", "warning"))]
    assert kinds[0] == ("error", "damaged") and ("warning", "spikes") in kinds
    assert "S001C001P001R002A002.skeleton" in outcome.out and "head, frame 20" in " ".join(outcome.out.split())
    assert lines[-1].startswith("1 error, ")
    assert f"next: halpose data doctor {folder} --fix --out STORE" in outcome.err


def test_a_store_is_mended_and_the_page_written(folder: Path, tmp_path: Path) -> None:
    page, out = tmp_path / "pages" / "doctor.html", tmp_path / "mended"
    outcome = halpose("data", "doctor", folder, "--workers", 1, "--page", page, "--fix", "--out", out, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.json["fix"]["mended"] == {"joints_despiked": 1}
    assert len(Store.open(out)) == outcome.json["fix"]["clips"] == 3
    assert "Doctor: raw" in page.read_text()
    again = halpose("data", "doctor", out, "--workers", 1, "--json").json
    assert "spikes" not in {one["check"] for one in again["findings"]}
    outcome = halpose("data", "doctor", folder, "--workers", 1, "--fix", "--out", out)
    outcome.fails("there is a store already")
    assert halpose("data", "doctor", folder, "--workers", 1, "--fix", "--out", out, "--overwrite").code == 0


def test_a_sound_recording(tmp_path: Path) -> None:
    clip = synthetic.clip(synthetic.SyntheticSpec(clips=12, glitches=0), 0)
    io.write(tmp_path / "clip.skeleton", [clip], "ntu")
    outcome = halpose("data", "doctor", tmp_path / "clip.skeleton", "--workers", 1)
    assert outcome.code == 0 and "nothing is wrong" in outcome.out
    assert "next: halpose data prepare --source" in outcome.err


def test_what_cannot_be(folder: Path, toy_store: Path, tmp_path: Path) -> None:
    halpose("data", "doctor", folder, "--fix").fails("--fix and --out STORE go together")
    halpose("data", "doctor", folder, "--out", tmp_path / "x").fails("--fix and --out STORE go together")
    halpose("data", "doctor", tmp_path / "none").fails("no such file or folder")
    halpose("data", "doctor", toy_store, "--split", "x-set", "--workers", 1).fails(
        "no split named 'x-set'; it has x-sub"
    )
    halpose("data", "doctor", folder, "--layout", "kinect7").fails("no layout named 'kinect7'")
    outcome = halpose("data", "doctor", toy_store, "--fix", "--out", toy_store, "--overwrite", "--workers", 1)
    outcome.fails("never changed")


def test_labels(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    names = [f"S001C001P00{number}R001A00{1 + number // 3}" for number in (1, 2, 3)]
    lines = [
        f"{name},{label},anna,{part}" for name, label, part in zip(names, "xxy", ("train", "test", "test"), strict=True)
    ]
    table.write_text("\n".join(["file,label,subject,split", *lines]))
    said = halpose("data", "doctor", folder, "--labels", table, "--workers", 1, "--json").json
    kinds = {(one["check"], one["kind"]): one for one in said["findings"]}
    assert kinds["leakage", "people in both"]["severity"] == "error"
    assert "y" in kinds["leakage", "classes missing in training"]["what"]
