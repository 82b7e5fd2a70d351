"""A person who walks through the room: what the tests of cleaning are about."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

Walk = Callable[..., np.ndarray]


@pytest.fixture
def walk(standing: np.ndarray) -> Walk:
    """A function (frames, x, speed, seed) -> (T, 20, 3) positions of a person walking towards -z, from x, z = 4."""

    def make(frames: int, x: float = 0.0, speed: float = 0.02, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        time = np.arange(frames)
        path = np.stack([np.full(frames, x), np.zeros(frames), 4.0 - speed * time], axis=1)
        swing = 0.2 * np.sin(0.4 * time + seed)[:, None, None] * rng.normal(size=(20, 3))
        noise = rng.normal(0, 0.003, (frames, 20, 3))
        walked: np.ndarray = standing + path[:, None] + 0.3 * swing + noise
        return walked.astype(np.float32)

    return make
