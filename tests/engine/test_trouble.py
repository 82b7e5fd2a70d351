"""What stops a training from outside: memory, disk, a machine without the device; what was learned is kept."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from halpose.config import ContrastConfig, OptimizerConfig
from halpose.data.store import Store
from halpose.engine.checkpoint import latest_step
from halpose.engine.metrics import Log
from halpose.engine.trainer import Trainer, resolve_device, train
from halpose.errors import ConfigError, TrainingError
from small import SMALL

QUICK = replace(SMALL, steps=12, checkpoint_every=4, log_every=4)


def stumble(monkeypatch: pytest.MonkeyPatch, step: int, error: Exception) -> None:
    """The step of that number raises."""
    original = Trainer.take_step

    def take_step(self: Trainer) -> dict[str, Tensor]:
        if self.step == step:
            raise error
        return original(self)

    monkeypatch.setattr(Trainer, "take_step", take_step)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte\nframe #0"
        ),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        MemoryError("Unable to allocate 3. TiB"),
    ],
)
def test_memory_that_runs_out_says_what_takes_less(
    error: Exception, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stumble(monkeypatch, 6, error)
    with pytest.raises(TrainingError, match=r"not enough memory .*; the checkpoint of step 4 is kept; try a smaller"):
        train(store, QUICK, tmp_path / "run", device="cpu")
    monkeypatch.undo()
    assert train(store, QUICK, tmp_path / "run", device="cpu", resume=True).steps == 12


def test_more_memory_than_there_is_costs_nothing(store: Store, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="not enough memory .*; nothing was written; try a smaller .*queue"):
        train(store, replace(QUICK, contrast=ContrastConfig(queue=2**31 - 1, embedding=2**20)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_another_fault_of_torch_stays_what_it_is(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stumble(monkeypatch, 6, RuntimeError("shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        train(store, QUICK, tmp_path / "run", device="cpu")


def test_a_disk_that_is_full_when_a_row_is_written(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Log.row

    def row(self: Log) -> dict[str, float]:
        if latest_step(tmp_path / "run") == 4:
            raise OSError(28, "No space left on device")
        return original(self)

    monkeypatch.setattr(Log, "row", row)
    with pytest.raises(
        TrainingError, match=r"cannot be written \(No space left .*\); the checkpoint of step 4 is kept"
    ):
        train(store, QUICK, tmp_path / "run", device="cpu")


def test_divergence_between_two_rows_is_no_fault_of_torch(store: Store, tmp_path: Path) -> None:
    optimizer = OptimizerConfig(name="sgd", learning_rate=1e30, warmup=0, schedule="constant")
    config = replace(QUICK, log_every=100, checkpoint_every=100, steps=100, optimizer=optimizer)
    with pytest.raises(TrainingError, match="no longer finite at step .*; no checkpoint was written yet; try a lower"):
        train(store, config, tmp_path / "run", device="cpu")


class Stop:
    """A signal with the row of one step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def begin(self, step: int, steps: int) -> None: ...

    def row(self, values: dict[str, float]) -> None:
        if values["step"] == self.step:
            os.kill(os.getpid(), signal.SIGTERM)

    def end(self) -> None: ...


def test_a_signal_between_two_steps_loses_none(store: Store, tmp_path: Path) -> None:
    config = replace(QUICK, log_every=1, checkpoint_every=100)
    summary = train(store, config, tmp_path / "run", device="cpu", watchers=(Stop(5),))
    assert summary.interrupted and summary.steps == latest_step(tmp_path / "run") == 6


def test_a_signal_with_the_last_step_interrupts_nothing(store: Store, tmp_path: Path) -> None:
    summary = train(store, QUICK, tmp_path / "run", device="cpu", watchers=(Stop(12),))
    assert (summary.steps, summary.interrupted) == (12, False)


@pytest.mark.parametrize("name", ["mps", "meta", "xla", "tpu9", "cpu:x", "", "cuda:77"])
def test_devices_that_are_not_here(name: str) -> None:
    with pytest.raises(ConfigError, match=f"--device {name}: .*; use"):
        resolve_device(name)
