"""Joint angles of motion-capture files as rotation matrices, all frames at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

_AXES = {"X": (1, 2), "Y": (2, 0), "Z": (0, 1)}  # the plane that a rotation turns, first axis to second


def euler_rotation(
    order: str, angles: Sequence[Float64[np.ndarray, " frames"]]
) -> Float64[np.ndarray, "frames 3 3"] | Float64[np.ndarray, "3 3"]:
    """Rotations about the axes of `order`, one after another about the axes as turned so far: `ZXY` is Rz Rx Ry.

    Args:
        order: letters X, Y, Z.
        angles: in radians, for each letter.

    Returns:
        Matrices that turn column vectors; a single identity where there is nothing to turn.
    """
    turned: np.ndarray = np.eye(3)
    for letter, angle in zip(order, angles, strict=True):
        a, b = _AXES[letter]
        cosine, sine = np.cos(angle)[..., None], np.sin(angle)[..., None]
        following = np.array(np.broadcast_to(turned, (*angle.shape, 3, 3)))
        # Only two columns change: those of the plane.
        following[..., a] = turned[..., a] * cosine + turned[..., b] * sine
        following[..., b] = turned[..., b] * cosine - turned[..., a] * sine
        turned = following
    return turned
