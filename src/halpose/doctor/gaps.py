"""Missing joints and frames: how many, where, and whether they can be filled."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool

from halpose.doctor.body import Body
from halpose.doctor.finding import Finding, located, places_of, runs
from halpose.doctor.thresholds import GAP_SECONDS, GAP_SHARE
from halpose.skeleton import Sequence

_FILLED = "`halpose data prepare` fills gaps by straight lines"
_CUT = "`halpose data prepare` cuts empty ends off and fills what is between by straight lines"


def missing(body: Body) -> Bool[np.ndarray, "t v"]:
    """Joints that are missing between the first and the last frame that show the person, but for those never seen."""
    frames = np.flatnonzero(body.shown)
    lost: np.ndarray = ~body.valid & body.valid.any(axis=0)
    lost[: frames[0]] = lost[frames[-1] + 1 :] = False
    return lost


def find_gaps(sequence: Sequence, people: list[Body]) -> Iterator[Finding]:
    """Nobody in any frame; joints never seen; gaps, long or many; frames that show nobody."""
    if not people:
        yield Finding(
            "gaps", "nobody", "error", f"nobody is seen in any of its {sequence.frames} frames",
            "leave it out: `halpose data prepare` sets it aside",
        )  # fmt: skip
        return
    nobody = ~np.logical_or.reduce([body.shown for body in people])
    empty = runs(nobody)
    if empty:
        inside = [run for run in empty if run[0] > 0 and run[1] < sequence.frames]
        long = any(end - start > people[0].frames(GAP_SECONDS) for start, end in inside)
        yield Finding(
            "gaps", "empty frames", "warning" if long else "note",
            f"{int(nobody.sum())} of {sequence.frames} frames show nobody"
            + ("" if inside else ", all of them at the ends"),
            _CUT,
            frames=(inside or empty)[0], count=len(empty),
        )  # fmt: skip
    for body in people:
        yield from _of(body)


def _of(body: Body) -> Iterator[Finding]:
    never = np.flatnonzero(~body.valid.any(axis=0))
    if len(never):
        names = tuple(body.layout.joints[joint] for joint in never)
        yield Finding(
            "gaps", "joints never seen", "note", f"{len(never)} joints are never seen",
            "they stay missing, and encoders see them masked; choose a layout without them with --layout",
            person=body.person, joints=names, count=len(never),
        )  # fmt: skip
    lost = missing(body)
    if not lost.any():
        return
    places = places_of(lost)
    share = float(lost.sum() / (body.valid.sum() + lost.sum()))
    longest = max(places, key=lambda place: place.end - place.start)
    frames = longest.end - longest.start
    seconds = frames / body.rate
    serious = share > GAP_SHARE or seconds > GAP_SECONDS
    yield Finding(
        "gaps", "long gaps" if serious else "short gaps", "warning" if serious else "note",
        f"{share:.1%} of the joints are missing, in {len(places)} gaps; the longest lasts {frames} frames "
        f"({seconds:.1f} s)",
        f"{_FILLED}; gaps longer than {GAP_SECONDS:g} s are better cut out or recorded again" if serious else _FILLED,
        person=body.person, **(located(places, body.layout) | {"frames": (longest.start, longest.end)}),
    )  # fmt: skip
