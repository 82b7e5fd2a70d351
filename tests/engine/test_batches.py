"""Batches: the same views from memory, from disk and ahead of time, to the bit, whatever happens in between."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from outcome import final_state
from torch import Tensor

from halpose.config import Config, ViewConfig
from halpose.data.store import Store, StoreError
from halpose.data.window import MappedWindow, Window
from halpose.engine.batches import Batches
from halpose.engine.seeds import seed_of
from halpose.engine.trainer import Trainer, fit_config, train
from halpose.parts.ranks import ALONE, Ranks
from small import SMALL

VIEWS = ViewConfig(crop=(0.5, 1.0), least_frames=8)
CONFIG = replace(SMALL, method="moco", steps=12, checkpoint_every=4, log_every=4, views=VIEWS)
# Where the clips are: in memory; on disk, read when needed; on disk, read ahead by one batch, and by several.
PLACES = {"resident": (4.0, 2), "mapped": (0.0, 0), "one ahead": (0.0, 1), "ahead": (0.0, 3)}


def placed(config: Config, place: str) -> Config:
    gigabytes, prefetch = PLACES[place]
    return replace(config, data=replace(config.data, resident_gigabytes=gigabytes, prefetch=prefetch))


def batches(store: Store, config: Config, place: str, ranks: Ranks = ALONE, device: str = "cpu") -> Batches:
    config = fit_config(store, placed(config, place), ranks.world)[0]
    window = Window.load(store, store.part(config.data.split, config.data.part), config.data, device)
    assert isinstance(window, MappedWindow) == (place != "resident")
    further = {"extreme": replace(config.views, tilt=30.0, noise=0.1)}
    return Batches(window, config, further, ranks)


@pytest.mark.parametrize("method", ["halp", "aimclr"])
@pytest.mark.parametrize("published", [False, True])
def test_training_is_the_same_wherever_the_clips_are(
    store: Store, tmp_path: Path, method: str, published: bool
) -> None:
    config = replace(CONFIG, method=method, views=replace(CONFIG.views, published=published))
    for place in PLACES:
        train(store, placed(config, place), tmp_path / place, device="cpu")
    expected = final_state(tmp_path / "resident")
    for place in PLACES:
        found = final_state(tmp_path / place)
        assert found.keys() == expected.keys()
        assert all(torch.equal(expected[name], value) for name, value in found.items()), place


@pytest.mark.parametrize("stops", [(5, None), (4, 8, 9, None)])
def test_a_resumed_run_equals_one_never_stopped_though_more_was_read(
    store: Store, tmp_path: Path, stops: tuple[int | None, ...]
) -> None:
    train(store, placed(CONFIG, "resident"), tmp_path / "whole", device="cpu")
    original, config = Trainer.take_step, placed(CONFIG, "ahead")

    def late(self: Trainer) -> dict[str, Tensor]:
        time.sleep(0.02)  # the thread reads what follows meanwhile
        return original(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "take_step", late)
        for stop in stops:
            train(store, config, tmp_path / "parts", device="cpu", resume=stop != stops[0], stop_at=stop)
    ours, theirs = final_state(tmp_path / "whole"), final_state(tmp_path / "parts")
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())


def test_batches_are_taken_with_and_without_a_thread_in_turn(store: Store) -> None:
    expected = batches(store, CONFIG, "resident")
    found = batches(store, CONFIG, "ahead")
    ours, states = [], []
    for step in range(12):
        ours.append(expected.take(step))
        states.append(expected.generator.get_state())
    theirs = [found.take(0)]
    with found.coming(1, 9):
        theirs += [found.take(step) for step in range(1, 5)]  # what was made of 5 to 8 is thrown away
    theirs += [found.take(step) for step in (5, 6)]
    with found.coming(7, 12):
        theirs += [found.take(step) for step in range(7, 12)]
    assert [batch.state is None for batch in theirs] == [step in (0, 5, 6) for step in range(12)]
    for a, b, state in zip(ours, theirs, states, strict=True):
        assert torch.equal(a.clips, b.clips) and (b.state is None or torch.equal(state, b.state))
        assert a.views.keys() == b.views.keys() == {"query", "key", "extreme"}
        assert all(torch.equal(view, b.views[name]) for name, view in a.views.items())
    assert torch.equal(expected.generator.get_state(), found.generator.get_state())


def test_ranks_read_their_share_ahead_and_draw_by_the_step(store: Store) -> None:
    for rank in range(2):
        expected = batches(store, CONFIG, "resident", Ranks(rank, 2))
        found = batches(store, CONFIG, "ahead", Ranks(rank, 2))
        with found.coming(3, 6):
            for step in range(3, 6):
                ours, theirs = expected.take(step), found.take(step)
                assert len(ours.clips) == 8 and torch.equal(ours.clips, theirs.clips)
                assert all(torch.equal(view, theirs.views[name]) for name, view in ours.views.items())
        again = batches(store, CONFIG, "mapped", Ranks(rank, 2)).take(5)
        assert torch.equal(ours.views["extreme"], again.views["extreme"])


def test_an_epochs_order_is_drawn_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made = batches(store, replace(CONFIG, seed=5), "resident")
    clips = len(made.window)
    drawn: list[int] = []
    original = torch.randperm
    monkeypatch.setattr(torch, "randperm", lambda *args, **kwargs: drawn.append(1) or original(*args, **kwargs))
    per_epoch = clips // 16
    for epoch in range(3):
        order = original(clips, generator=torch.Generator().manual_seed(seed_of(5, 3, epoch)))
        found = torch.cat([made.clips(epoch * per_epoch + at) for at in range(per_epoch)])
        assert torch.equal(found, order[: 16 * per_epoch])
    assert len(drawn) == 3
    assert torch.equal(made.clips(0), original(clips, generator=torch.Generator().manual_seed(seed_of(5, 3, 0)))[:16])


def test_resident_windows_start_no_thread_and_none_is_left(store: Store, tmp_path: Path) -> None:
    before = threading.active_count()
    for place, threads in (("resident", 0), ("mapped", 0), ("ahead", 1)):
        made = batches(store, CONFIG, place)
        with made.coming(0, 12):
            assert threading.active_count() == before + threads
            made.take(0)
        assert threading.active_count() == before


def test_what_goes_wrong_in_the_thread_ends_the_training_with_its_message(store: Store, tmp_path: Path) -> None:
    class Gone(Trainer):
        def take_step(self) -> dict[str, Tensor]:
            window = self.batches.window
            assert isinstance(window, MappedWindow)

            def gone(rows: np.ndarray) -> np.ndarray:
                raise StoreError("frames.npy: cannot be read (gone)")

            window._read = gone
            return super().take_step()

    config = fit_config(store, replace(placed(CONFIG, "ahead"), checkpoint_every=2))[0]
    trainer = Gone(store, config, tmp_path / "run", torch.device("cpu"))
    with pytest.raises(StoreError, match="cannot be read"):
        trainer.fit()
    assert trainer.step <= 4


@pytest.mark.gpu
def test_views_are_the_same_on_a_gpu(store: Store) -> None:
    for place in ("mapped", "ahead"):
        found = batches(store, CONFIG, place, device="cuda")
        expected = batches(store, CONFIG, "resident", device="cuda")
        with found.coming(0, 12):
            for step in range(12):
                ours, theirs = expected.take(step), found.take(step)
                assert torch.equal(ours.clips, theirs.clips)
                assert all(torch.equal(view, theirs.views[name]) for name, view in ours.views.items())
