"""Whether what was exported gives what the run gives: the same clips through both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import Float

from halpose.data.normalise import CleanClip
from halpose.data.store import Store
from halpose.engine.run import Run, Shape
from halpose.inference.clips import Window, fit
from halpose.inference.embed import Embeddings, embed
from halpose.skeleton import Layout
from halpose.skeleton import Sequence as Recording

TOLERANCE = 1e-4
"""How far embeddings may differ, in units of the root mean square of their values."""

Infer = Callable[[Float[np.ndarray, "b m t v c"]], Float[np.ndarray, "b d"]]
"""What was exported: clips in, embeddings out."""

Case = tuple[Float[np.ndarray, "m t v c"], CleanClip]
"""A clip as what was exported gets it, and as the run does."""

_LENGTHS = (1, 2, 3, 17, 40, 61, 133)  # frames of the random clips: in a batch they are padded, each alone they are not
_MISSING = 0.02  # of the joints of a random clip, here and there
_FROM_STORE, _BATCH = 64, 16


def difference(run: Run, infer: Infer, cases: Iterable[Case], streams: Sequence[str] = ()) -> float:
    """Largest difference between embeddings of the run and of what was exported, each clip in a batch and alone.

    Args:
        run: the run.
        infer: what was exported.
        cases: the clips.
        streams: those that were exported; all of the run's when empty.

    Returns:
        In units of the root mean square of the run's embeddings; infinite where either is not finite.
    """
    inputs, clean = zip(*cases, strict=True)
    windows = (Window(clip, np.nan, np.nan) for clip in clean)
    expected = Embeddings.join(list(embed(run, windows, streams))).vectors
    unit = float(np.sqrt(np.mean(np.square(expected, dtype=np.float64)))) or 1.0
    batches = [padded(inputs[at : at + _BATCH]) for at in range(0, len(inputs), _BATCH)]
    together = np.concatenate([infer(batch) for batch in batches])
    alone = np.concatenate([infer(padded([clip])) for clip in inputs[:_BATCH]])
    apart = float(max(np.abs(together - expected).max(), np.abs(alone - expected[: len(alone)]).max()))
    return apart / unit if np.isfinite(together).all() and np.isfinite(apart) else np.inf


def padded(clips: Sequence[Float[np.ndarray, "m t v c"]]) -> Float[np.ndarray, "b m t v c"]:
    """Clips of unequal length as one batch, NaN after the end of each."""
    people, _, joints, channels = clips[0].shape
    batch = np.full((len(clips), people, max(clip.shape[1] for clip in clips), joints, channels), np.nan, np.float32)
    for row, clip in zip(batch, clips, strict=True):
        row[:, : clip.shape[1]] = clip
    return batch


def random_cases(shape: Shape, seed: int = 0) -> list[Case]:
    """Bodies of a layout that sway, as they were recorded and cleaned.

    All have gaps; some lack a joint, some show one person only or another one late, one shows nobody at first.

    Args:
        shape: of the run.
        seed: of all of it.
    """
    rng = np.random.default_rng(seed)
    found = []
    for number, frames in enumerate(_LENGTHS):
        people = np.stack([_swaying(shape, frames, rng, 2.0**-person) for person in range(shape.people)])
        missing = rng.random(people.shape[:3]) < _MISSING
        if number % 3 == 1:
            missing[:, :, rng.integers(len(shape.layout))] = True
        people[missing] = np.nan
        if number % 2:
            people[1:, : frames // 4] = np.nan
        elif number % 4:
            people[1:] = np.nan
        if number == 4:
            people[:, : frames // 8] = np.nan
        recording = Recording(people.astype(np.float32), shape.layout, f"random clip of {frames} frames")
        found.append((recording.positions, fit(recording, shape)))
    return found


def stored_cases(store: Store, shape: Shape) -> Iterator[Case]:
    """Clips from all over a store, in the run's layout.

    Raises:
        DataError: the store's joints have too little in common with the run's, or its clips another dimension.
    """
    for index in np.unique(np.linspace(0, len(store) - 1, _FROM_STORE).astype(int)):
        clip = fit(store.clip(int(index)), shape)
        yield clip.positions, clip


def _swaying(shape: Shape, frames: int, rng: np.random.Generator, strength: float) -> Float[np.ndarray, "t v c"]:
    """One person: a random pose somewhere, whose joints each swing on a path of their own."""
    size = (len(shape.layout), shape.channels)
    time = np.linspace(0, 2 * np.pi, frames)[:, None, None]
    swings = [
        strength * rng.normal(0, 0.1 / k, size) * np.sin(k * time + rng.uniform(0, 2 * np.pi, size)) for k in (1, 2, 3)
    ]
    place = rng.normal(0, 2, shape.channels)
    return np.asarray(_pose(shape.layout, shape.channels, rng) + place + sum(swings))


def _pose(layout: Layout, channels: int, rng: np.random.Generator) -> Float[np.ndarray, "v c"]:
    """Joints at random, but taller than wide, with a spine that rises and sides that lie apart."""
    pose = rng.normal(0, (0.2, 0.6, 0.2)[:channels], (len(layout), channels))
    for right, left in layout.sides:
        pose[left, 0], pose[right, 0] = 0.3, -0.3
    lower, upper = layout.spine
    pose[upper, 1] = pose[lower, 1] + 0.5
    return pose
