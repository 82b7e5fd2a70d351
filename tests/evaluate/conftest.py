"""Feature sets whose answers are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from halpose.data.store import Store
from halpose.data.window import resolve_data
from halpose.engine.run import Run, Shape, fresh_method
from halpose.evaluate.featureset import FeatureSet, Samples
from small import SMALL

Clusters = Callable[..., FeatureSet]
Runs = Callable[..., Run]


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


@pytest.fixture
def runs(toy_store: Path, tmp_path: Path) -> Runs:
    """A function (streams, name, store) -> a run whose encoders are not those it began with, as after training."""

    def make(*streams: str, name: str = "run", store: Store | None = None) -> Run:
        store = store or Store.open(toy_store)
        data = resolve_data(store, SMALL.data)
        config = replace(SMALL, method="moco", streams=streams or ("joint", "motion"), data=data)
        shape, path = Shape.of_store(store), tmp_path / name
        path.mkdir()
        about = {"store": {"path": str(store.path), "name": store.name, "clips": len(store)}}
        learned = fresh_method(replace(config, seed=99), shape).eval()
        return Run(path=path, config=config, shape=shape, about=about, step=1, method=learned)

    return make
