"""Embeddings of recordings, a block of clips at a time: any number of them in memory that does not grow."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from halpose.data.memory import memory_store
from halpose.data.read_ahead import ReadAhead
from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.errors import DataError
from halpose.evaluate.base import Progress, silent
from halpose.evaluate.features import Precision, chosen_streams, clip_features, extract, product_type
from halpose.evaluate.transfer import as_input
from halpose.inference.clips import Window
from halpose.methods import Method
from halpose.parts.ranks import ALONE, Ranks

_BLOCK = 256  # clips that are held and embedded at a time
TEXTS = ("names", "sources", "labels", "subjects")


@dataclass(frozen=True)
class Embeddings:
    """Vectors of recordings, or of windows of them.

    Attributes:
        vectors: (N, D) float32.
        names: of the recordings, as they name themselves.
        starts: (N,) seconds from the beginning of its recording; NaN where the frame rate is not known.
        ends: (N,) likewise.
        about: what made them: run, step, streams, a digest of the weights, precision (float32 where it is not said),
            window and stride.
        sources: file or store that each comes from, "" where it was never one.
        labels: name of the class, "" where nobody gave one.
        subjects: who moves, "" where the source does not say.
    """

    vectors: Float[np.ndarray, "n d"]
    names: tuple[str, ...]
    starts: Float[np.ndarray, " n"]
    ends: Float[np.ndarray, " n"]
    about: Mapping[str, Any] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in TEXTS[1:]:
            if not getattr(self, name):
                object.__setattr__(self, name, ("",) * len(self.names))

    def __len__(self) -> int:
        return len(self.names)

    def title(self, row: int) -> str:
        """A name for people: the recording, and where in it."""
        start, end = float(self.starts[row]), float(self.ends[row])
        return self.names[row] if np.isnan(end) else f"{self.names[row]} {start:.2f} to {end:.2f} s"

    def rows(self, chosen: Int[np.ndarray, " k"]) -> Embeddings:
        """Some of them."""
        texts = {name: tuple(getattr(self, name)[row] for row in chosen.tolist()) for name in TEXTS}
        return Embeddings(
            np.asarray(self.vectors[chosen]), starts=self.starts[chosen], ends=self.ends[chosen], about=self.about,
            **texts,
        )  # fmt: skip

    @classmethod
    def join(cls, parts: Sequence[Embeddings]) -> Embeddings:
        """Several as one.

        Raises:
            DataError: there are none.
        """
        if not parts:
            raise DataError("no clip could be embedded: nothing was read, or nobody was seen in it")
        return cls(
            np.concatenate([part.vectors for part in parts]),
            starts=np.concatenate([part.starts for part in parts]),
            ends=np.concatenate([part.ends for part in parts]),
            about=parts[0].about,
            **{name: tuple(text for part in parts for text in getattr(part, name)) for name in TEXTS},
        )


def embed(
    run: Run,
    windows: Iterable[Window],
    streams: Sequence[str] = (),
    kind: str = "trained",
    about: Mapping[str, Any] | None = None,
    ranks: Ranks = ALONE,
    precision: Precision = "float32",
) -> Iterator[Embeddings]:
    """Embeddings of clips, in blocks.

    A thread takes the clips of the next block while one is embedded: so `windows` may read files.

    Args:
        run: whose query encoders are used, on the device where it was loaded.
        windows: clips that the run takes (`halpose.inference.clips`).
        streams: names of the streams whose features stand side by side; all of the run's when empty.
        kind: `trained`, or `untrained` for the same encoder before its first step.
        about: what else is to be kept of how they were made.
        ranks: the processes that share the blocks; each passes over those of the others.
        precision: of the encoders' products.

    Raises:
        ConfigError: the run has no such stream, or there is no such precision.
    """
    device = next(run.method.parameters()).device
    method = run.method if kind == "trained" else run.untrained(device)
    streams = chosen_streams(run, streams)
    made = {**made_by(run, method, streams, precision), **(about or {})}
    waiting = iter(windows)

    def read(number: int) -> tuple[list[Window], Store | None]:
        """A block, empty after the last one, and a store of it if it is ours."""
        block = list(islice(waiting, _BLOCK))
        is_ours = block and number % ranks.world == ranks.rank
        return block, memory_store([window.clip for window in block], run.shape.layout) if is_ours else None

    with ReadAhead(read, 0, sys.maxsize, ahead=1) as coming:
        for number in count():
            block, store = coming.take(number)
            if not block:
                return
            if store is None:
                continue
            yield Embeddings(
                extract(method, store, np.arange(len(block)), run.config.data, device, streams, precision=precision),
                tuple(window.clip.name for window in block),
                np.array([window.start for window in block]),
                np.array([window.end for window in block]),
                made,
                tuple(window.source for window in block),
                tuple(window.label for window in block),
                tuple(str(window.clip.subject) for window in block),
            )


def embed_store(
    run: Run, store: Store, streams: Sequence[str] = (), kind: str = "trained", progress: Progress = silent
) -> Embeddings:
    """Embeddings of every clip of a prepared store, whole; kept beside the run as those of an evaluation are.

    Args:
        run: on the device where it was loaded.
        store: of any layout whose joints can be mapped to the run's.
        streams: names of the streams; all of the run's when empty.
        kind: `trained` or `untrained`.
        progress: told how many clips are done.

    Raises:
        DataError: the run cannot take these recordings.
        ConfigError: the run has no such stream.
    """
    device = next(run.method.parameters()).device
    taken, clips, every = as_input(run, store)[0], store.clips, np.arange(len(store))
    found = [features for _, features in clip_features(run, taken, every, kind, device, streams, progress)]
    with np.errstate(divide="ignore"):
        seconds = clips.lengths / np.where(clips.fps > 0, clips.fps, np.nan)
    return Embeddings(
        np.concatenate(found, axis=1) if len(found) > 1 else found[0],
        tuple(clips.name.tolist()),
        np.zeros(len(store)),
        seconds,
        made_by(run, run.method if kind == "trained" else run.untrained(device), chosen_streams(run, streams)),
        (str(store.path.resolve()),) * len(store),
        tuple(class_name(store, label) for label in clips.label.tolist()),
        tuple(clips.subject.tolist()),
    )


def class_name(store: Store, label: int) -> str:
    """Name of a label, "" of none."""
    return store.classes[label] if 0 <= label < len(store.classes) else ""


def made_by(run: Run, method: Method, streams: Sequence[str], precision: Precision = "float32") -> dict[str, Any]:
    """What is kept with embeddings, so that nobody compares those of different encoders.

    Raises:
        ConfigError: there is no such precision.
    """
    product_type(precision)
    digest = hashlib.sha256()
    for stream in streams:
        state = method.stream_table()[stream].query.encoder.state_dict()
        for name, value in sorted(state.items()):
            digest.update(f"{stream} {name}".encode())
            digest.update(value.detach().to("cpu", torch.float32).numpy().tobytes())
    return {
        "run": str(run.path.resolve()), "step": run.step, "streams": list(streams),
        "weights": digest.hexdigest()[:16], "precision": precision,
    }  # fmt: skip
