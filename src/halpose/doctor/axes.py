"""Axes: where up is (`halpose.data.upright`), and whether left is left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from halpose.data.upright import Measured, find_upright
from halpose.doctor.finding import Finding, Severity
from halpose.doctor.measure import Measures
from halpose.doctor.parts import Labelling
from halpose.doctor.thresholds import FACING_MOST, FACING_SURE, LYING, STEADY_ALONE

_FIX = "`halpose data doctor PATH --fix --out STORE` turns them"


def usual_axis(clips: Sequence[Measures], channels: int) -> str:
    """The axis that is up in most clips of so many channels, as `find_upright` names it; "" where that is not clear."""
    return find_upright(
        Measured(None, clip.up) for clip in clips if clip.up is not None and clip.channels == channels
    ).up


def wrong_axes(clips: Sequence[Measures]) -> list[str]:
    """For each clip the axis along which its people stand, where that is not y; "" where nothing is wrong.

    A set whose people mostly stand along one axis is taken to have that axis up. A clip that stands otherwise, and
    steadily, is wrong by itself; people who bend or lie down pass through other directions.
    """
    common = {channels: usual_axis(clips, channels) for channels in {clip.channels for clip in clips}}
    found = []
    for clip in clips:
        usual = common[clip.channels]
        own = "" if clip.up is None else find_upright([Measured(None, clip.up)]).up
        steady = clip.up is not None and float(np.linalg.norm(clip.up)) > STEADY_ALONE
        if usual not in ("", "y") and (own in ("", usual) or not steady):
            found.append(usual)
        else:
            found.append(own if steady and own != "y" else "")
    return found


def find_axes(clips: Sequence[Measures], labelling: Labelling) -> Iterator[Finding]:
    """Up that is not y, bodies upside down, left and right exchanged."""
    groups: dict[str, list[str]] = {}
    for clip, axis in zip(clips, wrong_axes(clips), strict=True):
        if axis:
            groups.setdefault(axis, []).append(clip.name)
    for axis, names in groups.items():
        share = "all" if len(names) == len(clips) else f"{len(names)} of {len(clips)}"
        if axis == "-y":
            remedy = f"y grows downwards as in pictures, or the sensor hung upside down; {_FIX}"
            yield _of(names, "upside down", "warning", f"{share} clips stand on their heads: up is -y", remedy)
        else:
            severity: Severity = "warning" if len(names) > LYING * len(clips) else "note"
            yield _of(names, "up is not y", severity, f"in {share} clips up is {axis}, not y",
                      f"{_FIX}, unless people lie there")  # fmt: skip
    yield from _mirrored(clips)


def _mirrored(clips: Sequence[Measures]) -> Iterator[Finding]:
    fronts = np.array([clip.front for clip in clips])
    usual = float(np.median(fronts[fronts != 0])) if fronts.any() else 0.0
    least = 0.0 if usual < -FACING_SURE else -FACING_MOST if usual > FACING_SURE else -np.inf
    names = [clip.name for clip in clips if clip.front < least]
    if names:
        share = "all" if len(names) == len(clips) else f"{len(names)} of {len(clips)}"
        yield _of(
            names, "mirrored", "warning",
            f"in {share} clips left and right are exchanged: toes, knees or nose point to the back",
            "one axis is reversed (negate x), or the joints' names are (exchange left and right in the layout); --fix "
            "cannot know which, and leaves it",
        )  # fmt: skip


def _of(names: Sequence[str], kind: str, severity: Severity, what: str, remedy: str) -> Finding:
    return Finding.of_clips("axes", kind, severity, what, remedy, names)
