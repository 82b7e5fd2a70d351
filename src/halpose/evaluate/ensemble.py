"""Several streams together: the scores that each one's own classifier gives are added."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from halpose.errors import ConfigError
from halpose.evaluate.base import Outcome, Part, Settings
from halpose.evaluate.featureset import FeatureSet, Samples, side_by_side
from halpose.evaluate.knn import knn
from halpose.evaluate.linear import fit_chosen
from halpose.evaluate.result import Measure

_ALONE = "there is one stream, so nothing is added"


def ensemble(sets: FeatureSet, part: Part, settings: Settings) -> Outcome:
    """Linear probes of the streams, each with its own strength chosen on validation; their log-probabilities added.

    All streams count the same. Beside the sum stands what each stream reaches by itself.

    Reference:
        HaLP, section 4 ("3s"); CMD, section 4.
    """
    scored = sets.roles(part)[1]
    total = torch.zeros((), device=settings.device)
    classes = np.empty(0, dtype=np.int64)
    chosen: dict[str, float] = {}
    tried: dict[str, dict[str, float]] = {}
    alone: dict[str, Measure] = {}
    notes: dict[str, None] = {}
    for name, stream in sets.streams().items():
        probe, tried[name], more = fit_chosen(stream, part, settings)
        scores = probe.log_probabilities(stream.roles(part)[1].features)
        # The streams see the same clips, so their probes have the same classes in the same order.
        total, classes = total + scores, probe.classes.cpu().numpy()
        chosen[name] = probe.strength
        alone[name] = Measure.share(classes[scores.argmax(dim=1).cpu().numpy()] == scored.labels)
        notes |= dict.fromkeys(f"{name}: {note}" if note.startswith("the chosen") else note for note in more)
    return Outcome(
        predictions=classes[total.argmax(dim=1).cpu().numpy()],
        settings={"streams": " + ".join(chosen), "C": chosen, "validation_by_C": tried},
        selected_on="validation" if any(tried.values()) else "none",
        notes=(*notes, *((_ALONE,) if len(chosen) == 1 else ())),
        values=alone if len(alone) > 1 else {},
    )


def ensemble_knn(sets: FeatureSet, part: Part, settings: Settings) -> Outcome:
    """Nearest neighbours by the sum of the streams' cosine similarities; nothing is learned or chosen.

    That sum is the product of features in which each stream has been brought to unit length, side by side.

    Raises:
        ConfigError: the features are compared by distance, which cannot be added to another's.
    """
    streams = sets.streams()
    if sets.metric != "cosine":
        raise ConfigError("ensemble-knn adds cosine similarities; these features are compared by distance")
    outcome = knn(side_by_side({name: _unit(stream) for name, stream in streams.items()}), part, settings)
    alone = {
        name: Measure.share(knn(stream, part, settings).predictions == sets.roles(part)[1].labels)
        for name, stream in streams.items()
    }
    return replace(
        outcome,
        settings={"streams": " + ".join(streams), **outcome.settings},
        notes=(_ALONE,) if len(streams) == 1 else (),
        values=alone if len(alone) > 1 else {},
    )


def _unit(sets: FeatureSet) -> FeatureSet:
    """Every clip's features of length one; without any signal they stay zero."""

    def scaled(samples: Samples) -> Samples:
        return replace(samples, features=_of_unit_length(samples.features))

    return replace(sets, train=scaled(sets.train), validation=scaled(sets.validation), test=scaled(sets.test))


def _of_unit_length(features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    length = np.linalg.norm(features.astype(np.float64), axis=1, keepdims=True)
    unit: np.ndarray = (features / np.maximum(length, np.finfo(np.float32).tiny)).astype(np.float32)
    return unit
