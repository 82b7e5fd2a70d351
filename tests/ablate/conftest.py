"""A place for cells of a few seconds' worth of nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from halpose.ablate.cells import Bench
from halpose.ablate.trainings import base_config
from halpose.config import Config
from halpose.data.store import Store
from small import SMALL_WORDS


@pytest.fixture
def bench(toy_store: Path, tmp_path: Path) -> Bench:
    """The toy store and an empty folder."""
    return Bench(Store.open(toy_store), tmp_path / "out")


@pytest.fixture
def config(bench: Bench) -> Config:
    """HaLP, eight steps, HaLP from the second on."""
    return base_config(bench, None, 8, (*SMALL_WORDS, "checkpoint_every=2", "log_every=1"))
