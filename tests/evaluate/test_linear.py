from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from halpose.errors import DataError
from halpose.evaluate.base import Evaluation, Settings
from halpose.evaluate.featureset import FeatureSet, Samples
from halpose.evaluate.linear import choose_probe, fit_probes, linear, linear_sgd

Clusters = Callable[..., FeatureSet]
STRENGTHS = Settings().strengths


def test_probabilities_are_those_of_scikit_learn(clusters: Clusters) -> None:
    sets = clusters(noise=1.5, classes=5, each=30)
    # Far from the origin and in another unit: the probe standardises for itself.
    train = Samples(sets.train.features * 40 + 500, sets.train.labels * 2)
    test = sets.test.features * 40 + 500
    for probe, strength in zip(fit_probes(train, STRENGTHS), STRENGTHS, strict=True):
        witness = make_pipeline(StandardScaler(), LogisticRegression(C=strength, tol=1e-8, max_iter=5000))
        witness.fit(train.features.astype(np.float64), train.labels)
        np.testing.assert_allclose(
            probe.log_probabilities(test).exp().numpy(), witness.predict_proba(test.astype(np.float64)), atol=0.01
        )
        assert probe.classes.tolist() == witness[-1].classes_.tolist()
        assert (probe.predict(test) == witness.predict(test)).mean() > 0.98


def test_the_strength_chosen_is_the_best_on_validation(clusters: Clusters) -> None:
    sets = clusters(noise=2.0, classes=4, each=15, dimension=40)
    probe, tried = choose_probe(sets.train, sets.validation, STRENGTHS)
    witness = {}
    for strength in STRENGTHS:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, tol=1e-8, max_iter=5000))
        model.fit(sets.train.features.astype(np.float64), sets.train.labels)
        witness[f"{strength:g}"] = model.score(sets.validation.features.astype(np.float64), sets.validation.labels)
    # The optimum is reached to a tolerance, so a clip on the border between two classes may fall on either side.
    assert tried == pytest.approx(witness, abs=1.01 / len(sets.validation))
    assert tried[f"{probe.strength:g}"] == max(tried.values())


def test_of_equal_accuracies_the_likelier_strength_is_taken(clusters: Clusters) -> None:
    sets = clusters(noise=0.01)
    probe, tried = choose_probe(sets.train, sets.validation, (1e-2, 1.0, 1e-1))
    assert set(tried.values()) == {1.0}
    assert probe.strength == 1.0


def test_test_labels_have_no_say_in_what_is_chosen(clusters: Clusters) -> None:
    sets = clusters(noise=2.0)
    order = np.random.default_rng(5).permutation(len(sets.test))
    shuffled = replace(sets, test=Samples(sets.test.features, sets.test.labels[order]))
    emptied = replace(sets, test=Samples(sets.test.features[:1] * 1e6, sets.test.labels[:1]))
    outcome = linear(sets, "test", Settings())
    assert linear(shuffled, "test", Settings()).settings == outcome.settings
    assert linear(emptied, "test", Settings()).settings == outcome.settings
    np.testing.assert_array_equal(linear(shuffled, "test", Settings()).predictions, outcome.predictions)


@pytest.mark.parametrize("protocol", [linear, linear_sgd])
def test_validation_teaches_nothing_when_it_is_scored(protocol: Evaluation, clusters: Clusters) -> None:
    sets = clusters(noise=2.0)
    settings = Settings(strengths=(0.1,), epochs=5)
    # Each clip's prediction must not depend on the labels of validation, nor on which other clips are in it.
    whole = protocol(sets, "validation", settings).predictions
    lied = replace(sets, validation=Samples(sets.validation.features, np.roll(sets.validation.labels, 1)))
    np.testing.assert_array_equal(protocol(lied, "validation", settings).predictions, whole)
    half = replace(sets, validation=Samples(sets.validation.features[:9], sets.validation.labels[:9]))
    np.testing.assert_array_equal(protocol(half, "validation", settings).predictions, whole[:9])


@pytest.mark.parametrize("protocol", [linear, linear_sgd])
def test_validation_teaches_when_the_test_part_is_scored(protocol: Evaluation, clusters: Clusters) -> None:
    sets = clusters(classes=3)
    without = sets.train.labels != 2
    sets = replace(sets, train=Samples(sets.train.features[without], sets.train.labels[without]))
    settings = Settings(learning_rate=0.1)
    assert 2 not in protocol(sets, "validation", settings).predictions
    assert (protocol(sets, "test", settings).predictions == sets.test.labels).all()


def test_one_strength_needs_no_validation_and_several_do(clusters: Clusters) -> None:
    sets = clusters()
    sets = replace(sets, validation=Samples(sets.train.features[:0], sets.train.labels[:0]))
    outcome = linear(sets, "test", Settings(strengths=(0.1,)))
    assert outcome.selected_on == "none"
    assert (outcome.predictions == sets.test.labels).all()
    with pytest.raises(DataError, match="validation part has no labelled clip"):
        linear(sets, "test", Settings())


def test_a_choice_at_the_edge_of_the_grid_is_told(clusters: Clusters) -> None:
    outcome = linear(clusters(noise=0.01), "test", Settings(strengths=(0.001, 0.01)))
    assert any("edge of the grid" in note for note in outcome.notes)


def test_a_probe_short_of_its_optimum_is_told(clusters: Clusters, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(strengths=(1.0,))
    assert not linear(clusters(noise=2.0), "test", settings).notes
    monkeypatch.setattr(sys.modules[fit_probes.__module__], "TOLERANCE", 0.0)
    assert "from its optimum" in linear(clusters(noise=2.0), "test", settings).notes[-1]


def test_one_class_cannot_be_probed() -> None:
    with pytest.raises(DataError, match="at least two classes"):
        fit_probes(Samples(np.ones((3, 2), np.float32), np.zeros(3, np.int64)), (1.0,))


def sgd_witness(x: torch.Tensor, y: torch.Tensor, classes: int, settings: Settings) -> torch.nn.Linear:
    """The same schedule with torch's own layer, loss, derivative and scheduler."""
    generator = torch.Generator().manual_seed(settings.seed)
    layer = torch.nn.Linear(x.shape[1], classes)
    with torch.no_grad():
        layer.weight.copy_(0.01 * torch.randn(x.shape[1], classes, generator=generator).T)
        layer.bias.zero_()
    optimizer = torch.optim.SGD(layer.parameters(), lr=settings.learning_rate, momentum=0.9)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, list(settings.drops), 0.1)
    for _ in range(settings.epochs):
        order = torch.randperm(len(y), generator=generator)
        for batch in order.split(settings.batch_size):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(layer(x[batch]), y[batch]).backward()
            optimizer.step()
        schedule.step()
    return layer


def test_sgd_is_the_schedule_that_it_claims(clusters: Clusters) -> None:
    sets = clusters(noise=1.5, each=10)
    settings = Settings(learning_rate=0.05, batch_size=16, epochs=12, drops=(6, 9), seed=3)
    x, y = torch.from_numpy(sets.official.features), torch.from_numpy(sets.official.labels)
    layer = sgd_witness(x, y, 4, settings)
    expected = layer(torch.from_numpy(sets.test.features)).argmax(dim=1).numpy()
    outcome = linear_sgd(sets, "test", settings)
    np.testing.assert_array_equal(outcome.predictions, expected)
    other = linear_sgd(sets, "test", replace(settings, drops=(), learning_rate=1.0))
    assert (other.predictions != expected).any()


def test_best_epoch_on_test_is_told_only_when_asked_for(clusters: Clusters) -> None:
    sets = clusters(noise=3.0)
    silent, peeking = (linear_sgd(sets, "test", Settings(best_on_test=asked)) for asked in (False, True))
    assert silent.best_on_test is None
    assert peeking.best_on_test is not None
    np.testing.assert_array_equal(silent.predictions, peeking.predictions)
    assert peeking.best_on_test >= (peeking.predictions == sets.test.labels).mean()
    assert linear_sgd(sets, "validation", Settings(best_on_test=True)).best_on_test is None


def test_divergence_is_an_error_that_says_what_to_do(clusters: Clusters) -> None:
    sets = clusters()
    huge = FeatureSet(*(Samples(s.features * 1e25, s.labels) for s in (sets.train, sets.validation, sets.test)))
    with pytest.raises(DataError, match="lower the learning rate"):
        linear_sgd(huge, "test", Settings(epochs=3))
