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
_NOBODY = 1e6


def link(frames: Int[np.ndarray, " d"], poses: Float[np.ndarray, "d v c"]) -> Int[np.ndarray, " d"]:
    """Give everybody who was found in single frames a number.

    Args:
        frames: the frame of each person found, ascending.
        poses: their joints, NaN where missing, in any unit.

    Returns:
        Numbers from 0, in the order in which people appear; nobody has a number twice in a frame.
    """
    numbers = np.empty(len(frames), dtype=np.int64)
    known = _Known.nobody(poses)
    ends = np.flatnonzero(np.diff(frames)) + 1
    for at, until in zip((0, *ends), (*ends, len(frames)), strict=True):
        if at < until:
            numbers[at:until] = known.meet(int(frames[at]), poses[at:until])
    return numbers


class _Known:
    """Everybody who may come back: where they were last, and how they moved."""

    def __init__(self, poses: Float[np.ndarray, "0 v c"]) -> None:
        self.poses = poses
        self.speeds = poses[:, 0] if poses.shape[1] else np.empty((0, poses.shape[2]))
        self.seen = self.numbers = np.empty(0, dtype=np.int64)
        self.next = 0

    @classmethod
    def nobody(cls, poses: Float[np.ndarray, "d v c"]) -> _Known:
        """Before the first frame."""
        return cls(np.empty((0, *poses.shape[1:])))

    def meet(self, frame: int, found: Float[np.ndarray, "k v c"]) -> Int[np.ndarray, " k"]:
        """Numbers of the people found in a frame, who are known from here on."""
        self._keep(frame - self.seen <= PATIENCE)
        before, now = self._assign(frame, found)
        numbers = np.full(len(found), -1)
        numbers[now] = self.numbers[before]
        strangers = np.flatnonzero(numbers < 0)
        numbers[strangers] = self.next + np.arange(len(strangers))
        self.next += len(strangers)

        speeds = np.zeros((len(found), found.shape[2]))
        steps = _middle(found[now] - self.poses[before]) / (frame - self.seen[before])[:, None]
        # The first step is believed whole; later ones are noisy, and the course is kept through a crossing.
        fresh = np.isnan(self.speeds[before])
        speeds[:] = np.nan
        speeds[now] = np.where(fresh, steps, self.speeds[before] + _NEWEST * (steps - self.speeds[before]))

        waiting = np.setdiff1d(np.arange(len(self.numbers)), before)
        self._keep(waiting)
        self.poses = np.concatenate((self.poses, found))
        self.speeds = np.concatenate((self.speeds, speeds))
        self.seen = np.concatenate((self.seen, np.full(len(found), frame)))
        self.numbers = np.concatenate((self.numbers, numbers))
        return numbers

    def _keep(self, which: np.ndarray) -> None:
        self.poses, self.speeds = self.poses[which], self.speeds[which]
        self.seen, self.numbers = self.seen[which], self.numbers[which]

    def _assign(self, frame: int, found: Float[np.ndarray, "k v c"]) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of somebody known and somebody found who are the same."""
        if not len(self.numbers):
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        from scipy.optimize import linear_sum_assignment

        moved = np.nan_to_num(self.speeds) * (frame - self.seen)[:, None]
        expected = self.poses + moved[:, None]
        size = np.maximum(_size(self.poses)[:, None], _size(found)[None])
        step = np.sqrt(np.square(expected[:, None] - found[None]).sum(axis=-1))
        valid = np.isfinite(step)
        count = valid.sum(axis=-1)
        mean = np.where(valid, step, 0.0).sum(axis=-1) / np.maximum(count, 1)
        near = (count > 0) & (mean <= FARTHEST * size)
        before, now = linear_sum_assignment(np.where(near, mean, _NOBODY * max(float(size.max()), 1.0)))
        same = near[before, now]
        return before[same], now[same]


def _middle(steps: Float[np.ndarray, "k v c"]) -> Float[np.ndarray, "k c"]:
    """Mean over the joints that are there."""
    valid = np.isfinite(steps)
    middle: np.ndarray = np.where(valid, steps, 0.0).sum(axis=1) / np.maximum(valid.sum(axis=1), 1)
    return middle


def _size(poses: Float[np.ndarray, "k v c"]) -> Float[np.ndarray, " k"]:
    """The longest side of the box around each body; zero for nobody."""
    valid = np.isfinite(poses)
    high = np.where(valid, poses, -np.inf).max(axis=1, initial=-np.inf)
    low = np.where(valid, poses, np.inf).min(axis=1, initial=np.inf)
    with np.errstate(invalid="ignore"):
        side: np.ndarray = np.where(high >= low, high - low, 0.0).max(axis=1)
    return side
