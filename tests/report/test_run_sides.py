from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from document import Document
from test_run_scores import write_scores

from halpose.data.store import Store
from halpose.errors import CheckpointError
from halpose.evaluate.intervals import paired_difference
from halpose.evaluate.result import Result
from halpose.report.compare_page import compare_page, signed
from halpose.report.curves import read_curves
from halpose.report.overlay import overlay_data, overlay_grid, shared_quantities
from halpose.report.run_sides import compare_scores, costs, difference, differing, read_sides, scored_on

CLASSES = list("abcdef")
LABELS = np.arange(30) % 6
NASTY = "</script><img src=x onerror=alert(1)>"


def scored(wrong: list[int], **about: Any) -> Result:
    """A score where these clips were taken for another class."""
    predictions = LABELS.copy()
    predictions[wrong] = (predictions[wrong] + 1) % 6
    usual = {"protocol": "knn", "features": "trained", "split": "x-sub", "part": "test"}
    return Result.from_predictions(predictions, LABELS, CLASSES, **{**usual, **about})


@pytest.fixture
def runs(toy_run: Path, tmp_path: Path) -> list[Path]:
    """Two runs; of the second, seed and temperature were changed, and it logged more."""
    first, second = (Path(shutil.copytree(toy_run, tmp_path / name)) for name in ("one", "two"))
    config = json.loads((second / "config.json").read_text())
    config["config"]["seed"] = 7
    config["config"]["contrast"]["temperature"] = 0.2
    (second / "config.json").write_text(json.dumps(config))
    rows = [{"step": s, "loss": 5.0 - s, "accuracy": 0.1 * s} for s in range(1, 5)]
    (first / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (second / "metrics.jsonl").write_text("\n".join(json.dumps({**row, "kept": 0.5}) for row in rows))
    return [first, second]


def test_only_what_differs_is_listed(runs: list[Path]) -> None:
    assert differing(read_sides(runs)) == [("seed", ["0", "7"]), ("contrast.temperature", ["0.1", "0.2"])]


def test_runs_of_one_name_are_told_apart_and_one_run_is_not_two(runs: list[Path], tmp_path: Path) -> None:
    other = Path(shutil.copytree(runs[0], tmp_path / "more" / "one"))
    assert [side.name for side in read_sides([runs[0], other])] == [f"{tmp_path.name}/one", "more/one"]
    with pytest.raises(CheckpointError, match="given twice"):
        read_sides([runs[0], runs[0] / "." / ".." / "one"])
    shutil.rmtree(other / "checkpoints")
    with pytest.raises(CheckpointError, match="no checkpoint yet"):
        read_sides([runs[0], other])


def test_the_same_clips_are_compared_one_by_one(runs: list[Path]) -> None:
    write_scores(runs[0], scored([1, 2, 3, 4, 5]))
    write_scores(runs[1], scored([1, 2]))
    (line,) = compare_scores(read_sides(runs))
    assert line.differences[0] is None
    found = line.differences[1]
    assert found is not None and found.is_paired and found.value == pytest.approx(0.1)
    hits = [np.array([hit == "1" for hit in row["hits"]]) for row in line.rows if row]
    assert (found.value, found.low, found.high) == paired_difference(hits[1], hits[0])


def test_other_clips_or_unknown_ones_are_not_paired(runs: list[Path]) -> None:
    ours, theirs = scored([1, 2]).to_dict(), scored([1, 2, 3, 4, 5]).to_dict()
    paired = difference(ours, theirs)
    for change in ({"hits": ""}, {"confusion": [[5] * 6] * 6}):
        found = difference(ours | change, theirs)
        assert not found.is_paired and found.value == pytest.approx(paired.value)
        assert found.low < paired.low < paired.high < found.high


def test_scores_stand_where_they_belong(runs: list[Path]) -> None:
    write_scores(runs[0], scored([1], protocol="linear"), scored([1], features="raw"), scored([2]))
    write_scores(runs[0], scored([1]), suffix="-joint")
    write_scores(runs[0], scored([1]), data_set="another")
    write_scores(runs[1], scored([1]), data_set="toy")
    lines = compare_scores(read_sides(runs))
    assert [(line.place, line.title) for line in lines] == [
        ("toy, x-sub", "knn, trained"), ("toy, x-sub", "linear, trained"), ("toy, x-sub", "knn, raw"),
        ("toy, x-sub, joint", "knn, trained"), ("another, x-sub", "knn, trained"),
    ]  # fmt: skip
    assert [sum(row is not None for row in line.rows) for line in lines] == [2, 1, 1, 1, 1]


def test_what_is_not_kept_by_clip_is_scored_again(runs: list[Path], store: Store) -> None:
    write_scores(runs[0], dataclasses.replace(scored([1]), hits=""), scored([1, 2], protocol="linear"))
    sides = scored_on(read_sides(runs), store)
    first, second = (
        {line.title: line.rows for line in compare_scores(sides)}[f"{p}, trained"] for p in ("knn", "linear")
    )
    assert first[0] and first[0]["top1"] != scored([1]).top1 and len(first[0]["hits"]) == 30
    assert second[0] and second[0]["top1"] == scored([1, 2]).top1
    # What was kept is of clips of other classes than the store's: those two cannot be paired.
    assert [line.differences[1].is_paired for line in compare_scores(sides) if line.differences[1]] == [True, False]


def test_costs_are_those_that_are_known(runs: list[Path]) -> None:
    (runs[0] / "run.json").write_text(json.dumps({"seconds": 10.0, "clips_per_second": 200.0}))
    (runs[1] / "run.json").unlink()
    rows = dict(costs(read_sides(runs)))
    assert rows["Steps"] == ["4", "4"] and rows["Clips seen"] == ["64", "64"]
    assert rows["Seconds"] == ["10", "\u2013"] and "Last loss" not in rows
    assert rows["Time per clip (first = 1)"] == ["1.00", "\u2013"]
    (runs[1] / "run.json").write_text(json.dumps({"clips_per_second": 100.0}))
    assert dict(costs(read_sides(runs)))["Time per clip (first = 1)"] == ["1.00", "2.00"]


def test_curves_over_each_other_are_what_both_logged(runs: list[Path]) -> None:
    curves = [read_curves(side.metrics) for side in read_sides(runs)]
    assert shared_quantities(curves) == ["loss", "accuracy"]
    page = Document(overlay_grid(["one", "two"], [*curves]))
    assert len(page.all("figure")) == 2
    paths = page.all("path")
    assert len(paths) == 4 and paths[0]["d"] == paths[1]["d"] and paths[0]["class"] != paths[1]["class"]
    data = overlay_data(curves)
    assert data["panels"]["loss"]["values"] == [[4.0, 3.0, 2.0, 1.0]] * 2
    assert shared_quantities([curves[0], None]) == []


def test_the_page_holds_it_all_and_names_cannot_leave_their_place(runs: list[Path]) -> None:
    write_scores(runs[0], scored([1, 2, 3]), scored([2], protocol=NASTY))
    write_scores(runs[1], scored([3]))
    sides = [dataclasses.replace(side, name=f"{side.name}{NASTY}") for side in read_sides(runs)]
    document = Document(compare_page(sides, title=NASTY, notes=[NASTY]))
    assert [section["id"] for section in document.all("section")] == ["scores", "settings", "training", "cost", "notes"]
    assert not document.all("img") and len(document.all("script")) == 2
    words = document.words()
    for said in ("contrast.temperature", "+6.7", "paired", "1 scores of one run only", "seed 7", NASTY):
        assert said in words, said
    ids = [attributes["id"] for _, attributes in document.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_runs_without_scores_or_logs_still_make_a_page(runs: list[Path]) -> None:
    for run in runs:
        (run / "metrics.jsonl").unlink()
        (run / "run.json").unlink(missing_ok=True)
    document = Document(compare_page(read_sides(runs)))
    assert [section["id"] for section in document.all("section")] == ["settings", "cost", "notes"]


@pytest.mark.parametrize(("share", "text"), [(0.012, "+1.2"), (-0.012, "\u22121.2"), (0.0, "0.0"), (-0.0001, "0.0")])
def test_differences_have_a_sign(share: float, text: str) -> None:
    assert signed(share) == text
