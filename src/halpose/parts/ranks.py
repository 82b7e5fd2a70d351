"""The processes that train together, as an argument of whatever has to know of them.

Every rank holds an equal slice of the batch, in rank order: the slices joined are the batch of one process, and the
mean of the ranks' means is its mean. A process alone is the common case: it gets back the very tensor it gave.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Ranks:
    """One process among those of the default process group.

    Attributes:
        rank: its number.
        world: how many there are.
    """

    rank: int = 0
    world: int = 1

    @property
    def is_alone(self) -> bool:
        """Whether there is but one process: then nothing is ever sent."""
        return self.world == 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes, and clusters."""
        return self.rank == 0

    def join(self, x: Tensor, dim: int = 0) -> Tensor:
        """Every rank's slice, joined in rank order, on every rank; gradients find their way back to the slices."""
        if self.is_alone:
            return x
        joined = cast(Tensor, _Join.apply(x.movedim(dim, 0), self))  # type: ignore[no-untyped-call]
        return joined.movedim(0, dim)

    def own(self, x: Tensor, dim: int = 0) -> Tensor:
        """This rank's slice of what was joined."""
        return x if self.is_alone else x.chunk(self.world, dim)[self.rank]

    def own_rows(self, x: Tensor, views: int = 1) -> Tensor:
        """This rank's rows of what was made for every row of the joined batch: all clips' first views, then second."""
        return x if self.is_alone else self.own(x.reshape(views, -1, *x.shape[1:]), dim=1).flatten(0, 1)

    def sum(self, x: Tensor) -> Tensor:
        """Sum over the ranks, on every rank, with gradient."""
        return x if self.is_alone else cast(Tensor, _Sum.apply(x))  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def mean(self, x: Tensor) -> Tensor:
        """Mean over the ranks, on every rank, without gradient."""
        return x if self.is_alone else _summed(x) / self.world

    @torch.no_grad()
    def copy_first(self, x: Tensor) -> None:
        """Overwrite a tensor by that of rank 0."""
        if not self.is_alone:
            dist.broadcast(x, 0)

    def told_by_first(self, value: _Value) -> _Value:
        """What rank 0 says, for decisions that all must make alike: any plain value."""
        if self.is_alone:
            return value
        told: list[Any] = [value]
        dist.broadcast_object_list(told, 0)
        return cast(_Value, told[0])

    def gather(self, value: _Value) -> list[_Value]:
        """Every rank's value on rank 0, in rank order, and nothing elsewhere: any plain value."""
        if self.is_alone:
            return [value]
        found: list[Any] = [None] * self.world
        dist.gather_object(value, found if self.is_first else None, 0)
        return found if self.is_first else []

    def ask(self, flag: bool) -> Callable[[], bool]:
        """Begin to find out whether any rank raises its flag; the answer is the same everywhere.

        It goes by way of the hosts, so that no accelerator is waited for, and while it is on its way others compute.
        """
        raised = torch.tensor([flag], dtype=torch.int32)
        sent = None if self.is_alone else dist.all_reduce(raised, dist.ReduceOp.MAX, async_op=True)

        def answer() -> bool:
            if sent is not None:
                sent.wait()
            return bool(raised.item())

        return answer

    def meet(self) -> None:
        """Wait until every rank has come here."""
        self.ask(False)()


ALONE = Ranks()


def _summed(x: Tensor) -> Tensor:
    total = x.detach().clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total


class _Join(torch.autograd.Function):
    """Joins along the first dimension. Each rank's loss depends on every slice: backward adds what they all say."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        x = x.contiguous()
        slices = [torch.empty_like(x) for _ in range(ranks.world)]
        dist.all_gather(slices, x)
        return torch.cat(slices)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        ranks: Ranks = ctx.ranks
        return ranks.own(_summed(gradient)), None


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _summed(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _summed(gradient)
