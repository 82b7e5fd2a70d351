"""One training in many processes, on one machine or many: started by torchrun, joined by torch.distributed.

What they exchange of the method is in `parts.ranks`, how gradients are averaged in `engine.averaging`; here are how
processes find each other, and what is said when one is lost.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from halpose.errors import ConfigError, TrainingError
from halpose.methods import Method
from halpose.parts.joined_norm import join_norms
from halpose.parts.ranks import ALONE, Ranks

# How long a rank waits for the others before it takes them for lost: longer than any step or checkpoint.
_PATIENCE = timedelta(minutes=10)
_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
_NETWORKS = ("gloo", "NCCL", "Connection closed", "Connection reset")


@dataclass(frozen=True)
class Launch:
    """What torchrun tells a process of itself.

    Attributes:
        rank: its number among all.
        world: how many there are.
        local_rank: its number on its machine.
        restarts: how often torchrun has started all of them anew.
    """

    rank: int
    world: int
    local_rank: int
    restarts: int = 0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Launch | None:
        """From torchrun's variables; None where it did not start this process.

        Raises:
            ConfigError: the variables are there and make no sense.
        """
        given = os.environ if environment is None else environment
        if any(name not in given for name in _VARIABLES):
            return None
        try:
            restarts = int(given.get("TORCHELASTIC_RESTART_COUNT", "0"))
            launch = cls(int(given["RANK"]), int(given["WORLD_SIZE"]), int(given["LOCAL_RANK"]), restarts)
        except ValueError:
            launch = cls(-1, 0, -1)
        if not 0 <= launch.local_rank <= launch.rank < launch.world:
            told = ", ".join(f"{name}={given[name]}" for name in _VARIABLES[:3])
            raise ConfigError(f"{told}: these are no process's numbers; start with torchrun, which sets them")
        return launch


@contextlib.contextmanager
def join(
    launch: Launch | None, device: torch.device, kept: Callable[[], str], again: str = " with --resume"
) -> Iterator[Ranks]:
    """Meet the other processes, for as long as the work lasts; a process alone meets nobody.

    Args:
        launch: what torchrun said.
        device: NCCL exchanges what lies on CUDA devices, gloo what lies on the host.
        kept: says what is left of the work if a rank is lost.
        again: how to start once more then.

    Raises:
        TrainingError: another rank has ended, hangs, or cannot be reached.
    """
    if launch is None or launch.world == 1:
        yield ALONE
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    is_done = False
    try:
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
            rank=launch.rank,
            world_size=launch.world,
            timeout=_PATIENCE,
            store=_meeting_place(launch),
        )
        yield Ranks(launch.rank, launch.world)
        is_done = True
    except RuntimeError as error:
        if not _is_of_network(error):
            raise
        raise TrainingError(
            f"rank {launch.rank} of {launch.world}: another rank has ended or cannot be reached "
            f"({_first_line(error)}); {kept()}; see what that rank said, then start all of them again{again}"
        ) from error
    finally:
        # Closed connections tell the others that this rank ends. Where it fails, NCCL's are left to the end of the
        # process: to close them would be to wait for what other ranks never sent.
        if dist.is_initialized() and (is_done or device.type == "cpu"):
            dist.destroy_process_group()


def _meeting_place(launch: Launch) -> Store:
    """Where addresses are exchanged; torchrun keeps it over a restart, with those of processes that are gone."""
    store, _, _ = next(rendezvous("env://", launch.rank, launch.world, timeout=_PATIENCE))
    return PrefixStore(f"halpose/{launch.restarts}", store)


def own_copy(method: Method, ranks: Ranks, device: torch.device) -> Method:
    """A method on its device, in training, alike on all ranks, its BatchNorms over the batch of all of them."""
    if not ranks.is_alone:
        join_norms(method, ranks, device)
    method.to(device).train()
    for value in method.state_dict().values():
        ranks.copy_first(value)
    return method


def _is_of_network(error: RuntimeError) -> bool:
    return isinstance(error, dist.DistError) or any(name in str(error) for name in _NETWORKS)


def _first_line(error: RuntimeError) -> str:
    """Without gloo's place in its source, and its encouragement."""
    line = str(error).partition("\n")[0].rpartition("] ")[2] or str(error)
    return line.partition(". ")[0][:160]
