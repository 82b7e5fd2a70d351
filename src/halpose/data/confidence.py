"""How sure a source was of each joint, as a store keeps it: a byte for each joint of each frame, 255 for certain.

Whatever has none was sure of every joint that is there: 255, and 0 where a joint is missing (NaN).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32, UInt8

CERTAIN = 255


def to_bytes(confidence: Float[np.ndarray, "*n v"]) -> UInt8[np.ndarray, "*n v"]:
    """Numbers in 0..1 as bytes; only what is exactly 0 becomes 0, because that says that a joint was not seen."""
    found: np.ndarray = np.where(confidence > 0, np.rint(CERTAIN * confidence).clip(1), 0).astype(np.uint8)
    return found


def from_bytes(confidence: UInt8[np.ndarray, "*n v"]) -> Float32[np.ndarray, "*n v"]:
    """Bytes as numbers in 0..1."""
    found: np.ndarray = confidence.astype(np.float32) / np.float32(CERTAIN)
    return found


def of_positions(positions: Float[np.ndarray, "*n v c"]) -> UInt8[np.ndarray, "*n v"]:
    """What positions alone tell: certain, or missing."""
    found: np.ndarray = np.isfinite(positions[..., 0]) * np.uint8(CERTAIN)
    return found
