"""Who is who in a recording: people are followed, put together again, told from ghosts, and ranked.

Trackers name people by number and get it wrong in three ways. Two numbers change places when bodies cross;
one person is lost and comes back under a new number; and furniture, reflections or a passer-by are taken
for a person.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from jaxtyping import Bool, Float, Int

# Changing places has to halve the distance that the two bodies jump: noise seldom does, a swap always.
SWAP_GAIN = 0.5
# A lost person comes back within a quarter of their own size, about 0.4 m; anybody else stands further off.
RETURN_DISTANCE = 0.25
# Fewer frames than this, and less than this share of the clip, are a flicker of the tracker.
GHOST_FRAMES, GHOST_SHARE = 12, 0.25
# A body a quarter wider than tall, on more than this share of its frames, is nobody who stands, sits or crouches;
# arms stretched out to both sides are as wide as a person is tall, and people kick and reach further for a while.
GHOST_WIDTH, GHOST_WIDE_SHARE = 1.25, 0.7


def seen(positions: Float[np.ndarray, "m t v c"]) -> Bool[np.ndarray, "m t"]:
    """Whether a person has at least one joint in a frame. Joints are whole or NaN here, so x tells."""
    present: np.ndarray = np.isfinite(positions[..., 0]).any(axis=2)
    return present


def follow(
    positions: Float[np.ndarray, "m t v c"], people: int, repairs: Counter[str]
) -> tuple[Float[np.ndarray, "k t v c"], Int[np.ndarray, "k t"]]:
    """The people of a recording, each in one row, the one who moves most first; at most `people` of them.

    Args:
        positions: one row per tracked number; NaN where it was not seen.
        people: how many to keep.
        repairs: is told of `people_swapped`, `people_merged`, `ghosts_dropped`, `people_dropped`.

    Returns:
        The rows, and the tracked number that each took each frame from, for whatever else is known by number.
    """
    kept = np.flatnonzero(seen(positions).any(axis=1))
    rows, source = positions[kept], np.repeat(kept[:, None], positions.shape[1], axis=1)
    if len(rows) < 2:
        return rows, source
    owner = unswapped(rows, repairs)
    rows, source = _taken(rows, owner), np.take_along_axis(source, owner, axis=0)
    rows, source = merge_returns(rows, source, repairs)
    ghost = np.array([is_ghost(row, int(seen(rows).any(axis=0).sum())) for row in rows])
    if not ghost.all():
        repairs["ghosts_dropped"] += int(ghost.sum())
        rows, source = rows[~ghost], source[~ghost]
    order = np.argsort([-motion_energy(row) for row in rows], kind="stable")
    repairs["people_dropped"] += max(0, len(rows) - people)
    return rows[order[:people]], source[order[:people]]


def undo_swaps(rows: Float[np.ndarray, "m t v c"], repairs: Counter[str]) -> Float[np.ndarray, "m t v c"]:
    """Give two people their own rows back wherever their numbers changed places (`unswapped`)."""
    return _taken(rows, unswapped(rows, repairs))


def unswapped(rows: Float[np.ndarray, "m t v c"], repairs: Counter[str]) -> Int[np.ndarray, "m t"]:
    """In which row each person is in each frame, where two numbers may have changed places.

    Between two frames that show both, staying is compared with changing places: the numbers were swapped when
    changing makes the two bodies jump less than half as far.
    """
    owner = np.repeat(np.arange(len(rows))[:, None], rows.shape[1], axis=1)
    rows = rows.copy()
    for i in range(len(rows)):
        for j in range(i + 1, len(rows)):
            pair = rows[[i, j]]
            both = np.flatnonzero(seen(pair).all(axis=0))
            if len(both) < 2:
                continue
            before, after = pair[:, both[:-1]], pair[:, both[1:]]
            staying = _distance(before, after).sum(axis=0)
            changing = _distance(before, after[::-1]).sum(axis=0)
            events = both[1:][changing < SWAP_GAIN * staying]
            if len(events):
                swaps = np.zeros(rows.shape[1], dtype=np.int64)
                swaps[events] = 1
                swapped = np.cumsum(swaps) % 2 == 1
                rows[i, swapped], rows[j, swapped] = pair[1, swapped], pair[0, swapped]
                owner[i, swapped], owner[j, swapped] = owner[j, swapped], owner[i, swapped]
                repairs["people_swapped"] += len(events)
    return owner


def merge_returns(
    rows: Float[np.ndarray, "m t v c"], source: Int[np.ndarray, "m t"], repairs: Counter[str]
) -> tuple[Float[np.ndarray, "k t v c"], Int[np.ndarray, "k t"]]:
    """One row for a person whom the tracker lost and found again under another number.

    Two rows are one person when no frame shows both and each hand-over from one to the other happens in one
    place, however long it takes: the body's middle moves less than a quarter of the body's size.

    Args:
        rows: of the recording.
        source: the tracked number that each row took each frame from.
        repairs: is told of `people_merged`.

    Returns:
        Rows and their numbers, those of one person together.
    """
    whole: list[np.ndarray] = []
    numbers: list[np.ndarray] = []
    order = np.argsort(seen(rows).argmax(axis=1), kind="stable")
    for row, number in zip(rows[order], source[order], strict=True):
        steps = [_handover(earlier, row) for earlier in whole]
        best = int(np.argmin(steps)) if steps else -1
        if best >= 0 and steps[best] <= RETURN_DISTANCE:
            shown = seen(row[None])[0]
            whole[best] = np.where(shown[:, None, None], row, whole[best])
            numbers[best] = np.where(shown, number, numbers[best])
            repairs["people_merged"] += 1
        else:
            whole.append(row)
            numbers.append(number)
    return np.stack(whole), np.stack(numbers)


def is_ghost(row: Float[np.ndarray, "t v c"], frames: int) -> bool:
    """Whether a row is no person: seen too shortly, or far wider than tall most of the time.

    Args:
        row: one tracked body.
        frames: in how many frames of the clip anybody is seen.
    """
    present = seen(row[None])[0]
    if present.sum() < min(GHOST_FRAMES, GHOST_SHARE * frames):
        return True
    extent = _extent(row[present])
    return bool((extent[:, 0] > GHOST_WIDTH * extent[:, 1]).mean() > GHOST_WIDE_SHARE)


def motion_energy(row: Float[np.ndarray, "t v c"]) -> float:
    """Variance of the joints over time, weighted by the share of frames in which they are seen."""
    valid = np.isfinite(row[..., :1])
    count = np.maximum(valid.sum(axis=0), 1)
    mean = np.where(valid, row, 0.0).sum(axis=0, dtype=np.float64) / count
    deviation = np.where(valid, row - mean, 0.0).ravel()
    # Not `@`: from 10 000 numbers on, BLAS starts threads, which take ten times longer than the sum itself.
    return float(np.einsum("i,i->", deviation, deviation) / deviation.size)


def _taken(rows: Float[np.ndarray, "m t v c"], owner: Int[np.ndarray, "k t"]) -> Float[np.ndarray, "k t v c"]:
    """The rows that are meant, frame by frame."""
    taken: np.ndarray = rows[owner, np.arange(rows.shape[1])]
    return taken


def _distance(a: Float[np.ndarray, "*batch v c"], b: Float[np.ndarray, "*batch v c"]) -> Float[np.ndarray, " *batch"]:
    """Mean distance of the joints that both bodies have; NaN when they have none in common."""
    step = a - b
    apart = np.sqrt(np.einsum("...c,...c->...", step, step))
    valid = np.isfinite(apart)
    with np.errstate(invalid="ignore"):
        mean: np.ndarray = np.where(valid, apart, 0.0).sum(axis=-1) / valid.sum(axis=-1)
    return mean


def _extent(frames: Float[np.ndarray, "t v c"]) -> Float[np.ndarray, "t c"]:
    """Sides of the box around the joints of each frame."""
    joints_last = np.ascontiguousarray(frames.swapaxes(1, 2))  # several times faster to reduce
    extent: np.ndarray = np.fmax.reduce(joints_last, axis=2) - np.fmin.reduce(joints_last, axis=2)
    return extent


def _handover(a: Float[np.ndarray, "t v c"], b: Float[np.ndarray, "t v c"]) -> float:
    """The largest step of the body's middle when one row follows the other, in body sizes; inf if both are seen."""
    present = seen(np.stack([a, b]))
    if present.all(axis=0).any():
        return np.inf
    frames = np.flatnonzero(present.any(axis=0))
    owner = present[1, frames]
    joined = np.where(owner[:, None, None], b[frames], a[frames])
    change = np.flatnonzero(owner[1:] != owner[:-1])
    step = joined[change + 1] - joined[change]
    valid = np.isfinite(step[..., :1])
    count = valid.sum(axis=1)
    if not count.all():
        return np.inf
    middle = np.where(valid, step, 0.0).sum(axis=1) / count
    size = float(np.median(_extent(joined).max(axis=1)))
    return float(np.sqrt(np.square(middle).sum(axis=-1)).max()) / size if size > 0 else np.inf
