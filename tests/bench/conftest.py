"""A store and settings of a few milliseconds a step."""

from __future__ import annotations

from pathlib import Path

import pytest

from halpose.config import Config
from halpose.data.store import Store
from halpose.engine.trainer import fit_config
from halpose.settings import load_recipe, override_text

SMALL = (
    "steps=8", "batch_size=16", "data.frames=16", "encoder.width=8", "encoder.layers=1", "encoder.heads=2",
    "encoder.segments=2", "contrast.embedding=8", "contrast.queue=32", "halp.newest=16", "halp.prototypes=4",
    "halp.start=0.25", "checkpoint_every=2", "log_every=1",
)  # fmt: skip


@pytest.fixture
def store(toy_store: Path) -> Store:
    """The toy store."""
    return Store.open(toy_store)


@pytest.fixture
def config(store: Store) -> Config:
    """HaLP, eight steps, HaLP from the second on."""
    return fit_config(store, override_text(load_recipe("halp"), SMALL))[0]
