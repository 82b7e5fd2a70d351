"""Linear probes: how well a linear classifier reads the classes off features that never saw a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from halpose.errors import DataError
from halpose.evaluate.base import Outcome, Part, Settings
from halpose.evaluate.featureset import FeatureSet, Samples
from halpose.evaluate.logistic import minimise
from halpose.evaluate.principal import principal

BLOCK_ROWS = 8192

TOLERANCE = 1e-6
"""How far a probe may be from its optimum, in nats per sample; if it were more, predictions would depend on the way."""


@dataclass(frozen=True)
class Probe:
    """A linear classifier; a class that it was not trained on has no column and is never predicted.

    Attributes:
        weight: (D, K) for the features as they come (standardisation is folded in).
        bias: (K,).
        classes: (K,) class index of each column.
        strength: C of the regularisation; 0 when there is none.
        gap: nats per sample that its objective may still be above the optimum.
    """

    weight: Float[torch.Tensor, "d k"]
    bias: Float[torch.Tensor, " k"]
    classes: Int[torch.Tensor, " k"]
    strength: float = 0.0
    gap: float = 0.0

    def log_probabilities(self, features: Float[np.ndarray, "n d"]) -> Float[torch.Tensor, "n k"]:
        """Log-probability of each class, on the device of the probe; scores of several probes may be added."""
        blocks = [
            _tensor(features[start : start + BLOCK_ROWS], self.weight.device) @ self.weight + self.bias
            for start in range(0, len(features), BLOCK_ROWS)
        ]
        return torch.cat(blocks or [self.bias.new_zeros(0, len(self.bias))]).log_softmax(dim=1)

    def predict(self, features: Float[np.ndarray, "n d"]) -> Int[np.ndarray, " n"]:
        """Most probable class of each clip."""
        return np.asarray(self.classes[self.log_probabilities(features).argmax(dim=1)].cpu())


def fit_probes(
    samples: Samples,
    strengths: Sequence[float],
    device: torch.device | str = "cpu",
    tolerance: float = TOLERANCE,
) -> list[Probe]:
    """L2-regularised multinomial logistic regression on standardised features, all strengths in one sweep.

    Each probe is scikit-learn's `LogisticRegression(C=strength)` after `StandardScaler`.

    Args:
        samples: what to learn from.
        strengths: values of C.
        device: where the arithmetic is done.
        tolerance: how far from the optimum it may end, in nats per sample.

    Raises:
        DataError: the samples are of one class.
    """
    present, targets = np.unique(samples.labels, return_inverse=True)
    if len(present) < 2:
        raise DataError(f"{len(samples)} clips of {len(present)} class; a linear probe needs at least two classes")
    axes = principal(samples.features, device)
    labels = torch.from_numpy(targets).to(device)
    solution = minimise(axes.coordinates, axes.variance, labels, len(present), strengths, tolerance)
    classes = torch.from_numpy(present).to(device)
    probes = []
    for i, strength in enumerate(strengths):
        weight = (axes.axes @ solution.weight[:, i]) / axes.scale[:, None]
        shift = (axes.mean.double() @ weight.double()).to(weight.dtype)
        probes.append(Probe(weight, solution.bias[i] - shift, classes, float(strength), float(solution.gap[i])))
    return probes


def choose_probe(
    train: Samples, validation: Samples, strengths: Sequence[float], device: torch.device | str = "cpu"
) -> tuple[Probe, dict[str, float]]:
    """Fit every strength on train; keep the best on validation, of equal accuracies the likelier.

    Returns:
        The probe, and the validation accuracy of each strength.

    Raises:
        DataError: the validation part is empty.
    """
    if not len(validation):
        raise DataError(
            "the validation part has no labelled clip, so the strength of the linear probe cannot be chosen; "
            "give the split a validation part, or set one strength"
        )
    scores: dict[str, float] = {}
    ranked = []
    for probe in fit_probes(train, strengths, device):
        chances = probe.log_probabilities(validation.features).cpu()
        classes = probe.classes.cpu().numpy()
        accuracy = float((classes[chances.argmax(dim=1).numpy()] == validation.labels).mean())
        # A class without a training clip is wrong under every strength: it takes no part in the comparison.
        known = np.isin(validation.labels, classes)
        columns = np.searchsorted(classes, validation.labels[known])
        likelihood = float(chances.numpy()[known, columns].sum())
        scores[f"{probe.strength:g}"] = accuracy
        ranked.append((accuracy, likelihood, probe))
    return max(ranked, key=lambda entry: entry[:2])[2], scores


def fit_chosen(sets: FeatureSet, part: Part, settings: Settings) -> tuple[Probe, dict[str, float], tuple[str, ...]]:
    """The probe of a part's score: its strength chosen on the validation part, then fitted on all it may learn from.

    Returns:
        The probe, the validation accuracy of each strength (empty where there was no choice), and remarks.

    Raises:
        DataError: the validation part is empty, or the samples are of one class.
    """
    fitted, _ = sets.roles(part)
    strengths = settings.strengths
    if len(strengths) == 1:
        probe = fit_probes(fitted, strengths, settings.device)[0]
        return probe, {}, _unfinished(probe)
    notes = []
    probe, tried = choose_probe(sets.train, sets.validation, strengths, settings.device)
    if probe.strength in (min(strengths), max(strengths)):
        notes.append(f"the chosen strength C = {probe.strength:g} is at the edge of the grid")
    if part == "test":
        probe = fit_probes(fitted, [probe.strength], settings.device)[0]
    else:
        notes.append("the strength was chosen on the clips that are scored here")
    return probe, tried, (*notes, *_unfinished(probe))


def _unfinished(probe: Probe) -> tuple[str, ...]:
    """A remark on a probe that has not come to its optimum."""
    if probe.gap <= TOLERANCE:
        return ()
    return (
        f"the probe may be {probe.gap:.1g} nats a sample from its optimum (C = {probe.strength:g} hardly regularises)",
    )


def linear(sets: FeatureSet, part: Part, settings: Settings) -> Outcome:
    """Logistic regression on standardised features, its strength chosen on the validation part.

    The strength is chosen with train as the training part; for the test part the probe is then fitted again, with that
    strength, on the whole official training part. Mean and deviation are always those of what is being fitted.
    """
    probe, tried, notes = fit_chosen(sets, part, settings)
    return Outcome(
        predictions=probe.predict(sets.roles(part)[1].features),
        settings={"C": probe.strength, "validation_by_C": tried},
        selected_on="validation" if tried else "none",
        notes=notes,
    )


def linear_sgd(sets: FeatureSet, part: Part, settings: Settings) -> Outcome:
    """The paper's probe: one linear layer on the features as they are, SGD, a fixed schedule, the last epoch reported.

    Learning rate x0.1 after epochs 50 and 70 of 80, batch 64, momentum 0.9, no weight decay. It deviates from the
    published code in one thing: features are extracted once, so the probe does not see a new temporal crop of each clip
    every epoch. The published numbers are those of the best epoch on the test part (`best_on_test`).

    Reference:
        HaLP, section 4 and its published code.
    """
    fitted, scored = sets.roles(part)
    peek = settings.best_on_test and part == "test"
    generator = torch.Generator().manual_seed(settings.seed)
    present, targets = np.unique(fitted.labels, return_inverse=True)
    features, labels = _tensor(fitted.features, settings.device), torch.from_numpy(targets).to(settings.device)
    weight = 0.01 * torch.randn(features.shape[1], len(present), generator=generator)
    probe = Probe(
        weight.to(settings.device),
        torch.zeros(len(present), device=settings.device),
        torch.from_numpy(present).to(settings.device),
    )
    optimizer = torch.optim.SGD([probe.weight, probe.bias], lr=settings.learning_rate, momentum=0.9)
    best = 0.0
    for epoch in range(settings.epochs):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * 0.1 ** sum(epoch >= drop for drop in settings.drops)
        order = torch.randperm(len(labels), generator=generator).to(settings.device)
        for batch in torch.split(order, settings.batch_size):
            x = features[batch]
            residual = (x @ probe.weight + probe.bias).softmax(dim=1)
            residual[torch.arange(len(batch), device=residual.device), labels[batch]] -= 1
            residual /= len(batch)
            probe.weight.grad, probe.bias.grad = x.T @ residual, residual.sum(dim=0)
            optimizer.step()
        if peek:
            best = max(best, float((probe.predict(scored.features) == scored.labels).mean()))
    if not bool(probe.weight.isfinite().all()):
        raise DataError(
            f"the linear probe diverged at learning rate {settings.learning_rate:g}: the features are large; "
            "lower the learning rate, or use protocol 'linear', which standardises them"
        )
    return Outcome(
        predictions=probe.predict(scored.features),
        settings={
            "learning_rate": settings.learning_rate,
            "batch_size": settings.batch_size,
            "epochs": settings.epochs,
            "drops": list(settings.drops),
            "seed": settings.seed,
        },
        best_on_test=best if peek else None,
    )


def _tensor(features: Float[np.ndarray, "n d"], device: torch.device | str) -> Float[torch.Tensor, "n d"]:
    """Float32 on the device; copied, because a memory map is read-only and torch warns of that."""
    return torch.from_numpy(np.array(features, dtype=np.float32)).to(device)
