"""Faults, each planted into a sound recording at a place that is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from halpose.skeleton import Sequence

METRE = 1.0


def with_positions(clip: Sequence, positions: np.ndarray) -> Sequence:
    return replace(clip, positions=positions.astype(np.float32), confidence=None)


def spike(clip: Sequence, joint: int, frame: int, frames: int, direction: np.ndarray) -> Sequence:
    """A joint is 40 cm away for a few frames."""
    x = clip.positions.copy()
    x[0, frame : frame + frames, joint] += 0.4 * METRE * direction / np.linalg.norm(direction)
    return with_positions(clip, x)


def freeze(clip: Sequence, joints: tuple[int, ...], start: int, end: int) -> Sequence:
    """Joints stay where they are, in the room."""
    x = clip.positions.copy()
    x[0, start:end, joints] = x[0, start, joints][:, None]
    return with_positions(clip, x)


def stop(clip: Sequence, start: int, end: int) -> Sequence:
    """Nothing moves."""
    x = clip.positions.copy()
    x[:, start:end] = x[:, start : start + 1]
    return with_positions(clip, x)


def exchange_sides(clip: Sequence, joints: tuple[int, ...], start: int, end: int) -> Sequence:
    """Left and right change places."""
    x = clip.positions.copy()
    other = tuple(clip.skeleton.mirror[joint] for joint in joints)
    x[0, start:end, joints], x[0, start:end, other] = x[0, start:end, other].copy(), x[0, start:end, joints].copy()
    return with_positions(clip, x)


def exchange_people(clip: Sequence, start: int, end: int) -> Sequence:
    """The first two people change places."""
    x = clip.positions.copy()
    x[:2, start:end] = x[1::-1, start:end]
    return with_positions(clip, x)


def lose(clip: Sequence, joints: tuple[int, ...], start: int, end: int) -> Sequence:
    """Joints are not seen."""
    x = clip.positions.copy()
    x[0, start:end, joints] = np.nan
    return with_positions(clip, x)


def skip(clip: Sequence, frame: int, frames: int) -> Sequence:
    """Some frames are not there."""
    return with_positions(clip, np.delete(clip.positions, np.s_[frame : frame + frames], axis=1))


def repeat(clip: Sequence, every: int) -> Sequence:
    """Every n-th frame is there twice."""
    frames = np.repeat(np.arange(clip.frames), 1 + (np.arange(clip.frames) % every == 0))
    return with_positions(clip, clip.positions[:, frames])


def slow_down(clip: Sequence, times: int) -> Sequence:
    """Recorded at so many times the rate that it says."""
    time = np.linspace(0, clip.frames - 1, times * clip.frames)
    low = np.floor(time).astype(int)
    high, share = np.minimum(low + 1, clip.frames - 1), (time - low)[None, :, None, None]
    return with_positions(clip, (1 - share) * clip.positions[:, low] + share * clip.positions[:, high])


def stretch_bone(clip: Sequence, joint: int) -> Sequence:
    """What hangs on a joint slides toward its parent and away from it."""
    x = clip.positions.copy()
    layout = clip.skeleton
    bone = x[:, :, joint] - x[:, :, layout.parents[joint]]
    slide = (0.9 * np.sin(0.15 * np.arange(clip.frames)))[None, :, None] * bone
    for other in range(len(layout)):
        above = other
        while above != joint and layout.parents[above] != above:
            above = layout.parents[above]
        if above == joint:
            x[:, :, other] += slide
    return with_positions(clip, x)


def add_ghost(clip: Sequence, start: int, frames: int) -> Sequence:
    """A second body flickers up."""
    ghost = np.full_like(clip.positions[:1], np.nan)
    ghost[0, start : start + frames] = clip.positions[0, start : start + frames] + [2, 0, 0]
    return with_positions(clip, np.concatenate([clip.positions[:1], ghost]))
