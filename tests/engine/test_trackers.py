"""Trackers are extras: asked for without their package, they say how to get it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from halpose.engine.trackers import build_tracker
from halpose.errors import ConfigError


def test_unknown_tracker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such tracker; there are: tensorboard"):
        build_tracker("clipboard", tmp_path)


def test_missing_package_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"pip install 'halpose\[tensorboard\]'"):
        build_tracker("tensorboard", tmp_path)


def test_tensorboard_gets_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, float, int]] = []
    opened: list[tuple[str, int]] = []

    class Writer:
        def __init__(self, folder: str, purge_step: int) -> None:
            opened.append((folder, purge_step))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            written.append((name, value, step))

        def close(self) -> None:
            written.append(("closed", 0.0, 0))

    module = type(sys)("torch.utils.tensorboard")
    module.SummaryWriter = Writer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    tracker = build_tracker("tensorboard", tmp_path)
    tracker.begin(40, 100)
    tracker.row({"step": 50, "loss": 1.5})
    tracker.end()
    assert opened == [(str(tmp_path / "tensorboard"), 40)]
    assert written == [("loss", 1.5, 50), ("closed", 0.0, 0)]


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="the tensorboard extra is not installed")
def test_real_tensorboard_writes_a_file(tmp_path: Path) -> None:
    tracker = build_tracker("tensorboard", tmp_path)
    tracker.begin(0, 10)
    tracker.row({"step": 5, "loss": 1.0})
    tracker.end()
    assert any((tmp_path / "tensorboard").iterdir())
