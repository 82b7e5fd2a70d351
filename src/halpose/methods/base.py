"""A method is a list you can read aloud: streams, then weighted terms.

`forward` computes; `after_step` moves state. Negatives come from the queue as it stood before the step.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from halpose.config import Config, ViewConfig
from halpose.encoders import build_encoder
from halpose.parts.diagnosis import diagnose
from halpose.parts.queue import KeyQueue
from halpose.parts.ranks import ALONE, Ranks
from halpose.parts.stream import (
    Branch,
    MomentumStream,
    SiameseStream,
    Stream,
    StreamOutput,
    build_projector,
    parse_stream,
)
from halpose.skeleton import Layout, bone, bone_confidence, motion, motion_confidence

__all__ = ["Method", "Moment", "Output", "StreamOutput", "Term", "build_streams"]


@dataclass(frozen=True)
class Moment:
    """Where training stands when a step is taken.

    Attributes:
        step: steps taken before this one.
        steps: steps of the whole training.
        samples: clips seen before this step.
        generator: the source of the method's random draws, on the method's device, in the same state on all ranks.
        ranks: the processes that train together; each sees its slice of the batch.
    """

    step: int
    steps: int
    samples: int
    generator: torch.Generator
    ranks: Ranks = ALONE

    @property
    def progress(self) -> float:
        """Share of the training that is done."""
        return self.step / self.steps

    def following(self, batch: int) -> Moment:
        """The moment of the next step."""
        return replace(self, step=self.step + 1, samples=self.samples + batch)


class Term(nn.Module):
    """One summand of the loss. `forward` returns it without its weight."""

    name = "term"
    views: Mapping[str, ViewConfig] = MappingProxyType({})
    """Views that the term needs beyond `query` and `key`, and how they are drawn."""

    def weight(self, moment: Moment) -> float:
        """Weight at this moment; 0 means that the term is not computed."""
        return 1.0

    def phase(self, moment: Moment) -> Hashable:
        """All that `weight` and `forward` take from a moment's step, progress and samples: the weight, unless more.

        Steps of one phase do the same to different numbers, so that one of them may be captured and replayed. A term
        whose `forward` asks how far training is must name what follows from it here.
        """
        return self.weight(moment)

    def forward(self, outputs: dict[str, StreamOutput], moment: Moment) -> tuple[Tensor, dict[str, Tensor]]:
        """The term and what is worth logging beside it."""
        raise TypeError(f"{type(self).__name__} is a term without a formula")

    def embed(self, stream: Stream, views: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Embeddings of the further views that the term needs, to be found in `StreamOutput.extra`.

        Args:
            stream: one of the method's.
            views: every view of the batch in the stream's modality.
        """
        return {}

    def begin(self, streams: dict[str, Stream], moment: Moment) -> None:
        """Make the state of a term that joins streams which another run has trained."""

    def after_step(self, streams: dict[str, Stream], moment: Moment, batch: int) -> None:
        """Move the term's own state, once the queues hold this step's keys: `batch` clips of all ranks."""


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

    @classmethod
    def of_parts(cls, parts: Sequence[Output], clips: int) -> Output:
        """The output of a batch that was computed in equal parts of so many clips, after their backward passes."""
        values = {name: torch.stack([part.values[name] for part in parts]).mean(0) for name in parts[0].values}
        keys = {
            name: torch.cat([part.keys[name].reshape(-1, clips, keys.shape[1]) for part in parts], dim=1).flatten(0, 1)
            for name, keys in parts[0].keys.items()
        }
        return cls(values["loss"], values, keys)


class Method(nn.Module):
    """Streams and terms, and the order in which state moves.

    Args:
        streams: by name.
        terms: of the loss.
        layout: of the input.
        diagnose: add what `parts.diagnosis` finds out to every step's values.
        has_confidence: whether the last channel of the input is how sure the source was of each joint.
    """

    parents: Tensor

    def __init__(
        self,
        streams: dict[str, Stream],
        terms: list[Term],
        layout: Layout,
        diagnose: bool = False,
        has_confidence: bool = False,
    ) -> None:
        super().__init__()
        self.has_confidence = has_confidence
        self.is_diagnosed = diagnose
        self.streams = nn.ModuleDict(streams)
        self.terms = nn.ModuleList(terms)
        self.register_buffer("parents", torch.tensor(layout.parents), persistent=False)

    def further_views(self) -> dict[str, ViewConfig]:
        """The views that a step needs beyond `query` and `key`, and how they are drawn."""
        return {name: settings for term in self.term_list() for name, settings in term.views.items()}

    def forward(
        self, views: Mapping[str, Float[Tensor, "n m t v c"]], clips: Int[Tensor, " n"], moment: Moment
    ) -> Output:
        """Loss of one batch of clips, each seen as query, key and in all further views. Nothing is moved.

        On several ranks each gives its slice, and the mean of their losses is the loss of the joined batch.
        """
        outputs = {name: self._run(stream, views, clips, moment) for name, stream in self.stream_table().items()}
        loss = views["query"].new_zeros(())
        values: dict[str, Tensor] = {}
        parts: dict[str, Tensor] = {}
        for term in self.term_list():
            weight = term.weight(moment)
            if weight:
                value, metrics = term(outputs, moment)
                parts[term.name] = weight * value
                loss = loss + parts[term.name]
                values |= {term.name: value.detach()} | metrics
        if self.is_diagnosed:
            values |= diagnose(outputs, parts, moment.ranks)
        values["loss"] = loss.detach()
        return Output(loss, values, {name: output.key.detach() for name, output in outputs.items()})

    def phase(self, moment: Moment) -> Hashable:
        """What of a moment `forward` and `move_streams` follow, but for its generator and ranks."""
        return tuple(term.phase(moment) for term in self.term_list())

    def after_step(self, output: Output, clips: Int[Tensor, " n"], moment: Moment) -> None:
        """After the optimizer's step: key branches follow, queues take all ranks' keys, terms move their state."""
        self.move_streams(output, clips, moment)
        self.move_terms(moment, len(clips) * moment.ranks.world)

    @torch.no_grad()
    def move_streams(self, output: Output, clips: Int[Tensor, " n"], moment: Moment) -> None:
        """The first half of `after_step`, the same in every step."""
        count = len(clips)
        clips = moment.ranks.join(clips)
        for name, stream in self.stream_table().items():
            # Of siamese streams both views are keys; the first views of all ranks come before their second ones.
            keys = output.keys[name]
            joined = moment.ranks.join(keys.reshape(-1, count, keys.shape[1]), dim=1)
            stream.after_step(joined.flatten(0, 1), clips)

    @torch.no_grad()
    def move_terms(self, moment: Moment, batch: int) -> None:
        """The second half, which terms do when it is due: the step was one of `batch` clips of all ranks."""
        for term in self.term_list():
            term.after_step(self.stream_table(), moment, batch)

    @torch.no_grad()
    def begin_terms(self, moment: Moment) -> None:
        """The streams come from another run: let every term make the state that it needs from them."""
        for term in self.term_list():
            term.begin(self.stream_table(), moment)

    def features(
        self,
        x: Float[Tensor, "n m t v c"],
        streams: Sequence[str] | None = None,
        precision: torch.dtype = torch.float32,
    ) -> Float[Tensor, "n f"]:
        """Features for downstream use: before the projector, those of the named streams (all) side by side.

        Args:
            x: views.
            streams: names of the streams; all of them when None.
            precision: of the encoders' products.
        """
        table = self.stream_table()
        chosen = [table[name] for name in (streams or table)]
        return torch.cat([s.query.feature(self.form(x, *s.modalities), precision) for s in chosen], dim=1)

    def form(self, x: Float[Tensor, "n m t v c"], *modalities: str) -> Float[Tensor, "n m t v kc"]:
        """Joint, motion or bone form of a batch of positions; of several, the coordinates side by side.

        With confidence, each form has its own behind its coordinates.
        """
        forms = [self._form(x, name) for name in modalities]
        return torch.cat(forms, dim=-1) if len(forms) > 1 else forms[0]

    def _form(self, x: Float[Tensor, "n m t v c"], name: str) -> Float[Tensor, "n m t v c"]:
        if name == "joint":
            return x
        x, sure = (x[..., :-1], x[..., -1:]) if self.has_confidence else (x, None)
        made = motion(x) if name == "motion" else bone(x, self.parents)
        if sure is None:
            return made
        known = motion_confidence(sure) if name == "motion" else bone_confidence(sure, self.parents)
        return torch.cat((made, known), dim=-1)

    def stream_table(self) -> dict[str, Stream]:
        """The streams by name, typed."""
        return {name: stream for name, stream in self.streams.items() if isinstance(stream, Stream)}

    def term_list(self) -> list[Term]:
        """The terms, typed."""
        return [term for term in self.terms if isinstance(term, Term)]

    def query_parameters(self) -> list[tuple[str, nn.Parameter]]:
        """What the optimizer moves: everything but the key branches, by name."""
        return [(name, parameter) for name, parameter in self.named_parameters() if parameter.requires_grad]

    def _run(self, stream: Stream, views: Mapping[str, Tensor], clips: Tensor, moment: Moment) -> StreamOutput:
        forms = {view: self.form(x, *stream.modalities) for view, x in views.items()}
        output: StreamOutput = stream(forms["query"], forms["key"], clips, moment.ranks)
        for term in self.term_list():
            output.extra.update(term.embed(stream, forms))
        return output


def build_streams(
    config: Config,
    layout: Layout,
    people: int,
    channels: int,
    generator: torch.Generator,
    siamese: bool = False,
    standardised: bool = False,
) -> dict[str, Stream]:
    """The streams of a configuration; weights are drawn from `generator`.

    Args:
        config: its `streams` are named as `parse_stream` says.
        layout: of the input.
        people: M.
        channels: C, coordinates of a joint; with `data.confidence` encoders take one more.
        generator: on the CPU.
        siamese: negatives from the batch instead of a queue.
        standardised: of siamese streams, see `SiameseStream`.

    Raises:
        ConfigError: a stream is not a modality, or an encoder does not exist.
    """
    contrast, values = config.contrast, channels + config.data.has_confidence
    streams: dict[str, Stream] = {}
    for name in config.streams:
        modalities, own_encoder = parse_stream(name)
        settings = replace(config.encoder, name=own_encoder or config.encoder.name)
        # Layers draw their weights from torch's global state; it is borrowed and given back.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**62, (), generator=generator, device=generator.device).item()))
            encoder = build_encoder(settings, layout, people, values * len(modalities))
            projector = build_projector(encoder.feature_dim, contrast.projector_width, contrast.embedding)
            branch = Branch(encoder, projector, getattr(torch, config.precision))
        queue = KeyQueue(contrast.queue, contrast.embedding, generator)
        streams[name] = (
            SiameseStream(name, branch, queue, standardised)
            if siamese
            else MomentumStream(name, branch, queue, contrast.momentum, contrast.mask_own)
        )
    return streams
