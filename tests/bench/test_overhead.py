"""What a step takes: bytes counted in another way, methods in turn, HaLP on while it is timed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from halpose.bench.overhead import overhead, overhead_table, state_bytes, step_bytes, to_content
from halpose.bench.timing import in_turn, ratio
from halpose.config import Config
from halpose.data.store import Store
from halpose.engine.trainer import Trainer


def trainer(store: Store, config: Config) -> Trainer:
    return Trainer(store, config, Path("nowhere"), torch.device("cpu"))


def test_state_is_what_a_checkpoint_holds_and_the_gradients(store: Store, config: Config) -> None:
    made = trainer(store, replace(config, method="moco"))
    made.take_step()
    weights = sum(value.numel() for name, value in made.method.named_parameters() if "key" not in name)
    buffers = sum(value.numel() * value.element_size() for value in made.method.buffers())
    keys = sum(value.numel() for name, value in made.method.named_parameters() if "key" in name)
    count = len(made.names)
    # AdamW keeps two moments and a counter for each weight; parents are no state.
    expected = 4 * (weights + keys + weights + 2 * weights) + 4 * count + buffers
    expected -= made.method.parents.numel() * made.method.parents.element_size()
    assert state_bytes(made) == expected


def test_a_step_keeps_in_proportion_to_the_batch(store: Store, config: Config) -> None:
    small, large = (step_bytes(trainer(store, replace(config, batch_size=size))) for size in (8, 32))
    assert small > 0 and 3 < large / small < 4.5


def test_every_method_is_timed_with_halp_on(store: Store, config: Config) -> None:
    told: list[tuple[int, int]] = []
    costs = overhead(store, config, torch.device("cpu"), 4, lambda done, total: told.append((done, total)))
    assert [(cost.method, cost.streams) for cost in costs] == [("moco", 1), ("halp", 1), ("cmd", 3), ("halp_cmd", 3)]
    moco, halp, cmd, both = costs
    assert (moco.time, moco.memory) == (1, 1)
    assert moco.memory < halp.memory < cmd.memory < both.memory and 2.5 < cmd.memory < 3.5
    assert all(cost.time_low <= cost.time <= cost.time_high for cost in costs)
    assert told[-1] == (3, 3)  # a round to warm up, and no less than two
    content = to_content(costs)
    assert content[3]["paper"] == {"time": 3.32, "memory": 1.94, "top1": 82.1}
    console = Console(width=80, force_terminal=False)
    with console.capture() as capture:
        console.print(overhead_table(costs, "Title", ["Note."]))
    assert "…" not in capture.get() and "3.32x" in capture.get()
    assert not Path("overhead").exists()


def test_alternatives_take_turns_and_warm_rounds_do_not_count() -> None:
    called: list[str] = []
    seconds = in_turn({"a": lambda: called.append("a"), "b": lambda: called.append("b")}, 2, warm=1)
    assert called == ["a", "b"] * 3
    assert {name: len(values) for name, values in seconds.items()} == {"a": 2, "b": 2}
    assert ratio({"a": [2.0, 9.0, 4.0], "b": [1.0, 1.0, 2.0]}, "a", "b") == 2.0
    assert np.isfinite(seconds["a"]).all()


@pytest.mark.gpu
def test_on_a_gpu_the_peak_is_measured(store: Store, config: Config) -> None:
    made = Trainer(store, config, Path("nowhere"), torch.device("cuda"))
    made.take_step()
    assert step_bytes(made) > 0
