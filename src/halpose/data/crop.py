"""Crops of clips, resized over time and moved by a linear map: what every view of a batch begins with.

The same in two ways, for tensors on any device and, in a third of the time, as one loop for those in memory.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor
from torch.nn.functional import embedding_bag

from halpose.compiled import compiled


def crop(
    table: Float[Tensor, "rows mv"],
    first: Int[Tensor, "b c"],
    taps: Int[Tensor, "b t 2"],
    weights: Float[Tensor, "b t 2"],
    linear: Float[Tensor, "b c c"] | None = None,
    moved: Bool[Tensor, "b mv"] | None = None,
) -> Float[Tensor, "b c t mv"]:
    """Weighted sums of two frames of a clip each, joints moved by a linear map; NaN stays NaN.

    Args:
        table: a row for each coordinate and frame.
        first: row of each coordinate in a clip's first frame.
        taps: the two frames, by their number in the clip.
        weights: theirs.
        linear: each clip's map; none moves nothing.
        moved: the joints that it moves; all of them if not given.
    """
    way = crop_by_loop if table.device.type == "cpu" else crop_by_tensors
    return way(table, first, taps, weights, linear, moved)


def crop_by_tensors(
    table: Float[Tensor, "rows mv"],
    first: Int[Tensor, "b c"],
    taps: Int[Tensor, "b t 2"],
    weights: Float[Tensor, "b t 2"],
    linear: Float[Tensor, "b c c"] | None = None,
    moved: Bool[Tensor, "b mv"] | None = None,
) -> Float[Tensor, "b c t mv"]:
    """As `crop`, of any number of coordinates: frames are gathered and summed in one pass, and a product follows."""
    rows = taps.to(first.dtype)[:, None] + first[:, :, None, None]
    weights = weights[:, None].expand(rows.shape).reshape(-1, 2)
    crops = embedding_bag(rows.view(-1, 2), table, mode="sum", per_sample_weights=weights).view(*rows.shape[:-1], -1)
    if linear is None:
        return crops
    image = torch.bmm(linear, crops.flatten(2)).view_as(crops)
    return image if moved is None else torch.where(moved[:, None, None], image, crops)


def crop_by_loop(
    table: Float[Tensor, "rows mv"],
    first: Int[Tensor, "b c"],
    taps: Int[Tensor, "b t 2"],
    weights: Float[Tensor, "b t 2"],
    linear: Float[Tensor, "b c c"] | None,
    moved: Bool[Tensor, "b mv"] | None,
) -> Float[Tensor, "b c t mv"]:
    """As `crop`: all coordinates of a joint at a time, of which there are two or three."""
    batch, channels = first.shape
    crops = torch.empty(batch, channels, taps.shape[1], table.shape[1])
    if linear is None:
        linear = torch.eye(channels).expand(batch, -1, -1)
    if moved is None:
        moved = torch.ones(batch, table.shape[1], dtype=torch.bool)
    _loop(*(tensor.contiguous().numpy() for tensor in (table, first, taps, weights, linear, moved, crops)))
    return crops


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
