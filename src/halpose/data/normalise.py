"""Cleaning, and the transforms that put every clip in the same place, direction and size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class CleanClip:
    """One recording after cleaning, with the transforms that training may switch on.

    A transformed clip is x' = R (x - c) / s with c the origin (or the centre joint of the same frame), R one
    of the rotations and s the scale that belongs to c. The positions themselves stay where they were seen.

    Attributes:
        positions: (M, T, V, C) main actor first, absent people and frames NaN.
        layout: name of the joint layout.
        name: unique within the source.
        origin: centre joint of the main actor in the first frame; z is 0 for two channels.
        first_rotation: published alignment, from the first frame of the main actor.
        torso_rotation: rotation about the vertical that turns the clip's mean right-to-left vector to +x.
        scale_first: RMS of the main actor's coordinates after subtracting the origin.
        scale_frame: the same after subtracting the centre joint frame by frame.
        repairs: what was mended, and how often.
        label: class index, -1 when unknown.
        subject: who moves, "" when unknown.
        camera: camera or view number, 0 when unknown.
        setup: recording setup number, 0 when unknown.
        fps: frames per second, 0 when unknown.
    """

    positions: Float[np.ndarray, "m t v c"]
    layout: str
    name: str
    origin: Float[np.ndarray, " 3"]
    first_rotation: Float[np.ndarray, "3 3"]
    torso_rotation: Float[np.ndarray, "3 3"]
    scale_first: float
    scale_frame: float
    repairs: Mapping[str, int] = field(default_factory=dict)
    label: int = -1
    subject: str = ""
    camera: int = 0
    setup: int = 0
    fps: float = 0.0

    @property
    def people(self) -> int:
        """How many people the clip holds."""
        return int(np.isfinite(self.positions).any(axis=(1, 2, 3)).sum())
