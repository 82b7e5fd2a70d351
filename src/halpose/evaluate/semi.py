"""Semi-supervised evaluation: a share of the labels, drawn several times.

The encoder has seen the training clips without labels; then few labels are given. `semi` tunes the whole encoder on the
labelled clips, as the paper does; `semi_linear` fits a linear probe on frozen features, which takes seconds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Int

from halpose.errors import DataError
from halpose.evaluate.base import Outcome, Part, Settings
from halpose.evaluate.draws import draw_labels, remarks
from halpose.evaluate.featureset import FeatureSet, Samples
from halpose.evaluate.finetune import about_tuning, choose_rate, predict, tune
from halpose.evaluate.learner import Learner
from halpose.evaluate.linear import Probe, fit_probes


def semi(learner: Learner, part: Part, settings: Settings) -> list[Outcome]:
    """The whole encoder and a linear head, tuned with a share of the labels; the mean over several draws.

    Several learning rates are compared on the validation part, with one draw of the same share of train.

    Reference:
        HaLP, section 4.3 (1, 5, 10, 20 %, five draws; its draws are not stratified).
    """
    learned, scored = learner.roles(part)
    train, _ = learner.roles("validation")
    labels, outcomes = learner.labels(learned), []
    for share in settings.shares:
        what = f"semi {100 * share:g} %"
        first = train[_draws(learner.labels(train), share, settings)[0]]
        rate, tried = choose_rate(learner, first, settings, what)
        drawn = _draws(labels, share, settings)
        predictions = []
        for number, chosen in enumerate(drawn):
            name = f"{what}, draw {number + 1} of {len(drawn)}"
            model = tune(learner, learned[chosen], rate, settings, settings.seed + number, name)
            predictions.append(predict(model, learner, scored))
        about = about_tuning(settings.tuning, rate, tried, len(drawn[0]))
        outcomes.append(_outcome(share, predictions, labels, drawn, settings, about, bool(tried)))
    return outcomes


def semi_linear(sets: FeatureSet, part: Part, settings: Settings) -> list[Outcome]:
    """A linear probe on frozen features, fitted on a share of the labels; the mean over several draws.

    The strength of each share is the one with the best mean log-likelihood on the validation part, over draws of the
    same share of train. Accuracy would not do: where each class gives one clip, it does not notice a strength so small
    that the classes' counts decide everything, which is what happens once some classes give two. The validation part
    keeps all its labels for that; the note says so.

    Raises:
        DataError: the validation part is empty, or a draw is of one class.
    """
    learned, scored = sets.roles(part)
    outcomes = []
    for share in settings.shares:
        strength, tried = _choose_strength(sets, share, settings)
        drawn = _draws(learned.labels, share, settings)
        predictions = [
            fit_probes(_only(learned, chosen), [strength], settings.device)[0].predict(scored.features)
            for chosen in drawn
        ]
        about = {"C": strength} | ({"validation_likelihood_by_C": tried} if tried else {})
        outcomes.append(_outcome(share, predictions, learned.labels, drawn, settings, about, bool(tried)))
    return outcomes


def _choose_strength(sets: FeatureSet, share: float, settings: Settings) -> tuple[float, dict[str, float]]:
    strengths = settings.strengths
    if len(strengths) == 1:
        return strengths[0], {}
    if not len(sets.validation):
        raise DataError(
            "the validation part has no labelled clip, so the strength of the linear probe cannot be chosen; "
            "give the split a validation part, or set one strength"
        )
    likelihood = np.zeros(len(strengths))
    drawn = _draws(sets.train.labels, share, settings)
    for chosen in drawn:
        for number, probe in enumerate(fit_probes(_only(sets.train, chosen), strengths, settings.device)):
            likelihood[number] += _likelihood(probe, sets.validation) / len(drawn)
    tried = {f"{strength:g}": float(value) for strength, value in zip(strengths, likelihood, strict=True)}
    return max(strengths, key=lambda strength: tried[f"{strength:g}"]), tried


def _likelihood(probe: Probe, samples: Samples) -> float:
    """Mean log-probability of the true class, over the clips whose class was drawn."""
    classes = probe.classes.cpu().numpy()
    known = np.isin(samples.labels, classes)
    chances = probe.log_probabilities(samples.features[known]).cpu().numpy()
    return float(chances[np.arange(len(chances)), np.searchsorted(classes, samples.labels[known])].mean())


def _draws(labels: Int[np.ndarray, " n"], share: float, settings: Settings) -> list[Int[np.ndarray, " k"]]:
    return [
        draw_labels(labels, share, stratified=settings.stratified, seed=settings.seed, number=number)
        for number in range(settings.draws)
    ]


def _only(samples: Samples, chosen: Int[np.ndarray, " k"]) -> Samples:
    return Samples(samples.features[chosen], samples.labels[chosen])


def _outcome(
    share: float,
    predictions: list[Int[np.ndarray, " q"]],
    labels: Int[np.ndarray, " n"],
    drawn: list[Int[np.ndarray, " k"]],
    settings: Settings,
    about: dict[str, Any],
    chosen: bool,
) -> Outcome:
    notes = remarks(labels, share, drawn)
    if chosen:
        notes += ("settings were chosen with all labels of the validation part",)
    return Outcome(
        predictions=np.stack(predictions),
        settings={
            "labelled": len(drawn[0]),
            "draws": len(drawn),
            "drawn": "stratified" if settings.stratified else "unstratified",
            **about,
        },
        selected_on="validation" if chosen else "none",
        notes=notes,
        variant=f"{100 * share:g} %",
    )
