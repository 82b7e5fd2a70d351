"""Features of a run's encoder: extracted once, in bounded memory, and kept beside the run."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
import torch
from jaxtyping import Float, Int

from halpose.config import DataConfig
from halpose.data.frame_file import confidence_reader
from halpose.data.read_ahead import ReadAhead
from halpose.data.side_stream import SideStream, take_over
from halpose.data.store import Store
from halpose.data.views import evaluation_view
from halpose.data.window import Window
from halpose.engine.run import Run
from halpose.errors import ConfigError, DataError
from halpose.evaluate.base import Progress, silent
from halpose.evaluate.featureset import FeatureSet, side_by_side, split_features
from halpose.methods.base import Method
from halpose.whole_file import whole_file

# Clips that go through the encoder at once, and batches of them whose views are made meanwhile.
_BATCH, _AHEAD = 256, 2

Precision: TypeAlias = Literal["float32", "bfloat16"]
"""Of an encoder's products; what comes out is float32 whatever it is."""

PRECISIONS: tuple[Precision, ...] = get_args(Precision)


def product_type(precision: Precision) -> torch.dtype:
    """A precision as torch names it.

    Raises:
        ConfigError: it is none that features are computed in.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"precision: {precision!r} is none of features; there are {', '.join(PRECISIONS)}")
    found: torch.dtype = getattr(torch, precision)
    return found


@torch.no_grad()
def extract(
    method: Method,
    store: Store,
    clips: Int[np.ndarray, " n"],
    data: DataConfig,
    device: torch.device | str = "cpu",
    streams: Sequence[str] | None = None,
    progress: Callable[[int], None] | None = None,
    precision: Precision = "float32",
) -> Float[np.ndarray, "n d"]:
    """Features of clips, before the projector, in eval mode, from the fixed view of evaluation.

    Args:
        method: whose query encoders are used; its streams' features stand side by side.
        store: the recordings.
        clips: which.
        data: the normalisation and number of frames that the method was trained with.
        device: where to compute; the method must be there.
        streams: names of the streams; all of them when None.
        progress: called with the number of clips done.
        precision: of the encoders' products.

    Raises:
        ConfigError: there is no such precision.
    """
    method.eval()
    products = product_type(precision)
    found: list[np.ndarray] = []
    with closing(fixed_views(store, clips, data, device)) as views:
        for view in views:
            found.append(method.features(view, streams, products).float().cpu().numpy())
            if progress is not None:
                progress(sum(map(len, found)))
    return np.concatenate(found)


def fixed_views(
    store: Store, clips: Int[np.ndarray, " n"], data: DataConfig, device: torch.device | str
) -> Generator[Float[torch.Tensor, "b m t v c"], None, None]:
    """The view of evaluation of clips, a batch at a time, in bounded memory.

    A thread loads and makes the next ones while one is worked on. It ends with the generator: `close` one that is not
    taken to its end.

    Args:
        store: the recordings.
        clips: which.
        data: normalisation and number of frames.
        device: where the views are made.
    """

    def make(number: int) -> Float[torch.Tensor, "b m t v c"]:
        window = Window.load(store, clips[number * _BATCH : (number + 1) * _BATCH], data, device)
        return evaluation_view(window, torch.arange(len(window), device=device), data.frames)

    batches, aside = math.ceil(len(clips) / _BATCH), SideStream(torch.device(device))
    if batches < 2:  # nothing is computed while it is made
        yield from map(make, range(batches))
        return
    with ReadAhead(lambda number: aside.make(lambda: make(number)), 0, batches, _AHEAD) as coming:
        for number in range(batches):
            view, made = coming.take(number)
            take_over(made, (view,))
            yield view


def run_features(
    run: Run,
    store: Store,
    split: str,
    kind: str,
    device: torch.device | str = "cpu",
    streams: Sequence[str] = (),
    progress: Progress = silent,
) -> FeatureSet:
    """The three parts of a split as features of a run's encoder.

    Kept in `RUN/features`, a file for each stream, by everything they depend on: weights, store, clips, normalisation.
    Where they cannot be kept, or what is kept is damaged, they are extracted again.

    Args:
        run: the run.
        store: the recordings; of the run's layout.
        split: its name.
        kind: `trained`, or `untrained` for the same encoder before its first step.
        device: where to compute.
        streams: of which streams, in this order; all of the run's when empty.
        progress: told how many clips are done.

    Raises:
        CheckpointError: the run cannot read this store.
        ConfigError: the store has no such split, or the run no such stream.
    """
    clips = store.part(split, "all")
    row = np.full(len(store), -1)
    row[clips] = np.arange(len(clips))
    sets = {}
    for name, features in clip_features(run, store, clips, kind, device, streams, progress):
        sets[name] = split_features(store, split, lambda part, found=features: found[row[part]])  # type: ignore[misc]
    return side_by_side(sets)


def clip_features(
    run: Run,
    store: Store,
    clips: Int[np.ndarray, " n"],
    kind: str = "trained",
    device: torch.device | str = "cpu",
    streams: Sequence[str] = (),
    progress: Progress = silent,
    precision: Precision = "float32",
) -> Iterator[tuple[str, Float[np.ndarray, "n d"]]]:
    """Features of clips of a store, of one stream after another, kept as `run_features` says.

    Args:
        run: the run.
        store: the recordings; of the run's layout.
        clips: which.
        kind: `trained`, or `untrained`.
        device: where to compute.
        streams: of which streams, in this order; all of the run's when empty.
        progress: told how many clips are done.
        precision: of the encoders' products.

    Raises:
        CheckpointError: the run cannot read this store.
        ConfigError: the run has no such stream, or there is no such precision.
    """
    run.check_store(store)
    method = run.method if kind == "trained" else run.untrained(device)
    for name in chosen_streams(run, streams):
        yield name, _stream_features(run, method, name, store, clips, device, kind, progress, precision)


def chosen_streams(run: Run, streams: Sequence[str]) -> tuple[str, ...]:
    """The streams that are meant: those named, or all of the run's.

    Raises:
        ConfigError: the run has no such stream.
    """
    known = tuple(run.method.stream_table())
    for name in streams:
        if name not in known:
            raise ConfigError(f"{run.path}: no stream named {name!r}; this run has {', '.join(known)}")
    return tuple(dict.fromkeys(streams)) or known


def _stream_features(
    run: Run,
    method: Method,
    stream: str,
    store: Store,
    clips: Int[np.ndarray, " n"],
    device: torch.device | str,
    kind: str,
    progress: Progress,
    precision: Precision,
) -> Float[np.ndarray, "n d"]:
    """Features of one stream, from an earlier call if it kept them."""
    file = run.path / "features" / f"{_key(method, stream, store, clips, run.config.data, precision)}.npy"
    features = _kept(file, len(clips))
    if features is None:
        what = f"{kind} features, {stream}"
        features = extract(
            method, store, clips, run.config.data, device, (stream,),
            lambda done: progress(what, done, len(clips)), precision,
        )  # fmt: skip
        with suppress(DataError), whole_file(file) as partial, partial.open("wb") as written:
            np.save(written, features)
    return features


def _kept(file: Path, clips: int) -> Float[np.ndarray, "n d"] | None:
    """Features of an earlier call, if they are there and whole."""
    with suppress(OSError, ValueError, EOFError):
        features: np.ndarray = np.load(file, allow_pickle=False)
        if features.ndim == 2 and len(features) == clips:
            return features
    return None


def _key(
    method: Method, stream: str, store: Store, clips: Int[np.ndarray, " n"], data: DataConfig, precision: Precision
) -> str:
    digest = hashlib.sha256(stream.encode())
    if product_type(precision) != torch.float32:  # what is kept of before there was a choice is float32
        digest.update(precision.encode())
    for name, value in sorted(method.stream_table()[stream].query.encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.cpu().numpy().tobytes())
    switches = (data.centre, data.align, data.scale, data.frames)
    layout = store.layout.to_dict()
    digest.update(json.dumps([switches, store.name, store.frames.shape, layout, clips.tolist()]).encode())
    if data.has_confidence:
        digest.update(data.confidence.encode())
        # A part tells: two stores of the same frames that differ in this differ in many of them.
        told = confidence_reader(store)(np.arange(0, len(store.frames), max(1, len(store.frames) // 4096)))
        digest.update(told.tobytes())
    for column in (store.clips.offsets, store.clips.origin, store.clips.torso_rotation, store.clips.scale_first):
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()[:24]
