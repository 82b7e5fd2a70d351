"""Who is who from frame to frame, where a pose estimator found people in every frame by itself.

Each person that was seen before is expected where their movement would take them, and all of them are given the people
of the new frame together, so that the bodies have to jump the least (the assignment problem). What is too far from
everybody expected is somebody new.

Reference: Bewley et al., Simple Online and Realtime Tracking (SORT), ICIP 2016: constant velocity and the Hungarian
method, here with the mean distance of the joints in place of the overlap of boxes.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

# In sizes of the body: a runner's joints are a fifth of it from where they are expected, the next person a half.
FARTHEST = 0.5
# Frames for which somebody is waited for; half a second at 30 a second. `halpose.data.people` mends longer absences.
PATIENCE = 15
# Share of the newest step in the velocity.
_NEWEST = 0.5


def link(frames: Int[np.ndarray, " d"], poses: Float[np.ndarray, "d v c"]) -> Int[np.ndarray, " d"]:
    """Give everybody who was found in single frames a number.

    Args:
        frames: the frame of each person found, ascending.
        poses: their joints, NaN where missing, in any unit.

    Returns:
        Numbers from 0, in the order in which people appear; nobody has a number twice in a frame.
    """
    numbers = np.empty(len(frames), dtype=np.int64)
    sizes = _sizes(poses)
    known = _Known(poses)
    ends = np.flatnonzero(np.diff(frames)) + 1
    for at, until in zip((0, *ends), (*ends, len(frames)), strict=True):
        if at < until:
            numbers[at:until] = known.meet(int(frames[at]), poses[at:until], sizes[at:until])
    return numbers


class _Known:
    """Everybody who may come back: where they were last, how large, how they moved, and when that was."""

    def __init__(self, poses: Float[np.ndarray, "d v c"]) -> None:
        self.poses = np.empty((0, *poses.shape[1:]))
        self.speeds = np.empty((0, poses.shape[2]))
        self.sizes = np.empty(0)
        self.has_moved = np.empty(0, dtype=bool)
        self.seen = self.numbers = np.empty(0, dtype=np.int64)
        self.next = 0

    def meet(
        self, frame: int, found: Float[np.ndarray, "k v c"], sizes: Float[np.ndarray, " k"]
    ) -> Int[np.ndarray, " k"]:
        """Numbers of the people found in a frame, who are known from here on."""
        before, now = self._assign(frame, found, sizes)
        numbers = np.full(len(found), -1)
        numbers[now] = self.numbers[before]
        strangers = numbers < 0
        fresh = int(strangers.sum())
        numbers[strangers] = self.next + np.arange(fresh)
        self.next += fresh

        steps = _middle(found[now] - self.poses[before]) / (frame - self.seen[before])[:, None]
        # The first step is believed whole; later ones are noisy, and the course is kept through a crossing.
        share = np.where(self.has_moved[before], _NEWEST, 1.0)[:, None]
        speeds = np.zeros((len(found), found.shape[2]))
        speeds[now] = self.speeds[before] + share * (steps - self.speeds[before])

        waiting = frame - self.seen < PATIENCE
        waiting[before] = False
        self.poses = np.concatenate((self.poses[waiting], found))
        self.speeds = np.concatenate((self.speeds[waiting], speeds))
        self.sizes = np.concatenate((self.sizes[waiting], sizes))
        self.has_moved = np.concatenate((self.has_moved[waiting], ~strangers))
        self.seen = np.concatenate((self.seen[waiting], np.full(len(found), frame)))
        self.numbers = np.concatenate((self.numbers[waiting], numbers))
        return numbers

    def _assign(
        self, frame: int, found: Float[np.ndarray, "k v c"], sizes: Float[np.ndarray, " k"]
    ) -> tuple[Int[np.ndarray, " p"], Int[np.ndarray, " p"]]:
        """Pairs of somebody known and somebody found who are the same."""
        from scipy.optimize import linear_sum_assignment

        gone = frame - self.seen
        expected = self.poses + (self.speeds * gone[:, None])[:, None]
        apart = expected[:, None] - found[None]
        step = np.sqrt(np.einsum("...c,...c->...", apart, apart))
        valid = np.isfinite(step)
        count = valid.sum(axis=-1)
        mean = np.where(valid, step, 0.0).sum(axis=-1) / np.maximum(count, 1)
        near = (count > 0) & (mean <= FARTHEST * np.maximum(self.sizes[:, None], sizes)) & (gone <= PATIENCE)[:, None]
        before, now = linear_sum_assignment(np.where(near, mean, mean.max(initial=0.0) * mean.size + 1))
        same = near[before, now]
        return before[same], now[same]


def _middle(steps: Float[np.ndarray, "k v c"]) -> Float[np.ndarray, "k c"]:
    """Mean over the joints that are there."""
    valid = np.isfinite(steps)
    middle: np.ndarray = np.where(valid, steps, 0.0).sum(axis=1) / np.maximum(valid.sum(axis=1), 1)
    return middle


def _sizes(poses: Float[np.ndarray, "d v c"]) -> Float[np.ndarray, " d"]:
    """The longest side of the box around each body; zero for nobody."""
    valid = np.isfinite(poses)
    high = np.where(valid, poses, -np.inf).max(axis=1, initial=-np.inf)
    low = np.where(valid, poses, np.inf).min(axis=1, initial=np.inf)
    with np.errstate(invalid="ignore"):
        side: np.ndarray = np.where(high >= low, high - low, 0.0).max(axis=1)
    return side
