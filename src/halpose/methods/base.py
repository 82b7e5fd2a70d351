"""A method is a list you can read aloud: streams, then weighted terms.

`forward` computes; `after_step` moves state. Negatives come from the queue as it stood before the step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from halpose.config import Config
from halpose.encoders import build_encoder
from halpose.errors import ConfigError
from halpose.parts.stream import Branch, KeyQueue, Stream, build_projector
from halpose.skeleton import MODALITIES, Layout, bone, motion


@dataclass(frozen=True)
class Moment:
    """Where training stands when a step is taken.

    Attributes:
        step: steps taken before this one.
        steps: steps of the whole training.
        samples: clips seen before this step.
        generator: the source of the method's random draws, on the method's device.
    """

    step: int
    steps: int
    samples: int
    generator: torch.Generator

    @property
    def progress(self) -> float:
        """Share of the training that is done."""
        return self.step / self.steps

    def following(self, batch: int) -> Moment:
        """The moment of the next step."""
        return Moment(self.step + 1, self.steps, self.samples + batch, self.generator)


@dataclass(frozen=True)
class StreamOutput:
    """What one stream computed of a batch.

    Attributes:
        query: (N, D) unit embeddings of the query views, with gradient.
        key: (N, D) unit embeddings of the key views, without.
        positive: (N,) q . k.
        similarity: (N, K) q . queue.
        queue: (K, D) the queue's keys, as they were before the step.
        own: (N, K) which entries are a clip's own past keys and must not be its negatives; None: none are.
    """

    query: Tensor
    key: Tensor
    positive: Tensor
    similarity: Tensor
    queue: Tensor
    own: Tensor | None = None

    @cached_property
    def negatives(self) -> Tensor:
        """(N, K) q . queue; -inf where an entry is left out."""
        return self.similarity if self.own is None else self.similarity.masked_fill(self.own, -math.inf)


class Term(nn.Module):
    """One summand of the loss. `forward` returns it without its weight."""

    name = "term"

    def weight(self, moment: Moment) -> float:
        """Weight at this moment; 0 means that the term is not computed."""
        return 1.0

    def forward(self, outputs: dict[str, StreamOutput], moment: Moment) -> tuple[Tensor, dict[str, Tensor]]:
        """The term and what is worth logging beside it."""
        raise TypeError(f"{type(self).__name__} is a term without a formula")

    def after_step(self, streams: dict[str, Stream], moment: Moment, batch: int) -> None:
        """Move the term's own state, once the queues hold this step's keys."""


@dataclass(frozen=True)
class Output:
    """Result of a forward pass.

    Attributes:
        loss: the weighted sum, to be differentiated.
        values: every term and metric, detached, by name.
        keys: the new keys of each stream, to be queued by `after_step`.
    """

    loss: Tensor
    values: dict[str, Tensor] = field(default_factory=dict)
    keys: dict[str, Tensor] = field(default_factory=dict)


class Method(nn.Module):
    """Streams and terms, and the order in which state moves."""

    parents: Tensor

    def __init__(self, streams: dict[str, Stream], terms: list[Term], layout: Layout, mask_own: bool) -> None:
        super().__init__()
        self.streams = nn.ModuleDict(streams)
        self.terms = nn.ModuleList(terms)
        self.mask_own = mask_own
        self.register_buffer("parents", torch.tensor(layout.parents), persistent=False)

    def modality(self, name: str, x: Float[Tensor, "n m t v c"]) -> Float[Tensor, "n m t v c"]:
        """Joint, motion or bone form of a batch of positions."""
        if name == "motion":
            return motion(x)
        return bone(x, self.parents) if name == "bone" else x

    def forward(
        self,
        query_view: Float[Tensor, "n m t v c"],
        key_view: Float[Tensor, "n m t v c"],
        clips: Int[Tensor, " n"],
        moment: Moment,
    ) -> Output:
        """Loss of one batch of pairs of views. Nothing is moved."""
        outputs = {name: self._run(name, query_view, key_view, clips) for name in self.streams}
        loss = query_view.new_zeros(())
        values: dict[str, Tensor] = {}
        for term in self.terms:
            assert isinstance(term, Term)
            weight = term.weight(moment)
            if weight:
                value, metrics = term(outputs, moment)
                loss = loss + weight * value
                values |= {term.name: value.detach()} | metrics
        values["loss"] = loss.detach()
        return Output(loss, values, {name: output.key for name, output in outputs.items()})

    @torch.no_grad()
    def after_step(self, output: Output, clips: Int[Tensor, " n"], moment: Moment) -> None:
        """After the optimizer's step: key branches follow, queues take the keys, terms move their state."""
        streams = self.stream_table()
        for name, stream in streams.items():
            stream.move_key()
            stream.queue.push(output.keys[name], clips)
        for term in self.terms:
            assert isinstance(term, Term)
            term.after_step(streams, moment, len(clips))

    def features(self, x: Float[Tensor, "n m t v c"]) -> Float[Tensor, "n f"]:
        """Features for downstream use: before the projector, the streams' side by side."""
        found = [stream.query.encoder(self.modality(name, x)) for name, stream in self.stream_table().items()]
        return torch.cat(found, dim=1)

    def stream_table(self) -> dict[str, Stream]:
        """The streams by name, typed."""
        return {name: stream for name, stream in self.streams.items() if isinstance(stream, Stream)}

    def query_parameters(self) -> list[tuple[str, nn.Parameter]]:
        """What the optimizer moves: everything but the key branches, by name."""
        return [(name, parameter) for name, parameter in self.named_parameters() if parameter.requires_grad]

    def _run(self, name: str, query_view: Tensor, key_view: Tensor, clips: Tensor) -> StreamOutput:
        stream = self.streams[name]
        assert isinstance(stream, Stream)
        query = stream.encode_query(self.modality(name, query_view))
        key = stream.encode_key(self.modality(name, key_view))
        queue = stream.queue.keys
        own = stream.queue.clips[None] == clips[:, None] if self.mask_own else None
        return StreamOutput(query, key, (query * key).sum(1), query @ queue.T, queue, own)


def build_streams(
    config: Config, layout: Layout, people: int, channels: int, generator: torch.Generator
) -> dict[str, Stream]:
    """One stream per modality of the configuration; weights are drawn from `generator`.

    Raises:
        ConfigError: a stream is not a modality.
    """
    streams: dict[str, Stream] = {}
    for modality in config.streams:
        if modality not in MODALITIES:
            raise ConfigError(f"streams: {modality!r} is no modality; there are {', '.join(MODALITIES)}")
        # Layers draw their weights from torch's global state; it is borrowed and given back.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**62, (), generator=generator, device=generator.device).item()))
            encoder = build_encoder(config.encoder, layout, people, channels)
            contrast = config.contrast
            branch = Branch(encoder, build_projector(encoder.feature_dim, contrast.projector_width, contrast.embedding))
        queue = KeyQueue(contrast.queue, contrast.embedding, generator)
        streams[modality] = Stream(modality, branch, queue, contrast.momentum)
    return streams
