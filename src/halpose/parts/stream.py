"""A stream: the query encoder that learns, the key encoder that follows it, and the queue of past keys."""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from halpose.encoders.base import Encoder


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


class Branch(nn.Module):
    """Encoder and projector: a view in, a feature and its unit embedding out."""

    def __init__(self, encoder: Encoder, projector: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.projector = projector

    def forward(self, x: Float[Tensor, "n m t v c"]) -> Float[Tensor, "n d"]:
        """Unit embedding of each view."""
        return nn.functional.normalize(self.projector(self.encoder(x)), dim=1)


def build_projector(features: int, width: int, embedding: int) -> nn.Sequential:
    """The published head: linear, ReLU, linear; `width` 0 takes the feature dimension."""
    hidden = width or features
    return nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, embedding))


class Stream(nn.Module):
    """One modality with its query branch, key branch and queue."""

    def __init__(self, modality: str, query: Branch, queue: KeyQueue, momentum: float) -> None:
        super().__init__()
        self.modality = modality
        self.query = query
        self.key = copy.deepcopy(query).requires_grad_(False)
        self.queue = queue
        self.momentum = momentum

    @torch.no_grad()
    def move_key(self) -> None:
        """Exponential moving average: the key branch goes a little toward the query branch.

        Buffers (BatchNorm statistics) are the key branch's own, gathered in its own forward passes.
        """
        torch._foreach_lerp_(list(self.key.parameters()), list(self.query.parameters()), 1 - self.momentum)

    def encode_query(self, x: Float[Tensor, "n m t v c"]) -> Float[Tensor, "n d"]:
        """Unit embedding of the query views, with gradient."""
        embedding: Tensor = self.query(x)
        return embedding

    @torch.no_grad()
    def encode_key(self, x: Float[Tensor, "n m t v c"]) -> Float[Tensor, "n d"]:
        """Unit embedding of the key views, without gradient."""
        embedding: Tensor = self.key(x)
        return embedding
