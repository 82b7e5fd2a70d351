"""Trackers are extras: asked for without their package, they say how to get it."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from halpose.engine.trackers import build_tracker
from halpose.errors import ConfigError


def test_unknown_tracker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such tracker; there are: tensorboard, wandb, trackio"):
        build_tracker("clipboard", tmp_path)


@pytest.mark.parametrize(
    ("tracker", "module"), [("tensorboard", "torch.utils.tensorboard"), ("wandb", "wandb"), ("trackio", "trackio")]
)
def test_missing_package_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracker: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=rf"pip install 'halpose\[{tracker}\]'"):
        build_tracker(tracker, tmp_path)


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
    assert opened == [(str(tmp_path / "tensorboard"), 41)]  # rows from there on are purged: that of step 40 stays
    assert written == [("loss", 1.5, 50), ("closed", 0.0, 0)]


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="the tensorboard extra is not installed")
def test_real_tensorboard_writes_a_file(tmp_path: Path) -> None:
    tracker = build_tracker("tensorboard", tmp_path)
    tracker.begin(0, 10)
    tracker.row({"step": 5, "loss": 1.0})
    tracker.end()
    assert any((tmp_path / "tensorboard").iterdir())


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_projects_get_settings_and_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    calls: list[tuple[str, Any]] = []
    module = type(sys)(name)
    module.init = lambda **arguments: calls.append(("init", arguments))  # type: ignore[attr-defined]
    module.log = lambda values, step: calls.append(("log", (values, step)))  # type: ignore[attr-defined]
    module.finish = lambda: calls.append(("finish", None))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, module)
    (tmp_path / "config.json").write_text(json.dumps({"config": {"seed": 3}}))
    opened = []
    for begin in (0, 40):  # and again, as after an interruption
        tracker = build_tracker(name, tmp_path)
        tracker.begin(begin, 100)
        tracker.row({"step": begin + 10, "loss": 1.5})
        tracker.end()
        opened.append(calls[0][1])
        assert calls[1:] == [("log", ({"loss": 1.5}, begin + 10)), ("finish", None)]
        calls.clear()
    assert opened[0] == opened[1] and opened[0]["config"] == {"seed": 3} and opened[0]["resume"] == "allow"
    assert tmp_path.name in opened[0]["name"]


def test_a_project_that_was_never_begun_ends_quietly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", type(sys)("wandb"))
    build_tracker("wandb", tmp_path).end()


@pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="the wandb extra is not installed")
def test_real_wandb_keeps_rows_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    (tmp_path / "config.json").write_text(json.dumps({"config": {"seed": 3}}))
    tracker = build_tracker("wandb", tmp_path)
    tracker.begin(0, 10)
    tracker.row({"step": 5, "loss": 1.0})
    tracker.end()
    assert list(tmp_path.rglob("*.wandb"))
