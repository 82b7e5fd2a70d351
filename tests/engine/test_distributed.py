"""Two processes equal one on the joined batch, resume as one, stop as one, and notice when the other dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from outcome import assert_same
from pair import Pair
from rank_tasks import STEPS, drawn, steps_on_given_views, trained, trained_apart, trained_in_parts

from halpose.config import Config, EncoderConfig, OptimizerConfig
from halpose.data.store import Store
from halpose.engine.checkpoint import latest_step, load_checkpoint
from halpose.engine.distributed import Launch
from halpose.engine.trainer import fit_config, resolve_device, train
from halpose.errors import ConfigError, DataError, TrainingError
from halpose.settings import load_recipe, override_text
from small import SMALL

pytestmark = pytest.mark.ddp
SETTINGS: dict[str, Any] = {
    "encoder": {"width": 8, "layers": 1, "segments": 4, "heads": 2},
    "contrast": {"embedding": 8, "queue": 24},
    "halp": {"start": 0.0, "newest": 16, "prototypes": 4, "positives": 6, "refresh": 1},
    "crosclr": {"mine_after": 0.0},
}
TWO = {"streams": ["joint", "motion"]}
SAMPLED = replace(
    SMALL,
    steps=12,
    checkpoint_every=4,
    log_every=4,
    encoder=EncoderConfig(name="gru", input_norm=True, width=8, layers=1, pooling="last", dropout=0.2),
    halp=replace(SMALL.halp, estimator="sampled", positives=8),
)
WITH_DROPOUT = replace(SAMPLED, encoder=replace(SMALL.encoder, dropout=0.2))


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.close()


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return base | {k: merged(base.get(k, {}), v) if isinstance(v, dict) else v for k, v in changes.items()}


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "moco"},
        {"method": "moco", "encoder": {"name": "gru", "input_norm": True}},
        {"method": "halp"},
        {"method": "halp", "halp": {"estimator": "sampled", "interval": "published"}},
        {"method": "halp", "halp": {"placement": "inside", "toward": "query", "estimator": "sampled"}},
        {
            "method": "halp",
            "halp": {"nearest": 2, "rejected": "negatives", "placement": "inside", "follow": "contrast"},
        },
        {"method": "cmd", **TWO},
        {"method": "halp_cmd", "halp": {"prototypes_from": "carried"}, **TWO},
        {"method": "crosclr_b", **TWO},
        {"method": "isc", "streams": ["joint:gru", "joint:stgcn"]},
        {"method": "simclr"},
        {"method": "halp_simclr", "halp": {"estimator": "sampled", "placement": "inside"}, "diagnose": True},
        {"method": "skt", "encoder": {"name": "bigru", "input_norm": True}},
        {"method": "halp_barlow", "halp": {"follow": "contrast"}, "diagnose": True},
        {"method": "halp_cmd", "halp": {"estimator": "exact"}, "diagnose": True, **TWO},
        {"method": "multicrop", "encoder": {"name": "gru", "input_norm": True}},
    ],
    ids=lambda changes: "-".join(
        [changes["method"], *map(str, changes.get("halp", changes.get("encoder", {})).values())]
    ),
)
def test_two_ranks_equal_one_process_on_the_joined_batch(pair: Pair, changes: dict[str, Any]) -> None:
    settings = merged(SETTINGS, changes)
    (first, one_state), (second, other_state) = pair(steps_on_given_views, settings)
    alone, state = steps_on_given_views(None, settings)
    for number in range(STEPS):
        assert alone[number].keys() == first[number].keys()
        for name, value in alone[number].items():
            np.testing.assert_allclose(first[number][name], value, rtol=1e-7, atol=1e-10, err_msg=f"{name} of {number}")
            np.testing.assert_array_equal(first[number][name], second[number][name])
    for name, value in state.items():
        np.testing.assert_allclose(one_state[name], value, rtol=1e-7, atol=1e-10, err_msg=name)
        np.testing.assert_array_equal(one_state[name], other_state[name], err_msg=name)
    assert any("queue.keys" in name for name in state)
    if "halp" in changes["method"]:
        assert "halp" in alone[-1] and np.abs(state[next(n for n in state if "prototypes" in n)]).max() > 0


@pytest.mark.parametrize("config", [SAMPLED, WITH_DROPOUT], ids=["gru", "transformer with dropout"])
def test_resumed_ranks_equal_ranks_never_stopped(pair: Pair, toy_store: Path, tmp_path: Path, config: Config) -> None:
    whole = pair(trained, toy_store, config, tmp_path / "whole")
    assert [summary.steps for summary in whole] == [12, 12] and whole[0].loss == whole[1].loss
    pair(trained_in_parts, toy_store, config, tmp_path / "parts", [3, 8, None])
    assert_same(tmp_path / "whole", tmp_path / "parts")
    rows = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [4, 8, 12]  # one rank writes


def test_another_number_of_ranks_goes_on(pair: Pair, toy_store: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    pair(trained_in_parts, toy_store, SAMPLED, run, [6])
    assert trained(None, toy_store, SAMPLED, run, resume=True, stop_at=9).steps == 9
    assert [summary.steps for summary in pair(trained_in_parts, toy_store, SAMPLED, run, [None])[0]] == [12]


def test_ranks_share_the_epoch_and_draw_views_of_their_own(pair: Pair, toy_store: Path) -> None:
    first, second = pair(drawn, toy_store, SAMPLED)
    assert len(first["clips"]) == len(second["clips"]) == 16 and not set(first["clips"]) & set(second["clips"])
    assert len({*first["views"], *second["views"]}) == 4
    assert first["method"] == second["method"] and len(set(first["method"])) == 2


def test_only_the_first_rank_writes(pair: Pair, toy_store: Path, tmp_path: Path) -> None:
    pair(trained_apart, toy_store, SAMPLED, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["of-rank-0"]
    assert latest_step(tmp_path / "of-rank-0") == 12 and (tmp_path / "of-rank-0" / "run.json").exists()


def wait_for_checkpoint(run: Path) -> int:
    deadline = time.monotonic() + 60
    while not (step := latest_step(run)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert step
    return step


def test_a_signal_to_one_rank_stops_both_after_the_same_step(pair: Pair, toy_store: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    pair.begin(trained, toy_store, replace(SAMPLED, steps=100_000), run)
    wait_for_checkpoint(run)
    os.kill(pair.pid(1), signal.SIGTERM)
    first, second = (pair.end(rank) for rank in range(2))
    assert first.interrupted and second.interrupted
    assert first.steps == second.steps == latest_step(run)


def test_a_killed_rank_ends_the_other_which_says_so(pair: Pair, toy_store: Path, tmp_path: Path) -> None:
    run, config = tmp_path / "run", replace(SAMPLED, steps=100_000)
    pair.begin(trained, toy_store, config, run)
    wait_for_checkpoint(run)
    os.kill(pair.pid(1), signal.SIGKILL)
    killed = time.monotonic()
    with pytest.raises(
        TrainingError, match=r"rank 0 of 2: another rank has ended .*; the checkpoint of step \d+ is kept"
    ):
        pair.end(0)
    assert time.monotonic() - killed < 10
    kept = latest_step(run)
    assert kept and kept % 4 == 0
    assert trained(None, toy_store, config, run, resume=True, stop_at=kept + 2).steps == kept + 2


def test_a_process_that_torchrun_started_alone_is_a_process_alone(toy_store: Path, tmp_path: Path) -> None:
    store = Store.open(toy_store)
    train(store, SAMPLED, tmp_path / "plain", device="cpu")
    # torchrun starts and restarts with one command: there is nothing to resume at first.
    train(store, SAMPLED, tmp_path / "launched", device="cpu", launch=Launch(0, 1, 0), resume=True, stop_at=5)
    train(store, SAMPLED, tmp_path / "launched", device="cpu", launch=Launch(0, 1, 0), resume=True)
    assert_same(tmp_path / "plain", tmp_path / "launched")


def test_a_batch_that_cannot_be_shared_is_refused_or_repaired(toy_store: Path) -> None:
    store = Store.open(toy_store)
    clips = len(store.part("x-sub", "official"))
    with pytest.raises(ConfigError, match=r"batch_size is 16, which 3 processes x 1 parts .* try 15 or 18"):
        fit_config(store, SAMPLED, 3)
    halves = replace(SAMPLED, optimizer=OptimizerConfig(accumulate=2))
    assert fit_config(store, halves, 4)[0].batch_size == 16
    with pytest.raises(ConfigError, match="3 processes x 2 parts"):
        fit_config(store, halves, 3)
    config, notes = fit_config(store, replace(SAMPLED, batch_size=4096), 7)
    assert config.batch_size == clips - clips % 7 and "7 equal parts" in notes[0]
    with pytest.raises(DataError, match="1000 processes"):
        fit_config(store, SAMPLED, 1000)


def test_the_environment_says_who_one_is() -> None:
    given = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "here", "MASTER_PORT": "1"}
    assert Launch.from_environment(given) == Launch(3, 4, 1)
    assert Launch.from_environment({"RANK": "0", "WORLD_SIZE": "4"}) is None
    for wrong in ({"RANK": "4"}, {"RANK": "x"}, {"LOCAL_RANK": "-1"}):
        with pytest.raises(ConfigError, match="start with torchrun"):
            Launch.from_environment(given | wrong)


def test_each_process_takes_a_device_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("auto", Launch(5, 8, 1)) == torch.device("cuda", 1)
    assert resolve_device("auto", Launch(0, 1, 0)) == torch.device("cuda")
    assert resolve_device("cpu", Launch(5, 8, 1)) == torch.device("cpu")
    with pytest.raises(ConfigError, match="use --device cuda"):
        resolve_device("cuda:0", Launch(5, 8, 1))
    with pytest.raises(ConfigError, match="none for process 3; use torchrun --nproc-per-node 2"):
        resolve_device("cuda", Launch(2, 8, 2))


@pytest.mark.slow
def test_torchrun_restarts_a_killed_worker_from_the_checkpoint(pair: Pair, toy_store: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = ["steps=160", "batch_size=16", "checkpoint_every=4", "frames=16", "queue=64", "newest=32"]
    settings += ["encoder.width=16", "encoder.layers=1", "halp.prototypes=6", "halp.start=0.1", "dropout=0.1"]
    config = override_text(load_recipe("halp"), settings)
    pair(trained, toy_store, config, tmp_path / "whole")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["--max-restarts", "1", "-m", "halpose", "train", str(toy_store), "--out", str(run), "--resume"]
    options = [f"--set={setting}" for setting in settings]
    process = subprocess.Popen([*command, "--device", "cpu", *options], stderr=subprocess.PIPE, text=True)
    wait_for_checkpoint(run)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "another rank has ended" in said
    assert load_checkpoint(run).step == 160
    assert_same(tmp_path / "whole", run)
