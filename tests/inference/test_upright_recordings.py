"""A recording at inference is turned and measured as the recordings of the training were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from halpose import Embedder, prepare_own
from halpose.config import Config
from halpose.data.store import Store
from halpose.data.upright import Upright, find_uprights, put_upright
from halpose.engine.run import Run
from halpose.engine.trainer import train
from halpose.errors import CheckpointError
from halpose.inference.embed import embed_store
from halpose.inference.embedding_file import load_embeddings
from halpose.inference.sources import embed_sources
from halpose.settings import flatten
from halpose.skeleton import PREPARED, Sequence
from small import SMALL

# Sizes and directions matter, or nothing here could fail.
PLAIN = replace(SMALL, steps=2, method="moco", data=replace(SMALL.data, scale="none", align="none"))
_USUAL = dict(flatten(Config().to_dict()))
SETTINGS: dict[str, Any] = {key: value for key, value in flatten(PLAIN.to_dict()) if value != _USUAL[key]}


def recordings(standing: np.ndarray, count: int = 6) -> list[np.ndarray]:
    """Somebody who stands and sways, (T, 20, 3), metres, y up."""
    found = []
    for number in range(count):
        sway = 0.1 * np.random.default_rng(number).normal(size=(30, 20, 3)).cumsum(axis=0) / 5
        found.append((standing + sway).astype(np.float32))
    return found


def lying(positions: np.ndarray) -> np.ndarray:
    """The same in centimetres with z up."""
    return 100 * positions[..., [0, 2, 1]] * np.array([1, -1, 1], np.float32)


@pytest.fixture
def folder(standing: np.ndarray, tmp_path: Path) -> Path:
    path = tmp_path / "recordings"
    path.mkdir()
    for number, positions in enumerate(recordings(standing)):
        np.save(path / f"{number}.npy", lying(positions))
    return path


def test_files_become_what_the_store_of_the_training_made_of_them(folder: Path, tmp_path: Path) -> None:
    report = prepare_own(folder, tmp_path / "store", workers=1)
    assert any("centimetres, made metres" in line for line in report.summary())
    assert any("z, turned to y" in line for line in report.summary())
    store = Store.open(tmp_path / "store")
    train(store, replace(PLAIN, data=replace(PLAIN.data, part="all")), tmp_path / "run", device="cpu")
    run = Run.load(tmp_path / "run")
    assert run.upright == find_uprights(_sequence(np.load(file)) for file in sorted(folder.iterdir()))
    embed_sources(run, sorted(folder.iterdir()), tmp_path / "files.npz")
    expected = embed_store(run, store)
    found = load_embeddings(tmp_path / "files.npz")
    assert found.names == expected.names
    np.testing.assert_allclose(found.vectors, expected.vectors, atol=1e-4)


def test_embedder_takes_unit_and_axis_from_what_it_was_fitted_on(standing: np.ndarray) -> None:
    straight = recordings(standing)
    turned = [lying(positions) for positions in straight]
    one = Embedder(method="moco", steps=2, settings=SETTINGS, device="cpu").fit(straight)
    other = Embedder(method="moco", steps=2, settings=SETTINGS, device="cpu").fit(turned)
    assert other.run_.upright["kinect20"].unit == "centimetres" and other.run_.upright["kinect20"].up == "z"
    np.testing.assert_allclose(other.transform(turned), one.transform(straight), atol=1e-3)
    # Somebody who lies down in the same room is not set on their feet.
    flat = [positions[..., [0, 2, 1]] * np.array([1, 1, -1], np.float32) for positions in straight]
    assert np.abs(one.transform(flat) - one.transform(straight)).max() > 0.05


def test_a_run_of_the_catalogue_turns_strangers_only(run: Run, standing: np.ndarray) -> None:
    assert run.upright == {"kinect20": Upright()}
    own = _sequence(lying(recordings(standing, 1)[0]))
    assert put_upright(own, run.upright) is own
    stranger = replace(own, layout=replace(own.skeleton, name="lab"))
    np.testing.assert_allclose(put_upright(stranger, run.upright).positions, recordings(standing, 1), atol=1e-5)
    prepared = replace(stranger, extra={PREPARED: True})
    assert put_upright(prepared, run.upright) is prepared


def test_clips_of_a_store_are_as_they_were_prepared(store: Store) -> None:
    assert store.clip(0).extra[PREPARED] and not find_uprights(store)


@pytest.mark.parametrize("upright", [{"lab": {"unit": "furlongs"}}, {"lab": {"up": "north"}}, {"lab": 3}, [1]])
def test_nonsense_in_a_run_is_told(run: Run, upright: object) -> None:
    damaged = replace(run, about={**run.about, "store": {"upright": upright}})
    with pytest.raises(CheckpointError, match=r"config\.json is damaged: store\.upright"):
        _ = damaged.upright


def _sequence(positions: np.ndarray) -> Sequence:
    return Sequence(positions[None], "kinect20", "0", fps=30.0)
