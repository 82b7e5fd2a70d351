"""Differences paired by seed, and the interval of their mean; seeds that test the same people are drawn together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np


def differences(ours: Mapping[Any, float], theirs: Mapping[Any, float]) -> dict[Any, float]:
    """Of each seed, or (data set, seed), that both have."""
    return {seed: ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())}


def interval(pairs: Mapping[Any, float], folds: int = 0, draws: int = 10_000) -> tuple[float, float]:
    """95 % percentile bootstrap of the mean difference.

    Args:
        pairs: of each seed, or (data set, seed).
        folds: seeds that are alike modulo this test the same clips and are one draw; 0: each by itself.
        draws: of the bootstrap.
    """
    groups: dict[Any, list[float]] = defaultdict(list)
    for key, value in pairs.items():
        *name, seed = key if isinstance(key, tuple) else (key,)
        groups[(*name, seed % folds if folds else seed)].append(value)
    sums, counts = (np.array([measure(group) for group in groups.values()]) for measure in (sum, len))
    drawn = np.random.default_rng(0).integers(len(groups), size=(draws, len(groups)))
    low, high = np.percentile(sums[drawn].sum(1) / counts[drawn].sum(1), [2.5, 97.5])
    return float(low), float(high)
