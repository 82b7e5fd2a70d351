"""Recordings as clips that a run's encoder takes: cleaned, joints mapped by name, and cut into windows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from halpose.data.normalise import CleanClip, clean, transforms
from halpose.engine.run import Shape
from halpose.errors import DataError
from halpose.mapping import map_joints
from halpose.skeleton import Layout, Sequence


@dataclass(frozen=True)
class Window:
    """A stretch of a recording.

    Attributes:
        clip: its frames, with transforms of their own.
        start: seconds from the beginning of the recording; NaN where its frame rate is not known.
        end: likewise.
    """

    clip: CleanClip
    start: float
    end: float


def fit(sequence: Sequence, shape: Shape) -> CleanClip:
    """A recording as a run takes it: the same cleaning as when a store is prepared, then the run's joints.

    Args:
        sequence: any recording.
        shape: what the run was trained on; people beyond its own are dropped, those who move most stay.

    Raises:
        DataError: nobody is seen, the joints have too little in common with the run's, or the run takes 3-D and
            this is 2-D, or the other way round.
    """
    channels = sequence.positions.shape[-1]
    if channels != shape.channels:
        raise DataError(
            f"{sequence.name}: {channels}-D, but the run was trained on {shape.channels}-D recordings; "
            "train one on recordings of this kind"
        )
    layout = sequence.skeleton
    clip = clean(sequence, people=shape.people, layout=layout)
    if layout.joints == shape.layout.joints:
        return replace(clip, layout=shape.layout.name)
    return _with(clip, map_joints(layout, shape.layout, sequence.name).apply(clip.positions), shape.layout)


def windows(clip: CleanClip, layout: Layout, seconds: float = 0.0, stride: float = 0.0) -> Iterator[Window]:
    """A clip whole, or in windows of so many seconds.

    The last window ends with the recording, so that nothing of it is lost; a recording shorter than a window is one.
    Windows in which nobody is seen are left out.

    Args:
        clip: a clean clip.
        layout: its layout.
        seconds: length of a window; 0 for the whole clip.
        stride: from the start of one to that of the next; 0 for as long as a window.

    Raises:
        DataError: windows are asked for and the frame rate is not known.
    """
    frames = clip.positions.shape[1]
    rate = clip.fps or np.nan
    if not seconds:
        yield Window(clip, 0.0, frames / rate)
        return
    if not clip.fps:
        raise DataError(f"{clip.name}: windows are in seconds, but its frame rate is not known; give one with --fps")
    length, step = (max(1, round(duration * rate)) for duration in (seconds, stride or seconds))
    for start in (*range(0, frames - length, step), max(0, frames - length)):
        stretch = clip.positions[:, start : start + length]
        if np.isfinite(stretch[0]).any():
            yield Window(_with(clip, stretch, layout), start / rate, (start + stretch.shape[1]) / rate)


def _with(clip: CleanClip, positions: np.ndarray, layout: Layout) -> CleanClip:
    """The clip with other positions, and the transforms that follow from them."""
    return replace(clip, positions=positions, layout=layout.name, **transforms(positions[0], layout))
