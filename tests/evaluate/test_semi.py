from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from halpose.errors import DataError
from halpose.evaluate.base import Settings
from halpose.evaluate.draws import draw_labels
from halpose.evaluate.featureset import FeatureSet, Samples
from halpose.evaluate.protocol import evaluate
from halpose.evaluate.semi import semi_linear

Clusters = Callable[..., FeatureSet]
ABOUT = {"classes": ("a", "b", "c", "d"), "split": "s"}


def test_each_draw_is_a_probe_on_its_clips(clusters: Clusters) -> None:
    sets = clusters(noise=2.0, each=40)
    settings = Settings(shares=(0.1,), draws=3, strengths=(0.1,))
    (outcome,) = semi_linear(sets, "test", settings)
    official = sets.official
    for number, predictions in enumerate(outcome.predictions):
        chosen = draw_labels(official.labels, 0.1, number=number)
        witness = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, tol=1e-8, max_iter=5000))
        witness.fit(official.features[chosen].astype(np.float64), official.labels[chosen])
        assert (witness.predict(sets.test.features.astype(np.float64)) == predictions).mean() > 0.98
    assert outcome.settings["labelled"] == 32 and outcome.selected_on == "none"


def test_more_labels_are_better_and_the_interval_holds_the_mean(clusters: Clusters) -> None:
    results = evaluate({"trained": clusters(noise=2.5, each=60)}, ["semi-linear"], **ABOUT)  # type: ignore[arg-type]
    assert [result.variant for result in results] == ["1 %", "5 %", "10 %", "20 %"]
    scores = [result.top1 for result in results]
    assert scores == sorted(scores) and scores[-1] > scores[0] + 0.1
    for result in results:
        assert result.low < result.top1 < result.high
        assert len(result.by_draw) == 5 and result.top1 == pytest.approx(np.mean(result.by_draw))


def test_the_strength_is_chosen_on_validation_and_test_labels_have_no_say(clusters: Clusters) -> None:
    sets = clusters(noise=2.0, each=30)
    rolled = replace(sets, test=Samples(sets.test.features, np.roll(sets.test.labels, 1)))
    for one, other in zip(semi_linear(sets, "test", Settings()), semi_linear(rolled, "test", Settings()), strict=True):
        assert one.settings == other.settings and one.selected_on == "validation"
        np.testing.assert_array_equal(one.predictions, other.predictions)
        tried = one.settings["validation_likelihood_by_C"]
        assert tried[f"{one.settings['C']:g}"] == max(tried.values())
        assert "settings were chosen with all labels of the validation part" in one.notes


def test_unstratified_draws_are_said_and_may_lack_classes(clusters: Clusters) -> None:
    sets = clusters(noise=0.1, classes=4, each=50)
    (outcome,) = semi_linear(sets, "test", Settings(shares=(0.02,), stratified=False, draws=8, seed=3))
    assert outcome.settings["drawn"] == "unstratified" and outcome.settings["labelled"] == 8
    assert "of 4 classes on average; the others count as wrong" in outcome.notes[0]
    scores = (outcome.predictions == sets.test.labels).mean(axis=1)
    assert set(np.round(scores, 2)) <= {0.5, 0.75, 1.0} and scores.min() < 1


def test_another_seed_draws_other_clips(clusters: Clusters) -> None:
    sets = clusters(noise=2.5, each=40)
    a, b, c = (semi_linear(sets, "test", Settings(shares=(0.05,), seed=seed))[0].predictions for seed in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_no_validation_part_needs_one_strength(clusters: Clusters) -> None:
    sets = clusters()
    blind = replace(sets, validation=Samples(sets.train.features[:0], sets.train.labels[:0]))
    with pytest.raises(DataError, match="strength of the linear probe cannot be chosen"):
        semi_linear(blind, "test", Settings())
    assert semi_linear(blind, "test", Settings(strengths=(0.1,)))


def test_one_clip_more_of_some_classes_does_not_decide_everything() -> None:
    """In train every class gives one clip, in the official part some give two: the strength must stand that."""
    rng = np.random.default_rng(4)
    centres = rng.normal(size=(8, 64))

    def part(counts: np.ndarray) -> Samples:
        labels = np.repeat(np.arange(8), counts)
        return Samples((centres[labels] + 1.5 * rng.normal(size=(len(labels), 64))).astype(np.float32), labels)

    few, uneven = np.full(8, 12), np.array([2, 6, 2, 2, 6, 2, 2, 2])
    sets = FeatureSet(part(few), part(uneven), part(np.full(8, 30)))
    small, large = semi_linear(sets, "test", Settings(shares=(0.1, 0.3)))
    assert small.settings["labelled"] == 10
    scores = [(outcome.predictions == sets.test.labels).mean() for outcome in (small, large)]
    assert scores[1] > scores[0] > 0.5
