"""Settings of a few milliseconds a step."""

from __future__ import annotations

import pytest

from halpose.config import Config
from halpose.data.store import Store
from halpose.engine.trainer import fit_config
from halpose.settings import load_recipe, override_text
from small import SMALL_WORDS


@pytest.fixture
def config(store: Store) -> Config:
    """HaLP, eight steps, HaLP from the second on."""
    return fit_config(store, override_text(load_recipe("halp"), (*SMALL_WORDS, "steps=8", "log_every=1")))[0]
