"""A temperature is found that was planted; the calibration error is what it is by hand."""

from __future__ import annotations

import numpy as np
import pytest

from halpose.heads.calibration import calibration_error, fit_temperature, likelihood, softmax


def drawn(count: int, temperature: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn from their softmax at a temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (count, 4))
    chances = np.exp(logits / temperature)
    chances /= chances.sum(1, keepdims=True)
    return logits, np.array([rng.choice(4, p=row) for row in chances])


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_a_planted_temperature_is_found(temperature: float) -> None:
    logits, labels = drawn(4000, temperature)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(temperature, rel=0.1)
    own = np.arange(len(labels)), labels

    def by_definition(t: float) -> float:
        return float(np.mean((logits / t)[own] - np.log(np.exp(logits / t).sum(1))))

    assert likelihood(logits, labels, found) == pytest.approx(by_definition(found), abs=1e-12)
    assert by_definition(found) >= max(by_definition(found * 0.97), by_definition(found * 1.03))
    before = softmax(logits).max(1)
    after = softmax(logits, found).max(1)
    hits = logits.argmax(1) == labels
    assert calibration_error(after, hits) < 0.03
    if temperature != 1.0:
        assert calibration_error(before, hits) > 2 * calibration_error(after, hits)


def test_a_class_that_was_not_learned_counts_for_nothing() -> None:
    logits, labels = drawn(50, 1.0)
    known = labels != 3
    hidden = logits.copy()
    hidden[:, 3] = -np.inf
    assert likelihood(hidden, labels) == pytest.approx(likelihood(hidden[known][:, :3], labels[known]))
    assert softmax(hidden)[:, 3].max() == 0
    assert likelihood(hidden[~known], labels[~known]) == -np.inf
    assert fit_temperature(hidden[~known], labels[~known]) == 1.0


@pytest.mark.parametrize("shift", [-1e5, 1e5])
def test_only_differences_of_logits_count_however_large_they_are(shift: float) -> None:
    logits, labels = drawn(200, 1.0)
    for temperature in (np.exp(-4.0), 1.0):
        usual = likelihood(logits, labels, temperature)
        assert likelihood(logits + shift, labels, temperature) == pytest.approx(usual, abs=1e-6)
        np.testing.assert_allclose(softmax(logits + shift, temperature), softmax(logits, temperature), atol=1e-6)


def test_the_calibration_error_by_hand() -> None:
    sure = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 0.55])
    hits = np.array([True, True, True, False, True, False])
    # Bins of a tenth: 0.95 against 3 of 4, 0.55 against 1 of 2.
    assert calibration_error(sure, hits, bins=10) == pytest.approx(4 / 6 * 0.2 + 2 / 6 * 0.05)
    assert calibration_error(np.ones(3), np.ones(3, bool)) == 0
    assert calibration_error(np.ones(3), np.zeros(3, bool)) == 1
