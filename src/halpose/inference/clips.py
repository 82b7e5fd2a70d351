"""Recordings as clips that a run's encoder takes: cleaned, joints mapped by name, and cut into windows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from halpose.data.confidence import from_bytes
from halpose.data.normalise import CleanClip, clean, transforms
from halpose.data.store import Store
from halpose.data.store_files import COLUMNS
from halpose.data.upright import Upright, find_uprights, put_upright
from halpose.engine.run import Shape
from halpose.errors import ConfigError, DataError
from halpose.mapping import map_joints
from halpose.skeleton import Layout, Sequence

_DURATION = re.compile(r"(\d+\.?\d*|\.\d+)\s*(ms|s|sec|min|h)?")
PART = 600.0
"""Seconds: a longer recording that is cut into windows is cleaned in parts of so long."""

_UNITS = {"ms": 1e-3, "s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Window:
    """A stretch of a recording.

    Attributes:
        clip: its frames, with transforms of their own.
        start: seconds from the beginning of the recording; NaN where its frame rate is not known.
        end: likewise.
        source: file or store that it comes from, "" where it was never one.
        label: name of the class, "" where nobody gave one.
    """

    clip: CleanClip
    start: float
    end: float
    source: str = ""
    label: str = ""


def seconds_of(duration: str | float) -> float:
    """A duration as people write it: `2`, `2s`, `500ms`, `1.5min`.

    Raises:
        ConfigError: it is none, or not above zero.
    """
    found = _DURATION.fullmatch(str(duration).strip().lower())
    seconds = float(found[1]) * _UNITS[found[2] or "s"] if found else 0.0
    if not 0 < seconds < np.inf:
        raise ConfigError(f"{duration!r} is no duration; write 2s, 0.5s or 500ms")
    return seconds


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
    joints = map_joints(layout, shape.layout, sequence.name)
    sure = None if clip.confidence is None else joints.apply(clip.confidence[..., None])[..., 0]
    return _with(clip, joints.apply(clip.positions), sure, shape.layout)


def store_clip(store: Store, index: int) -> CleanClip:
    """A clip of a prepared store; its frames stay where they are until somebody reads them."""
    start, end = store.clips.offsets[index : index + 2]
    columns = {name: getattr(store.clips, name)[index] for name in COLUMNS if name != "people"}
    for name in ("label", "camera", "setup"):
        columns[name] = int(columns[name])
    columns |= {"name": str(columns["name"]), "subject": str(columns["subject"]), "fps": float(columns["fps"])}
    sure = store.confidence
    if sure is not None:
        columns["confidence"] = from_bytes(sure[start:end]).swapaxes(0, 1)
    return CleanClip(store.frames[start:end].swapaxes(0, 1), store.layout.name, **columns)


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
    before = clip.begin / rate if clip.begin else 0.0
    if not seconds:
        yield Window(clip, before, before + frames / rate)
        return
    if not clip.fps:
        raise DataError(f"{clip.name}: windows are in seconds, but its frame rate is not known; give one with --fps")
    length, step = (max(1, round(duration * rate)) for duration in (seconds, stride or seconds))
    for start in (*range(0, frames - length, step), max(0, frames - length)):
        stretch = clip.positions[:, start : start + length]
        if np.isfinite(stretch[0]).any():
            sure = None if clip.confidence is None else clip.confidence[:, start : start + length]
            cut = _with(clip, np.asarray(stretch, np.float32), sure, layout)
            yield Window(cut, before + start / rate, before + (start + stretch.shape[1]) / rate)


def recording_windows(
    sequence: Sequence,
    shape: Shape,
    seconds: float = 0.0,
    stride: float = 0.0,
    upright: Mapping[str, Upright] | None = None,
) -> Iterator[Window]:
    """A recording as a run takes it, whole or in windows of so many seconds.

    One that is longer than `PART` is cleaned part by part, so that beside the numbers of the file no memory grows with
    its length. People are followed within a part; windows are those of the whole recording as long as somebody is seen.

    Args:
        sequence: any recording.
        shape: what the run was trained on.
        seconds: as of `windows`.
        stride: as of `windows`.
        upright: unit and axis of skeletons; None leaves the recording as it is.

    Raises:
        DataError: as of `fit` and `windows`.
    """
    if upright is not None and sequence.skeleton.name not in upright:
        upright = {**upright, **find_uprights([sequence])}

    def fitted(stretch: Sequence) -> CleanClip:
        return fit(stretch if upright is None else put_upright(stretch, upright), shape)

    rate = sequence.fps
    length, step = (max(1, round(duration * rate)) for duration in (seconds, stride or seconds))
    part = max(1, round(PART * rate / step)) * step
    is_seen = np.isfinite(sequence.positions[..., 0]).any(axis=(0, 2))
    if not (seconds and rate) or sequence.frames <= part + length or not is_seen.any():
        yield from windows(fitted(sequence), shape.layout, seconds, stride)
        return
    for begin in range(0, sequence.frames, part):
        end = min(begin + part + length, sequence.frames)
        is_last = end == sequence.frames
        if is_seen[begin:end].any():
            for window in windows(fitted(_stretch(sequence, begin, end)), shape.layout, seconds, stride):
                if is_last or round(window.start * rate) < part:
                    yield replace(window, start=window.start + begin / rate, end=window.end + begin / rate)
        if is_last:
            return


def _stretch(sequence: Sequence, begin: int, end: int) -> Sequence:
    """Some frames of a recording."""
    sure = sequence.confidence
    return replace(
        sequence,
        positions=sequence.positions[:, begin:end],
        confidence=None if sure is None else sure[:, begin:end],
    )


def _with(clip: CleanClip, positions: np.ndarray, confidence: np.ndarray | None, layout: Layout) -> CleanClip:
    """The clip with other positions, and the transforms that follow from them."""
    moved = transforms(positions[0], layout)
    return replace(clip, positions=positions, confidence=confidence, layout=layout.name, **moved)
