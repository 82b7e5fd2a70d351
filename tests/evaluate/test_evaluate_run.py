from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from halpose.data.store import Store
from halpose.data.views import evaluation_view
from halpose.data.window import Window
from halpose.engine.run import Run
from halpose.errors import ConfigError
from halpose.evaluate import EVALUATIONS
from halpose.evaluate.base import Settings
from halpose.evaluate.features import run_features
from halpose.evaluate.featureset import FeatureSet
from halpose.evaluate.run import evaluate_run, parse_protocols

Runs = Callable[..., Run]


def features(sets: FeatureSet) -> np.ndarray:
    return np.concatenate([sets.train.features, sets.validation.features, sets.test.features])


def test_features_are_those_of_the_method(runs: Runs, store: Store) -> None:
    run = runs()
    sets = run_features(run, store, "x-sub", "trained")
    clips = store.part("x-sub", "test")
    window = Window.load(store, clips, run.config.data)
    with torch.no_grad():
        found = run.method.features(evaluation_view(window, torch.arange(len(window)), 16))
    np.testing.assert_allclose(sets.test.features, found.numpy(), atol=1e-6)


def test_streams_stand_side_by_side_in_the_order_asked_for(runs: Runs, store: Store) -> None:
    run = runs()
    alone = {name: run_features(run, store, "x-sub", "trained", streams=[name]) for name in ("joint", "motion")}
    assert not np.allclose(features(alone["joint"]), features(alone["motion"]))
    for order in (("joint", "motion"), ("motion", "joint")):
        both = run_features(run, store, "x-sub", "trained", streams=order)
        np.testing.assert_array_equal(features(both), np.hstack([features(alone[name]) for name in order]))
        assert list(both.streams()) == list(order)
    whole = run_features(run, store, "x-sub", "trained")
    np.testing.assert_array_equal(features(whole), np.hstack([features(alone["joint"]), features(alone["motion"])]))


def test_each_stream_is_extracted_once_and_kept(runs: Runs, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs()
    first = run_features(run, store, "x-sub", "trained", streams=["joint"])
    assert len(list((run.path / "features").iterdir())) == 1
    run_features(run, store, "x-sub", "trained")
    assert len(list((run.path / "features").iterdir())) == 2
    monkeypatch.setattr("halpose.evaluate.features.extract", None)  # nothing is left to extract
    again = run_features(run, store, "x-sub", "trained", streams=["joint"])
    np.testing.assert_array_equal(features(first), features(again))


def test_what_is_kept_belongs_to_its_weights_and_normalisation(runs: Runs, store: Store) -> None:
    run = runs("joint")
    sets = [
        run_features(run, store, "x-sub", "trained"),
        run_features(run, store, "x-sub", "untrained"),
        run_features(
            replace(run, config=replace(run.config, data=replace(run.config.data, align="none"))),
            store, "x-sub", "trained",
        ),
    ]  # fmt: skip
    assert len(list((run.path / "features").iterdir())) == 3
    assert not any(np.allclose(features(sets[0]), features(other)) for other in sets[1:])


def test_a_stream_that_is_not_there_is_named(runs: Runs, store: Store) -> None:
    with pytest.raises(ConfigError, match="no stream named 'bone'; this run has joint, motion"):
        evaluate_run(runs(), store, streams=["bone"])


def test_every_protocol_scores_a_run(runs: Runs, store: Store) -> None:
    quick = Settings(epochs=3, shares=(0.2,), draws=2, strengths=(0.01, 0.1))
    kinds = ("trained", "untrained")
    results = evaluate_run(runs(), store, protocols=list(EVALUATIONS), kinds=kinds, settings=quick)
    found = {(result.features, result.protocol) for result in results}
    assert found == {(kind, protocol) for kind in ("trained", "untrained") for protocol in EVALUATIONS}
    assert all(result.clips == len(store.part("x-sub", "test")) for result in results)


def test_runs_of_one_stream_are_added_like_the_streams_of_one_run(runs: Runs, store: Store) -> None:
    both = runs("joint", "motion", name="both")
    parts = {name: runs(name, name=name) for name in ("joint", "motion")}
    for name, part in parts.items():
        part.method.streams[name].load_state_dict(both.method.streams[name].state_dict())
    protocols = ["ensemble", "ensemble-knn", "linear", "retrieval"]
    whole = evaluate_run(both, store, protocols=protocols, kinds=["trained"])
    added = evaluate_run(list(parts.values()), store, protocols=protocols, kinds=["trained"])
    assert [result.confusion for result in whole] == [result.confusion for result in added]
    assert [result.headline for result in whole] == [result.headline for result in added]
    assert list(added[0].values) == ["joint joint", "motion motion"]
    assert added[0].settings["streams"] == "joint joint + motion motion"


def test_runs_in_folders_of_one_name_stay_apart(runs: Runs, store: Store, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    pair = [runs("joint", name="a/run"), runs("motion", name="b/run")]
    (result,) = evaluate_run(pair, store, protocols=["ensemble"], kinds=["trained"])
    assert list(result.values) == [f"{tmp_path / 'a/run'} joint", f"{tmp_path / 'b/run'} motion"]


def test_raw_is_scored_where_raw_says_something(runs: Runs, store: Store) -> None:
    for asked, given in ((["linear"], ["knn"]), (["retrieval"], ["retrieval"]), (["knn", "linear"], ["knn"])):
        run = runs("joint", name="-".join(asked))
        results = evaluate_run(run, store, protocols=asked, kinds=["raw"])
        assert [(result.features, result.protocol) for result in results] == [
            (kind, name) for kind in ("raw", "raw-seen") for name in given
        ]
        # Both are of one normalisation, and without anything to ignore there is no second.
        assert len({str(result.settings["normalisation"]) for result in results}) == 1
        (alone,) = evaluate_run(run, replace(store, confidence=None), protocols=asked, kinds=["raw"])
        assert alone.headline == results[0].headline
        assert results[0].selected_on == "validation" and "normalisation" in results[0].settings


def test_progress_says_what_is_worked_on(runs: Runs, store: Store) -> None:
    told: list[tuple[str, int, int]] = []
    evaluate_run(runs(), store, kinds=["trained"], progress=lambda *what: told.append(what))
    assert ("trained features, motion", len(store), len(store)) in told
    assert ("trained linear", 0, 0) in told


def test_names_are_told_apart() -> None:
    assert parse_protocols([]) == (("knn", "linear"), ("trained", "untrained", "raw"))
    assert parse_protocols(["retrieval", "raw"]) == (("retrieval",), ("trained", "raw"))
    with pytest.raises(ConfigError, match="--protocol retrival"):
        parse_protocols(["retrival"])
