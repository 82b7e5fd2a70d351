"""A window of a store on the compute device: clips are cropped, resized and normalised there, batch by batch.

No worker processes and no per-sample Python: one gather of the frames that a batch of views needs, one linear
interpolation and one matrix product. Centring, alignment and scale are the store's transforms, applied here, so that
they are switches of a run and not another preparation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from halpose.config import DataConfig
from halpose.data.store import Store
from halpose.errors import DataError
from halpose.skeleton import Layout

_DEFAULTS = {"centre": "first", "align": "torso", "scale": "rms"}


def resolve_data(store: Store, data: DataConfig) -> DataConfig:
    """What `store` and an empty split stand for in the settings of one store.

    Without a split every clip is used; without a recommendation in the store's provenance, clips are centred on their
    first frame, aligned by the torso and divided by their size.
    """
    advice = _DEFAULTS | dict(store.meta["provenance"].get("normalisation") or {})
    chosen: dict[str, Any] = {key: advice[key] for key in _DEFAULTS if getattr(data, key) == "store"}
    split = data.split
    if not split and store.splits:
        split = str(store.meta["provenance"].get("default_split") or store.splits[0])
    return replace(data, split=split, part=data.part if split else "all", **chosen)


@dataclass
class Window:
    """Clips of a store, resident on a device.

    Attributes:
        frames: (F, C, M, V) all frames of the clips, one clip after another, normalised; NaN is missing. Each
            coordinate's plane is contiguous: so stored, the 3 x 3 maps of the views run at the memory's speed.
        starts: (N,) first frame of each clip.
        lengths: (N,) frames of each clip.
        up: which coordinate points up: 1 (y), or 2 (z) where the published alignment turned the spine there.
        layout: joint layout.
        clips: (N,) index of each clip in the store.
    """

    frames: Float[Tensor, "f c m v"]
    starts: Int[Tensor, " n"]
    lengths: Int[Tensor, " n"]
    up: int
    layout: Layout
    clips: Int[np.ndarray, " n"]

    @classmethod
    def load(
        cls,
        store: Store,
        clips: Int[np.ndarray, " n"],
        data: DataConfig,
        device: torch.device | str = "cpu",
    ) -> Window:
        """Copy clips of a store to a device, centred, aligned and scaled as `data` says.

        Raises:
            DataError: no clips were asked for.
        """
        if not len(clips):
            raise DataError(f"{store.path}: the chosen part of the split has no clips")
        table = store.clips
        lengths = table.lengths[clips]
        frames = np.concatenate([store.frames[a : a + n] for a, n in zip(table.offsets[clips], lengths, strict=True)])
        frames = frames.astype(np.float32, copy=False)
        channels = frames.shape[-1]
        if data.centre == "frame":
            frames = frames - _centres(frames, store.layout.centre)
        elif data.centre == "first":
            origin = table.origin[clips][:, :channels].astype(np.float32)
            frames = frames - np.repeat(origin, lengths, axis=0)[:, None, None]
        rotation = {
            "torso": table.torso_rotation,
            "first": table.first_rotation,
            "none": np.broadcast_to(np.eye(3), (len(store), 3, 3)),
        }[data.align][clips][:, :channels, :channels]
        scale = np.ones(len(clips))
        if data.scale == "rms":
            scale = (table.scale_frame if data.centre == "frame" else table.scale_first)[clips]
        linear = (rotation / np.maximum(scale, 1e-6)[:, None, None]).astype(np.float32)
        planes = np.ascontiguousarray(frames.transpose(0, 3, 1, 2)).reshape(len(frames), channels, -1)
        for end, length, matrix in zip(np.cumsum(lengths), lengths, linear, strict=True):
            planes[end - length : end] = matrix @ planes[end - length : end]

        def put(array: np.ndarray) -> Tensor:
            return torch.from_numpy(array).to(device)

        return cls(
            frames=put(planes.reshape(len(frames), channels, *frames.shape[1:3])),
            starts=put(np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)),
            lengths=put(lengths.astype(np.int64)),
            up=2 if data.align == "first" and channels == 3 else 1,
            layout=store.layout,
            clips=np.asarray(clips),
        )

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def device(self) -> torch.device:
        """Where the clips are."""
        return self.frames.device

    def sample(
        self,
        chosen: Int[Tensor, " b"],
        start: Int[Tensor, " b"],
        length: Int[Tensor, " b"],
        frames: int,
    ) -> Float[Tensor, "b t c m v"]:
        """Crops of clips, linearly resized to `frames` (half-pixel centres), missing values stay NaN.

        Args:
            chosen: positions of the clips in this window.
            start: first frame of each crop, within its clip.
            length: frames of each crop.
            frames: T.

        Returns:
            The crops with contiguous coordinate planes; `batch_axes` puts the axes in their usual order.
        """
        grid = torch.arange(frames, device=self.device)
        position = (grid + 0.5) * (length[:, None] / frames) - 0.5
        position = position.clamp_min(0.0).minimum((length - 1)[:, None].to(position.dtype))
        below = position.floor().long()
        above = torch.minimum(below + 1, (length - 1)[:, None])
        first = (self.starts[chosen] + start)[:, None]
        table = self.frames.flatten(1)
        share = (position - below).view(-1, 1)
        x = table.index_select(0, (first + below).flatten())
        x.lerp_(table.index_select(0, (first + above).flatten()), share)
        return x.view(len(chosen), frames, *self.frames.shape[1:])


def batch_axes(x: Float[Tensor, "b t c m v"]) -> Float[Tensor, "b m t v c"]:
    """The usual axes of a batch, as a view of the same memory."""
    return x.permute(0, 3, 1, 4, 2)


def _centres(frames: Float[np.ndarray, "f m v c"], joint: int) -> Float[np.ndarray, "f 1 1 c"]:
    """The main actor's centre joint in every frame; where it was not seen, the mean of the joints that were."""
    centre = frames[:, :1, joint : joint + 1]
    unseen = np.isnan(centre).any(axis=(1, 2, 3))
    if unseen.any():
        seen = frames[unseen, :1]
        present = ~np.isnan(seen)
        mean = np.where(present, seen, 0).sum(2, keepdims=True) / np.maximum(present.sum(2, keepdims=True), 1)
        centre = centre.copy()
        centre[unseen] = mean
    return centre
