"""Two processes of this machine that meet over gloo, kept for many tests: to start them is what takes time."""

from __future__ import annotations

import multiprocessing
import os
import socket
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from halpose.engine.distributed import Launch

PATIENCE = 60.0
Task = Callable[..., Any]


class Pair:
    """Runs a module's function on both ranks: `function(launch, *values)`."""

    def __init__(self) -> None:
        self.workers: list[tuple[BaseProcess, Connection]] = []

    def __call__(self, function: Task, *values: Any) -> list[Any]:
        self.begin(function, *values)
        return [self.end(rank) for rank in range(2)]

    def begin(self, function: Task, *values: Any) -> None:
        if not all(process.is_alive() for process, _ in self.workers) or not self.workers:
            self.close()
            self.workers = [_start(rank) for rank in range(2)]
        port = free_port()
        for _, channel in self.workers:
            channel.send((function, values, port))

    def end(self, rank: int) -> Any:
        channel = self.workers[rank][1]
        assert channel.poll(PATIENCE), f"rank {rank} is silent"
        result = channel.recv()
        if isinstance(result, BaseException):
            raise result
        return result

    def pid(self, rank: int) -> int:
        found = self.workers[rank][0].pid
        assert found
        return found

    def close(self) -> None:
        for process, channel in self.workers:
            process.kill()
            process.join()
            channel.close()
        self.workers = []


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def _start(rank: int) -> tuple[BaseProcess, Connection]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(rank, theirs), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _serve(rank: int, channel: Connection) -> None:
    while True:
        function, values, port = channel.recv()
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
        try:
            channel.send(function(Launch(rank, 2, rank), *values))
        except Exception as error:
            traceback.print_exc()
            channel.send(error)
