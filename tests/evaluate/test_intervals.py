from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t

from halpose.evaluate.intervals import bootstrap_mean, paired_difference, wilson, wilson_over_draws


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


def table(both: int, ours: int, theirs: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Clips that both recognised, only one, or neither."""
    counts = [both, ours, theirs, neither]
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


@pytest.mark.parametrize(
    "counts", [(20, 12, 9, 5), (36, 12, 2, 0), (0, 3, 0, 7), (10, 0, 0, 0), (0, 5, 5, 0), (1, 0, 0, 0)]
)
def test_a_paired_difference_turns_around_with_its_sides(counts: tuple[int, int, int, int]) -> None:
    ours, theirs = table(*counts)
    value, low, high = paired_difference(ours, theirs)
    assert value == pytest.approx((counts[1] - counts[2]) / sum(counts))
    assert -1 <= low <= value <= high <= 1
    assert paired_difference(theirs, ours) == pytest.approx((-value, -high, -low))


def test_clips_on_which_two_runs_agree_make_their_difference_surer() -> None:
    agree, independent = paired_difference(*table(75, 7, 3, 15)), paired_difference(*table(64, 18, 14, 4))
    assert agree[0] == pytest.approx(independent[0])
    assert agree[2] - agree[1] < 0.7 * (independent[2] - independent[1])


def test_without_correlation_it_is_newcombes_interval_of_two_samples() -> None:
    ours, theirs = table(24, 16, 36, 24)  # 0.4 and 0.6, independent
    (p_low, p_high), (q_low, q_high) = wilson(40, 100), wilson(60, 100)
    below, above = math.hypot(0.4 - p_low, q_high - 0.6), math.hypot(p_high - 0.4, 0.6 - q_low)
    assert paired_difference(ours, theirs) == pytest.approx((-0.2, -0.2 - below, -0.2 + above))


@pytest.mark.parametrize(
    ("counts", "correlation"),
    [
        ((20, 12, 2, 16), (20 * 16 - 12 * 2 - 50 / 2) / math.sqrt(32 * 18 * 22 * 28)),  # less half a count a clip
        ((24, 13, 8, 5), 0.0),  # 24 x 5 - 13 x 8 = 16, within half of 50: none is certain
        ((36, 12, 2, 0), -(12 * 2) / math.sqrt(48 * 2 * 38 * 12)),  # below zero nothing is taken off
    ],
)
def test_the_correlation_is_newcombes_corrected_one(counts: tuple[int, int, int, int], correlation: float) -> None:
    both, only_ours, only_theirs, _ = counts
    p, q = (both + only_ours) / 50, (both + only_theirs) / 50
    (p_low, p_high), (q_low, q_high) = wilson(50 * p, 50), wilson(50 * q, 50)
    below = (p - p_low) ** 2 - 2 * correlation * (p - p_low) * (q_high - q) + (q_high - q) ** 2
    above = (p_high - p) ** 2 - 2 * correlation * (p_high - p) * (q - q_low) + (q - q_low) ** 2
    found = paired_difference(*table(*counts))
    assert found == pytest.approx((p - q, p - q - math.sqrt(below), p - q + math.sqrt(above)))


def test_it_is_the_bootstraps_interval_where_there_are_many_clips() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = table(2600, 310, 250, 840)
    drawn = rng.integers(len(ours), size=(3000, len(ours)))
    resampled = (ours.astype(int) - theirs)[drawn].mean(1)
    low, high = np.quantile(resampled, [0.025, 0.975])
    assert paired_difference(ours, theirs) == pytest.approx((0.015, low, high), abs=1e-3)


def test_paired_intervals_hold_the_true_difference() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(1000):
        kind = rng.choice(4, size=60, p=[0.6, 0.16, 0.08, 0.16])
        _, low, high = paired_difference(kind < 2, (kind == 0) | (kind == 2))
        inside += low <= 0.08 <= high
    assert inside >= 935
