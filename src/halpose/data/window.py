"""A window of a store: clips are cropped, resized and normalised there, batch by batch, on the compute device.

No worker processes and no per-sample Python: the frames that a batch of views needs are gathered and interpolated in
one pass over the result. Centring, alignment and scale are the store's transforms, applied here, so that they are
switches of a run and not another preparation. A window that fits is resident on the device; a larger one stays on disk,
and each batch reads the frames it needs and no others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, UInt8
from torch import Tensor

from halpose.config import DataConfig
from halpose.data.confidence import from_bytes
from halpose.data.crop import Motion, Taps, crop, crop_by_tensors
from halpose.data.frame_file import confidence_reader, frame_reader
from halpose.data.store import Store
from halpose.data.transforms import Transforms
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


class Window:
    """Clips of a store, resident on a device.

    Clips and batches of them, (B, C, T, M, V), hold each coordinate in a contiguous stretch: in this order the frames
    of a crop are read one after another, and the 3 x 3 maps of the views are one product per clip.

    Attributes:
        starts: (N,) first frame of each clip.
        lengths: (N,) frames of each clip.
        shape: (C, M, V) of one frame.
        up: which coordinate points up.
        has_missing: whether any value may be NaN.
        layout: joint layout.
        clips: (N,) index of each clip in the store.
        device: where batches are made.
        kind: what of the confidence is given, as `data.confidence` says.
    """

    def __init__(
        self,
        table: Float[Tensor, "rows mv"],
        shape: tuple[int, int, int],
        lengths: Int[np.ndarray, " n"],
        layout: Layout,
        up: int = 1,
        clips: Int[np.ndarray, " n"] | None = None,
        sure: Float[Tensor, "f mv"] | None = None,
        kind: str = "none",
    ) -> None:
        self._describe(table.device, np.cumsum(lengths) - lengths, lengths, layout, up, clips)
        self.shape, self.kind = shape, kind
        # Not a fourth coordinate of the table: no map of a view must touch it.
        self.sure = sure
        # A row for each coordinate and frame: a clip's first coordinate in all its frames, its second ...
        self.table = table
        # A NaN makes the sum NaN. Where only the sum is not finite, NaN are looked for in vain, and that is all.
        self.has_missing = not bool(table.sum().isfinite())
        rows = (self.starts * shape[0])[:, None] + self.lengths[:, None] * torch.arange(shape[0], device=table.device)
        self._first_rows = rows.int() if len(table) < 1 << 31 else rows  # (N, C): of each coordinate of a clip

    @classmethod
    def load(
        cls,
        store: Store,
        clips: Int[np.ndarray, " n"],
        data: DataConfig,
        device: torch.device | str = "cpu",
    ) -> Window:
        """Open clips of a store: resident if they take no more than `data.resident_gigabytes`, else mapped.

        Raises:
            DataError: no clips were asked for.
        """
        if not len(clips):
            raise DataError(f"{store.path}: the chosen part of the split has no clips")
        lengths = store.clips.lengths[clips]
        people, joints, channels = store.frames.shape[1:]
        values = channels + data.has_confidence
        if int(lengths.sum()) * people * joints * values * 4 > data.resident_gigabytes * 1e9:
            return MappedWindow(store, clips, data, torch.device(device))
        transforms = Transforms.of(store, clips, data)
        table = np.empty((int(lengths.sum()) * channels, people * joints), np.float32)
        sure = np.empty((int(lengths.sum()) * data.has_confidence, people * joints), np.float32)
        read, ends = confidence_reader(store), np.cumsum(lengths)
        for number, (end, length) in enumerate(zip(ends, lengths, strict=True)):
            begin = store.clips.offsets[clips[number]]
            frames = np.array(store.frames[begin : begin + length], np.float32, order="C")
            planes = table[channels * (end - length) : channels * end].reshape(channels, length, -1)
            transforms.apply(frames, np.full(length, number), planes)
            if data.has_confidence:
                told = read(np.arange(begin, begin + length)).reshape(length, -1)
                sure[end - length : end] = _as_kind(told, data.confidence)
        shape = (channels, people, joints)
        return cls(
            torch.from_numpy(table).to(device), shape, lengths, store.layout, transforms.up, clips,
            torch.from_numpy(sure).to(device) if data.has_confidence else None, data.confidence,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.lengths)

    def sample(
        self,
        chosen: Int[Tensor, " b"],
        start: Int[Tensor, " b"],
        length: Int[Tensor, " b"],
        frames: int,
        linear: Float[Tensor, "b c c"] | None = None,
        moved: Bool[Tensor, "b v"] | None = None,
    ) -> Float[Tensor, "b c t m v"]:
        """Crops of clips, linearly resized to `frames` (half-pixel centres), and moved; missing values stay NaN.

        Args:
            chosen: positions of the clips in this window.
            start: first frame of each crop, within its clip.
            length: frames of each crop.
            frames: T.
            linear: a map of each clip's coordinates; none moves nothing.
            moved: the joints that it moves; all of them if not given.

        Returns:
            The crops; `batch_axes` puts the axes in their usual order.
        """
        # Resizing and normalising are both linear, so that their order does not matter.
        motion = None if linear is None else Motion(linear, moved)
        return self._between(chosen, self._taps(start, length, frames), motion)

    def confidence(
        self, chosen: Int[Tensor, " b"], start: Int[Tensor, " b"], length: Int[Tensor, " b"], frames: int
    ) -> Float[Tensor, "b 1 t m v"] | None:
        """How sure the source was of the joints of crops, resized as they are; None where nobody asks for it.

        Of kind `mask` they are 0 or 1: what lies between a frame that shows a joint and one that does not is seen where
        the nearer one shows it.

        Args:
            chosen: as of `sample`, like the others.
            start: first frames.
            length: frames of each crop.
            frames: T.
        """
        if self.kind == "none":
            return None
        sure = self._sure_between(chosen, self._taps(start, length, frames))
        sure = sure.view(*sure.shape[:3], *self.shape[1:])
        return (sure >= 0.5).float() if self.kind == "mask" else sure

    def _taps(self, start: Int[Tensor, " b"], length: Int[Tensor, " b"], frames: int) -> Taps:
        """Which two frames of its clip each frame of a crop lies between."""
        last = (length - 1)[:, None]
        position = (torch.arange(frames, device=self.device) + 0.5) * (length[:, None] / frames) - 0.5
        position = position.clamp_min_(0.0).minimum(last)
        below = position.long()
        taps = torch.stack((below, torch.minimum(below + 1, last)), dim=-1) + start[:, None, None]
        share = position - below
        return Taps(taps, torch.stack((1 - share, share), dim=-1))

    def _between(self, chosen: Int[Tensor, " b"], taps: Taps, motion: Motion | None) -> Float[Tensor, "b c t m v"]:
        """Weighted sums of two normalised frames of a clip each, moved."""
        crops = crop(self.table, self._first_rows[chosen], taps, motion)
        return crops.view(*crops.shape[:3], *self.shape[1:])

    def _sure_between(self, chosen: Int[Tensor, " b"], taps: Taps) -> Float[Tensor, "b 1 t mv"]:
        """Weighted sums of the confidence of two frames of a clip each."""
        assert self.sure is not None
        return crop_by_tensors(self.sure, self.starts[chosen, None], taps)

    def _describe(
        self,
        device: torch.device,
        starts: Int[np.ndarray, " n"],
        lengths: Int[np.ndarray, " n"],
        layout: Layout,
        up: int,
        clips: Int[np.ndarray, " n"] | None,
    ) -> None:
        self.device = device
        self.starts = torch.from_numpy(np.asarray(starts, dtype=np.int64)).to(device)
        self.lengths = torch.from_numpy(np.asarray(lengths, dtype=np.int64)).to(device)
        self.layout = layout
        self.up = up
        self.clips = np.arange(len(lengths)) if clips is None else np.asarray(clips)


class MappedWindow(Window):
    """Clips that stay in the store: each batch reads its own frames, once each, and normalises them.

    They make a small resident window, and views are made of that one: they are the same to the bit as if all clips were
    resident. Of a clip's transform, too, nothing is kept: it follows from the store's columns when the clip is chosen.
    """

    def __init__(self, store: Store, clips: Int[np.ndarray, " n"], data: DataConfig, device: torch.device) -> None:
        up = Transforms.of(store, clips[:1], data).up
        self._describe(device, store.clips.offsets[clips], store.clips.lengths[clips], store.layout, up, clips)
        people, joints, channels = store.frames.shape[1:]
        self.shape, self.kind, self.sure = (channels, people, joints), data.confidence, None
        self.has_missing = True  # to know better, all of it would have to be read
        self.store, self.data = store, data
        self._read, self._read_confidence = frame_reader(store), confidence_reader(store)

    def _between(self, chosen: Int[Tensor, " b"], taps: Taps, motion: Motion | None) -> Float[Tensor, "b c t m v"]:
        """As in `Window`, of the frames that are read for it."""
        wanted = self._wanted(chosen, taps)
        rows, first, places = np.unique(wanted, return_index=True, return_inverse=True)
        # Whose a frame is: that clip's which asked for it, of which each asked for as many.
        owners, owner = np.unique(chosen.cpu().numpy()[first // wanted[0].size], return_inverse=True)
        resident = self._resident(rows, self.clips[owners], owner)
        return resident._between(torch.zeros_like(chosen), self._read_at(places, taps), motion)

    def _sure_between(self, chosen: Int[Tensor, " b"], taps: Taps) -> Float[Tensor, "b 1 t mv"]:
        """As in `Window`, of the frames that are read for it."""
        rows, places = np.unique(self._wanted(chosen, taps), return_inverse=True)
        sure = _as_kind(self._read_confidence(rows).reshape(len(rows), -1), self.kind)
        first = torch.zeros_like(chosen[:, None])
        return crop_by_tensors(self._moved(torch.from_numpy(sure)), first, self._read_at(places, taps))

    def _wanted(self, chosen: Int[Tensor, " b"], taps: Taps) -> Int[np.ndarray, "b t 2"]:
        """Which frames of the store."""
        return (self.starts[chosen, None, None] + taps.frames).cpu().numpy()

    def _read_at(self, places: Int[np.ndarray, "*f"], taps: Taps) -> Taps:
        """The same taps, of the frames that were read."""
        return taps._replace(frames=self._moved(torch.from_numpy(places.reshape(taps.frames.shape))))

    def _resident(
        self, rows: Int[np.ndarray, " f"], clips: Int[np.ndarray, " k"], owner: Int[np.ndarray, " f"]
    ) -> Window:
        """Some frames as if they were one clip.

        Args:
            rows: their numbers in the store, ascending.
            clips: whose they are, as numbers in the store.
            owner: of each frame, which of these.
        """
        channels, people, joints = self.shape
        table = torch.empty(channels * len(rows), people * joints, pin_memory=self.device.type == "cuda")
        frames = np.ascontiguousarray(self._read(rows), np.float32)
        Transforms.of(self.store, clips, self.data).apply(frames, owner, table.view(channels, len(rows), -1).numpy())
        return Window(self._moved(table), self.shape, np.array([len(rows)]), self.layout, self.up)

    def _moved(self, x: Tensor) -> Tensor:
        """On the window's device; from pinned memory nobody waits for the copy."""
        return x.to(self.device, non_blocking=True)


def _as_kind(confidence: UInt8[np.ndarray, "f mv"], kind: str) -> Float32[np.ndarray, "f mv"]:
    """Bytes as numbers in 0..1, or whether a joint was seen at all."""
    return (confidence > 0).astype(np.float32) if kind == "mask" else from_bytes(confidence)


def batch_axes(x: Float[Tensor, "b c t m v"]) -> Float[Tensor, "b m t v c"]:
    """The usual axes of a batch, as a view of the same memory."""
    return x.permute(0, 3, 2, 4, 1)
