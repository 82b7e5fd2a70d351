"""Ranks that are timed: as many as there are cores for, in step, and gone afterwards, however it ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from halpose.bench import growth, ranks
from halpose.bench.growth import measure_growth
from halpose.bench.ranks import Team, possible_ranks
from halpose.config import Config
from halpose.errors import ConfigError, TrainingError

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(
    ("found", "batch", "numbers", "told"),
    [
        (1, 64, (), "ranks are left out, of which two are the least: 1 core, a batch of 64 clips"),
        (2, 64, (1, 2), "no more than 2 ranks: 2 cores, a batch of 64 clips"),
        (64, 12, (1, 2, 4), "no more than 4 ranks: 64 cores, a batch of 12 clips"),
        (64, 9, (), "ranks are left out, of which two are the least: 64 cores, a batch of 9 clips"),
        (64, 64, (1, 2, 4, 8), ""),
    ],
)
def test_what_is_left_out_is_said(
    found: int, batch: int, numbers: tuple[int, ...], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranks, "cores", lambda: found)
    assert possible_ranks(CPU, batch) == (numbers, told)


@pytest.mark.ddp
def test_one_and_two_ranks_are_measured(small: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "AXES", ())
    monkeypatch.setattr(growth, "_CLIPS", 16)
    monkeypatch.setattr(growth, "_ROUNDS", 1)
    monkeypatch.setattr(ranks, "cores", lambda: 2)
    (curve,) = measure_growth(_batch(small, 8), CPU)
    assert curve.axis == "ranks" and curve.values == (1, 2) and curve.is_shared
    assert min(curve.seconds) > 0 and curve.constant >= 0


@pytest.mark.ddp
class TestTeam:
    def test_a_rank_that_refuses_ends_them_all_with_its_words(self, config: Config, toy_store: Path) -> None:
        with pytest.raises(ConfigError, match="cannot share evenly"), Team(2, toy_store, _batch(config, 7), 0, CPU):
            pass

    def test_a_rank_that_is_lost_ends_them_all(self, config: Config, toy_store: Path) -> None:
        with Team(2, toy_store, _batch(config, 8), 0, CPU) as team:
            team.turn(1)
            lost = team._ranks[1][0].pid
            assert lost
            os.kill(lost, signal.SIGKILL)
            begun = time.monotonic()
            with pytest.raises(TrainingError, match="rank"):
                team.turn(1)
            assert time.monotonic() - begun < 30


def _batch(config: Config, clips: int) -> Config:
    return replace(config, batch_size=clips)
