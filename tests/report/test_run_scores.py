from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.errors import ConfigError
from halpose.evaluate.result import Result
from halpose.report.run_scores import all_scores, chosen_split, kept_scores, run_scores, shown_rows, trained_store


def write_scores(run: Path, *results: Result, data_set: str = "toy", steps: int = 4, suffix: str = "") -> None:
    first = results[0]
    content = {"data_set": data_set, "steps": steps, "store": "s", "results": [r.to_dict() for r in results]}
    name = f"evaluation-{data_set}-{first.split}-{first.part}{suffix}.json"
    (run / name).write_text(json.dumps(content))


@pytest.fixture
def run(toy_run: Path, tmp_path: Path) -> Run:
    return Run.load(shutil.copytree(toy_run, tmp_path / "run"))


@pytest.fixture
def knn() -> Result:
    """A score that no evaluation of the toy run gives, so that it is known when it is met again."""
    labels = np.arange(30) % 6
    return Result.from_predictions(
        (labels + 1) % 6, labels, list("abcdef"), protocol="knn", features="trained", split="x-sub", part="test"
    )


def test_what_was_scored_is_kept_and_the_rest_is_scored(run: Run, store: Store, knn: Result) -> None:
    write_scores(run.path, knn)
    rows = run_scores(run, store, "x-sub")
    assert [(row["protocol"], row["features"]) for row in rows] == [
        ("knn", "trained"), ("knn", "untrained"), ("knn", "raw"), ("knn", "raw-seen"), ("linear", "trained"),
        ("linear", "untrained"),
    ]  # fmt: skip
    assert rows[0]["top1"] == 0.0 and all(len(row["hits"]) == 30 for row in rows)
    assert [file.name for file in run.path.glob("evaluation-*")] == ["evaluation-toy-x-sub-test.json"]


def test_scores_of_another_step_split_or_stream_do_not_stand_for_the_usual_ones(
    run: Run, store: Store, knn: Result
) -> None:
    write_scores(run.path, knn, steps=2)
    assert kept_scores(run.path, "toy", 4) == []
    write_scores(run.path, knn, suffix="-joint+gru-bone")
    write_scores(run.path, dataclasses.replace(knn, part="validation"))
    write_scores(run.path, knn, data_set="other")
    rows = run_scores(run, store, "x-sub")
    assert rows[0]["top1"] > 0.0 and rows[0]["streams"] == ""
    (stream,) = [row for row in rows if row["streams"]]
    assert stream["streams"] == "joint:gru, bone" and len(rows) == 7
    assert [row["split"] for row in shown_rows(rows)][-1] == "x-sub, joint:gru, bone"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"steps": 4, "data_set": "toy", "store": "s", "results": [{}]}'])
def test_a_damaged_file_is_passed_over(run: Run, text: str) -> None:
    (run.path / "evaluation-toy-x-sub-test.json").write_text(text)
    assert all_scores(run.path, 4) == []


def test_the_split_that_is_meant(run: Run, store: Store) -> None:
    assert chosen_split(run, store) == "x-sub"
    with pytest.raises(ConfigError, match="no split named 'x-view'"):
        chosen_split(run, store, "x-view")
    nobody = dataclasses.replace(store.clips, label=np.full(len(store), -1))
    assert chosen_split(run, Store(store.path, store.meta, store.frames, nobody)) == ""


def test_the_store_it_was_trained_on(run: Run, toy_store: Path) -> None:
    assert trained_store(run) == toy_store
    about: dict[str, Any] = {**run.about, "store": {**run.about["store"], "path": "elsewhere"}}
    with pytest.raises(ConfigError, match="name one with --on"):
        trained_store(dataclasses.replace(run, about=about))
