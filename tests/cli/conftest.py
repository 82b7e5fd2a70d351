"""A trained run for the tests of the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from terminal import TINY, halpose, set_words


@pytest.fixture(autouse=True)
def usual_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """80 columns, and no recordings that a test did not name."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("HALPOSE_DATA", raising=False)


@pytest.fixture(scope="session")
def trained(toy_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four steps on the toy store; nobody writes into it."""
    out = tmp_path_factory.mktemp("trained") / "run"
    outcome = halpose("train", toy_store, *set_words(*TINY), "--out", out, "--device", "cpu")
    assert outcome.code == 0, outcome.err
    return out


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of that run, to be written into or damaged."""
    return Path(shutil.copytree(trained, tmp_path / "run"))
