"""Whether what was exported gives what the run gives: the same clips through both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

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

Infer = Callable[..., Float[np.ndarray, "b d"]]
"""What was exported: clips in (and the confidence of their joints, where the run reads it), embeddings out."""

_LENGTHS = (1, 2, 3, 17, 40, 61, 133)  # frames of the random clips: in a batch they are padded, each alone they are not
_MISSING = 0.02  # of the joints of a random clip, here and there
_FROM_STORE, _BATCH = 64, 16


@dataclass(frozen=True)
class Case:
    """A clip to compare on.

    Attributes:
        inputs: as what was exported gets it: positions (M, T, V, C), and confidence (M, T, V) where the run reads it.
        clean: as the run gets it.
    """

    inputs: tuple[np.ndarray, ...]
    clean: CleanClip


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
    cases = list(cases)
    windows = (Window(case.clean, np.nan, np.nan) for case in cases)
    expected = Embeddings.join(list(embed(run, windows, streams))).vectors
    unit = float(np.sqrt(np.mean(np.square(expected, dtype=np.float64)))) or 1.0
    together = np.concatenate([infer(*batch(cases[at : at + _BATCH])) for at in range(0, len(cases), _BATCH)])
    alone = np.concatenate([infer(*batch([case])) for case in cases[:_BATCH]])
    apart = float(max(np.abs(together - expected).max(), np.abs(alone - expected[: len(alone)]).max()))
    return apart / unit if np.isfinite(together).all() and np.isfinite(apart) else np.inf


def batch(cases: Sequence[Case]) -> tuple[np.ndarray, ...]:
    """The inputs of several clips."""
    return tuple(padded(arrays) for arrays in zip(*(case.inputs for case in cases), strict=True))


def padded(clips: Sequence[Float[np.ndarray, "m t *rest"]]) -> Float[np.ndarray, "b m t *rest"]:
    """Clips of unequal length as one batch, NaN after the end of each."""
    people, _, *rest = clips[0].shape
    together = np.full((len(clips), people, max(clip.shape[1] for clip in clips), *rest), np.nan, np.float32)
    for row, clip in zip(together, clips, strict=True):
        row[:, : clip.shape[1]] = clip
    return together


def random_cases(run: Run, seed: int = 0) -> list[Case]:
    """Bodies of a run's layout that sway, as they were recorded and cleaned.

    All have gaps; some lack a joint, some show one person only or another one late, one shows nobody at first.

    Args:
        run: whose input they are.
        seed: of all of it.
    """
    rng, shape = np.random.default_rng(seed), run.shape
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
        positions, sure = people.astype(np.float32), rng.random(people.shape[:3]).astype(np.float32)
        recording = Recording(positions, shape.layout, f"random clip of {frames} frames", confidence=sure)
        found.append(Case(_inputs(run, positions, sure), fit(recording, shape)))
    return found


def stored_cases(store: Store, run: Run) -> Iterator[Case]:
    """Clips from all over a store, in the run's layout.

    Raises:
        DataError: the store's joints have too little in common with the run's, or its clips another dimension.
    """
    for index in np.unique(np.linspace(0, len(store) - 1, _FROM_STORE).astype(int)):
        clip = fit(store.clip(int(index)), run.shape)
        positions, sure = clip.positions, clip.confidence
        if sure is not None:
            positions = np.where(sure[..., None] > 0, positions, np.nan)  # what was filled in is a gap again
        yield Case(_inputs(run, positions, sure), clip)


def _inputs(
    run: Run, positions: Float[np.ndarray, "m t v c"], sure: Float[np.ndarray, "m t v"] | None
) -> tuple[np.ndarray, ...]:
    """What of a clip goes into what is exported."""
    if run.config.data.confidence != "channel":
        return (positions,)
    return positions, np.isfinite(positions[..., 0]).astype(np.float32) if sure is None else sure


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
