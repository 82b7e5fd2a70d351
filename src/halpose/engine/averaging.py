"""Gradients of all ranks become their mean while backward still goes on.

This is what DistributedDataParallel does, in the same buckets and order, without what gets in the way here: its reducer
keeps the process group alive and, ending after it, may wait for ever (seen with torch 2.13 and gloo); it copies queues
about, or warns of the option that forbids it; it hides the method behind a wrapper. No gradient is ever searched for:
every query parameter has one in every step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor, nn

from halpose.parts.ranks import Ranks

# Small enough that the first are on their way early, large enough that each keeps the network busy (as DDP's).
_BUCKET_BYTES = 25 * 2**20


class GradientMean:
    """Averages gradients over the ranks; alone it does nothing.

    Args:
        parameters: those that have a gradient after each backward pass, by name.
        ranks: all of them run the same backward pass.
        bucket_bytes: how much is sent at a time.
    """

    def __init__(
        self, parameters: list[tuple[str, nn.Parameter]], ranks: Ranks, bucket_bytes: int = _BUCKET_BYTES
    ) -> None:
        self.ranks = ranks
        self.is_held = False
        # Gradients come about in reverse: those of the last layers are first on their way.
        self.buckets = _buckets(parameters[::-1], bucket_bytes)
        self._bucket_of = {name: number for number, bucket in enumerate(self.buckets) for name, _ in bucket}
        self._sent: list[tuple[Tensor, dist.Work]] = []
        self._missing = [{name for name, _ in bucket} for bucket in self.buckets]
        if not ranks.is_alone:
            for name, parameter in parameters:
                hook = partial(self._arrived, name)
                parameter.register_post_accumulate_grad_hook(hook)  # type: ignore[no-untyped-call]

    @contextlib.contextmanager
    def held(self, held: bool = True) -> Iterator[None]:
        """Backward passes inside of this only add up on their rank; those after it send the sums."""
        self.is_held = held
        try:
            yield
        finally:
            self.is_held = False

    def finish(self) -> None:
        """After backward: every gradient is the mean over the ranks."""
        if self.ranks.is_alone:
            return
        late = [name for names in self._missing for name in sorted(names)]
        if late:
            raise RuntimeError(f"no gradient of {', '.join(late)}: the ranks cannot average it")
        for bucket, (flat, work) in zip(self.buckets, self._sent, strict=True):
            work.wait()
            flat.div_(self.ranks.world)
            gradients = [parameter.grad for _, parameter in bucket if parameter.grad is not None]
            parts = torch.split_with_sizes(flat, [gradient.numel() for gradient in gradients])
            torch._foreach_copy_(gradients, [p.view_as(g) for p, g in zip(parts, gradients, strict=True)])
        self._sent = []
        self._missing = [{name for name, _ in bucket} for bucket in self.buckets]

    def _arrived(self, name: str, parameter: Tensor) -> None:
        if self.is_held:
            return
        self._missing[self._bucket_of[name]].discard(name)
        # Whatever is complete first, buckets leave in their order: it must be the same on every rank.
        while len(self._sent) < len(self.buckets) and not self._missing[len(self._sent)]:
            gradients = [p.grad.flatten() for _, p in self.buckets[len(self._sent)] if p.grad is not None]
            flat = torch.cat(gradients)
            work = dist.all_reduce(flat, async_op=True)
            assert work is not None
            self._sent.append((flat, work))


def _buckets(parameters: list[tuple[str, nn.Parameter]], size: int) -> list[list[tuple[str, nn.Parameter]]]:
    """Neighbours together, up to so many bytes and of one type."""
    buckets: list[list[tuple[str, nn.Parameter]]] = []
    held = 0
    for name, parameter in parameters:
        held += parameter.nbytes
        if not buckets or held > size or buckets[-1][0][1].dtype != parameter.dtype:
            buckets.append([])
            held = parameter.nbytes
        buckets[-1].append((name, parameter))
    return buckets
