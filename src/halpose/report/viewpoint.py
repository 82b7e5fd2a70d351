"""From where a clip is best seen: what it takes up, which way it faces, whom to follow."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from halpose.skeleton import Layout

_FAR = 1.7
"""Following begins where the whole clip takes up so many times what a moment of it does."""

_CALM = 0.4  # seconds over which the path that is followed is smoothed


def facing(positions: Float[np.ndarray, "m t v c"], layout: Layout) -> float:
    """Angle about the vertical, in radians, of the direction from which the clip is best seen first.

    One person is seen from the front, two from the side: across the line between them, on the side of -z, where
    a depth camera stands. 0 is the direction of +z, growing toward +x.
    """
    if positions.shape[-1] != 3:
        return 0.0
    middles = [_mean(person[:, layout.centre]) for person in positions]
    present = [middle for middle in middles if np.isfinite(middle).all()]
    if len(present) >= 2 and math.hypot(*(present[1] - present[0])[[0, 2]]) > 1e-6:
        across = present[1] - present[0]
        across = -across if across[0] > 0 else across
    else:
        with np.errstate(invalid="ignore"):  # of infinite coordinates nothing is left, as of missing ones
            pairs = [_mean(positions[:, :, left] - positions[:, :, right]) for right, left in layout.sides]
        across = _mean(np.array(pairs)) if pairs else np.full(3, np.nan)
    # Up times right-to-left points forward in a right-handed frame.
    return math.atan2(-across[2], across[0]) if np.isfinite(across).all() else 0.0


def path(positions: Float[np.ndarray, "m t v c"], fps: float) -> Float[np.ndarray, "t c"] | None:
    """Where to look in each frame, so that people who walk far stay large; None where one look takes in the clip.

    Only across the floor: the vertical coordinate of the path is 0.

    Args:
        positions: NaN where a joint is missing.
        fps: frames per second.
    """
    from scipy.ndimage import gaussian_filter1d  # late: it takes a while to import

    level = [axis for axis in range(positions.shape[-1]) if axis != 1]
    x = np.asarray(positions, dtype=np.float64)
    known = np.asarray(np.isfinite(x).all(-1))
    seen = np.asarray(known.any(axis=(0, 2)))
    if seen.sum() < 2:
        return None
    count = np.maximum(known.sum(axis=(0, 2)), 1)[:, None]
    middle = np.where(known[..., None], x, 0.0).sum(axis=(0, 2)) / count
    frames = np.arange(len(middle))
    found = np.zeros_like(middle)
    for axis in level:
        filled = np.interp(frames, frames[seen], middle[seen, axis])
        found[:, axis] = gaussian_filter1d(filled, max(_CALM * fps, 0.5), mode="nearest")
    whole, moment = (high - low for low, high in map(extent, (x, x - found[None, :, None])))
    size = max(math.hypot(*moment[level]), float(moment[1]))
    return found if math.hypot(*whole[level]) > _FAR * size else None


def extent(x: Float[np.ndarray, "m t v c"]) -> tuple[Float[np.ndarray, c], Float[np.ndarray, c]]:
    """Box around nearly all joints; a single spike must not shrink the person to a dot."""
    flat = x.reshape(-1, x.shape[-1]).astype(np.float64)
    flat = flat[np.isfinite(flat).all(1)]
    if not len(flat):
        return np.zeros(x.shape[-1]), np.ones(x.shape[-1])
    return np.percentile(flat, 0.1, axis=0), np.percentile(flat, 99.9, axis=0)


def _mean(x: Float[np.ndarray, "... c"]) -> Float[np.ndarray, c]:
    """Mean over all axes but the last, of the rows that are finite; NaN when there is none."""
    rows = x.reshape(-1, x.shape[-1])
    rows = rows[np.isfinite(rows).all(1)]
    return rows.mean(0) if len(rows) else np.full(x.shape[-1], np.nan)
