"""95 % intervals: of a share, of a share over several draws, of a mean over queries."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float

Z_95 = 1.959963984540054

RESAMPLES = 2000
"""Bootstrap samples; their 2.5 and 97.5 % quantiles are the interval."""

BLOCK_BYTES = 64 << 20


def wilson(hits: float, trials: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval of a proportion: honest for few trials and near 0 and 1, unlike p ± z·se.

    Args:
        hits: successes; a mean over several draws need not be whole.
        trials: at least 1.
        z: quantile of the normal distribution; 95 % unless given.

    Reference:
        E. B. Wilson, JASA 22 (1927) 209-212.
    """
    share, weight = hits / trials, z * z / trials
    middle = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / trials + weight / (4 * trials))
    # The share is always inside; at 0 and 1 it is the end itself, which rounding must not step over.
    return min(share, middle - half), max(share, middle + half)


def wilson_over_draws(hits: Bool[np.ndarray, "r n"]) -> tuple[float, float]:
    """Interval of the mean share over several draws of what was learned from, all scored on the same clips.

    Two things were left to chance: the clips that are scored (Wilson) and the draws (Student's t). Their half-widths
    are added in quadrature on each side, which is the recovery of variances of Zou and Donner. One draw is Wilson's.

    Args:
        hits: (R, N) whether each clip was recognised after each draw.

    Reference:
        G. Y. Zou, A. Donner, Statistics in Medicine 27 (2008) 1693-1702.
    """
    draws, trials = hits.shape
    shares = hits.mean(axis=1)
    mean = float(shares.mean())
    low, high = wilson(mean * trials, trials)
    if draws == 1:
        return low, high
    from scipy.special import stdtrit  # late: it takes a while to import

    spread = float(stdtrit(draws - 1, 0.975)) * float(shares.std(ddof=1)) / math.sqrt(draws)
    return max(0.0, mean - math.hypot(mean - low, spread)), min(1.0, mean + math.hypot(high - mean, spread))


def paired_difference(ours: Bool[np.ndarray, " n"], theirs: Bool[np.ndarray, " n"]) -> tuple[float, float, float]:
    """Difference of two shares on the same clips, with its 95 % interval: (difference, low, high).

    Clips that both recognise, or neither, say nothing of the difference; so it is known better than each share.
    Newcombe's tenth method: Wilson's interval of each share, their half-widths added in quadrature with the correlation
    of the two over the clips.

    Args:
        ours: whether each clip was recognised.
        theirs: likewise, of the same clips in the same order; their share is subtracted.

    Reference:
        R. G. Newcombe, Statistics in Medicine 17 (1998) 2635-2650.
    """
    n = len(ours)
    both, neither = int((ours & theirs).sum()), int((~ours & ~theirs).sum())
    only_ours, only_theirs = int((ours & ~theirs).sum()), int((~ours & theirs).sum())
    p, q = (both + only_ours) / n, (both + only_theirs) / n
    (p_low, p_high), (q_low, q_high) = wilson(both + only_ours, n), wilson(both + only_theirs, n)
    margins = (both + only_ours) * (only_theirs + neither) * (both + only_theirs) * (only_ours + neither)
    covariance: float = both * neither - only_ours * only_theirs
    if covariance > 0:
        covariance = max(covariance - n / 2, 0)
    correlation = covariance / math.sqrt(margins) if margins else 0.0

    def reach(a: float, b: float) -> float:
        return math.sqrt(max(a * a - 2 * correlation * a * b + b * b, 0.0))

    return p - q, p - q - reach(p - p_low, q_high - q), p - q + reach(p_high - p, q - q_low)


def bootstrap_mean(values: Float[np.ndarray, " n"], seed: int = 0, resamples: int = RESAMPLES) -> tuple[float, float]:
    """Percentile bootstrap of a mean: the queries are what another experiment would have drawn anew.

    Args:
        values: one per query, at least one.
        seed: of the resampling.
        resamples: how many.

    Reference:
        B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    rng = np.random.default_rng(seed)
    rows = max(1, BLOCK_BYTES // (8 * len(values)))
    means = [
        values[rng.integers(len(values), size=(min(rows, resamples - start), len(values)))].mean(axis=1)
        for start in range(0, resamples, rows)
    ]
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    return float(low), float(high)
