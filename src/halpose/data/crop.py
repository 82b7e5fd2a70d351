"""Crops of clips, resized over time and moved by a linear map: what every view of a batch begins with.

The same in two ways, for tensors on any device and, in a third of the time, as one loop for those in memory.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor
from torch.nn.functional import embedding_bag

from halpose.compiled import compiled


class Taps(NamedTuple):
    """Between which two frames of its clip each frame of a crop lies.

    Attributes:
        frames: (B, T, 2) their numbers in the clip.
        weights: (B, T, 2) theirs; they add up to one.
    """

    frames: Int[Tensor, "b t 2"]
    weights: Float[Tensor, "b t 2"]


class Motion(NamedTuple):
    """A linear map of each clip's coordinates.

    Attributes:
        linear: (B, C, C) the map.
        moved: (B, V) the joints that it moves; all of them if not given.
    """

    linear: Float[Tensor, "b c c"]
    moved: Bool[Tensor, "b v"] | None = None


def crop(
    table: Float[Tensor, "rows mv"], first: Int[Tensor, "b c"], taps: Taps, motion: Motion | None = None
) -> Float[Tensor, "b c t mv"]:
    """Weighted sums of two frames of a clip each, joints moved by a linear map; NaN stays NaN.

    Args:
        table: a row for each coordinate and frame; of several people (M V), each moves alike.
        first: row of each coordinate in a clip's first frame.
        taps: the two frames.
        motion: none moves nothing.
    """
    way = crop_by_loop if table.device.type == "cpu" else crop_by_tensors
    return way(table, first, taps, motion)


def crop_by_tensors(
    table: Float[Tensor, "rows mv"], first: Int[Tensor, "b c"], taps: Taps, motion: Motion | None = None
) -> Float[Tensor, "b c t mv"]:
    """As `crop`, of any number of coordinates: frames are gathered and summed in one pass, and a product follows."""
    rows = taps.frames.to(first.dtype)[:, None] + first[:, :, None, None]
    weights = taps.weights[:, None].expand(rows.shape).reshape(-1, 2)
    crops = embedding_bag(rows.view(-1, 2), table, mode="sum", per_sample_weights=weights).view(*rows.shape[:-1], -1)
    if motion is None:
        return crops
    image = torch.bmm(motion.linear, crops.flatten(2)).view_as(crops)
    moved = _of_all_people(motion.moved, table.shape[1])
    return image if moved is None else torch.where(moved[:, None, None], image, crops)


def crop_by_loop(
    table: Float[Tensor, "rows mv"], first: Int[Tensor, "b c"], taps: Taps, motion: Motion | None = None
) -> Float[Tensor, "b c t mv"]:
    """As `crop`: all coordinates of a joint at a time, of which there are two or three."""
    batch, channels = first.shape
    width = table.shape[1]
    crops = torch.empty(batch, channels, taps.frames.shape[1], width)
    linear, moved = motion or Motion(torch.eye(channels).expand(batch, -1, -1))
    moved = _of_all_people(moved, width)
    if moved is None:
        moved = torch.ones(batch, width, dtype=torch.bool)
    _loop(*(tensor.contiguous().numpy() for tensor in (table, first, *taps, linear, moved, crops)))
    return crops


def _of_all_people(moved: Bool[Tensor, "b v"] | None, width: int) -> Bool[Tensor, "b mv"] | None:
    """The same joints of every person."""
    return moved if moved is None else moved.repeat(1, width // moved.shape[1])


@compiled
def _loop(
    table: Float32[np.ndarray, "rows mv"],
    first: Int[np.ndarray, "b c"],
    taps: Int[np.ndarray, "b t 2"],
    weights: Float32[np.ndarray, "b t 2"],
    linear: Float32[np.ndarray, "b c c"],
    moved: Bool[np.ndarray, "b mv"],
    crops: Float32[np.ndarray, "b c t mv"],
) -> None:
    """Fill `crops`; in 2-D the third coordinate is the second once more, with weight zero."""
    clips, channels, frames, width = crops.shape
    last = channels - 1
    for clip in range(clips):
        row_x, row_y, row_z = first[clip, 0], first[clip, 1], first[clip, last]
        xx, xy, xz = linear[clip, 0, 0], linear[clip, 0, 1], linear[clip, 0, last]
        yx, yy, yz = linear[clip, 1, 0], linear[clip, 1, 1], linear[clip, 1, last]
        zx, zy, zz = linear[clip, last, 0], linear[clip, last, 1], linear[clip, last, last]
        if channels == 2:
            xz = yz = zz = np.float32(0)
        for time in range(frames):
            below, above = taps[clip, time]
            less, more = weights[clip, time]
            for joint in range(width):
                x = less * table[row_x + below, joint] + more * table[row_x + above, joint]
                y = less * table[row_y + below, joint] + more * table[row_y + above, joint]
                z = less * table[row_z + below, joint] + more * table[row_z + above, joint]
                is_moved = moved[clip, joint]
                crops[clip, 0, time, joint] = xx * x + xy * y + xz * z if is_moved else x
                crops[clip, 1, time, joint] = yx * x + yy * y + yz * z if is_moved else y
                crops[clip, last, time, joint] = zx * x + zy * y + zz * z if is_moved else z
