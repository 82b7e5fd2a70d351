"""Batches made ahead are those of a plain loop to the bit, no thread outlives them, precisions are kept apart."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from halpose.data.memory import memory_store
from halpose.data.store import Store
from halpose.data.views import evaluation_view
from halpose.data.window import Window
from halpose.engine.run import Run
from halpose.errors import ConfigError
from halpose.evaluate.features import clip_features, extract, fixed_views
from halpose.inference.clips import store_clip, windows
from halpose.inference.embed import embed
from halpose.inference.sources import embed_sources

Runs = Callable[..., Run]


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> int:
    """Batches of 32 clips: of the toy store's 120 there are four."""
    monkeypatch.setattr("halpose.evaluate.features._BATCH", 32)
    return 32


@pytest.mark.parametrize("gigabytes", [1.0, 0.0])
@pytest.mark.parametrize("count", [0, 32, 33, 120])
def test_batches_are_those_of_a_plain_loop_to_the_bit(
    runs: Runs, store: Store, small_batches: int, count: int, gigabytes: float
) -> None:
    data = runs("joint").config.data
    clips = np.random.default_rng(0).permutation(len(store))[:count]
    found = list(fixed_views(store, clips, replace(data, resident_gigabytes=gigabytes), "cpu"))
    assert [len(view) for view in found] == [len(clips[at : at + 32]) for at in range(0, count, 32)]
    if count:
        window = Window.load(store, clips, data)  # all of them at once
        for view, chosen in zip(found, torch.arange(count).split(small_batches), strict=True):
            torch.testing.assert_close(view, evaluation_view(window, chosen, data.frames), rtol=0, atol=0)


def test_as_many_clips_as_a_batch_holds(runs: Runs, store: Store) -> None:
    data = runs("joint").config.data
    clips = np.arange(600) % len(store)
    window = Window.load(store, clips, data)
    chosen = torch.arange(600).split(256)
    for view, these in zip(fixed_views(store, clips, data, "cpu"), chosen, strict=True):
        torch.testing.assert_close(view, evaluation_view(window, these, data.frames), rtol=0, atol=0)


def test_the_thread_ends_where_the_consumer_stops(runs: Runs, store: Store, small_batches: int) -> None:
    run, before = runs("joint"), threading.active_count()
    views = fixed_views(store, np.arange(120), run.config.data, "cpu")
    next(views)
    assert threading.active_count() == before + 1
    views.close()
    assert threading.active_count() == before

    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(run.method, store, np.arange(120), run.config.data, progress=stop)
    assert threading.active_count() == before
    with pytest.raises(IndexError):  # what goes wrong in the thread
        list(fixed_views(store, np.array([*range(119), 10**6]), run.config.data, "cpu"))
    assert threading.active_count() == before


def test_the_thread_of_an_embedding_ends_where_the_consumer_stops(
    runs: Runs, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("halpose.inference.embed._BLOCK", 8)
    before, taken = threading.active_count(), []

    def clips() -> Any:
        for number in range(len(store)):
            taken.append(number)
            yield from windows(store_clip(store, number), store.layout)

    blocks = embed(runs("joint"), clips())
    assert len(next(blocks)) == 8
    blocks.close()
    assert threading.active_count() == before and len(taken) <= 24  # one block taken, one ahead, one begun


def test_a_lower_precision_moves_vectors_a_little_and_is_kept_by_itself(runs: Runs, store: Store) -> None:
    run, clips = runs("joint", "motion"), np.arange(len(store))
    full, lower, again = (
        dict(clip_features(run, store, clips, precision=precision)) for precision in ("float32", "bfloat16", "float32")
    )
    assert len(list((run.path / "features").iterdir())) == 4
    for name, vectors in full.items():
        assert lower[name].dtype == np.float32
        apart = np.linalg.norm(lower[name] - vectors, axis=1) / np.linalg.norm(vectors, axis=1)
        assert apart.min() > 0 and apart.max() < 0.02
        np.testing.assert_array_equal(again[name], vectors)
        kept = dict(clip_features(run, store, clips, precision="bfloat16"))
        np.testing.assert_array_equal(kept[name], lower[name])


def test_a_precision_that_is_none_is_named(runs: Runs, toy_store: Path, store: Store, tmp_path: Path) -> None:
    run, wrong = runs("joint"), "float16"
    clips = memory_store([store_clip(store, 0)], store.layout)
    with pytest.raises(ConfigError, match="'float16' is none of features; there are float32, bfloat16"):
        extract(run.method, clips, np.arange(1), run.config.data, precision=wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="'float16' is none"):
        embed_sources(run, [toy_store], tmp_path / "a.npz", precision=wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="'float16' is none"):
        list(clip_features(run, store, np.arange(1), precision=wrong))  # type: ignore[arg-type]
