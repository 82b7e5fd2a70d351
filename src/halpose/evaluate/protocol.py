"""The one way to a score: settings are chosen on the validation part, the test part is read once, at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Int

from halpose.errors import ConfigError, DataError
from halpose.evaluate import EVALUATIONS, TUNINGS
from halpose.evaluate.base import Outcome, Outcomes, Part, Settings
from halpose.evaluate.featureset import FeatureSet
from halpose.evaluate.learner import Learner
from halpose.evaluate.result import Result

Candidates: TypeAlias = Mapping[str, Callable[[], FeatureSet]]
"""Several feature sets by name, made one at a time; the best on the validation part is scored (`raw_sets`)."""

CHOSEN_HERE = "the normalisation was chosen on the clips that are scored here"


def evaluate(
    feature_sets: Mapping[str, FeatureSet | Candidates],
    protocols: Sequence[str] = ("knn", "linear"),
    *,
    classes: Sequence[str],
    split: str,
    part: Part = "test",
    settings: Settings | None = None,
) -> list[Result]:
    """Score every kind of features under every protocol.

    With part `test`, what is learned from is the official training part and what is scored is the test part; every
    setting has been chosen before, with train and validation alone. With part `validation`, what is learned from is
    train, what is scored is validation, and the test part is not looked at.

    Args:
        feature_sets: `trained`, `untrained`, `raw`, ... -> features, or candidates to choose from.
        protocols: names in `EVALUATIONS`.
        classes: class names, in the order of the labels.
        split: name of the split, for the record.
        part: `test`, or `validation` to compare settings.
        settings: of the protocols; the defaults when None.

    Returns:
        One result for each kind of features, protocol and variant of it, in the order given.

    Raises:
        ConfigError: an unknown protocol, or an impossible setting.
        DataError: the features or labels do not allow a score; the message says which clips.
    """
    settings = settings or Settings()
    for protocol in protocols:
        _check_known(protocol)
    if settings.best_on_test and part != "test":
        raise ConfigError("best_on_test is about the test part; ask for it together with part 'test'")
    results = []
    for kind, source in feature_sets.items():
        if isinstance(source, FeatureSet):
            for name in protocols:
                results += _score(kind, source, name, classes, split, part, settings)
        else:
            results += _score_best(kind, source, protocols, classes, split, part, settings)
    return results


def tune_and_score(
    kind: str, learner: Learner, protocol: str, part: Part = "test", settings: Settings | None = None
) -> list[Result]:
    """Train an encoder with labels and score it.

    Args:
        kind: `trained` or `untrained`: where it begins.
        learner: the encoder, and the clips.
        protocol: a name in `TUNINGS`.
        part: `test`, or `validation` to compare settings.
        settings: of the protocol; the defaults when None.

    Raises:
        ConfigError: an unknown protocol, or an impossible setting.
        DataError: the labels do not allow a score.
        TrainingError: training diverged.
    """
    settings = settings or Settings()
    if protocol not in TUNINGS:
        raise ConfigError(f"no protocol named {protocol!r} trains an encoder; there are {', '.join(TUNINGS)}")
    started = time.perf_counter()
    learned, scored = (learner.labels(clips) for clips in learner.roles(part))
    classes = learner.store.classes
    notes = absent_classes(learned, scored, part, classes)
    outcomes = TUNINGS[protocol](learner, part, settings)
    about = {"protocol": protocol, "features": kind, "split": learner.split, "part": part, "device": settings.device}
    return to_results(outcomes, scored, classes, notes, time.perf_counter() - started, about)


def _check_known(protocol: str) -> None:
    if protocol not in EVALUATIONS:
        near = get_close_matches(protocol, EVALUATIONS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"no protocol named {protocol!r}; {hint}there are {', '.join(EVALUATIONS)}")


def _score(
    kind: str,
    sets: FeatureSet,
    protocol: str,
    classes: Sequence[str],
    split: str,
    part: Part,
    settings: Settings,
) -> list[Result]:
    started = time.perf_counter()
    sets, notes = (sets if part == "test" else sets.without_test()).checked(classes)
    learned, scored = (samples.labels for samples in sets.roles(part))
    notes += absent_classes(learned, scored, part, classes)
    outcomes = EVALUATIONS[protocol](sets, part, settings)
    about = {"protocol": protocol, "features": kind, "split": split, "part": part, "device": settings.device}
    return to_results(outcomes, scored, classes, notes, time.perf_counter() - started, about)


def to_results(
    outcomes: Outcomes,
    labels: Int[np.ndarray, " n"],
    classes: Sequence[str],
    notes: tuple[str, ...],
    seconds: float,
    about: Mapping[str, Any],
) -> list[Result]:
    """What an evaluation found, with accuracy, interval and confusion counted.

    Args:
        outcomes: one, or one for each variant.
        labels: true class of each clip that was scored.
        classes: class names.
        notes: what holds for all of them, before their own notes.
        seconds: what they took together.
        about: the other attributes of the results.
    """
    several = [outcomes] if isinstance(outcomes, Outcome) else list(outcomes)
    return [
        Result.from_predictions(
            outcome.predictions,
            labels,
            classes,
            variant=outcome.variant,
            metric=outcome.metric,
            values=dict(outcome.values),
            settings=dict(outcome.settings),
            selected_on=outcome.selected_on,
            best_on_test=outcome.best_on_test,
            notes=notes + outcome.notes,
            seconds=seconds / len(several),
            **about,
        )
        for outcome in several
    ]


def absent_classes(
    learned: Int[np.ndarray, " n"], scored: Int[np.ndarray, " q"], part: Part, classes: Sequence[str]
) -> tuple[str, ...]:
    """Clips that cannot be right, because nothing of their class was learned from; they count as wrong.

    Args:
        learned: labels of the clips that may be learned from.
        scored: labels of those that are scored.
        part: which part that is.
        classes: class names.

    Returns:
        A sentence that says how many, if there are any.

    Raises:
        DataError: nothing is scored, or nothing of it can be right.
    """
    if not len(scored):
        raise DataError(
            f"the {part} part of the split has no labelled clip to score; labels of your own recordings are given when "
            "they are prepared: halpose data prepare --source DIR --labels labels.csv"
        )
    absent = np.setdiff1d(scored, learned)
    lost = int(np.isin(scored, absent).sum())
    if lost == len(scored):
        raise DataError(f"no class of the {part} part occurs in the training part, so nothing can be recognised")
    if not lost:
        return ()
    names = ", ".join(classes[label] for label in absent)
    return (f"{lost} clips are of classes without a training clip and count as wrong: {names}",)


def _score_best(
    kind: str,
    candidates: Candidates,
    protocols: Sequence[str],
    classes: Sequence[str],
    split: str,
    part: Part,
    settings: Settings,
) -> list[Result]:
    """Choose a candidate for each protocol on the validation part, then score that one."""
    tried: dict[str, dict[str, list[Result]]] = {protocol: {} for protocol in protocols}
    for name, make in candidates.items():
        sets = make()
        if not len(sets.validation):
            raise DataError(
                f"split {split} has no validation part, so the normalisation cannot be chosen; name one of "
                f"{', '.join(candidates)}"
            )
        for protocol in protocols:
            tried[protocol][name] = _score(kind, sets, protocol, classes, split, "validation", settings)
    results = []
    for protocol, scores in tried.items():
        by_name = {name: float(np.mean([score.headline for score in found])) for name, found in scores.items()}
        chosen = max(by_name, key=by_name.__getitem__)
        choosing = sum(score.seconds for found in scores.values() for score in found)
        found = _score(kind, candidates[chosen](), protocol, classes, split, part, settings)
        for result in found:
            result = replace(
                result,
                settings={"normalisation": chosen, **result.settings, "validation_by_normalisation": by_name},
                selected_on="validation",
                notes=(*result.notes, *((CHOSEN_HERE,) if part == "validation" else ())),
                seconds=result.seconds + choosing / len(found),
            )
            results.append(_with_best(result, candidates, settings) if settings.best_on_test else result)
    return results


def _with_best(result: Result, candidates: Candidates, settings: Settings) -> Result:
    """Add what the candidate that is best on the test part scores there: a bar chosen on the test part itself."""
    by_name = {}
    about = (result.classes, result.split, result.part, settings)
    for name, make in candidates.items():
        scores = _score(result.features, make(), result.protocol, *about)
        score = next(score for score in scores if score.variant == result.variant)
        by_name[name] = max(score.top1, score.best_on_test or 0.0)
    best = max(by_name, key=by_name.__getitem__)
    return replace(
        result,
        settings={**result.settings, "test_by_normalisation": by_name},
        best_on_test=by_name[best],
        notes=(*result.notes, f"best on test is normalisation {best!r}, chosen there"),
    )
