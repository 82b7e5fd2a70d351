"""Left taken for right, and back: limbs that change places from one frame to the next."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float

from halpose.doctor.body import Body
from halpose.doctor.finding import Finding, located, places_of
from halpose.doctor.thresholds import SIDE_APART, SIDE_GAIN, SIDE_JUMP
from halpose.skeleton import Layout, Sequence


@lru_cache(maxsize=64)
def _limbs(joints: tuple[str, ...], parents: tuple[int, ...], mirror: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Pairs of joints that hang together: for arms, legs, eyes the joints of one side, ascending."""
    group: dict[int, int] = {}
    for joint, other in enumerate(mirror):
        if joint == other:
            continue
        top = joint
        while (above := parents[top]) != top and mirror[above] not in (above, top):
            top = above
        group[joint] = min(top, mirror[top])
    members: dict[int, list[int]] = {}
    for joint, other in enumerate(mirror):
        if joint < other:
            members.setdefault(group[joint], []).append(joint)
    return tuple(tuple(one) for one in members.values())


def limbs(layout: Layout) -> tuple[tuple[int, ...], ...]:
    """Limbs that a tracker may confuse with those of the other side, each as the joints of one side."""
    return _limbs(layout.joints, layout.parents, layout.mirror)


def swapped(body: Body) -> Bool[np.ndarray, "t v"]:
    """Joints whose left and right have changed places.

    A limb changes places between two frames that show it on both sides when changing names makes it move less than half
    as far. Of the two ways to name the sides of a clip, the one that holds in fewer frames is the wrong one.
    """
    mask = np.zeros(body.valid.shape, dtype=bool)
    if body.span == 0:
        return mask
    mirror = np.array(body.layout.mirror)
    for limb in limbs(body.layout):
        own = np.array(limb)
        other = mirror[own]
        events, frames = _changes(body, own, other)
        if not len(events):
            continue
        state = np.zeros(len(mask), dtype=np.int64)
        state[events] = 1
        crossed = np.cumsum(state) % 2 == 1
        if crossed[frames].sum() * 2 > len(frames):
            crossed = ~crossed
        mask[np.ix_(crossed, np.concatenate([own, other]))] = True
    return mask


def _changes(body: Body, own: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frames in which a limb has changed places since the last frame that shows it, and all that show it."""
    both = body.valid[:, own] & body.valid[:, other]
    frames = np.flatnonzero(both.any(axis=1))
    if len(frames) < 3:
        return frames[:0], frames
    left, right = body.positions[frames][:, own], body.positions[frames][:, other]
    staying = _mean(left[1:] - left[:-1], right[1:] - right[:-1])
    changing = _mean(right[1:] - left[:-1], left[1:] - right[:-1])
    apart = _mean(left - right, left - right)
    with np.errstate(invalid="ignore"):
        is_change = (
            (changing < SIDE_GAIN * staying)
            & (staying > SIDE_JUMP * body.span)
            & (np.minimum(apart[1:], apart[:-1]) > SIDE_APART * body.span)
        )
    return frames[1:][is_change], frames


def _mean(a: Float[np.ndarray, "t j c"], b: Float[np.ndarray, "t j c"]) -> Float[np.ndarray, " t"]:
    """Mean length over the joints of both sides that are there in both frames; NaN where there are none."""
    steps = np.concatenate([a, b], axis=1)
    lengths = np.sqrt(np.einsum("...c,...c->...", steps, steps))
    known = np.isfinite(lengths)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: np.ndarray = np.where(known, lengths, 0.0).sum(axis=1) / known.sum(axis=1)
    return mean


def find_sides(sequence: Sequence, people: list[Body]) -> Iterator[Finding]:
    """Stretches with left and right the wrong way round."""
    for body in people:
        mask = swapped(body)
        if mask.any():
            places = places_of(mask)
            yield Finding(
                "sides", "left and right", "warning",
                f"left and right change places {len(places)} times, in {int(mask.any(axis=1).sum())} frames",
                "`halpose data doctor PATH --fix --out STORE` changes them back",
                person=body.person, **located(places, body.layout),
            )  # fmt: skip
