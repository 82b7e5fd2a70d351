"""Settings of a few milliseconds a step."""

from __future__ import annotations

import pytest

from halpose.bench.card import published_sizes
from halpose.config import Config
from halpose.data.store import Store
from halpose.engine.trainer import fit_config
from halpose.settings import load_recipe, override_text
from small import SMALL_WORDS


@pytest.fixture
def config(store: Store) -> Config:
    """HaLP, eight steps, HaLP from the second on."""
    return fit_config(store, override_text(load_recipe("halp"), (*SMALL_WORDS, "steps=8", "log_every=1")))[0]


@pytest.fixture
def small() -> Config:
    """The published sizes, made small."""
    settings = (
        "data.frames=16",
        "encoder.layers=2",
        "contrast.queue=64",
        "halp.newest=16",
        "halp.prototypes=4",
        "halp.refresh=1",
    )
    return override_text(published_sizes(8, 16), settings)
