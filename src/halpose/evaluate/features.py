"""Features of a run's encoder: extracted once, in bounded memory, and kept beside the run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from halpose.config import DataConfig
from halpose.data.frame_file import confidence_reader
from halpose.data.store import Store
from halpose.data.views import evaluation_view
from halpose.data.window import Window
from halpose.engine.run import Run
from halpose.errors import ConfigError, DataError
from halpose.evaluate.base import Progress, silent
from halpose.evaluate.featureset import FeatureSet, side_by_side, split_features
from halpose.methods.base import Method
from halpose.whole_file import whole_file

# Clips that are on the device at once, and clips that go through the encoder at once.
_BLOCK, _BATCH = 4096, 256


@torch.no_grad()
def extract(
    method: Method,
    store: Store,
    clips: Int[np.ndarray, " n"],
    data: DataConfig,
    device: torch.device | str = "cpu",
    streams: Sequence[str] | None = None,
    progress: Callable[[int], None] | None = None,
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
    """
    method.eval()
    found: list[np.ndarray] = []
    for view in fixed_views(store, clips, data, device):
        found.append(method.features(view, streams).float().cpu().numpy())
        if progress is not None:
            progress(sum(map(len, found)))
    return np.concatenate(found)


def fixed_views(
    store: Store, clips: Int[np.ndarray, " n"], data: DataConfig, device: torch.device | str
) -> Iterator[Float[torch.Tensor, "b m t v c"]]:
    """The view of evaluation of clips, a batch at a time, in bounded memory.

    Args:
        store: the recordings.
        clips: which.
        data: normalisation and number of frames.
        device: where the views are made.
    """
    for at in range(0, len(clips), _BLOCK):
        window = Window.load(store, clips[at : at + _BLOCK], data, device)
        for first in range(0, len(window), _BATCH):
            chosen = torch.arange(first, min(first + _BATCH, len(window)), device=device)
            yield evaluation_view(window, chosen, data.frames)


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

    Raises:
        CheckpointError: the run cannot read this store.
        ConfigError: the run has no such stream.
    """
    run.check_store(store)
    method = run.method if kind == "trained" else run.untrained(device)
    for name in chosen_streams(run, streams):
        yield name, _stream_features(run, method, name, store, clips, device, kind, progress)


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
) -> Float[np.ndarray, "n d"]:
    """Features of one stream, from an earlier call if it kept them."""
    file = run.path / "features" / f"{_key(method, stream, store, clips, run.config.data)}.npy"
    features = _kept(file, len(clips))
    if features is None:
        what = f"{kind} features, {stream}"
        features = extract(
            method, store, clips, run.config.data, device, (stream,), lambda done: progress(what, done, len(clips))
        )
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


def _key(method: Method, stream: str, store: Store, clips: Int[np.ndarray, " n"], data: DataConfig) -> str:
    digest = hashlib.sha256(stream.encode())
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
