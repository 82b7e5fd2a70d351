"""Fitting a head: regularisation, temperature and thresholds all come from clips that were held out.

1. Clips are divided into folds, by subject where it is known who moves.
2. Each fold is predicted by classifiers that have not seen it, one for each strength C of regularisation.
3. Of each strength the temperature is found under which the held-out clips are likeliest; the strength under which they
   are likeliest of all is taken, and the classifier fitted once more, on all clips.
4. The thresholds are the strictest two, equally strict both, that let 95 % of the held-out clips pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from halpose.evaluate.base import Progress, silent
from halpose.evaluate.featureset import Samples
from halpose.evaluate.linear import Probe, fit_probes
from halpose.evaluate.result import Measure
from halpose.heads.calibration import calibration_error, fit_temperature, likelihood, softmax
from halpose.heads.folds import Folds, make_folds
from halpose.heads.head import Head, Thresholds, centres_of, distances
from halpose.heads.labelled import LabelledClips

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
ACCEPTED = 0.95
"""Share of held-out clips of known classes that the thresholds let pass."""

_TOLERANCE, ROUGHLY = 1e-4, 1e-3  # nats a clip, of what is chosen from, and of what is only counted
_FINALLY = 1e-6
_GROUPS, _LEAST_CLASSES = 5, 4


@dataclass(frozen=True)
class HeldOut:
    """Clips as classifiers see them that did not learn from them.

    Attributes:
        logits: (S, N, K) of each strength; -inf for a class that a fold's training part lacks.
        distance: (N,) to the nearest centre of a class of the training part.
        folds: that were held out.
    """

    logits: Float[np.ndarray, "s n k"]
    distance: Float[np.ndarray, " n"]
    folds: Folds


def fit_head(
    clips: LabelledClips,
    strengths: Sequence[float] = STRENGTHS,
    streams: Sequence[str] = (),
    seed: int = 0,
    progress: Progress = silent,
) -> Head:
    """Fit a head and measure it.

    Args:
        clips: with those that are only scored, if there are any.
        strengths: values of scikit-learn's C to choose from.
        streams: that the vectors are of, for whoever uses the head.
        seed: of folds and of the classes that are left out to see what becomes of them.
        progress: told what is being done.

    Raises:
        DataError: fewer than two classes, or a class with one clip.
    """
    learned = clips.learned()
    progress("held-out folds", 0, 0)
    held = hold_out(learned, make_folds(learned, seed), strengths)
    temperatures = [fit_temperature(logits, learned.labels) for logits in held.logits]
    scores = [likelihood(held.logits[i], learned.labels, found) for i, found in enumerate(temperatures)]
    best = int(np.argmax(scores))
    logits, temperature = held.logits[best], temperatures[best]
    thresholds = choose_thresholds(softmax(logits, temperature).max(axis=1), held.distance)
    head = _fitted(learned, strengths[best], temperature, thresholds)
    progress("classes left out", 0, 0)
    about: dict[str, Any] = {
        "clips": len(learned),
        "by_class": dict(zip(learned.classes, np.bincount(learned.labels).tolist(), strict=True)),
        "subjects": len(set(learned.subjects) - {""}),
        "folds": held.folds.count,
        "folds_by": held.folds.by,
        "C": strengths[best],
        "likelihood_by_C": {f"{c:g}": score for c, score in zip(strengths, scores, strict=True)},
        "held_out": _measured(logits, held, learned, thresholds, temperature),
        "left_out": leave_classes_out(learned, strengths[best], seed),
        "test": _tested(head, clips, learned.classes),
    }
    return replace(head, streams=tuple(streams), about=about)


def hold_out(clips: LabelledClips, folds: Folds, strengths: Sequence[float], tolerance: float = _TOLERANCE) -> HeldOut:
    """Predict each fold by classifiers that have not seen it."""
    logits = np.full((len(strengths), len(clips), len(clips.classes)), -np.inf)
    distance = np.zeros(len(clips))
    for fold in range(folds.count):
        ours = folds.of_clip == fold
        rest = clips.rows(~ours)
        if len(np.unique(rest.labels)) < 2:
            # Nothing can be learned from one class: of that fold nobody can say anything.
            logits[:, ours] = 0.0
            distance[ours] = distances(clips.vectors[ours], centres_of(rest.vectors, rest.labels))
            continue
        for number, probe in enumerate(probes_of(rest, strengths, tolerance)):
            block = np.full((int(ours.sum()), len(clips.classes)), -np.inf)
            block[:, probe.classes.numpy()] = probe.log_probabilities(clips.vectors[ours]).numpy()
            logits[number, ours] = block
        distance[ours] = distances(clips.vectors[ours], centres_of(rest.vectors, rest.labels))
    return HeldOut(logits, distance, folds)


def choose_thresholds(
    confidence: Float[np.ndarray, " n"], distance: Float[np.ndarray, " n"], accepted: float = ACCEPTED
) -> Thresholds:
    """The strictest pair of thresholds, equally strict both, that still accepts so many clips.

    Args:
        confidence: of held-out clips of known classes.
        distance: theirs.
        accepted: share of them that must pass.
    """
    count = len(confidence)
    low, high = np.sort(confidence), np.sort(distance)[::-1]
    found = Thresholds(float(low[0]), float(high[0]))
    for refused in range(1, count):
        tried = Thresholds(float(low[refused]), float(high[refused]))
        if 1 - tried.refuse(confidence, distance).mean() < accepted:
            break
        found = tried
    return found


def leave_classes_out(clips: LabelledClips, strength: float, seed: int = 0) -> dict[str, Any] | None:
    """What becomes of clips whose class was never labelled: heads are fitted without it, and asked.

    Classes are left out in up to five groups. Each head's temperature and thresholds are found without them, too.

    Returns:
        How many were refused as unknown, with its interval; None of fewer than four classes.
    """
    if len(clips.classes) < _LEAST_CLASSES:
        return None
    groups = np.random.default_rng(seed).permutation(len(clips.classes)) % min(_GROUPS, len(clips.classes) // 2)
    refused = np.zeros(len(clips), bool)
    for group in np.unique(groups):
        gone = groups[clips.labels] == group
        known = clips.rows(~gone).learned()
        held = hold_out(known, make_folds(known, seed), [strength], ROUGHLY)
        temperature = fit_temperature(held.logits[0], known.labels)
        thresholds = choose_thresholds(softmax(held.logits[0], temperature).max(axis=1), held.distance)
        refused[gone] = (
            _fitted(known, strength, temperature, thresholds, ROUGHLY).answer(clips.vectors[gone]).is_unknown
        )
    return {"clips": len(clips), "refused": _share(refused)}


def _fitted(
    clips: LabelledClips, strength: float, temperature: float, thresholds: Thresholds, tolerance: float = _FINALLY
) -> Head:
    """The classifier of all clips."""
    (probe,) = probes_of(clips, [strength], tolerance)
    centres = centres_of(clips.vectors, clips.labels)
    return Head(probe.weight.numpy(), probe.bias.numpy(), centres, clips.classes, temperature, thresholds)


def probes_of(clips: LabelledClips, strengths: Sequence[float], tolerance: float = _TOLERANCE) -> list[Probe]:
    """Classifiers of all clips, one for each strength."""
    return fit_probes(Samples(clips.vectors, clips.labels.astype(np.int64)), strengths, tolerance=tolerance)


def _measured(
    logits: Float[np.ndarray, "n k"], held: HeldOut, clips: LabelledClips, thresholds: Thresholds, temperature: float
) -> dict[str, Any]:
    """How good the head is on held-out clips; each fold's temperature is that of the other folds."""
    raw, scaled = softmax(logits), np.empty_like(logits)
    for fold in range(held.folds.count):
        ours = held.folds.of_clip == fold
        scaled[ours] = softmax(logits[ours], fit_temperature(logits[~ours], clips.labels[~ours]))
    hits = logits.argmax(axis=1) == clips.labels
    refused = thresholds.refuse(softmax(logits, temperature).max(axis=1), held.distance)
    return {
        "accuracy": _share(hits),
        "calibration_error_before": calibration_error(raw.max(axis=1), hits),
        "calibration_error": calibration_error(scaled.max(axis=1), hits),
        "accepted": _share(~refused),
        "accuracy_of_accepted": _share(hits[~refused]),
    }


def _tested(head: Head, clips: LabelledClips, classes: Sequence[str]) -> dict[str, Any] | None:
    """The same on clips that were kept for scoring, if there are any; those of other classes should be unknown."""
    test = clips.rows(clips.is_test)
    if not len(test):
        return None
    known = np.isin([clips.classes[label] for label in test.labels], classes)
    answers = head.answer(test.vectors)
    hits = np.array([head.classes[column] for column in answers.columns]) == [clips.classes[k] for k in test.labels]
    plain = softmax(test.vectors @ head.weight + head.bias).max(axis=1)
    found: dict[str, Any] = {}
    if known.any():
        passed = known & ~answers.is_unknown
        found |= {
            "clips": int(known.sum()),
            "accuracy": _share(hits[known]),
            "calibration_error_before": calibration_error(plain[known], hits[known]),
            "calibration_error": calibration_error(answers.confidence[known], hits[known]),
            "accepted": _share(~answers.is_unknown[known]),
            "accuracy_of_accepted": _share(hits[passed]),
        }
    if not known.all():
        found |= {"other_classes": int((~known).sum()), "refused": _share(answers.is_unknown[~known])}
    return found


def _share(hits: Bool[np.ndarray, " n"]) -> dict[str, float] | None:
    """A share and its 95 % interval; None of nothing."""
    if not len(hits):
        return None
    measure = Measure.share(hits)
    return {"value": measure.value, "low": measure.low, "high": measure.high}
