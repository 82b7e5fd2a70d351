from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from document import Document

from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.engine.trainer import train
from halpose.report.page import render_page
from halpose.report.run_page import metric_rows, run_outcome, run_page
from small import SMALL


@pytest.fixture(scope="module")
def run(toy_run: Path) -> Run:
    return Run.load(toy_run)


@pytest.fixture
def unlabelled(store: Store) -> Store:
    """The same recordings, of which nobody said anything."""
    clips = dataclasses.replace(store.clips, label=np.full(len(store), -1), split={})
    return Store(store.path, {**store.meta, "classes": [], "splits": []}, store.frames, clips)


def sections(page: Document) -> list[str]:
    return [section["id"] or "" for section in page.all("section")]


def test_recordings_without_labels_have_a_page_without_scores(run: Run, unlabelled: Store) -> None:
    page = run_page(run, unlabelled, [], title="Mine", points=40)
    document = Document(render_page(page))
    assert sections(document) == ["training", "map", "neighbours", "positives", "clips", "facts"]
    data = document.data()
    assert len(data["maps"][0]["x"]) == 40 and data["maps"][0]["classes"] == {"-1": "no label"}
    assert {clip["name"] for clip in data["previews"]} >= set(data["maps"][0]["name"])
    assert "same class" not in document.words() and "another class" not in document.words()


def test_the_number_of_points_is_kept_and_the_seed_decides(run: Run, unlabelled: Store) -> None:
    first, again, other = (
        run_page(run, unlabelled, [], title="Mine", points=7, seed=seed).embedding for seed in (0, 0, 1)
    )
    assert first and again and other and len(first.points) == 7
    assert list(first.names) == list(again.names) != list(other.names)
    assert np.array_equal(first.points, again.points)


def test_what_a_run_left_is_read_as_far_as_it_is_there(run: Run, tmp_path: Path) -> None:
    assert [row["step"] for row in metric_rows(run.path)][-1] <= run.step
    assert run_outcome(run.path)["steps"] == run.step
    assert metric_rows(tmp_path) == [] and run_outcome(tmp_path) == {}
    (tmp_path / "run.json").write_text("[1]")
    assert run_outcome(tmp_path) == {}


def test_a_run_on_flat_recordings_has_a_page(store: Store, tmp_path: Path) -> None:
    flat = Store(store.path, store.meta, np.ascontiguousarray(store.frames[..., :2]), store.clips)  # type: ignore[arg-type]
    config = dataclasses.replace(SMALL, method="halp", steps=4)
    train(flat, config, tmp_path / "run", device="cpu")
    page = run_page(Run.load(tmp_path / "run"), flat, [], title="Flat", split="x-sub", points=7)
    document = Document(render_page(page))
    assert {clip["shape"][3] for clip in document.data()["clips"]} == {2}
    assert "Drag to turn" not in document.words()
