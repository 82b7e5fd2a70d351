"""A stream: one form of the input, the branches that embed it, and the queue of past keys.

`MomentumStream`: a query branch that learns, a key branch that follows it, negatives from the queue. `SiameseStream`:
one branch for both views, negatives from the batch. Both give a `StreamOutput`, so that a term need not know which it
works on.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from halpose.encoders.base import Encoder
from halpose.errors import ConfigError
from halpose.losses import standardise
from halpose.parts.queue import KeyQueue
from halpose.parts.ranks import ALONE, Ranks
from halpose.skeleton import MODALITIES

View: TypeAlias = Float[Tensor, "n m t v c"]
"""Clips of a batch, each as one stream sees it once."""

Clips: TypeAlias = Int[Tensor, " n"]
"""The numbers of a batch's clips."""


@dataclass(frozen=True)
class StreamOutput:
    """What one stream computed of a batch of N clips: B = N rows, or 2 N where both views are queries (siamese).

    Attributes:
        query: (B, D) unit embeddings of the query views, with gradient.
        key: (B, D) unit embeddings of the key views; without gradient if they come from a key branch.
        positive: (B,) q . k.
        similarity: (B, K) q . queue.
        queue: (K, D) what queries are contrasted with: the queue as it was before the step, or the batch itself,
            that of all ranks.
        own: (B, K) which entries are of the clip itself and must not be its negatives; None: none are.
        projections: of both views, (2, N of all ranks, D), as the projector gave them (siamese only).
        extra: unit embeddings of further views that terms asked for, by name.
    """

    query: Tensor
    key: Tensor
    positive: Tensor
    similarity: Tensor
    queue: Tensor
    own: Tensor | None = None
    projections: Tensor | None = None
    extra: dict[str, Tensor] = field(default_factory=dict)

    @property
    def views(self) -> int:
        """How many rows there are of each clip."""
        return 1 if self.projections is None else len(self.projections)

    @cached_property
    def negatives(self) -> Tensor:
        """(B, K) q . queue; -inf where an entry is left out."""
        return self.without_own(self.similarity)

    def without_own(self, similarity: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        """Similarities to the queue with -inf where an entry is of the clip itself."""
        return similarity if self.own is None else similarity.masked_fill(self.own, -math.inf)


class Branch(nn.Module):
    """Encoder and projector: a view in, its embedding out.

    Args:
        encoder: gives a feature.
        projector: takes it.
        precision: in which their products are computed; what comes out is float32 whatever it is.
    """

    def __init__(self, encoder: Encoder, projector: nn.Module, precision: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.encoder = encoder
        self.projector = projector
        self.precision = precision

    def project(self, x: View) -> Float[Tensor, "n d"]:
        """Projection of each view, of any length."""
        return in_precision(self.precision, lambda: self.projector(self.encoder(x)), x.device)

    def feature(self, x: View, precision: torch.dtype = torch.float32) -> Float[Tensor, "n f"]:
        """What the encoder alone makes of each view, for downstream use.

        Args:
            x: the views.
            precision: of the products, whatever that of the training is.
        """
        return in_precision(precision, lambda: self.encoder(x), x.device)

    def forward(self, x: View) -> Float[Tensor, "n d"]:
        """Unit embedding of each view."""
        return nn.functional.normalize(self.project(x), dim=1)


def in_precision(precision: torch.dtype, call: Callable[[], Tensor], device: torch.device) -> Tensor:
    """What a call gives, its products computed in a precision; weights and result are float32 whatever it is."""
    is_full = precision == torch.float32
    with torch.autocast(device.type, None if is_full else precision, enabled=not is_full):
        result = call()
    return result if is_full else result.float()


def build_projector(features: int, width: int, embedding: int) -> nn.Sequential:
    """The published head: linear, ReLU, linear; `width` 0 takes the feature dimension."""
    hidden = width or features
    return nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, embedding))


def parse_stream(name: str) -> tuple[tuple[str, ...], str]:
    """Modalities and encoder of a stream's name.

    `bone` is one modality; `joint+motion` are two, whose coordinates one encoder reads side by side; `joint:stgcn`
    names an encoder of the stream's own ("": the run's).

    Raises:
        ConfigError: a word is no modality.
    """
    words, _, encoder = name.partition(":")
    modalities = tuple(words.split("+"))
    for modality in modalities:
        if modality not in MODALITIES:
            raise ConfigError(f"streams: {modality!r} is no modality; there are {', '.join(MODALITIES)}")
    return modalities, encoder


class Stream(nn.Module):
    """What momentum and siamese streams share: a branch that learns, and a queue of past embeddings.

    Attributes:
        modalities: what it reads, side by side: of joint, motion and bone.
        query: the branch that learns.
        queue: past embeddings.
    """

    def __init__(self, name: str, query: Branch, queue: KeyQueue) -> None:
        super().__init__()
        self.modalities = parse_stream(name)[0]
        self.query = query
        self.queue = queue

    def forward(self, query_view: View, key_view: View, clips: Clips, ranks: Ranks = ALONE) -> StreamOutput:
        """Embeddings of both views and their products; nothing is moved.

        Args:
            query_view: a batch of clips, seen once.
            key_view: the same clips, seen again.
            clips: their numbers.
            ranks: the processes that share the batch; a contrast within the batch is one within all of it.
        """
        raise TypeError(f"{type(self).__name__} is a stream without a contrast")

    def after_step(self, keys: Float[Tensor, "b d"], clips: Clips) -> None:
        """Move what moves once a step; the keys are those of the step's `StreamOutput`."""
        self.queue.push(keys, clips)


class MomentumStream(Stream):
    """Momentum contrast: a query branch, the key branch that follows it, and the queue of its keys.

    Args:
        name: what it reads, see `parse_stream`.
        query: the branch that learns.
        queue: past keys.
        momentum: how much of the key branch stays at each step.
        mask_own: leave a clip's own past keys out of its negatives.

    Reference: He et al., Momentum Contrast for Unsupervised Visual Representation Learning, CVPR 2020.
    """

    def __init__(self, name: str, query: Branch, queue: KeyQueue, momentum: float, mask_own: bool = True) -> None:
        super().__init__(name, query, queue)
        self.key = copy.deepcopy(query).requires_grad_(False)
        self.momentum = momentum
        self.mask_own = mask_own

    def forward(self, query_view: View, key_view: View, clips: Clips, ranks: Ranks = ALONE) -> StreamOutput:
        """N queries against N keys and the queue as it was before the step."""
        query, key = self.query(query_view), self.encode_key(key_view)
        own = self.queue.clips[None] == clips[:, None] if self.mask_own else None
        return StreamOutput(query, key, (query * key).sum(1), query @ self.queue.keys.T, self.queue.keys, own)

    @torch.no_grad()
    def encode_key(self, x: View) -> Float[Tensor, "n d"]:
        """Unit embedding of the key views, without gradient."""
        embedding: Tensor = self.key(x)
        return embedding

    @torch.no_grad()
    def move_key(self) -> None:
        """Exponential moving average: the key branch goes a little toward the query branch.

        Buffers (BatchNorm statistics) are the key branch's own, gathered in its own forward passes.
        """
        torch._foreach_lerp_(list(self.key.parameters()), list(self.query.parameters()), 1 - self.momentum)

    @torch.no_grad()
    def after_step(self, keys: Float[Tensor, "n d"], clips: Clips) -> None:
        """The key branch follows, the queue takes the step's keys."""
        self.move_key()
        super().after_step(keys, clips)


class SiameseStream(Stream):
    """One branch for both views, both of them queries; the other 2 N - 2 views of the batch are the negatives.

    With InfoNCE this is SimCLR's NT-Xent: row i of `query` is a view, row i of `key` the clip's other view, `queue`
    the batch. The queue proper only keeps the latest embeddings, for whoever makes prototypes of them.

    Args:
        name: what it reads, see `parse_stream`.
        query: the branch that learns.
        queue: past embeddings.
        standardised: each dimension of a view's projections gets mean 0 and variance 1 over the batch before they
            become unit vectors. For losses of correlations, which see neither: whatever else works on the unit vectors
            (agreement, HaLP) could otherwise let all of them point one way.

    Reference: Chen et al., A Simple Framework for Contrastive Learning of Visual Representations, ICML 2020.
    """

    def __init__(self, name: str, query: Branch, queue: KeyQueue, standardised: bool = False) -> None:
        super().__init__(name, query, queue)
        self.is_standardised = standardised

    def forward(self, query_view: View, key_view: View, clips: Clips, ranks: Ranks = ALONE) -> StreamOutput:
        """2 N queries, each against the other view of its clip and the batch; its own two views are never negatives."""
        own = torch.stack(self.query.project(torch.cat([query_view, key_view])).chunk(2))
        projections = ranks.join(own, dim=1)
        units = nn.functional.normalize(standardise(projections) if self.is_standardised else projections, dim=2)
        first, second = ranks.own(units, dim=1)
        query, key = torch.cat([first, second]), torch.cat([second, first])
        batch = query if ranks.is_alone else units.flatten(0, 1)
        is_own = ranks.join(clips).repeat(2) == clips.repeat(2)[:, None]
        return StreamOutput(query, key, (query * key).sum(1), query @ batch.T, batch, is_own, projections)

    @torch.no_grad()
    def after_step(self, keys: Float[Tensor, "b d"], clips: Clips) -> None:
        """The queue takes the embeddings of both views."""
        super().after_step(keys, clips.repeat(len(keys) // len(clips)))
