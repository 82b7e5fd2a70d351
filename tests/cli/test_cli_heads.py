"""`halpose fit-head` and `halpose predict`: from a table of labels to answers, or to one clear message."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from terminal import halpose

from halpose.skeleton import Sequence


@pytest.fixture
def recordings(toy_recordings: list[Sequence], tmp_path: Path) -> Path:
    """Forty files and a table of their labels; the last subjects are only scored."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    lines = ["file,label,subject,split"]
    for sequence in toy_recordings[::3]:
        np.save(folder / f"{sequence.name}.npy", sequence.positions)
        part = "test" if sequence.subject in ("s7", "s8") else ""
        lines.append(f"{sequence.name}.npy,action {sequence.label},{sequence.subject},{part}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_from_a_few_labels_to_answers(run: Path, recordings: Path, tmp_path: Path) -> None:
    outcome = halpose("fit-head", run, recordings / "labels.csv", "--name", "moves", "--json")
    assert outcome.code == 0, outcome.err
    said = outcome.json
    assert said["folder"] == str(run / "heads" / "moves") and (run / "heads" / "moves" / "head.safetensors").exists()
    assert len(said["classes"]) >= 2 and said["folds_by"] in ("subject", "clip")
    assert {"accuracy", "calibration_error", "calibration_error_before", "accepted"} <= said["held_out"].keys()
    assert said["test"]["clips"] > 0 and said["curve"] == []
    assert "known clips accepted %" in outcome.err and f"next: halpose predict {run} FILES --head moves" in outcome.err

    answers = tmp_path / "answers.csv"
    words = ("--window", "0.4s", "--stride", "0.2s", "--fps", 30, "-o", answers, "--json")
    outcome = halpose("predict", run, *sorted(recordings.glob("*.npy"))[:3], *words)
    assert outcome.code == 0, outcome.err
    with answers.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = outcome.json["predictions"]
    assert len(rows) == len(found) > 3
    assert [row["answer"] for row in rows] == [one["answer"] for one in found]
    for one in found:
        assert one["unknown"] == (one["answer"] == "unknown") and one["likeliest"] in said["classes"]


def test_a_store_is_its_own_table_and_gives_a_curve(run: Path, toy_store: Path, tmp_path: Path) -> None:
    curve = tmp_path / "curve.svg"
    outcome = halpose("fit-head", run, "--on", toy_store, "--curve", curve, "--streams", "joint")
    assert outcome.code == 0, outcome.err
    assert "clips of each class" in outcome.out and curve.read_text().startswith("<svg")
    assert json.loads((run / "heads" / "toy-store" / "head.json").read_text())["streams"] == ["joint"]
    outcome = halpose("predict", run, toy_store)
    assert outcome.code == 0, outcome.err
    assert "and 60 more" in outcome.err
    halpose("fit-head", run, "--on", toy_store).fails("has a head 'toy-store' already")


def test_what_cannot_be_fitted_is_said(run: Path, toy_store: Path, recordings: Path, tmp_path: Path) -> None:
    halpose("fit-head", run).fails("give a table, labels.csv")
    halpose("fit-head", run, recordings / "labels.csv", recordings, "--on", toy_store).fails("not both")
    halpose("fit-head", run, tmp_path / "none.csv").fails("none.csv")
    table = recordings / "mine.csv"
    file = sorted(recordings.glob("*.npy"))[0].name
    for text, says in (
        ("file,label\nnobody.npy,a\n", "1 of its 1 names are not there: 'nobody.npy'"),
        (f"file,label\n{file},a\n", "only clips of 'a' to learn from"),
        ("name,label\nx,a\n", "no column called file"),
    ):
        table.write_text(text)
        halpose("fit-head", run, table).fails(says)
    names = sorted(path.name for path in recordings.glob("*.npy"))
    table.write_text("file,label\n" + "".join(f"{name},a\n" for name in names[:3]) + f"{names[3]},b\n")
    halpose("fit-head", run, table).fails("a single clip of 'b'")
    assert not (run / "heads").exists()
    halpose("predict", run, recordings).fails("has no head; fit one: halpose fit-head")
