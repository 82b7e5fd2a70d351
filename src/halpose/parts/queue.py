"""The queue of past keys: negatives, and what prototypes are made of."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class KeyQueue(nn.Module):
    """The keys of the most recent batches, oldest overwritten first, with the clip that each came from.

    Everything is a buffer: it is saved with a checkpoint, and moves with `.to(device)`. Nothing reads a value to the
    host. The queue starts with random unit vectors (as MoCo does), whose clip is -1.
    """

    keys: Tensor
    clips: Tensor
    cursor: Tensor
    seen: Tensor

    def __init__(self, size: int, dim: int, generator: torch.Generator) -> None:
        super().__init__()
        self.size = size
        keys = nn.functional.normalize(torch.randn(size, dim, generator=generator), dim=1)
        self.register_buffer("keys", keys)
        self.register_buffer("clips", torch.full((size,), -1, dtype=torch.long))
        self.register_buffer("cursor", torch.zeros((), dtype=torch.long))
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def push(self, keys: Float[Tensor, "n d"], clips: Int[Tensor, " n"]) -> None:
        """Put in a batch of keys. Of a batch longer than the queue the newest stay."""
        count = len(keys)
        keys, clips = keys[-self.size :], clips[-self.size :]
        at = (self.cursor + torch.arange(len(keys), device=keys.device)) % self.size
        self.keys[at] = keys.to(self.keys.dtype)
        self.clips[at] = clips
        self.cursor.add_(len(keys)).remainder_(self.size)
        self.seen.add_(count)

    def newest(self, count: int) -> Float[Tensor, "k d"]:
        """The most recent keys, newest first; no more than the queue holds."""
        back = torch.arange(1, min(count, self.size) + 1, device=self.keys.device)
        return self.keys[(self.cursor - back) % self.size]
