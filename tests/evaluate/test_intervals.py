from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t

from halpose.evaluate.intervals import bootstrap_mean, wilson, wilson_over_draws


def test_one_draw_is_wilson() -> None:
    hits = np.arange(50)[None] < 37
    assert wilson_over_draws(hits) == wilson(37, 50)


def test_draws_that_agree_add_nothing() -> None:
    hits = np.repeat(np.arange(50)[None] < 37, 5, axis=0)
    assert wilson_over_draws(hits) == pytest.approx(wilson(37, 50))


def test_with_many_clips_what_remains_is_students_interval_of_the_draws() -> None:
    counts = np.array([500_000, 520_000, 540_000, 510_000, 530_000])
    hits = np.arange(1_000_000) < counts[:, None]
    shares = counts / 1_000_000
    half = t.ppf(0.975, 4) * shares.std(ddof=1) / math.sqrt(5)
    assert wilson_over_draws(hits) == pytest.approx((shares.mean() - half, shares.mean() + half), abs=1e-4)


def test_the_interval_of_draws_stays_within_zero_and_one() -> None:
    hits = np.zeros((2, 4), bool)
    hits[0] = True
    assert wilson_over_draws(hits) == (0.0, 1.0)


def test_the_interval_over_draws_covers_its_share() -> None:
    """Draws and clips both vary: 95 % intervals hold the true mean at least about 95 % of the time."""
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        chance = np.clip(rng.normal(0.7, 0.05, size=(5, 1)) + rng.normal(0, 0.1, size=60), 0, 1)
        low, high = wilson_over_draws(rng.random((5, 60)) < chance)
        inside += low <= 0.7 <= high
    assert inside / 400 > 0.93


def test_the_bootstrap_of_a_mean_is_about_normal_and_seeded() -> None:
    values = np.random.default_rng(3).normal(5, 2, 400)
    low, high = bootstrap_mean(values)
    assert (low, high) == bootstrap_mean(values)
    error = values.std() / 20
    assert (low, high) == pytest.approx(
        (values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=0.1 * error * 2
    )
    assert bootstrap_mean(np.full(7, 0.25)) == (0.25, 0.25)
