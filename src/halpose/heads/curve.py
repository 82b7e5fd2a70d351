"""Accuracy against the number of labels: what a few more of them would bring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from halpose.errors import DataError
from halpose.evaluate.base import Progress, silent
from halpose.evaluate.intervals import wilson_over_draws
from halpose.heads.calibration import fit_temperature, likelihood
from halpose.heads.fitting import ROUGHLY, hold_out, probes_of
from halpose.heads.folds import make_folds
from halpose.heads.labelled import LabelledClips

_STEPS = (1, 2, 3, 5, 8, 13, 20, 35, 50, 100, 200, 500, 1000)  # clips of each class
_STRENGTHS = (1e-3, 1e-2, 1e-1)
_ALONE = 1e-2  # C where a class has one clip, and nothing can be held out


@dataclass(frozen=True)
class Point:
    """One number of labels.

    Attributes:
        each: clips of each class, or as many as there are of it.
        clips: labelled clips of all classes together, on average.
        accuracy: share of the scored clips that was recognised, mean over the draws.
        low: lower end of its 95 % interval.
        high: upper end.
    """

    each: int
    clips: float
    accuracy: float
    low: float
    high: float


def learning_curve(clips: LabelledClips, draws: int = 5, seed: int = 0, progress: Progress = silent) -> list[Point]:
    """Accuracy with so many clips of each class, for ever more of them.

    Scored are the clips kept for that, if there are any; else one fold of the others, by turns, so that nobody who is
    scored was learned from. The strength of regularisation is chosen from what is drawn, by folds of it; where a class
    has one clip, C is 0.01.

    Args:
        clips: all that are labelled.
        draws: how often the clips of a class are drawn, at each number.
        seed: of the draws.
        progress: told how many classifiers are fitted.

    Raises:
        DataError: fewer than two classes, or a class with one clip.
    """
    rounds = _rounds(clips, draws, seed)
    most = max(int(np.bincount(clips.labels[pool]).max()) for pool, _ in rounds)
    steps = [each for each in _STEPS if each < most] + [most]
    found = []
    for number, each in enumerate(steps):
        hits, sizes = [], []
        for turn, (pool, scored) in enumerate(rounds):
            progress("learning curve", number * len(rounds) + turn, len(steps) * len(rounds))
            drawn = _draw(clips.labels, pool, each, np.random.default_rng([seed, turn]))
            sizes.append(len(drawn))
            hits.append(_hits(clips, drawn, scored, seed))
            if clips.is_test.any() and len(drawn) == len(pool):
                break  # there is one way to draw all of them
        # Draws are scored on the same clips; folds are not, and together they are all clips, scored once.
        table = np.stack(hits) if clips.is_test.any() else np.concatenate(hits)[None]
        found.append(Point(each, float(np.mean(sizes)), float(table.mean()), *wilson_over_draws(table)))
    return found


def _rounds(clips: LabelledClips, draws: int, seed: int) -> list[tuple[Int[np.ndarray, " p"], Int[np.ndarray, " q"]]]:
    """What may be drawn from, and what is scored, in each round."""
    learned = np.flatnonzero(~clips.is_test)
    known = clips.learned()
    if clips.is_test.any():
        names = [clips.classes.index(name) for name in known.classes]
        scored = np.flatnonzero(clips.is_test & np.isin(clips.labels, names))
        if not len(scored):
            raise DataError("no clip that is kept for scoring is of a class that is learned: no curve can be drawn")
        return [(learned, scored)] * draws
    folds = make_folds(known, seed).of_clip
    return [(learned[folds != fold], learned[folds == fold]) for fold in range(int(folds.max()) + 1)]


def _draw(
    labels: Int[np.ndarray, " n"], pool: Int[np.ndarray, " p"], each: int, rng: np.random.Generator
) -> Int[np.ndarray, " k"]:
    """So many clips of each class; fewer of them are always among more."""
    order = rng.permutation(pool)
    return np.concatenate([order[labels[order] == label][:each] for label in np.unique(labels[pool])])


def _hits(
    clips: LabelledClips, drawn: Int[np.ndarray, " k"], scored: Int[np.ndarray, " q"], seed: int
) -> Bool[np.ndarray, " q"]:
    few = clips.rows(drawn)
    _, few_labels = np.unique(few.labels, return_inverse=True)
    strength = _ALONE
    if np.bincount(few_labels).min() > 1:
        part = few.rows(np.arange(len(few))).learned()
        held = hold_out(part, make_folds(part, seed), _STRENGTHS, ROUGHLY)
        scores = [likelihood(logits, part.labels, fit_temperature(logits, part.labels)) for logits in held.logits]
        strength = _STRENGTHS[int(np.argmax(scores))]
    (probe,) = probes_of(few, [strength])
    found: np.ndarray = probe.predict(clips.vectors[scored]) == clips.labels[scored]
    return found
