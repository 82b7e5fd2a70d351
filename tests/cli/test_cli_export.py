"""`halpose export` writes what was asked for, says how well it agrees, and refuses in one message."""

from __future__ import annotations

from pathlib import Path

import torch
from terminal import halpose


def test_a_run_is_exported_and_compared_on_a_store(run: Path, toy_store: Path, tmp_path: Path) -> None:
    file = tmp_path / "new" / "run.pt2"
    outcome = halpose("export", run, "--torch", file, "--streams", "joint", "--check", toy_store, "--json")
    assert outcome.code == 0, outcome.err
    (told,) = outcome.json["files"]
    assert (told["path"], told["form"], told["bytes"]) == (str(file), "torch", file.stat().st_size)
    assert told["clips"] > 64 and 0 < told["difference"] < 1e-4
    assert told["about"]["halpose.streams"] == '["joint"]' and told["about"]["halpose.fps"] == "30.0"
    found = torch.export.load(file).module()(torch.zeros(1, 2, 5, 20, 3))
    assert found.shape == (1, 16)
    assert "clips compared: embeddings differ by at most" in outcome.err


def test_what_cannot_be_exported_is_refused(run: Path, tmp_path: Path) -> None:
    halpose("export", run).fails("nothing to write", "--onnx FILE")
    halpose("export", run, "--torch", tmp_path / "a.pt2", "--streams", "bone").fails("no stream named 'bone'")
    halpose("export", tmp_path, "--torch", tmp_path / "a.pt2").fails("not a run directory")
    halpose("export", run, "--torch", tmp_path / "a.pt2", "--check", tmp_path).fails()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]
