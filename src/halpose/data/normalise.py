"""Cleaning, and the transforms that put every clip in the same place, direction and size.

Everything here is decided once, when a data set is prepared. Cleaning changes the coordinates; place,
direction and size only add a transform beside them, so that they stay switches at training time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from halpose.data.align import first_rotation, pair_rotation, published_normalisation, torso_rotation
from halpose.data.people import follow, seen
from halpose.errors import DataError
from halpose.skeleton import Layout, Sequence

__all__ = ["CleanClip", "clean", "normalise", "published_normalisation", "transforms"]


@dataclass(frozen=True)
class CleanClip:
    """One recording after cleaning, with the transforms that training may switch on.

    A transformed clip is x' = R (x - c) / s with c the origin (or the centre joint of the same frame), R one
    of the rotations and s the scale that belongs to c. The positions themselves stay where they were seen.

    Attributes:
        positions: (M, T, V, C) main actor first, absent people and frames NaN.
        layout: name of the joint layout.
        name: unique within the source.
        origin: centre joint of the main actor in the first frame; z is 0 for two channels.
        first_rotation: published alignment, from the first frame of the main actor.
        torso_rotation: rotation about the vertical that turns the clip's mean right-to-left vector to +x.
        scale_first: RMS of the main actor's coordinates after subtracting the origin.
        scale_frame: the same after subtracting the centre joint frame by frame.
        repairs: what was mended, and how often.
        label: class index, -1 when unknown.
        subject: who moves, "" when unknown.
        camera: camera or view number, 0 when unknown.
        setup: recording setup number, 0 when unknown.
        fps: frames per second, 0 when unknown.
        begin: frame of the recording that is the first of the clip.
        confidence: (M, T, V) how sure the source was of each joint, in 0..1: 1 where it does not say, 0 where a joint
            was filled in or is absent. None where that would tell no more than the positions: each that is there
            (1) was seen, each that is NaN (0) was not.
    """

    positions: Float[np.ndarray, "m t v c"]
    layout: str
    name: str
    origin: Float[np.ndarray, " 3"]
    first_rotation: Float[np.ndarray, "3 3"]
    torso_rotation: Float[np.ndarray, "3 3"]
    scale_first: float
    scale_frame: float
    repairs: Mapping[str, int] = field(default_factory=dict)
    label: int = -1
    subject: str = ""
    camera: int = 0
    setup: int = 0
    fps: float = 0.0
    begin: int = 0
    confidence: Float[np.ndarray, "m t v"] | None = None

    @property
    def people(self) -> int:
        """How many people the clip holds."""
        return int(np.isfinite(self.positions).any(axis=(1, 2, 3)).sum())


# No skeleton is a thousand kilometres away, whatever its unit: such numbers are damage, like infinity.
LARGEST = 1e6


def clean(sequence: Sequence, people: int, layout: Layout | None = None, least_confidence: float = 0.0) -> CleanClip:
    """Mend a recording and work out the transforms that may be applied to it.

    - A joint with an infinite or absurd coordinate is missing, and so is one that the source is less sure of
      than `least_confidence`; a joint with any coordinate missing is missing.
    - People are followed (`halpose.data.people`): swapped and split numbers are put right, ghosts dropped,
      the `people` who move most are kept, the main actor first.
    - Frames before anybody is seen and after everybody has left are cut off.
    - Gaps are filled in time, joint by joint: linearly between the frames around them, from the nearest
      frame at the ends. The main actor is whole in every frame, anybody else from their first to their last
      frame; before and after it they are absent (NaN). A joint that the clip never shows stays NaN.

    Args:
        sequence: any recording; it is not changed.
        people: rows of the result; absent people are NaN.
        layout: joint layout, when it is neither one that comes with halpose nor the sequence's own.
        least_confidence: joints below it are missing; 0 believes all. Of no effect on a recording without confidence.

    Returns:
        The clean clip. `repairs` counts `infinite` and `joints_unsure`, `joints_filled` in frames that show the person,
        `frames_filled` of a person, `joints_missing` throughout, `frames_trimmed`, `people_swapped`,
        `people_merged`, `ghosts_dropped` and `people_dropped`, where there were any.

    Raises:
        DataError: nobody is seen in any frame, the joints are not those of the layout, or the confidence is not one
            number for each joint.
    """
    layout = layout or sequence.skeleton
    _, frames, joints, channels = sequence.positions.shape
    if joints != len(layout):
        raise DataError(
            f"{sequence.name}: {joints} joints, but layout {layout.name} has {len(layout)}; name the layout that "
            "the recording was made with"
        )
    repairs: Counter[str] = Counter()
    rows, source = follow(_believed(sequence, least_confidence, repairs), people, repairs)
    if not len(rows):
        raise DataError(f"{sequence.name}: no body in any frame ({frames} frames); set the file aside")
    present = seen(rows)
    start, end = _span(np.logical_or.reduce(present, axis=0))
    repairs["frames_trimmed"] += frames - (end - start)
    rows, present, source = rows[:, start:end], present[:, start:end], source[:, start:end]
    positions = np.full((people, end - start, joints, channels), np.nan, dtype=np.float32)
    for person, (row, shown) in enumerate(zip(rows, present, strict=True)):
        first, last = _span(shown) if person else (0, end - start)
        positions[person, first:last] = _fill_gaps(row[first:last], shown[first:last], repairs)
    return CleanClip(
        positions=positions,
        confidence=_confidence(sequence, rows, source, start, positions),
        layout=layout.name,
        name=sequence.name,
        **transforms(positions[0], layout),
        repairs={what: count for what, count in repairs.items() if count},
        label=sequence.label,
        subject=sequence.subject,
        camera=sequence.camera,
        setup=sequence.setup,
        fps=sequence.fps,
        begin=start,
    )


def normalise(
    clip: CleanClip,
    layout: Layout,
    centre: Literal["none", "first", "frame"] = "first",
    align: Literal["none", "first", "torso", "pair"] = "torso",
    scale: Literal["none", "rms"] = "rms",
) -> Float[np.ndarray, "m t v c"]:
    """A clip put in its place, direction and size: x' = R (x - c) / s. Missing joints stay NaN.

    Args:
        clip: a clean clip.
        layout: its layout.
        centre: subtract nothing, the origin, or the main actor's centre joint frame by frame.
        align: turn not at all, by the published rotation, or about the vertical until the torso faces +z, or until the
            second person stands in +z of the main actor.
        scale: divide by nothing, or by the RMS that belongs to `centre`.
    """
    x = clip.positions
    channels = x.shape[-1]
    if centre == "first":
        x = x - clip.origin[:channels]
    elif centre == "frame":
        x = x - _centres(x[0], layout)[:, None]
    if align != "none":
        rotation = {"first": clip.first_rotation, "torso": clip.torso_rotation}.get(align)
        rotation = pair_rotation(clip.positions, layout) if rotation is None else rotation
        x = x @ rotation[:channels, :channels].T
    if scale == "rms":
        x = x / (clip.scale_frame if centre == "frame" else clip.scale_first)
    return x


def _believed(sequence: Sequence, least_confidence: float, repairs: Counter[str]) -> Float[np.ndarray, "m t v c"]:
    """Positions that are possible and sure enough; each joint is whole or NaN."""
    positions = _without_absurd(sequence.positions, repairs)
    if sequence.confidence is None:
        return positions
    if sequence.confidence.shape != positions.shape[:3]:
        raise DataError(
            f"{sequence.name}: confidence of shape {sequence.confidence.shape}, but there are (people, frames, joints) "
            f"{positions.shape[:3]}"
        )
    if not least_confidence:
        return positions
    unsure = ~(sequence.confidence >= least_confidence)
    repairs["joints_unsure"] += int((unsure & np.isfinite(positions[..., 0])).sum())
    positions[unsure] = np.nan
    return positions


def _without_absurd(positions: Float[np.ndarray, "m t v c"], repairs: Counter[str]) -> Float[np.ndarray, "m t v c"]:
    """float32 positions, each joint whole or NaN."""
    with np.errstate(invalid="ignore"):
        small = np.abs(positions) <= LARGEST
    if small.all():
        return np.array(positions, dtype=np.float32)
    good = small.all(axis=-1)
    repairs["infinite"] += int((~good & ~np.isnan(positions).any(axis=-1)).sum())
    return np.where(good[..., None], positions, np.nan).astype(np.float32)


def _confidence(
    sequence: Sequence,
    rows: Float[np.ndarray, "k t v c"],
    source: Int[np.ndarray, "k t"],
    start: int,
    positions: Float[np.ndarray, "m t v c"],
) -> Float[np.ndarray, "m t v"] | None:
    """How sure the source was of what a clean clip holds; None where that follows from the positions.

    Args:
        sequence: as it was recorded.
        rows: its people in the frames of the clip, before gaps were filled.
        source: the tracked number that each was taken from, frame by frame.
        start: the first of these frames.
        positions: of the clean clip.
    """
    was_seen = np.isfinite(rows[..., 0])
    if sequence.confidence is None and (was_seen == np.isfinite(positions[: len(rows), ..., 0])).all():
        return None
    sure: np.ndarray = np.ones(was_seen.shape)
    if sequence.confidence is not None:
        sure = sequence.confidence[source, start + np.arange(source.shape[1])]
    confidence = np.zeros(positions.shape[:3], dtype=np.float32)
    confidence[: len(rows)] = np.where(was_seen, np.clip(np.nan_to_num(sure), 0, 1), 0)
    return confidence


def _span(shown: Bool[np.ndarray, " t"]) -> tuple[int, int]:
    """First frame that shows something, and the one after the last."""
    frames = np.flatnonzero(shown)
    return int(frames[0]), int(frames[-1]) + 1


def _fill_gaps(
    row: Float[np.ndarray, "t v c"], shown: Bool[np.ndarray, " t"], repairs: Counter[str]
) -> Float[np.ndarray, "t v c"]:
    """Fill each joint's gaps linearly in time, and from the nearest frame at the ends."""
    valid = np.isfinite(row[..., 0])
    if valid.all():
        return row
    frames = len(row)
    ever = valid.any(axis=0)
    repairs["joints_missing"] += int((~ever).sum())
    repairs["frames_filled"] += int((~shown).sum())
    repairs["joints_filled"] += int((~valid[shown][:, ever]).sum())
    gappy = np.flatnonzero(ever & ~valid.all(axis=0))
    valid, known = valid[:, gappy], row[:, gappy]
    time = np.arange(frames)[:, None]
    before = np.maximum.accumulate(np.where(valid, time, -1), axis=0)
    after = np.minimum.accumulate(np.where(valid, time, frames)[::-1], axis=0)[::-1]
    before, after = np.where(before < 0, after, before), np.where(after == frames, before, after)
    share = (time - before) / np.maximum(after - before, 1)
    columns = np.arange(len(gappy))
    low, high = known[before, columns], known[after, columns]
    filled: np.ndarray = row.copy()
    filled[:, gappy] = np.where(valid[..., None], known, low + share[..., None] * (high - low))
    return filled


def transforms(actor: Float[np.ndarray, "t v c"], layout: Layout) -> dict[str, Any]:
    """Origin, rotations and scales of a clip, by the names of `CleanClip`, from its main actor."""
    channels = actor.shape[-1]
    centres = _centres(actor, layout)
    origin = np.zeros(3, dtype=np.float32)
    origin[:channels] = centres[0]
    return {
        "origin": origin,
        "first_rotation": first_rotation(actor[0], layout),
        "torso_rotation": torso_rotation(actor, layout),
        "scale_first": _rms(actor - centres[0]),
        "scale_frame": _rms(actor - centres[:, None]),
    }


def _centres(actor: Float[np.ndarray, "t v c"], layout: Layout) -> Float[np.ndarray, "t c"]:
    """The centre joint in each frame; the middle of the seen joints in a clip that never shows it."""
    centres: np.ndarray = actor[:, layout.centre]
    if np.isfinite(centres).all():
        return centres
    valid = np.isfinite(actor)
    middle: np.ndarray = np.where(valid, actor, 0.0).sum(axis=1) / valid.sum(axis=1)
    return middle


def _rms(x: Float[np.ndarray, "t v c"]) -> float:
    """Root mean square of the valid coordinates; 1 for a body without size, so that dividing by it is harmless."""
    rms = float(np.sqrt(np.mean(np.square(x[np.isfinite(x)], dtype=np.float64))))
    return rms if rms > 0 else 1.0
