"""Confidence that means what it says: temperature scaling, and how far off a confidence is.

Reference: Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

_BINS = 15
_RANGE = (-4.0, 4.0)  # of the temperature's natural logarithm


def softmax(logits: Float[np.ndarray, "n k"], temperature: float = 1.0) -> Float[np.ndarray, "n k"]:
    """Probabilities; a class with a logit of -inf has none."""
    scaled = (logits - logits.max(axis=1, keepdims=True)) / temperature
    powers = np.exp(scaled)
    chances: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return chances


def likelihood(logits: Float[np.ndarray, "n k"], labels: Int[np.ndarray, " n"], temperature: float = 1.0) -> float:
    """Mean log-probability of the true class, over the clips whose class was learned from."""
    own = logits[np.arange(len(labels)), labels]
    known = np.isfinite(own)
    if not known.any():
        return -np.inf
    top = logits[known].max(axis=1)
    total = np.log(np.exp((logits[known] - top[:, None]) / temperature).sum(axis=1))
    return float(((own[known] - top) / temperature - total).mean())


def fit_temperature(logits: Float[np.ndarray, "n k"], labels: Int[np.ndarray, " n"]) -> float:
    """The temperature under which held-out clips are likeliest; 1 where none of them can tell.

    Args:
        logits: of clips that were not learned from.
        labels: their columns.
    """
    from scipy.optimize import minimize_scalar  # late: it takes a while to import

    if not np.isfinite(likelihood(logits, labels)):
        return 1.0
    found = minimize_scalar(
        lambda power: -likelihood(logits, labels, float(np.exp(power))), bounds=_RANGE, method="bounded"
    )
    return float(np.exp(found.x))


def calibration_error(confidence: Float[np.ndarray, " n"], hits: Bool[np.ndarray, " n"], bins: int = _BINS) -> float:
    """Expected calibration error: how far confidence and share of hits lie apart, in bins of equal width.

    Args:
        confidence: in 0..1.
        hits: whether each was right.
        bins: how many (Guo et al.: 15).
    """
    number = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = np.bincount(number, confidence, bins) - np.bincount(number, hits, bins)
    return float(np.abs(gap).sum() / len(confidence))
