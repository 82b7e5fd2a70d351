"""Joints that jump away and back: what no muscle does."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from halpose.doctor.body import Body
from halpose.doctor.finding import Finding, located, places_of
from halpose.doctor.thresholds import SPIKE_ABRUPT, SPIKE_AROUND, SPIKE_AT_END, SPIKE_FRAMES, SPIKE_GAIN, SPIKE_JUMP
from halpose.skeleton import Sequence

_WHOLE = 0.6  # of a body's joints: more, and it is the body that jumps


def spiking(body: Body) -> Bool[np.ndarray, "t v"]:
    """Joints that are elsewhere for up to `SPIKE_FRAMES` frames.

    A joint spikes from frame a + 1 to b when it jumps into them and out of them, both times by more than `SPIKE_JUMP`
    and `SPIKE_GAIN` times its usual step around, and is then about where it was. At the ends of a recording, where it
    was never before or is never again, one jump is enough. A neighbour that jumps and comes back with it was taken
    along.
    """
    mask = np.zeros(body.valid.shape, dtype=bool)
    least = SPIKE_JUMP * body.span
    if least == 0 or len(mask) < SPIKE_FRAMES:
        return mask
    with np.errstate(invalid="ignore"):
        jumps = body.steps > least
    todo = []
    for joint in np.flatnonzero(jumps.any(axis=0)).tolist():
        steps, track = body.steps[:, joint], body.positions[:, joint]
        at = np.flatnonzero(jumps[:, joint])
        for start, end in _away(at, track, steps):
            mask[start:end, joint] = True
            todo.append((joint, start, end))
    while todo:
        joint, start, end = todo.pop()
        for other in body.neighbours[joint]:
            a, b = start - 1, end - 1
            if a < 0 or b >= len(jumps) or mask[start:end, other].all() or not jumps[[a, b], other].all():
                continue
            if _comes_back(body.positions[:, other], a, b):
                mask[start:end, other] = True
                todo.append((other, start, end))
    return mask


def _away(at: np.ndarray, track: Float[np.ndarray, "t c"], steps: Float[np.ndarray, " s"]) -> Iterator[tuple[int, int]]:
    """Stretches (first, one after the last) in which one joint spikes; `at` numbers its large steps."""
    done = 0
    for number, a in enumerate(at.tolist()):
        if a < done:
            continue
        later = [other for other in at[number + 1 :].tolist() if other - a <= SPIKE_FRAMES]
        end = next((b + 1 for b in later if _comes_back(track, a, b) and _is_unusual(steps, a, b)), None)
        if end is not None:
            yield a + 1, end
            done = end
        elif not later and a < SPIKE_AT_END and _is_unusual(steps, a, a, at_end=True):
            yield 0, a + 1
        elif not later and a >= len(steps) - SPIKE_AT_END and _is_unusual(steps, a, a, at_end=True):
            yield a + 1, len(track)


def _comes_back(track: Float[np.ndarray, "t c"], a: int, b: int) -> bool:
    """Whether a joint that is away from frame a + 1 to b is then nearer to where it was than it ever was between."""
    middle = (track[a] + track[b + 1]) / 2
    away = np.linalg.norm(track[a + 1 : b + 1] - middle, axis=1).min()
    return bool(np.linalg.norm(track[b + 1] - track[a]) < 0.5 * away)


def _is_unusual(steps: Float[np.ndarray, " s"], a: int, b: int, *, at_end: bool = False) -> bool:
    """Whether steps a and b are both far beyond those around; at an end of the recording, beyond each of them."""
    around = np.concatenate([steps[max(0, a - SPIKE_AROUND) : a], steps[b + 1 : b + 1 + SPIKE_AROUND]])
    around = np.sort(around[np.isfinite(around)])
    if len(around) < SPIKE_AROUND // 2:
        return False
    jump = min(steps[a], steps[b])
    if at_end:
        return bool(jump > SPIKE_GAIN * around[-1])
    beside = np.array([steps[a - 1] if a else 0.0, steps[b + 1] if b + 1 < len(steps) else 0.0])
    return bool(jump > SPIKE_GAIN * around[len(around) * 3 // 4] and not (beside * SPIKE_ABRUPT > jump).any())


def find_spikes(sequence: Sequence, people: list[Body]) -> Iterator[Finding]:
    """Joints that jump, and whole bodies that do."""
    for body in people:
        mask = spiking(body)
        if not mask.any():
            continue
        whole = mask.sum(axis=1) > _WHOLE * np.maximum(body.valid.sum(axis=1), 1)
        for kind, flags in (("the body jumps", mask & whole[:, None]), ("joints jump", mask & ~whole[:, None])):
            if flags.any():
                yield _finding(body, kind, flags)


def _finding(body: Body, kind: str, flags: Bool[np.ndarray, "t v"]) -> Finding:
    places = places_of(flags)
    is_whole = kind == "the body jumps"
    times = len({place.start for place in places}) if is_whole else len(places)
    ends = flags[1:] | flags[:-1]
    farthest = float(np.nanmax(np.where(ends, body.steps, np.nan))) / body.span
    who = "the whole body jumps" if is_whole else f"{int(flags.any(axis=0).sum())} joints jump"
    return Finding(
        "spikes", kind, "warning",
        f"{who} away and back, {times} times, up to {farthest:.2f} of the body's span in one frame",
        "`halpose data doctor PATH --fix --out STORE` takes spikes out and fills the places",
        person=body.person, **(located(places, body.layout) | ({"joints": ()} if is_whole else {})),
    )  # fmt: skip
