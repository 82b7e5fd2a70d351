"""Feature sets whose answers are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from halpose.evaluate.featureset import FeatureSet, Samples

Clusters = Callable[..., FeatureSet]


@pytest.fixture
def clusters() -> Clusters:
    """A function (noise, classes, each, dimension, seed) -> a set whose classes are directions in space plus noise."""

    def make(noise: float = 0.1, classes: int = 4, each: int = 12, dimension: int = 16, seed: int = 0) -> FeatureSet:
        rng = np.random.default_rng(seed)
        centres = rng.normal(size=(classes, dimension))
        labels = np.arange(classes * each) % classes

        def part(name: str) -> Samples:
            x = centres[labels] + noise * rng.normal(size=(len(labels), dimension))
            return Samples(x.astype(np.float32), labels.copy(), tuple(f"{name}{i}" for i in range(len(labels))))

        return FeatureSet(part("train"), part("validation"), part("test"))

    return make
