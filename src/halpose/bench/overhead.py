"""Table 4: what a training step of MoCo, HaLP, CMD and HaLP + CMD takes, in time and in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from halpose.ablate.catalogue import PAPER_COSTS
from halpose.bench.timing import in_turn
from halpose.config import Config
from halpose.data.store import Store
from halpose.engine.trainer import Trainer

if TYPE_CHECKING:
    from rich.console import Group

STEPS = 50
_METHODS = {"moco": 1, "halp": 1, "cmd": 3, "halp_cmd": 3}  # method -> streams
_STREAMS = ("joint", "motion", "bone")
# A schedule so long that the timed steps stand still in it.
_SCHEDULE = 1_000_000
_MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Cost:
    """What a step of one method takes.

    Attributes:
        method: name.
        streams: how many.
        milliseconds: a step, median over the rounds.
        time: as a multiple of MoCo's: median over the rounds of the ratio within a round.
        time_low: its lower quartile.
        time_high: its upper quartile.
        state_bytes: weights, gradients, optimizer, key branches, queues, prototypes.
        step_bytes: what a step adds: on a GPU the measured peak, on a CPU the activations kept for the backward pass.
        memory: their sum as a multiple of MoCo's.
    """

    method: str
    streams: int
    milliseconds: float
    time: float
    time_low: float
    time_high: float
    state_bytes: int
    step_bytes: int
    memory: float


def overhead(
    store: Store,
    config: Config,
    device: torch.device,
    steps: int = STEPS,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Cost]:
    """Time and weigh a step of each method, HaLP switched on.

    Methods take turns in one process, each turn as many steps as lie between two clusterings, so that one is in it.

    Args:
        store: any; its clips are trained on.
        config: encoder, views, batch, queue and HaLP settings of every method.
        device: where.
        steps: to time of each method, at least; two rounds are the least.
        progress: told how many rounds are done, and of how many.
    """
    trainers = {method: _trainer(store, config, method, device) for method in _METHODS}
    refresh = config.halp.refresh
    rounds = max(2, -(-steps // refresh))

    def turn(trainer: Trainer) -> None:
        for _ in range(refresh):
            trainer.take_step()

    calls = {method: (lambda t=trainer: turn(t)) for method, trainer in trainers.items()}
    seconds = in_turn(calls, rounds, progress=lambda done: progress(done, rounds + 1))
    weights = {method: (state_bytes(trainer), step_bytes(trainer)) for method, trainer in trainers.items()}
    costs = []
    for method, streams in _METHODS.items():
        middle, low, high = map(float, np.quantile(np.divide(seconds[method], seconds["moco"]), (0.5, 0.25, 0.75)))
        state, step = weights[method]
        memory = (state + step) / sum(weights["moco"])
        milliseconds = 1e3 * float(np.median(seconds[method])) / refresh
        costs.append(Cost(method, streams, milliseconds, middle, low, high, state, step, memory))
    return costs


def state_bytes(trainer: Trainer) -> int:
    """What stays in memory between steps, gradients counted as if they stayed."""
    own = sum(tensor.numel() * tensor.element_size() for tensor in trainer.method.state_dict().values())
    gradients = sum(p.numel() * p.element_size() for _, p in trainer.method.query_parameters())
    kept = [value for state in trainer.optimizer.state.values() for value in state.values()]
    moments = sum(v.numel() * v.element_size() for v in kept if isinstance(v, Tensor))
    return int(own + gradients + moments)


def step_bytes(trainer: Trainer) -> int:
    """What one step adds to that at its peak: measured on a GPU; on a CPU what autograd keeps for the backward pass."""
    if trainer.device.type == "cuda":
        torch.cuda.synchronize(trainer.device)
        before = torch.cuda.memory_allocated(trainer.device)
        torch.cuda.reset_peak_memory_stats(trainer.device)
        trainer.take_step()
        torch.cuda.synchronize(trainer.device)
        return int(torch.cuda.max_memory_allocated(trainer.device) - before)
    state = {tensor.untyped_storage().data_ptr() for tensor in trainer.method.state_dict(keep_vars=True).values()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in state:  # weights are counted as state; views share a storage
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        trainer.take_step()
    return sum(kept.values())


def _trainer(store: Store, config: Config, method: str, device: torch.device) -> Trainer:
    streams = _STREAMS if _METHODS[method] == len(_STREAMS) else config.streams[:1]
    own = replace(config, method=method, streams=streams, steps=_SCHEDULE)
    made = Trainer(store, own, Path("overhead"), device)  # nothing is written: only its steps are taken
    made.step = int(own.halp.start * _SCHEDULE) + 1
    return made


def to_content(costs: list[Cost]) -> list[dict[str, Any]]:
    """Plain values, the paper's beside ours."""
    return [asdict(cost) | {"paper": asdict(PAPER_COSTS[cost.method])} for cost in costs]


def overhead_table(costs: list[Cost], title: str, captions: list[str]) -> Group:
    """A row for each method, within 80 columns."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    view = Table(box=box.SIMPLE_HEAD, padding=0)
    columns = ("Method", "ms a\nstep", "Time", "Quartiles", "Paper\ntime", "MB", "Memory", "Paper\nmemory")
    for column in columns:
        view.add_column(Text(column), justify="left" if column == "Method" else "right", no_wrap=True)
    for cost in costs:
        paper = PAPER_COSTS[cost.method]
        view.add_row(
            cost.method, f"{cost.milliseconds:.1f}", f"{cost.time:.2f}x",
            f"{cost.time_low:.2f} to {cost.time_high:.2f}", f"{paper.time:g}x",
            f"{(cost.state_bytes + cost.step_bytes) / _MEGABYTE:.1f}", f"{cost.memory:.2f}x", f"{paper.memory:g}x",
        )  # fmt: skip
    return Group(Text(title, "bold"), view, *(Text(note, "dim") for note in captions))
