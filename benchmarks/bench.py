"""What the benchmarks share: a store to run on, and timing that machines' noise does not decide."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from halpose.ablate.timing import in_turn, machine, ratio
from halpose.data.normalise import clean
from halpose.data.store import Store, StoreWriter
from halpose.skeleton import Sequence, load_layout

__all__ = ["in_turn", "machine", "random_store", "ratio"]


def random_store(path: Path, clips: int = 256, frames: tuple[int, int] = (60, 160)) -> Store:
    """Random walks in NTU's shape (25 joints, two people): arithmetic does not care what they mean."""
    rng = np.random.default_rng(0)
    with StoreWriter(path, layout=load_layout("kinect25"), people=2, name="random", synthetic=True) as writer:
        for clip in range(clips):
            length = int(rng.integers(*frames))
            walk = rng.normal(0, 0.01, (2, length, 25, 3)).cumsum(1) + rng.normal(0, 0.4, (2, 1, 25, 3))
            writer.append(clean(Sequence(walk.astype(np.float32), "kinect25", f"clip{clip:05d}"), people=2))
    return Store.open(path)
