"""What travels to the hub is enough to use a run, and nothing else; the hub itself stands in as a folder."""

from __future__ import annotations

import fnmatch
import inspect
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.engine.trainer import train
from halpose.errors import CheckpointError, ConfigError
from halpose.evaluate.features import extract
from halpose.hub import fetch, from_pretrained, push_to_hub, stage


class Hub(ModuleType):
    """As much of huggingface_hub as is called, with a folder for a server."""

    def __init__(self, folder: Path) -> None:
        super().__init__("huggingface_hub")
        self.folder, self.calls = folder, []
        self.HfApi = lambda: SimpleNamespace(create_repo=self.create_repo, upload_folder=self.upload_folder)

    def create_repo(self, **given: Any) -> str:
        self.calls.append(("create_repo", given))
        return f"https://hub/{given['repo_id']}"

    def upload_folder(self, **given: Any) -> None:
        self.calls.append(("upload_folder", given))
        for file in Path(given["folder_path"]).rglob("*"):
            if file.is_file():
                assert any(fnmatch.fnmatch(file.name, pattern) for pattern in given["allow_patterns"]), file
        shutil.copytree(given["folder_path"], self.folder / given["repo_id"])

    def snapshot_download(self, **given: Any) -> str:
        self.calls.append(("snapshot_download", given))
        if not (self.folder / given["repo_id"]).exists():
            raise OSError("404: no such repository\nmore of it")
        if given["local_dir"] is not None:
            return str(shutil.copytree(self.folder / given["repo_id"], given["local_dir"]))
        return str(self.folder / given["repo_id"])


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    found = Hub(tmp_path / "hub")
    monkeypatch.setitem(sys.modules, "huggingface_hub", found)
    return found


@pytest.fixture
def run(toy_run: Path, tmp_path: Path) -> Path:
    path = Path(shutil.copytree(toy_run, tmp_path / "run"))
    row = {
        "protocol": "knn", "features": "trained", "split": "x-sub", "part": "test", "top1": 0.5, "low": 0.4,
        "high": 0.6, "clips": 30,
    }  # fmt: skip
    content = {"run": str(path), "runs": [str(path)], "store": "/home/me/toy", "steps": 4, "data_set": "toy"}
    (path / "evaluation-toy-x-sub-test.json").write_text(json.dumps(content | {"results": [row]}))
    (path / "heads" / "moves").mkdir(parents=True)
    (path / "heads" / "moves" / "head.json").write_text('{"classes": ["a"]}')
    (path / "heads" / "moves" / "head.safetensors").write_bytes(b"weights")
    (path / "features").mkdir(exist_ok=True)
    np.save(path / "features" / "kept.npy", np.zeros(3))
    return path


def test_there_and_back(run: Path, hub: Hub, store: Store, tmp_path: Path) -> None:
    assert push_to_hub(run, "me/moves") == "https://hub/me/moves"
    (_, made), (_, sent) = hub.calls
    assert made == {"repo_id": "me/moves", "private": True, "exist_ok": True}
    assert sent["commit_message"] == "halpose run run"
    expected = extract(Run.load(run).method, store, np.arange(5), Run.load(run).config.data)
    for found in (
        Run.load("hf://me/moves"),
        Run.load(Path("hf://me/moves")),
        from_pretrained("me/moves", tmp_path / "mine"),
    ):
        np.testing.assert_array_equal(extract(found.method, store, np.arange(5), found.config.data), expected)
    assert (tmp_path / "mine" / "README.md").exists()
    assert 'from_run("hf://me/moves")' in (tmp_path / "mine" / "README.md").read_text()


def test_only_what_is_needed_travels_and_no_path(run: Path, toy_store: Path) -> None:
    with stage(run) as folder:
        files = {str(file.relative_to(folder)): file for file in folder.rglob("*") if file.is_file()}
        step = "checkpoints/step-00000004"
        assert set(files) == {
            "README.md", "config.json", "run.json", "evaluation-toy-x-sub-test.json", f"{step}/weights.safetensors",
            f"{step}/training.safetensors", f"{step}/checkpoint.json", "heads/moves/head.json",
            "heads/moves/head.safetensors",
        }  # fmt: skip
        assert load_file(files[f"{step}/training.safetensors"]) == {}
        for name, file in files.items():
            if name.endswith((".json", ".md")):
                text = file.read_text()
                assert str(toy_store.parent) not in text and str(run) not in text and "/home/me" not in text, name
        assert json.loads(files["config.json"].read_text())["store"]["path"] == "toy-store"
        assert "50.0 | 40.0 to 60.0" in files["README.md"].read_text()
    assert not folder.exists()


def test_a_run_from_the_hub_can_be_forked(run: Path, hub: Hub, store: Store, tmp_path: Path) -> None:
    push_to_hub(run, "me/moves", private=False)
    assert hub.calls[0][1]["private"] is False
    config = replace(Run.load(run).config, steps=6)
    summary = train(store, config, tmp_path / "further", device="cpu", fork=fetch("hf://me/moves"))
    assert summary.steps == 6


def test_what_goes_wrong_is_said(run: Path, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match=r"hf://me/gone: cannot be had from the hub \(404: no such repository\)"):
        Run.load("hf://me/gone")
    for name in ("hf://me", "hf://a/b/c", "a b/", ""):
        with pytest.raises(ConfigError, match="no name of the hub"):
            fetch(name)
    with pytest.raises(CheckpointError, match="not a run directory"):
        push_to_hub(tmp_path, "me/moves")

    def refuse(**given: Any) -> str:
        raise PermissionError("401: who are you?")

    hub.create_repo = refuse  # type: ignore[method-assign]
    with pytest.raises(CheckpointError, match=r"the hub does not take it \(401: who are you\?\); `hf auth login`"):
        push_to_hub(run, "me/moves")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for call in (lambda: Run.load("hf://me/moves"), lambda: push_to_hub(run, "me/moves")):
        with pytest.raises(ConfigError, match=r"pip install 'halpose\[hub\]'"):
            call()


def test_the_real_package_takes_these_calls(run: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    push_to_hub(run, "me/moves")
    fetch("me/moves")
    monkeypatch.delitem(sys.modules, "huggingface_hub")
    real = pytest.importorskip("huggingface_hub")
    for name, given in hub.calls:
        target = getattr(real, name) if name == "snapshot_download" else getattr(real.HfApi, name)
        known = inspect.signature(target).parameters
        assert set(given) <= set(known), name
