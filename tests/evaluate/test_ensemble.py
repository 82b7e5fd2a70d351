from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from halpose.errors import ConfigError
from halpose.evaluate.base import Settings
from halpose.evaluate.ensemble import ensemble, ensemble_knn
from halpose.evaluate.featureset import FeatureSet, Samples, side_by_side
from halpose.evaluate.knn import knn
from halpose.evaluate.linear import linear

Clusters = Callable[..., FeatureSet]


def two_streams(clusters: Clusters, noise: float = 2.0) -> dict[str, FeatureSet]:
    return {"joint": clusters(noise=noise, seed=1), "motion": clusters(noise=1.5 * noise, dimension=9, seed=2)}


def test_streams_side_by_side_are_found_again(clusters: Clusters) -> None:
    streams = two_streams(clusters)
    joined = side_by_side(streams)
    assert joined.test.features.shape[1] == 16 + 9
    for name, found in joined.streams().items():
        for part in ("train", "validation", "test"):
            np.testing.assert_array_equal(getattr(found, part).features, getattr(streams[name], part).features)
    labels = joined.test.labels.copy()
    labels[5] = -1
    clean, _ = replace(joined, test=replace(joined.test, labels=labels)).checked("abcd")
    assert len(clean.streams()["motion"].test) == len(labels) - 1
    np.testing.assert_array_equal(
        clean.streams()["motion"].test.features, np.delete(streams["motion"].test.features, 5, axis=0)
    )


def test_identical_streams_equal_one(clusters: Clusters) -> None:
    sets = clusters(noise=2.0)
    both = side_by_side({"a": sets, "b": sets, "c": sets})
    np.testing.assert_array_equal(
        ensemble(both, "test", Settings()).predictions, linear(sets, "test", Settings()).predictions
    )
    np.testing.assert_array_equal(
        ensemble_knn(both, "test", Settings()).predictions, knn(sets, "test", Settings()).predictions
    )


@pytest.mark.parametrize("protocol", [ensemble, ensemble_knn])
def test_one_stream_is_itself_and_says_so(protocol: Callable[..., object], clusters: Clusters) -> None:
    sets = clusters(noise=2.0)
    outcome = protocol(sets, "test", Settings())
    plain = {ensemble: linear, ensemble_knn: knn}[protocol](sets, "test", Settings())  # type: ignore[index]
    np.testing.assert_array_equal(outcome.predictions, plain.predictions)  # type: ignore[attr-defined]
    assert outcome.notes[-1] == "there is one stream, so nothing is added"  # type: ignore[attr-defined]


def test_the_sum_is_that_of_scikit_learns_log_probabilities(clusters: Clusters) -> None:
    streams = two_streams(clusters)
    outcome = ensemble(side_by_side(streams), "test", Settings())
    total = np.zeros((len(streams["joint"].test), 4))
    for name, sets in streams.items():
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=outcome.settings["C"][name], tol=1e-8, max_iter=5000)
        )
        model.fit(sets.official.features.astype(np.float64), sets.official.labels)
        total += model.predict_log_proba(sets.test.features.astype(np.float64))
    agree = outcome.predictions == total.argmax(axis=1)
    assert agree.mean() > 0.97  # both reach the optimum to a tolerance
    by_margin = np.sort(total, axis=1)
    assert agree[by_margin[:, -1] - by_margin[:, -2] > 0.1].all()


def test_each_stream_chooses_its_own_strength_on_validation(clusters: Clusters) -> None:
    streams = two_streams(clusters)
    outcome = ensemble(side_by_side(streams), "test", Settings())
    for name, sets in streams.items():
        alone = linear(sets, "test", Settings())
        assert outcome.settings["C"][name] == alone.settings["C"]
        assert outcome.settings["validation_by_C"][name] == alone.settings["validation_by_C"]
        assert outcome.values[name].value == (alone.predictions == sets.test.labels).mean()
    assert outcome.selected_on == "validation"
    rolled = {
        name: replace(sets, test=Samples(sets.test.features, np.roll(sets.test.labels, 1)))
        for name, sets in streams.items()
    }
    assert ensemble(side_by_side(rolled), "test", Settings()).settings == outcome.settings


def test_streams_that_each_know_half_know_all_together(clusters: Clusters) -> None:
    sets, rng = clusters(classes=4, each=40), np.random.default_rng(9)

    def blind(samples: Samples, pairs: tuple[tuple[int, int], tuple[int, int]], seed: int) -> Samples:
        """Clips of the two classes of a pair look the same."""
        centres = np.random.default_rng(seed).normal(size=(2, 6))
        group = np.array([0 if label in pairs[0] else 1 for label in samples.labels])
        noise = rng.normal(size=(len(group), 6))
        return Samples((centres[group] + 0.3 * noise).astype(np.float32), samples.labels)

    streams = {
        name: FeatureSet(*(blind(s, pairs, seed) for s in (sets.train, sets.validation, sets.test)))  # type: ignore[arg-type]
        for seed, (name, pairs) in enumerate({"x": ((0, 1), (2, 3)), "y": ((0, 2), (1, 3))}.items())
    }
    for protocol in (ensemble, ensemble_knn):
        # One strength: where two classes look the same, a stream's choice among several is a matter of luck.
        outcome = protocol(side_by_side(streams), "test", Settings(strengths=(0.1,)))
        assert max(value.value for value in outcome.values.values()) < 0.65
        assert (outcome.predictions == sets.test.labels).mean() > 0.8


def test_similarities_are_added_stream_by_stream(clusters: Clusters) -> None:
    streams = two_streams(clusters)
    streams["motion"] = FeatureSet(
        *(  # type: ignore[arg-type]
            Samples(samples.features * 1000, samples.labels)
            for samples in (streams["motion"].train, streams["motion"].validation, streams["motion"].test)
        )
    )
    total = np.zeros((len(streams["joint"].test), len(streams["joint"].official)))
    for sets in streams.values():
        queries, gallery = sets.test.features.astype(np.float64), sets.official.features.astype(np.float64)
        total += (queries @ gallery.T) / np.linalg.norm(queries, axis=1)[:, None] / np.linalg.norm(gallery, axis=1)
    outcome = ensemble_knn(side_by_side(streams), "test", Settings())
    np.testing.assert_array_equal(outcome.predictions, streams["joint"].official.labels[total.argmax(axis=1)])


def test_distances_are_not_added(clusters: Clusters) -> None:
    with pytest.raises(ConfigError, match="compared by distance"):
        ensemble_knn(replace(clusters(), metric="euclidean"), "test", Settings())
