"""`halpose view`, `report` and `compare`: what they write, say and refuse."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from terminal import TINY, halpose, set_words

from halpose.data.store import Store


def test_view_writes_a_page(toy_store: Path, store: Store, tmp_path: Path) -> None:
    out = tmp_path / "new" / "clip.html"
    outcome = halpose("view", toy_store, store.clips.name[3], "-o", out, "--from", "0.1", "--to", "0.4", "--json")
    assert outcome.code == 0 and outcome.out.count("\n") == 1
    said = outcome.json
    assert said["out"] == str(out) and said["bytes"] == out.stat().st_size and said["clip"] == store.clips.name[3]
    assert said["facts"]["Frames"].startswith("9 (")
    assert "Synthetic motion" in outcome.err and any("from 0.10 to 0.40 s" in note for note in said["notes"])
    assert out.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(("ending", "begins"), [("gif", b"GIF89a"), ("mp4", b"ftyp")])
def test_view_writes_pictures_that_move(toy_store: Path, tmp_path: Path, ending: str, begins: bytes) -> None:
    pytest.importorskip("PIL", reason="Pillow is not installed")
    pytest.importorskip("av", reason="PyAV is not installed")
    out = tmp_path / f"clip.{ending}"
    outcome = halpose("view", toy_store, "-o", out, "--to", "0.3", "--size", "96x80", "--theme", "dark", "--fps", "12")
    assert outcome.code == 0, outcome.err
    assert begins in out.read_bytes()[:16]
    assert "120 clips; this is the first" in outcome.err


def test_view_refuses_what_it_cannot_show(toy_store: Path, tmp_path: Path) -> None:
    halpose("view", toy_store, "-o", tmp_path / "clip.avi").fails("written as .html, .gif or .mp4")
    halpose("view", toy_store, "nobody", "-o", tmp_path / "clip.html").fails("no clip 'nobody' among 120")
    halpose("view", tmp_path / "none.bvh", "-o", tmp_path / "clip.html").fails("no such file")
    halpose("view", toy_store, "-o", tmp_path / "clip.gif", "--size", "9").fails("write 640x480")
    assert list(tmp_path.iterdir()) == []


def test_report_takes_what_evaluate_left(run: Path, toy_store: Path) -> None:
    assert halpose("evaluate", run, "--on", toy_store, "--protocol", "knn").code == 0
    file = next(run.glob("evaluation-*.json"))
    kept = json.loads(file.read_text())
    kept["results"][0]["top1"] = 0.123
    file.write_text(json.dumps(kept))
    outcome = halpose("report", run, "--json")
    assert outcome.code == 0 and outcome.out.count("\n") == 1, outcome.err
    assert outcome.json["page"] == str(run / "report.html") and outcome.json["split"] == "x-sub"
    assert outcome.json["points"] == 30
    text = (run / "report.html").read_text()
    assert "12.3" in text and "Linear probe" in text and "Raw coordinates" in text


def test_report_of_a_method_without_positives_says_so(toy_store: Path, tmp_path: Path) -> None:
    made = tmp_path / "moco"
    assert halpose("train", toy_store, "--recipe", "moco", *set_words(*TINY), "--out", made).code == 0
    outcome = halpose("report", made, "--on", toy_store, "-o", tmp_path / "page.html", "--points", "10", "--json")
    assert outcome.json["points"] == 10
    assert "no HaLP term" in " ".join(outcome.json["notes"]) and "no HaLP term" in outcome.err
    assert 'id="positives"' not in (tmp_path / "page.html").read_text()


def test_report_asks_for_a_store_that_has_moved(run: Path) -> None:
    about = json.loads((run / "config.json").read_text())
    about["store"]["path"] = "gone"
    (run / "config.json").write_text(json.dumps(about))
    halpose("report", run).fails("name one with --on")


def test_compare_pairs_by_clip(run: Path, toy_store: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(run, tmp_path / "other"))
    outcome = halpose("compare", run, other, "--on", toy_store, "-o", tmp_path / "both.html", "--json")
    assert outcome.code == 0 and outcome.out.count("\n") == 1, outcome.err
    said = outcome.json
    assert said["settings"] == {} and said["cost"]["Steps"] == ["4", "4"]
    assert [(score["protocol"], score["features"]) for score in said["scores"]] == [
        ("knn", "trained"), ("linear", "trained"),
    ]  # fmt: skip
    for score in said["scores"]:
        first, second = score["differences"]
        assert first is None and second["is_paired"] and second["value"] == 0
    assert Path(said["page"]).read_text().count("paired") > 2
    for_people = halpose("compare", run, other, "--on", toy_store)
    assert "+0.0 (" in for_people.out and "x-sub" in for_people.out and "Cost" in for_people.out
    assert max(map(len, for_people.out.splitlines())) <= 80


def test_compare_wants_two_runs_and_says_where_scores_come_from(run: Path, tmp_path: Path) -> None:
    halpose("compare", run).fails("give two runs or more")
    halpose("compare", run, tmp_path / "none").fails("not a run directory")
    other = Path(shutil.copytree(run, tmp_path / "other"))
    outcome = halpose("compare", run, other)
    assert outcome.code == 0 and "no run was scored" in outcome.err
