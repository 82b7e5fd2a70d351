"""The sensor that watches: where the cameras stand, how they measure, and how their tracker fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int

from halpose.skeleton import load_layout

_LAYOUT = load_layout("kinect25")
V = len(_LAYOUT)

# Azimuth of cameras 1, 2, 3 about the stage: subjects face camera 2 or 3, so camera 1 sees them from the side.
AZIMUTHS = (0.0, np.pi / 4, -np.pi / 4)
# Height and distance (metres) of the 17 set-ups: low and high, near and far.
SETUPS = (
    (1.7, 3.5), (1.7, 2.9), (1.4, 2.9), (1.2, 3.0), (1.0, 3.2), (0.8, 3.5), (0.6, 4.2), (1.4, 3.8), (0.8, 3.0),
    (1.8, 3.1), (1.9, 3.2), (2.0, 3.3), (2.1, 3.4), (2.2, 3.5), (2.3, 3.6), (2.7, 3.8), (2.5, 3.3),
)  # fmt: skip
AIM = 0.9  # metres above the floor: where cameras look

# Jitter in metres, from the second differences of public Kinect v2 recordings at this distance.
_JITTER_DISTANCE = 3.7
_JITTER = {
    "hip_center": 0.0015, "spine": 0.001, "shoulder_center": 0.001, "neck": 0.0015, "head": 0.002, "hip": 0.002,
    "shoulder": 0.003, "elbow": 0.006, "wrist": 0.011, "hand": 0.016, "hand_tip": 0.022, "thumb": 0.024,
    "knee": 0.005, "ankle": 0.008, "foot": 0.020,
}  # fmt: skip
JITTER: Float[np.ndarray, " 25"] = np.array(
    [_JITTER[joint.removeprefix("left_").removeprefix("right_")] for joint in _LAYOUT.joints], dtype=np.float32
)
_BIAS = np.minimum(1.5 * JITTER, np.float32(0.02))  # how far a joint is off all the time
_IS_JUMPY = JITTER > 0.004
_DRIFT_FRAMES = 8  # the slow part of the noise has a value every so many frames, and lines in between
_HIP = _LAYOUT.index("hip_center")
_ENDS = {
    part: tuple(j for j in _LAYOUT.parts[part] if not _LAYOUT.joints[j].endswith(("shoulder", "hip")))
    for part in ("left_arm", "right_arm", "left_leg", "right_leg")
}
_LEGS = np.array(_LAYOUT.parts["left_leg"] + _LAYOUT.parts["right_leg"])
_LEGS_SWAPPED = np.array([_LAYOUT.mirror[joint] for joint in _LEGS])


@lru_cache(maxsize=64)
def camera_pose(camera: int, setup: int) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, " 3"]]:
    """Where a camera stands and how it looks, for stage coordinates (x, y up, z; origin on the floor in the middle).

    Args:
        camera: 1, 2 or 3.
        setup: 1 to 17.

    Returns:
        Rotation R and place c, so that a point p is seen at R (p - c): x to the left of the sensor, y up, z away from
        it, as the Kinect v2 counts.
    """
    height, distance = SETUPS[(setup - 1) % len(SETUPS)]
    azimuth = AZIMUTHS[camera - 1]
    down = np.arctan2(height - AIM, distance)
    ahead = np.array([-np.sin(azimuth), 0.0, -np.cos(azimuth)])
    up = np.array([0.0, 1.0, 0.0])
    left = np.cross(up, ahead)
    rotation = np.stack([left, np.cos(down) * up + np.sin(down) * ahead, np.cos(down) * ahead - np.sin(down) * up])
    return rotation, np.array([0.0, height, 0.0]) - distance * ahead


@dataclass
class Track:
    """One body as the tracker reports it.

    Attributes:
        identity: the number that the tracker gives it.
        positions: (T, V, 3) metres in camera coordinates, NaN where the body is not reported.
        inferred: (T, V) joints that the tracker guesses rather than sees.
    """

    identity: int
    positions: Float[np.ndarray, "t v 3"]
    inferred: Bool[np.ndarray, "t v"] = field(repr=False)


def measure(positions: Float[np.ndarray, "t v 3"], identity: int, noise: float, rng: np.random.Generator) -> Track:
    """What the sensor makes of one body: bias, slow drift and jitter, worse far away and where it cannot see.

    Args:
        positions: metres, in camera coordinates.
        identity: number of the body.
        noise: 0 is a perfect sensor, 1 is a Kinect v2.
        rng: where the randomness comes from.
    """
    frames = len(positions)
    depth = np.ascontiguousarray(positions[..., 2])
    # Behind the trunk, or behind it as seen from here: the tracker guesses.
    inferred = (depth - depth[:, _HIP, None] > 0.06) & _IS_JUMPY
    inferred &= np.abs(positions[..., 0] - positions[:, _HIP, None, 0]) < 0.13
    if noise == 0:
        return Track(identity, positions, inferred)
    before, part = _between(frames)
    draws = rng.standard_normal((frames + before[-1] + 3, 3 * V), dtype=np.float32)
    slow = draws[frames:-1]
    noisy = slow[before]
    noisy += part * (slow[1:] - slow[:-1])[before]
    noisy += np.float32(0.8) * draws[:frames]
    far = depth[:, _HIP, None] / np.float32(_JITTER_DISTANCE)
    sigma = far * far * (np.float32(noise) * JITTER)
    sigma[inferred] *= 1.8
    noisy *= np.repeat(sigma, 3, axis=1)
    noisy += np.repeat(np.float32(noise) * _BIAS, 3) * draws[-1]
    noisy += positions.reshape(frames, 3 * V)
    return Track(identity, noisy.reshape(frames, V, 3), inferred)


@lru_cache(maxsize=512)
def _between(frames: int) -> tuple[Int[np.ndarray, " t"], Float[np.ndarray, "t 1"]]:
    """For each frame the last of the values given at every few frames, and how far it is on the way to the next."""
    before, rest = np.divmod(np.arange(frames), _DRIFT_FRAMES)
    return before, (rest[:, None] / _DRIFT_FRAMES).astype(np.float32)


def disturb(tracks: list[Track], glitches: float, rng: np.random.Generator) -> list[Track]:
    """What goes wrong with a tracker now and then, in place where it can be.

    Joints that jump for a moment, legs taken for one another, frames that repeat, frames without a body, a body that is
    given a new number or the other one's, and furniture taken for a body.

    Args:
        tracks: the bodies of one clip.
        glitches: how often; 0 never, 1 about as in NTU RGB+D.
        rng: where the randomness comes from.

    Returns:
        The bodies, of which there may be more than before.
    """
    if glitches == 0:
        return tracks
    frames = len(tracks[0].positions)
    result = []
    for track in tracks:
        for _ in range(rng.poisson(0.7 * glitches)):
            _jump(track, rng)
        if rng.random() < 0.06 * glitches:
            span = _span(frames, 3, 12, rng)
            track.positions[span, _LEGS] = track.positions[span, _LEGS_SWAPPED]
        if rng.random() < 0.05 * glitches:
            span = _span(frames, 2, 6, rng)
            track.positions[span] = track.positions[span.start]
        result.append(track)
    if len(tracks) == 2 and rng.random() < 0.06 * glitches:
        at = int(rng.integers(1, frames))
        first, second = tracks[0], tracks[1]
        for a, b in ((first.positions, second.positions), (first.inferred, second.inferred)):
            a[at:], b[at:] = b[at:].copy(), a[at:].copy()
    elif rng.random() < 0.05 * glitches:
        result.append(_renumbered(tracks[int(rng.integers(len(tracks)))], rng))
    if rng.random() < 0.05 * glitches:
        span = _span(frames, 1, 6, rng)
        for track in result:
            track.positions[span] = np.nan
    if rng.random() < 0.06 * glitches:
        result.append(_ghost(tracks[0], rng))
    return result


def _span(frames: int, least: int, most: int, rng: np.random.Generator) -> slice:
    length = min(frames, int(rng.integers(least, most + 1)))
    start = int(rng.integers(0, frames - length + 1))
    return slice(start, start + length)


def _jump(track: Track, rng: np.random.Generator) -> None:
    """One limb is somewhere else for a few frames."""
    limb = np.array(list(_ENDS.values())[int(rng.integers(len(_ENDS)))], dtype=np.int64)
    span = _span(len(track.positions), 1, 4, rng)
    track.positions[span, limb] += rng.normal(0.0, 0.15, size=3).astype(np.float32)
    track.inferred[span, limb] = True


def _renumbered(track: Track, rng: np.random.Generator) -> Track:
    """From some frame on, the body goes on under a new number."""
    at = int(rng.integers(1, len(track.positions)))
    rest = Track(track.identity + 100, np.full_like(track.positions, np.nan), track.inferred.copy())
    rest.positions[at:] = track.positions[at:]
    track.positions[at:] = np.nan
    return rest


def _ghost(track: Track, rng: np.random.Generator) -> Track:
    """Furniture taken for a body: for a while, somewhere else, wide, low, and hardly moving."""
    frames = len(track.positions)
    seen = track.positions[int(rng.integers(frames))]
    seen = np.nan_to_num(seen - np.nanmean(seen, axis=0)) if np.isfinite(seen).any() else np.zeros((V, 3))
    shape = seen * rng.uniform((1.5, 0.3, 0.3), (4.0, 0.6, 1.0)) + rng.normal(0.0, 0.06, size=(V, 3))
    shape += rng.normal(0.0, 1.0, size=3) * (0.8, 0.1, 0.3)
    positions = np.full_like(track.positions, np.nan)
    span = _span(frames, 3, max(4, frames // 3), rng)
    size = (span.stop - span.start, V, 3)
    positions[span] = shape + (0.0, -0.2, 3.6) + rng.normal(0.0, 0.01, size=size)
    return Track(track.identity + 200, positions, np.ones((frames, V), dtype=bool))
