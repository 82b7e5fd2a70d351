"""A training in several processes of this machine, each taking steps when it is told to.

They meet as torchrun's processes do (`engine.distributed`); who starts them here is the program that times them, and
with it, or with the first of them that fails, all of them end.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType

import torch

from halpose.config import Config
from halpose.data.store import Store
from halpose.engine.device import resolve_device
from halpose.engine.distributed import Launch, join
from halpose.engine.trainer import Trainer, fit_config
from halpose.errors import HalposeError, TrainingError
from halpose.processes import begin_worker, cores

NUMBERS = (1, 2, 4, 8)


def possible_ranks(device: torch.device, batch: int) -> tuple[tuple[int, ...], str]:
    """How many ranks this machine can have at once, each on a core or a GPU of its own.

    Args:
        device: `cpu` or `cuda`.
        batch: clips that they share evenly.

    Returns:
        Numbers of them, none where it cannot have two; and a sentence about what is left out, "" if nothing is.
    """
    what, found = ("GPU", torch.cuda.device_count()) if device.type == "cuda" else ("core", cores())
    numbers = tuple(number for number in NUMBERS if number <= found and not batch % number)
    if len(numbers) == len(NUMBERS):
        return numbers, ""
    why = f"{found} {what}{'' if found == 1 else 's'}, a batch of {batch} clips"
    if len(numbers) < 2:
        return (), f"ranks are left out, of which two are the least: {why}"
    return numbers, f"no more than {numbers[-1]} ranks: {why}"


class Team:
    """Ranks of one training, waiting to be told to take steps.

        with Team(2, store, config, step, device) as team:
            team.turn(5)

    Args:
        world: how many.
        store: the recordings.
        config: of the training; its batch is that of all ranks.
        step: where in the schedule it stands.
        device: `cpu`, where each has one thread, or `cuda`, where each has the device of its number.

    Raises:
        HalposeError: what a rank refused to do.
        TrainingError: a rank has ended.
    """

    def __init__(self, world: int, store: Path, config: Config, step: int, device: torch.device) -> None:
        context = multiprocessing.get_context("spawn")
        self._ranks: list[tuple[BaseProcess, Connection]] = []
        port = _free_port()
        for rank in range(world):
            ours, theirs = context.Pipe()
            launch = Launch(rank, world, rank)
            asked = (theirs, launch, port, store, config, step, device.type)
            process = context.Process(target=_serve, args=asked, daemon=True)
            self._ranks.append((process, ours))
            process.start()
            theirs.close()  # so that its end is seen here

    def __enter__(self) -> Team:
        try:
            self._answers()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def turn(self, steps: int) -> None:
        """Take steps, and return when all ranks have."""
        for _, channel in self._ranks:
            with suppress(OSError):  # of one that is gone the answer tells
                channel.send(steps)
        self._answers()

    def _answers(self) -> None:
        """Wait for one of each rank, or for the first that has none to give: others may be waiting for that one."""
        waiting = {channel: rank for rank, (_, channel) in enumerate(self._ranks)}
        while waiting:
            for channel in wait(list(waiting)):
                assert isinstance(channel, Connection)
                rank = waiting.pop(channel)
                try:
                    answer = channel.recv()
                except (EOFError, OSError):
                    raise TrainingError(f"rank {rank} of {len(self._ranks)} has ended (out of memory?)") from None
                if isinstance(answer, BaseException):
                    raise answer

    def _close(self) -> None:
        for process, channel in self._ranks:
            process.kill()
            process.join()
            channel.close()


def _serve(channel: Connection, launch: Launch, port: int, store: Path, config: Config, step: int, device: str) -> None:
    """What a rank does, until nobody tells it to go on."""
    begin_worker()
    torch.set_num_threads(1)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    with suppress(EOFError, OSError):  # nobody asks any more
        try:
            where, opened = resolve_device(device, launch), Store.open(store)
            with join(launch, where, lambda: "nothing was kept") as ranks:
                own = fit_config(opened, config, ranks.world)[0]
                trainer = Trainer(opened, own, store / "nowhere", where, ranks)  # nothing is written
                trainer.step = step
                channel.send(None)
                while True:
                    for _ in range(channel.recv()):
                        trainer.take_step()
                    if where.type == "cuda":
                        torch.cuda.synchronize(where)
                    channel.send(None)
        except HalposeError as error:
            channel.send(error)


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])
