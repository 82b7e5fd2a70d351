"""From positions to a picture's pixels: the same view of a clip that the player in the browser opens with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from halpose.report.viewpoint import extent, facing
from halpose.skeleton import Layout

TURN, TILT = 0.5, 0.16
"""Radians: a little from the side, a little from above."""

_DISTANCE = 5.0
_ACROSS, _UP, _MIDDLE = 0.44, 0.385, 0.48


@dataclass(frozen=True)
class Camera:
    """Where a clip is seen from.

    Attributes:
        width: of the picture, pixels.
        height: of the picture.
        centre: (3,) the point that stands in the middle.
        ground: height of the floor.
        wide: half the clip's extent across the floor.
        tall: half its height.
        angle: about the vertical, from which it is seen.
        tilt: from above.
        flat: whether the clip is 2-D: no perspective, no turning.
    """

    width: float
    height: float
    centre: Float[np.ndarray, 3]
    ground: float
    wide: float
    tall: float
    angle: float
    tilt: float
    flat: bool

    @classmethod
    def of_clip(cls, positions: Float[np.ndarray, "m t v c"], layout: Layout, width: float, height: float) -> Camera:
        """The camera that sees a whole clip, from where it is best seen."""
        flat = positions.shape[-1] == 2
        low, high = (np.append(end, 0.0) if flat else end for end in extent(positions))
        across = high - low
        return cls(
            width,
            height,
            centre=(low + high) / 2,
            ground=float(low[1]),
            wide=max(math.hypot(across[0], across[2]) / 2, 1e-6),
            tall=max(float(across[1]) / 2, 1e-6),
            angle=0.0 if flat else facing(positions, layout) + TURN,
            tilt=0.0 if flat else TILT,
            flat=flat,
        )

    @property
    def zoom(self) -> float:
        """Pixels of a metre in the middle of the clip."""
        return min(self.width * _ACROSS / self.wide, self.height * _UP / self.tall)

    def project(self, points: Float[np.ndarray, "*n c"]) -> Float[np.ndarray, "*n 4"]:
        """Points as (x, y, depth, scale) in pixels, y down; the larger the depth, the nearer; NaN stays NaN."""
        if points.shape[-1] == 2:
            points = np.concatenate([points, np.zeros((*points.shape[:-1], 1))], axis=-1)
        dx, dy, dz = np.moveaxis(points - self.centre, -1, 0)
        across = dx * math.cos(self.angle) - dz * math.sin(self.angle)
        toward = dx * math.sin(self.angle) + dz * math.cos(self.angle)
        up = dy * math.cos(self.tilt) - toward * math.sin(self.tilt)
        depth = toward * math.cos(self.tilt) + dy * math.sin(self.tilt)
        distance = _DISTANCE * max(self.wide, self.tall)
        scale = np.ones_like(depth) if self.flat else distance / (distance - depth)
        x = self.width / 2 + across * scale * self.zoom
        y = self.height * _MIDDLE - up * scale * self.zoom
        return np.stack([x, y, depth, scale], axis=-1)

    def floor(self, moved: Float[np.ndarray, c], lines: int = 4) -> Float[np.ndarray, "n 2 3"]:
        """Ends of the lines that stand for the floor: a grid, or for a 2-D clip one line.

        Args:
            moved: how far the one who is followed has come; the grid goes the other way.
            lines: on each side of the middle.
        """
        x, _, z = self.centre
        if self.flat:
            reach = 0.44 * self.width / self.zoom
            return np.array([[[x - reach, self.ground, 0.0], [x + reach, self.ground, 0.0]]])
        reach = max(self.wide * 1.3, self.tall * 0.9)
        step = reach / lines
        ticks = np.linspace(-reach, reach, 2 * lines + 1)
        from_x, from_z = (ticks - math.remainder(float(way), step) for way in (moved[0], moved[2]))
        along = [[[x + s, self.ground, z - reach], [x + s, self.ground, z + reach]] for s in from_x]
        across = [[[x - reach, self.ground, z + s], [x + reach, self.ground, z + s]] for s in from_z]
        return np.array(along + across)

    def stroke(self) -> float:
        """Width of a limb, pixels: as thick as fits a body of this size."""
        return max(min(self.width, self.height) * 0.005, self.zoom * self.tall * 0.038)
