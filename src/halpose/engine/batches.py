"""What each step works on: its clips, and random views of them.

Which clips follows from seed and step alone; views follow from a generator, whose state a checkpoint keeps. Of a window
on disk a thread makes the views of the coming steps while the present one is computed. Which frames a view needs is
known once its crop is drawn, and a generator's numbers come in order: so the thread draws, reads and moves, all there
is to a view, from a generator of its own that begins where the training's stands. Each batch brings the state behind
its views along, and the training's generator takes it over when the batch is used. So the numbers are the same with and
without a thread, a checkpoint never knows what was made ahead of it, and only the frames of a crop are read, however
long the recording.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from halpose.config import Config, ViewConfig
from halpose.data.read_ahead import ReadAhead
from halpose.data.side_stream import SideStream, take_over
from halpose.data.views import random_view
from halpose.data.window import MappedWindow, Window
from halpose.engine.seeds import ORDER, VIEWS, seed_of
from halpose.parts.ranks import ALONE, Ranks


@dataclass(frozen=True)
class Batch:
    """The clips of one step, on one rank.

    Attributes:
        clips: (B,) their positions in the window.
        views: `query`, `key` and the method's further views; none where they are yet to be drawn.
        state: of the generator, after these views were drawn, if they were drawn ahead.
        made: on CUDA, when they are there, if another stream makes them.
    """

    clips: Int[Tensor, " b"]
    views: Mapping[str, Float[Tensor, "b m t v c"]] = field(default_factory=dict)
    state: Tensor | None = None
    made: torch.cuda.Event | None = None

    def awaited(self) -> Batch:
        """For use on the current stream: it waits for the one that made this batch, the host does not."""
        take_over(self.made, (self.clips, *self.views.values()))
        return self


class Batches:
    """The batches of one training, on one rank.

    Args:
        window: the clips.
        config: views, batch size, seed.
        further: the views that the method needs beyond `query` and `key`.
        ranks: share each batch.

    Attributes:
        generator: what the next step's views are drawn from.
    """

    def __init__(self, window: Window, config: Config, further: Mapping[str, ViewConfig], ranks: Ranks = ALONE) -> None:
        self.window, self.config, self.further, self.ranks = window, config, further, ranks
        self.generator = torch.Generator(window.device).manual_seed(seed_of(config.seed, VIEWS))
        self._order = (-1, torch.empty(0, dtype=torch.int64))
        self._coming: ReadAhead[Batch] | None = None

    def clips(self, step: int) -> Int[Tensor, " b"]:
        """Clips of a step, of all ranks: every epoch is a permutation that depends on seed and epoch alone."""
        size, clips = self.config.batch_size, len(self.window)
        epoch, position = divmod(step, clips // size)
        drawn, order = self._order
        if epoch != drawn:
            generator = torch.Generator().manual_seed(seed_of(self.config.seed, ORDER, epoch))
            order = torch.randperm(clips, generator=generator)
            self._order = (epoch, order)
        return order[position * size : (position + 1) * size].to(self.window.device)

    def take(self, step: int) -> Batch:
        """What a step works on, made now, or before."""
        return self.drawn(self.given(step))

    def given(self, step: int) -> Batch:
        """What only the host can say of a step's batch: its clips and, where they are read from disk, their views."""
        if self._coming is None:
            batch = self._choose(step, self.generator)
            return self.drawn(batch) if isinstance(self.window, MappedWindow) else batch
        batch = self._coming.take(step).awaited()
        assert batch.state is not None
        self.generator.set_state(batch.state)
        return batch

    def drawn(self, batch: Batch) -> Batch:
        """The same batch with its views, drawn now unless they were before.

        Of a resident window all of it happens on the device, in shapes that are the same in every step.
        """
        return batch if batch.views else self._draw(batch, self.generator)

    @contextlib.contextmanager
    def coming(self, first: int, last: int) -> Iterator[None]:
        """Batches of these steps will be taken: if they are read from disk, begin to."""
        prefetch, device = self.config.data.prefetch, self.window.device
        if not isinstance(self.window, MappedWindow) or not prefetch:
            yield
            return
        generator = torch.Generator(device).set_state(self.generator.get_state())
        aside = SideStream(device)
        with ReadAhead(lambda step: self._draw_aside(step, generator, aside), first, last, prefetch) as self._coming:
            try:
                yield
            finally:
                self._coming = None

    def _choose(self, step: int, generator: torch.Generator) -> Batch:
        """The clips of a step on this rank, before their views are drawn."""
        config, ranks = self.config, self.ranks
        if not ranks.is_alone:  # so no rank has a state that must be saved, and another number of them can go on
            generator.manual_seed(seed_of(config.seed, VIEWS, ranks.rank, step))
        return Batch(ranks.own(self.clips(step)))

    def _draw(self, batch: Batch, generator: torch.Generator) -> Batch:
        config = self.config

        def view(chosen: Tensor, settings: ViewConfig) -> Tensor:
            return random_view(self.window, chosen, config.data.frames, settings, generator)

        query, key = view(batch.clips.repeat(2), config.views).chunk(2)
        further = {name: view(batch.clips, settings) for name, settings in self.further.items()}
        return replace(batch, views={"query": query, "key": key} | further)

    def _draw_aside(self, step: int, generator: torch.Generator, aside: SideStream) -> Batch:
        """A whole batch, in a thread, and on a CUDA stream beside the training's."""
        batch, made = aside.make(lambda: self._draw(self._choose(step, generator), generator))
        return replace(batch, state=generator.get_state(), made=made)
