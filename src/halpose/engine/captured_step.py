"""A step captured once as a CUDA graph and replayed: one launch instead of hundreds, and none of the Python.

A graph does the same kernels on the same memory again and reads no number of the host's. So whatever differs from step
to step lies in tensors that are filled before a replay (the clips, the rate; views that were read from disk) or that
the step itself moves (weights, queues, the optimizer's state); random numbers come from generators that the graph
knows. What follows from the host's step count selects among graphs: one for each phase of the method. Clustering, which
is due in some steps only, stays outside.

Of each phase the first steps are taken as they are. They are steps like any other, and they make what a capture must
not meet for the first time: the optimizer's state, handles and plans of the libraries, tables that are made once.
"""

from __future__ import annotations

import contextlib
import gc
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from halpose.config import Config
from halpose.engine.batches import Batch
from halpose.errors import TrainingError
from halpose.methods.base import Moment
from halpose.parts.ranks import Ranks
from halpose.parts.stream import parse_stream

_Made = TypeVar("_Made")
_Step = Callable[[Batch, Moment], dict[str, Tensor]]

# Steps of a phase before its capture, as many as torch's own `make_graphed_callables` takes.
_WARM = 3


class Graphs(Protocol):
    """What records work on a device, to do it again without the Python."""

    def warm(self, work: Callable[[], _Made]) -> _Made:
        """Do work where it will be captured."""

    def capture(self, work: Callable[[], _Made]) -> tuple[Callable[[], None], _Made]:
        """Record work without doing it: what does it, and its result, which has no content until then."""


class CapturedStep:
    """Takes the steps of one training.

    Args:
        step: takes one, with Python.
        phase: steps of which it says the same do the same on the device.
        graphs: record them.
    """

    def __init__(self, step: _Step, phase: Callable[[Moment], Hashable], graphs: Graphs) -> None:
        self.step, self.phase, self.graphs = step, phase, graphs
        self._taken: Counter[Hashable] = Counter()
        self._captured: dict[Hashable, tuple[Callable[[], None], dict[str, Tensor]]] = {}
        self._batch: Batch | None = None  # what every graph reads

    def __call__(self, batch: Batch, moment: Moment) -> dict[str, Tensor]:
        """Take a step; what is worth logging of it, which the next step of the phase overwrites.

        Raises:
            TrainingError: the step cannot be captured.
        """
        phase = self.phase(moment)
        if self._taken[phase] < _WARM:
            self._taken[phase] += 1
            return self.graphs.warm(lambda: self.step(batch, moment))
        fixed = self._filled(batch)
        if phase not in self._captured:
            self._captured[phase] = self._capture(fixed, moment)
        replay, values = self._captured[phase]
        replay()
        return values

    def _filled(self, batch: Batch) -> Batch:
        """The batch in memory that is the same in every step."""
        if self._batch is None:
            views = {name: torch.empty_like(view) for name, view in batch.views.items()}
            self._batch = Batch(torch.empty_like(batch.clips), views)
        self._batch.clips.copy_(batch.clips)
        for name, view in batch.views.items():
            self._batch.views[name].copy_(view)
        return self._batch

    def _capture(self, batch: Batch, moment: Moment) -> tuple[Callable[[], None], dict[str, Tensor]]:
        try:
            return self.graphs.capture(lambda: self.step(batch, moment))
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            first = str(error).partition("\n")[0]
            raise TrainingError(
                f"the step cannot be captured as a CUDA graph ({first:.160}); start anew with cuda_graph=false, "
                "or go on in another run with --fork and --set cuda_graph=false"
            ) from error


class CudaGraphs:
    """CUDA graphs of one device.

    All are captured on one stream, on which the warm-up runs, too: what autograd and libraries keep belongs to the
    stream it was made on. They share one pool of memory: of one graph at a time anything is read there, after it has
    run and before the next one does.

    Args:
        device: of all that they work on.
        generators: that they may draw from; torch's own of the device is always one.
    """

    def __init__(self, device: torch.device, generators: Sequence[torch.Generator]) -> None:
        self.device, self.generators = device, generators
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.pool = torch.cuda.graph_pool_handle()

    def warm(self, work: Callable[[], _Made]) -> _Made:
        """Do work on the stream of the captures, after what was begun on the current one and before what will be."""
        current = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            made = work()
        current.wait_stream(self.stream)
        return made

    def capture(self, work: Callable[[], _Made]) -> tuple[Callable[[], None], _Made]:
        """Record work as a graph; it is replayed on whatever stream is current then."""
        graph = torch.cuda.CUDAGraph()
        for generator in self.generators:
            graph.register_generator_state(generator)
        # Thread-local: a thread that reads ahead may ask the driver for memory at the same time.
        recording = torch.cuda.graph(graph, pool=self.pool, stream=self.stream, capture_error_mode="thread_local")
        with torch.cuda.device(self.device), _no_collection(), recording:
            made = work()
        return graph.replay, made


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Garbage with memory of a device, or graphs of another training, must not be freed in the middle of a capture."""
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def fit_capture(config: Config, device: torch.device, ranks: Ranks) -> tuple[bool, tuple[str, ...]]:
    """Whether steps are captured: where it was asked for and can be; and a sentence where it cannot.

    The setting stays as it is: the run may go on on another device.
    """
    obstacle = _obstacle(config, device, ranks) if config.cuda_graph else ""
    notes = (f"steps are taken without a CUDA graph: {obstacle}",) if obstacle else ()
    return config.cuda_graph and not obstacle, notes


def _obstacle(config: Config, device: torch.device, ranks: Ranks) -> str:
    if device.type != "cuda":
        return f"the device is {device.type}"
    if not ranks.is_alone:
        return "several processes exchange numbers within a step"
    if config.optimizer.name == "lars" and config.precision == "float16":
        return "LARS leaves it to the host to look for gradients that overflow (precision = float16)"
    encoders = {parse_stream(name)[1] or config.encoder.name for name in config.streams}
    if "lstm" in encoders and config.encoder.dropout and config.encoder.layers > 1:
        return "dropout between the layers of an LSTM is drawn from a state of cuDNN's own"
    return ""
