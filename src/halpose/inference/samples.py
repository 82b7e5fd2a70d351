"""What an estimator is given, as recordings: lists of arrays, sequences or files; or a plain matrix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from halpose.data.given_layout import given_layout
from halpose.data.store import Store
from halpose.errors import DataError
from halpose.inference.recordings import from_array, read_recordings
from halpose.inference.sources import is_store
from halpose.skeleton import Layout, Sequence

SIGNAL = Layout("signal", ("value",), (0,), (0,), 0, (0, 0), (), {})
"""The layout of a matrix: one point."""


def is_matrix(samples: Any) -> bool:
    """Whether samples are numbers in rows and columns, of which scikit-learn knows more than we do."""
    if isinstance(samples, (str, Path, Sequence, Store)):
        return False
    if isinstance(samples, (list, tuple)) or (_dimensions(samples) == 1 and hasattr(samples, "__getitem__")):
        return not len(samples) or not _is_recording(samples[0])
    return _dimensions(samples) < 3


def read_samples(samples: Any, layout: str | Path | Layout | None = None, fps: float = 0.0) -> list[Sequence]:
    """Recordings, one for each sample.

    Args:
        samples: a list of arrays (T, V, C) or (M, T, V, C), of sequences, of paths of files that hold one recording
            each; an array (N, T, V, C) or (N, M, T, V, C); a single recording; a folder, or a store: all that is in it.
        layout: of arrays, and of files that do not name their joints; guessed from their number if not given.
        fps: frames per second of arrays, and where a file does not say.

    Raises:
        DataError: a sample is no recording, or holds several.
        ConfigError: there is no such layout.
    """
    known = given_layout(layout)
    if isinstance(samples, Store):
        found = list(samples)
    elif isinstance(samples, str | Path):
        path = Path(samples)
        found = list(Store.open(path)) if is_store(path) else list(read_recordings([path], known, fps=fps))
    elif isinstance(samples, Sequence) or _dimensions(samples) == 3:
        found = [_one(samples, 0, known)]
    else:
        found = [_one(sample, number, known) for number, sample in enumerate(_items(samples))]
    return [replace(sequence, fps=sequence.fps or fps) for sequence in found]


def signals(matrix: Float[np.ndarray, "n f"]) -> list[Sequence]:
    """The rows of a matrix as recordings: one point that moves along a line, a number for each frame.

    Rows are divided by their largest number, because a scale is no movement.
    """
    largest = np.nanmax(np.abs(matrix), axis=1, keepdims=True, initial=0.0)
    scaled = (matrix / np.where(largest > 0, largest, 1)).astype(np.float32)
    positions = np.stack([scaled, np.zeros_like(scaled)], axis=-1)[:, None, :, None]
    return [Sequence(row, SIGNAL, f"row {number}") for number, row in enumerate(positions)]


def most_people(recordings: Iterable[Sequence]) -> int:
    """How many people the fullest frame of these recordings shows, at least 1."""
    shown = (np.isfinite(sequence.positions).all(axis=-1).any(axis=-1).sum(axis=0) for sequence in recordings)
    return max(1, *(int(count.max(initial=0)) for count in shown))


def mean_of_windows(
    vectors: Float[np.ndarray, "w d"], numbers: Int[np.ndarray, " w"], count: int
) -> Float[np.ndarray, "n d"]:
    """One vector for each recording: the mean of its windows'.

    Args:
        vectors: (W, D).
        numbers: (W,) of which recording each is.
        count: N; each has a window at least.
    """
    if len(vectors) == count:
        return vectors
    total = np.zeros((count, vectors.shape[1]))
    np.add.at(total, numbers, vectors)
    mean: np.ndarray = (total / np.bincount(numbers, minlength=count)[:, None]).astype(np.float32)
    return mean


def _one(sample: Any, number: int, layout: Layout | None) -> Sequence:
    if isinstance(sample, Sequence):
        return sample
    if not isinstance(sample, str | Path):
        return from_array(np.asarray(sample), number, layout)
    found = list(read_recordings([sample], layout))
    if len(found) != 1:
        raise DataError(
            f"{sample}: {len(found)} recordings, where a sample is one; give the path alone for all of them, or "
            "list(halpose.read(path))"
        )
    return found[0]


def _items(samples: Any) -> Iterable[Any]:
    if isinstance(samples, (list, tuple)):
        return samples
    return list(samples) if _dimensions(samples) == 1 else list(np.asarray(samples))


def _is_recording(sample: Any) -> bool:
    return isinstance(sample, (str, Path, Sequence)) or _dimensions(sample) >= 3


def _dimensions(samples: Any) -> int:
    """Axes of an array of any library; 0 of what is none."""
    return int(getattr(samples, "ndim", 0))
