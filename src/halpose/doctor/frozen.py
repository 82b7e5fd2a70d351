"""Joints that stay where they were while the body moves on, and bodies that do not move at all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool

from halpose.doctor.body import Body
from halpose.doctor.finding import Finding, located, places_of, runs
from halpose.doctor.thresholds import FROZEN_FRAMES, FROZEN_SECONDS, FROZEN_SHARE, FROZEN_STILL, FROZEN_STRETCH
from halpose.skeleton import Sequence


def resting(body: Body) -> Bool[np.ndarray, "s v"]:
    """Joints that are exactly where they were in the frame before: (T - 1, V)."""
    with np.errstate(invalid="ignore"):
        still: np.ndarray = body.steps <= FROZEN_STILL * body.span
    return still


def unmoved(body: Body) -> Bool[np.ndarray, " s"]:
    """Steps in which nothing of the body moves: (T - 1)."""
    both = np.isfinite(body.steps)
    return np.asarray((resting(body) | ~both).all(axis=1) & both.any(axis=1))


def standing_still(body: Body) -> list[tuple[int, int]]:
    """Stretches in which nothing of the body moves, long enough to be no accident."""
    least = _least(body)
    return [(start, end + 1) for start, end in runs(unmoved(body)) if end + 1 - start >= least]


def frozen(body: Body) -> Bool[np.ndarray, "t v"]:
    """Joints that are stuck: they stay exactly where they are while a bone that ends in them changes its length.

    What hangs on a stuck joint and stays too is stuck with it. In two dimensions, where bones change their length in
    any case, the joint next to it must move.
    """
    mask = np.zeros(body.valid.shape, dtype=bool)
    if body.span == 0:
        return mask
    still = resting(body)
    least = _least(body)
    stays = {
        joint: [(start, end + 1) for start, end in runs(still[:, joint]) if end + 1 - start >= least]
        for joint in range(len(body.layout))
    }
    todo = []
    for joint, stretches in stays.items():
        for start, end in stretches:
            if any(_stretches(body, joint, other, start, end) for other in body.neighbours[joint]):
                mask[start:end, joint] = True
                todo.append((joint, start, end))
    while todo:
        joint, start, end = todo.pop()
        for other in body.neighbours[joint]:
            for first, last in stays[other]:
                shared = max(first, start), min(last, end)
                if shared[1] - shared[0] >= least and not mask[shared[0] : shared[1], other].all():
                    mask[first:last, other] = True
                    todo.append((other, first, last))
    for start, end in standing_still(body):
        mask[start:end] = False  # that is the whole body's affair
    return mask


def _least(body: Body) -> int:
    return max(FROZEN_FRAMES, body.frames(FROZEN_SECONDS))


def _stretches(body: Body, joint: int, other: int, start: int, end: int) -> bool:
    """Whether the bone between two joints changes its length (in two dimensions: moves at all) in these frames."""
    bone = body.positions[start:end, other] - body.positions[start:end, joint]
    bone = bone[np.isfinite(bone).all(axis=1)]
    if len(bone) < 2:
        return False
    if bone.shape[1] == 2:
        return bool(np.ptp(bone, axis=0).max() > FROZEN_STRETCH * body.span)
    return bool(np.ptp(np.linalg.norm(bone, axis=1)) > FROZEN_STRETCH * body.span)


def find_frozen(sequence: Sequence, people: list[Body]) -> Iterator[Finding]:
    """Stuck joints, and bodies that stand exactly still."""
    for body in people:
        mask = frozen(body)
        if mask.any():
            places = places_of(mask)
            longest = max(place.end - place.start for place in places)
            yield Finding(
                "frozen", "joints", "warning",
                f"{int(mask.any(axis=0).sum())} joints stay exactly where they are, for up to {longest} frames, while "
                "the body moves",
                "`halpose data doctor PATH --fix --out STORE` takes them as missing and fills the places",
                person=body.person, **located(places, body.layout),
            )  # fmt: skip
        still = standing_still(body)
        if still:
            frames = sum(end - start for start, end in still)
            share = frames / int(body.shown.sum())
            shown = np.flatnonzero(body.shown)
            at_end = len(still) == 1 and still[0][1] == shown[-1] + 1
            yield Finding(
                "frozen", "whole body", "warning" if share > FROZEN_SHARE else "note",
                f"nothing of the body moves in {frames} frames ({share:.0%})"
                + (": the last frame is repeated to the end" if at_end and still[0][0] > 0 else ""),
                "cut these frames off: a tracker had stopped, or the recording was padded",
                person=body.person, frames=still[0], count=len(still),
            )  # fmt: skip
