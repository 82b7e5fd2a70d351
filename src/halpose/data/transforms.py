"""How the clips of a store are normalised: centred, turned and scaled, as a run's settings ask for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from halpose.compiled import fused
from halpose.config import DataConfig
from halpose.data.align import pair_rotation
from halpose.data.store import Store


@dataclass(frozen=True)
class Transforms:
    """How the clips of a window are normalised: x' = L (x - c).

    Attributes:
        linear: (N, C, C) alignment and scale.
        origin: (N, C) what is subtracted from every frame of a clip.
        centre_joint: the joint that is subtracted frame by frame instead, or -1.
        up: which coordinate points up afterwards: 1 (y), or 2 (z) where the published alignment turned the spine there.
    """

    linear: Float[np.ndarray, "n c c"]
    origin: Float[np.ndarray, "n c"]
    centre_joint: int
    up: int

    @classmethod
    def of(cls, store: Store, clips: Int[np.ndarray, " n"], data: DataConfig) -> Transforms:
        """The transforms that resolved settings ask for."""
        table = store.clips
        channels = store.frames.shape[-1]
        rotation = rotations(store, clips, data.align)[:, :channels, :channels]
        scale = np.ones(len(clips), np.float32)
        if data.scale == "rms":
            scale = (table.scale_frame if data.centre == "frame" else table.scale_first)[clips]
        origin = table.origin[clips][:, :channels]
        return cls(
            linear=np.ascontiguousarray(rotation / np.maximum(scale, 1e-6)[:, None, None], np.float32),
            origin=np.ascontiguousarray(origin if data.centre == "first" else np.zeros_like(origin), np.float32),
            centre_joint=store.layout.centre if data.centre == "frame" else -1,
            up=2 if data.align == "first" and channels == 3 else 1,
        )

    def apply(
        self,
        frames: Float32[np.ndarray, "f m v c"],
        clip: Int[np.ndarray, " f"],
        planes: Float32[np.ndarray, "c f mv"],
    ) -> None:
        """Normalise frames.

        Args:
            frames: as they are in the store.
            clip: the number of the clip that each is of.
            planes: takes the result, each coordinate in a stretch of its own.
        """
        count, people, joints, channels = frames.shape
        centre = _centres(frames, self.centre_joint) if self.centre_joint >= 0 else self.origin[clip]
        _normalise(frames.reshape(count, people * joints, channels), centre, self.linear, clip, planes)


def rotations(store: Store, clips: Int[np.ndarray, " n"], align: str) -> Float[np.ndarray, "n 3 3"]:
    """How clips are turned, x' = R x: from the store's columns, but for `pair`, which looks at all frames of a pair.

    Args:
        store: the recordings.
        clips: which.
        align: as in `DataConfig`, resolved.
    """
    table = store.clips
    found: np.ndarray
    if align == "none":
        return np.broadcast_to(np.eye(3, dtype=np.float32), (len(clips), 3, 3))
    if align == "first":
        found = table.first_rotation[clips]
        return found
    found = np.array(table.torso_rotation[clips], np.float32)
    if align == "pair":
        for row in np.flatnonzero(table.people[clips] > 1):
            begin, end = table.offsets[clips[row]], table.offsets[clips[row] + 1]
            pair = np.asarray(store.frames[begin:end][:, :2], np.float32)
            found[row] = pair_rotation(pair.swapaxes(0, 1), store.layout)
    return found


@fused
def _normalise(
    frames: Float32[np.ndarray, "f mv c"],
    centre: Float32[np.ndarray, "f c"],
    linear: Float32[np.ndarray, "n c c"],
    clip: Int[np.ndarray, " f"],
    planes: Float32[np.ndarray, "c f mv"],
) -> None:
    """Fill `planes`; of two coordinates the third is the second once more, with weight zero.

    Sums begin with zero and are added up in the order of the coordinates, as a matrix product does it: the result is
    that of one to the bit.
    """
    count, width, channels = frames.shape
    last, zero = channels - 1, np.float32(0)
    for frame in range(count):
        number = clip[frame]
        centre_x, centre_y, centre_z = centre[frame, 0], centre[frame, 1], centre[frame, last]
        xx, xy, xz = linear[number, 0, 0], linear[number, 0, 1], linear[number, 0, last]
        yx, yy, yz = linear[number, 1, 0], linear[number, 1, 1], linear[number, 1, last]
        zx, zy, zz = linear[number, last, 0], linear[number, last, 1], linear[number, last, last]
        if channels == 2:
            xz = yz = zz = zero
        for joint in range(width):
            x = frames[frame, joint, 0] - centre_x
            y = frames[frame, joint, 1] - centre_y
            z = frames[frame, joint, last] - centre_z
            planes[0, frame, joint] = ((zero + xx * x) + xy * y) + xz * z
            planes[1, frame, joint] = ((zero + yx * x) + yy * y) + yz * z
            planes[last, frame, joint] = ((zero + zx * x) + zy * y) + zz * z


def _centres(frames: Float32[np.ndarray, "f m v c"], joint: int) -> Float32[np.ndarray, "f c"]:
    """The main actor's centre joint in every frame; where it was not seen, the mean of the joints that were."""
    centre = frames[:, 0, joint].copy()
    unseen = np.isnan(centre).any(axis=1)
    if unseen.any():
        seen = frames[unseen, 0]
        present = ~np.isnan(seen)
        centre[unseen] = np.where(present, seen, 0).sum(1) / np.maximum(present.sum(1), 1)
    return centre
