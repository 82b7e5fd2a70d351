"""Cleaning as operations on tensors: absurd coordinates, frames that show nobody, gaps.

What `halpose.data.normalise.clean` does, but for one thing: people are taken as they are numbered. Who is who, who is a
ghost and who moves most is decided by loops over a recording, not by arithmetic on a batch.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from halpose.data.normalise import LARGEST


def cleaned(
    positions: Float[Tensor, "b m t v c"],
) -> tuple[Float[Tensor, "b m t v c"], Bool[Tensor, "b m t v"], Int[Tensor, " b"], Int[Tensor, " b"]]:
    """Clips with their gaps filled, what was seen of them, and where in them somebody is.

    Args:
        positions: main actor first, NaN where a joint or person is missing.

    Returns:
        The clips: the main actor whole in every frame that counts, anybody else from their first to their last; a joint
        that a clip never shows is NaN. Which joints were there before. The first frame that counts, and how many do (0
        where nobody is seen).
    """
    whole = (positions.abs() <= LARGEST).all(-1, keepdim=True)
    positions = torch.where(whole, positions, torch.nan)
    shown = whole[..., 0].any(3)
    start, end = _span(shown.any(1))
    first, last = _span(shown)
    # The main actor's gaps at the ends are filled too.
    first, last = torch.cat([start[:, None], first[:, 1:]], dim=1), torch.cat([end[:, None], last[:, 1:]], dim=1)
    frame = torch.arange(positions.shape[2], device=positions.device)
    present = (frame >= first[..., None]) & (frame < last[..., None])
    filled = torch.where(present[..., None, None], _filled(positions, whole[..., 0]), torch.nan)
    return filled, whole[..., 0], start, end - start


def _span(shown: Bool[Tensor, "*b t"]) -> tuple[Int[Tensor, "*b"], Int[Tensor, "*b"]]:
    """First frame that shows something, and the one after the last; 0 and 0 where there is none."""
    frames = shown.shape[-1]
    frame = torch.arange(frames, device=shown.device)
    last = torch.where(shown, frame + 1, 0).amax(-1)
    return torch.where(shown, frame, frames).amin(-1).minimum(last), last


def _filled(x: Float[Tensor, "b m t v c"], seen: Bool[Tensor, "b m t v"]) -> Float[Tensor, "b m t v c"]:
    """Each joint's gaps filled linearly in time, and from the nearest frame at the ends.

    A joint is seen for the first time, the second, the third ... : a table of these frames gives the one before and the
    one after each gap, however long a clip is.
    """
    clips, people, frames, joints = seen.shape
    frame = torch.arange(frames, device=x.device)[:, None].expand(clips, people, frames, joints)
    times = seen.long().cumsum(2)
    table = frame.new_zeros(clips, people, frames + 1, joints)
    table = table.scatter(2, torch.where(seen, times, 0), frame)  # row 0 takes what is not seen, and is not read
    before = table.gather(2, times.clamp_min(1))
    after = table.gather(2, (times + (~seen).long()).minimum(times[:, :, -1:]).clamp_min(1))
    share = (frame - before).to(x.dtype) / (after - before).clamp_min(1).to(x.dtype)
    # Before its first frame and after its last both ends are that frame, and the share counts for nothing.
    low, high = (x.gather(2, end[..., None].expand_as(x)) for end in (before, after))
    return low + share[..., None] * (high - low)
