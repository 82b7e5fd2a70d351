"""Recordings of NTU's shape to time on: arithmetic does not care what they mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from halpose.data.normalise import clean
from halpose.data.store import Store, StoreWriter
from halpose.skeleton import Sequence, load_layout


def random_store(path: Path, clips: int = 256, frames: tuple[int, int] = (60, 160), layout: str = "kinect25") -> Store:
    """Random walks of two people, none of NTU's content in NTU's shape.

    Args:
        path: the store to make.
        clips: how many.
        frames: of a clip, uniform between these.
        layout: joints.
    """
    rng, joints = np.random.default_rng(0), len(load_layout(layout))
    with StoreWriter(path, layout=load_layout(layout), people=2, name="random", synthetic=True) as writer:
        for clip in range(clips):
            length = int(rng.integers(*frames))
            walk = rng.normal(0, 0.01, (2, length, joints, 3)).cumsum(1) + rng.normal(0, 0.4, (2, 1, joints, 3))
            writer.append(clean(Sequence(walk.astype(np.float32), layout, f"clip{clip:05d}"), people=2))
    return Store.open(path)
