"""A head is kept without code, comes back as it was, and belongs to the weights that it was fitted on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import torch
from clusters import clusters

from halpose.engine.run import Run
from halpose.errors import CheckpointError, ConfigError
from halpose.heads.fitting import fit_head
from halpose.heads.head import Head, Thresholds, load_head, save_head


@pytest.fixture
def run(toy_run: Path, tmp_path: Path) -> Run:
    return Run.load(copytree(toy_run, tmp_path / "run"))


@pytest.fixture(scope="module")
def head() -> Head:
    return fit_head(clusters(), streams=("joint",))


def test_an_answer_by_hand() -> None:
    head = Head(
        weight=np.array([[2.0, 0.0], [0.0, 4.0]]),
        bias=np.array([0.5, 0.0]),
        centres=np.eye(2),
        classes=("a", "b"),
        temperature=2.0,
        thresholds=Thresholds(confidence=0.6, distance=0.5),
    )
    said = head.answer(np.array([[3.0, 0.0], [0.0, 1.0], [1.0, 0.6], [-0.1, -3.0]]))
    assert said.columns.tolist() == [0, 1, 0, 0]
    logits = np.array([3.25 - 0, 2.0 - 0.25, 1.25 - 1.2, 0.15 + 6])
    np.testing.assert_allclose(said.confidence, 1 / (1 + np.exp(-logits)))
    np.testing.assert_allclose(said.distance, [0, 0, 1 - 1 / np.hypot(1, 0.6), 1 + 0.1 / np.hypot(0.1, 3)])
    # The third is not sure enough; the fourth is sure, and far from everything.
    assert said.is_unknown.tolist() == [False, False, True, True]


def test_what_is_kept_comes_back(run: Run, head: Head) -> None:
    folder = save_head(run, "gestures", head)
    assert folder == run.path / "heads" / "gestures"
    assert sorted(path.name for path in folder.iterdir()) == ["head.json", "head.safetensors"]
    assert [path.name for path in folder.parent.iterdir()] == ["gestures"]
    for again in (load_head(run), load_head(run, "gestures")):
        vectors = clusters(seed=1).vectors
        for name in ("columns", "confidence", "distance", "is_unknown"):
            np.testing.assert_array_equal(getattr(again.answer(vectors), name), getattr(head.answer(vectors), name))
        assert (again.classes, again.streams, again.thresholds) == (head.classes, ("joint",), head.thresholds)
        assert again.about == json.loads(json.dumps(head.about))


def test_nothing_is_replaced_unasked(run: Run, head: Head) -> None:
    save_head(run, "gestures", head)
    with pytest.raises(ConfigError, match="has a head 'gestures' already; give another --name, or --overwrite"):
        save_head(run, "gestures", head)
    save_head(run, "gestures", replace(head, temperature=7.0), overwrite=True)
    assert load_head(run).temperature == 7.0
    for name in ("", ".", "..", "a/b", ".hidden"):
        with pytest.raises(ConfigError, match="cannot be the name of a head"):
            save_head(run, name, head)


def test_which_head_is_meant_must_be_clear(run: Run, head: Head) -> None:
    with pytest.raises(ConfigError, match="has no head; fit one: halpose fit-head"):
        load_head(run)
    save_head(run, "one", head)
    save_head(run, "two", head)
    with pytest.raises(ConfigError, match="several heads; name one with --head: one, two"):
        load_head(run)
    with pytest.raises(ConfigError, match="no head named 'three'; it has one, two"):
        load_head(run, "three")


def test_a_head_of_other_weights_is_refused(run: Run, head: Head) -> None:
    save_head(run, "one", head)
    with torch.no_grad():
        next(run.method.stream_table()["joint"].query.encoder.parameters()).add_(1)
    with pytest.raises(CheckpointError, match="fit it again"):
        load_head(run)


@pytest.mark.parametrize("how", ["cut", "classes", "json", "version", "gone"])
def test_damage_is_noticed(run: Run, head: Head, how: str) -> None:
    folder = save_head(run, "one", head)
    table = json.loads((folder / "head.json").read_text())
    if how == "cut":
        (folder / "head.safetensors").write_bytes((folder / "head.safetensors").read_bytes()[:-9])
    elif how == "gone":
        (folder / "head.safetensors").unlink()
    elif how == "json":
        (folder / "head.json").write_text("{")
    else:
        changed = {"classes": ["a"]} if how == "classes" else {"version": 99}
        (folder / "head.json").write_text(json.dumps(table | changed))
    with pytest.raises(CheckpointError, match="damaged head"):
        load_head(run)
