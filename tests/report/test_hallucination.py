from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.engine.trainer import train
from halpose.report.hallucination import Hallucinations, hallucinations, positives_map, trained_clips
from small import SMALL


@pytest.fixture(scope="module")
def run(toy_run: Path) -> Run:
    return Run.load(toy_run)


@pytest.fixture(scope="module")
def found(run: Run) -> Hallucinations:
    made = hallucinations(run)
    assert isinstance(made, Hallucinations)
    return made


def test_positives_lie_on_the_way_and_keep_their_prototype(found: Hallucinations) -> None:
    anchor, target = found.keys[found.anchor], found.prototypes[found.toward]
    assert np.allclose(np.linalg.norm(found.points, axis=1), 1)
    omega = np.arccos((anchor * target).sum(1))
    walked = np.arccos(np.clip((anchor * found.points).sum(1), -1, 1))
    left = np.arccos(np.clip((target * found.points).sum(1), -1, 1))
    assert walked + left == pytest.approx(omega, abs=2e-3)  # on the geodesic
    assert walked == pytest.approx(found.t * omega, abs=2e-3)
    assert found.degrees == pytest.approx(np.degrees(walked), abs=0.1)
    # The rank filter: P* of the anchor is the nearest prototype of the positive, too.
    similarity = found.points @ found.prototypes.T
    star = similarity[np.arange(len(similarity)), found.nearest[found.anchor]]
    assert (star >= similarity.max(1) - 1e-6).all()
    assert (found.toward != found.nearest[found.anchor]).all()


def test_keys_are_those_of_the_queue_each_clip_once(run: Run, found: Hallucinations) -> None:
    queue = next(iter(run.method.stream_table().values())).queue
    assert len(set(found.clips.tolist())) == len(found.clips)
    newest = (int(queue.cursor) - 1) % len(queue.keys)
    assert found.keys[0] == pytest.approx(torch.nn.functional.normalize(queue.keys[newest], dim=0).double().numpy())
    assert found.clips[0] == int(queue.clips[newest])


def test_one_seed_one_map(run: Run, found: Hallucinations) -> None:
    again, other = hallucinations(run), hallucinations(run, seed=1)
    assert isinstance(again, Hallucinations) and isinstance(other, Hallucinations)
    assert np.array_equal(again.points, found.points)
    assert not np.array_equal(other.t, found.t)


def test_marks_say_what_they_are(run: Run, store: Store, found: Hallucinations) -> None:
    made = positives_map(found, run, store)
    keys, prototypes = len(found.keys), len(found.prototypes)
    assert len(made.points) == len(made.said) == len(made.plays) == keys + prototypes + len(found.points)
    clips = trained_clips(found, run, store)
    assert clips is not None and set(clips) <= set(store.part("x-sub", "official"))
    assert made.said[0].startswith(f"key of {store.classes[store.clips.label[clips[0]]]}")
    hard = made.labels[keys + prototypes :]
    assert hard.min() >= 2 and hard.max() == 6
    # Harder bins hold harder positives.
    order = np.argsort(found.degrees)
    assert (np.diff(hard[order]) >= 0).all()
    for position, joined in enumerate(made.links[keys + prototypes :]):
        assert joined == [found.anchor[position], keys + found.toward[position]]
        assert made.plays[keys + prototypes + position] == made.plays[found.anchor[position]]


def test_another_store_has_no_clips_of_these_keys(run: Run, store: Store, found: Hallucinations) -> None:
    other = Store(store.path, {**store.meta, "name": "elsewhere"}, store.frames, store.clips)
    assert trained_clips(found, run, other) is None
    assert positives_map(found, run, other).said[0].startswith("key of key 1")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (replace(SMALL, method="moco", steps=2), "no HaLP term"),
        (replace(SMALL, method="halp", steps=4, halp=replace(SMALL.halp, start=0.75)), "began at no step"),
        (replace(SMALL, method="halp", steps=4, halp=replace(SMALL.halp, toward="query")), "toward queries"),
    ],
    ids=["moco", "never", "query"],
)
def test_runs_without_positives_say_why(config, says: str, toy_store: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    train(Store.open(toy_store), config, tmp_path / "run", device="cpu", stop_at=2)
    found = hallucinations(Run.load(tmp_path / "run"))
    assert isinstance(found, str) and says in found


@pytest.mark.parametrize("estimator", ["sampled", "exact", "expected"])
@pytest.mark.parametrize("interval", ["paper", "published"])
def test_every_estimator_is_drawn(run: Run, estimator: str, interval: str) -> None:
    term = next(term for term in run.method.term_list() if term.name == "halp")
    before = term.config
    try:
        term.config = replace(before, estimator=estimator, interval=interval)
        found = hallucinations(run)
        assert isinstance(found, Hallucinations) and len(found.points)
        star = (found.points * found.prototypes[found.nearest[found.anchor]]).sum(1)
        assert (star >= (found.points @ found.prototypes.T).max(1) - 1e-6).all()
    finally:
        term.config = before
