"""Normalisation as operations on tensors: centring, alignment and scale of clips, from their own positions.

`halpose.data.normalise` works out the same transforms in numpy, clip by clip, when a recording is cleaned, and
`halpose.data.window` applies them.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from halpose.config import DataConfig
from halpose.data.align import NO_DIRECTION
from halpose.skeleton import Layout

_LEAST_SCALE = 1e-6  # as in `halpose.data.window`


class Normalisation(nn.Module):
    """x' = R (x - c) / s of the frames that a view is made of, with transforms that follow from the whole clip.

    Args:
        layout: joints of the input.
        data: resolved switches `centre`, `align`, `scale`.
    """

    def __init__(self, layout: Layout, data: DataConfig) -> None:
        super().__init__()
        self.centre, self.align, self.scale = data.centre, data.align, data.scale
        self.joint, self.spine, self.sides = layout.centre, layout.spine, layout.sides

    def forward(
        self,
        positions: Float[Tensor, "b m t v c"],
        start: Int[Tensor, " b"],
        before: Int[Tensor, "b f"],
        after: Int[Tensor, "b f"],
        share: Float[Tensor, "b f"],
    ) -> Float[Tensor, "b m f v c"]:
        """Frames between two of a clip each, normalised; missing joints stay NaN.

        Args:
            positions: clips, padded with NaN.
            start: first frame of each that counts.
            before: of each frame of the view, the frame of the clip before it.
            after: and the one after it.
            share: how far it is from the one to the other, 0 to 1.
        """
        actor = positions[:, 0]
        centres = self._centres(actor)
        origin = frames_of(centres, start[:, None])
        low, high = frames_of(positions, before), frames_of(positions, after)
        if self.centre == "first":
            low, high = low - origin[:, :, None, None], high - origin[:, :, None, None]
        elif self.centre == "frame":
            low = low - frames_of(centres, before)[:, :, None, None]
            high = high - frames_of(centres, after)[:, :, None, None]
        x = low + share[:, :, None, None, None] * (high - low)
        rotation = self._rotation(positions, start)
        if rotation is not None:
            x = (x.flatten(1, 3) @ rotation.transpose(1, 2)).view_as(x)
        if self.scale == "rms":
            moved = actor - (centres if self.centre == "frame" else origin)[:, :, None]
            x = x / _rms(moved).clamp_min(_LEAST_SCALE)[:, None, None, None, None]
        return x.transpose(1, 2)

    def _centres(self, actor: Float[Tensor, "b t v c"]) -> Float[Tensor, "b t c"]:
        """The centre joint in each frame; where it was not seen, the middle of the joints that were."""
        centre = actor[:, :, self.joint]
        seen = ~actor.isnan()
        middle = torch.where(seen, actor, 0.0).sum(2) / seen.sum(2).clamp_min(1)
        return torch.where(centre.isnan(), middle, centre)

    def _rotation(
        self, positions: Float[Tensor, "b m t v c"], start: Int[Tensor, " b"]
    ) -> Float[Tensor, "b 3 3"] | None:
        """How each clip is turned; None where none is."""
        if self.align == "none" or positions.shape[-1] != 3:
            return None
        if self.align == "pair" and positions.shape[1] > 1:
            return self._pair(positions)
        if not self.sides:
            return None
        if self.align == "first":
            return self._first(frames_of(positions, start[:, None])[:, 0, 0])
        return _about_vertical(*self._across(positions[:, 0]))

    def _across(self, actor: Float[Tensor, "b t v c"]) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
        """What `halpose.data.align.torso_rotation` turns to +x."""
        right, left = zip(*self.sides, strict=True)
        return _mean_level(actor[:, :, list(left)] - actor[:, :, list(right)])

    def _pair(self, positions: Float[Tensor, "b m t v c"]) -> Float[Tensor, "b 3 3"]:
        """As `halpose.data.align.pair_rotation`."""
        x, z = _mean_level(positions[:, 1] - positions[:, 0])
        x, z = z, -x  # what is turned to +x then, when the pair's direction is turned to +z
        if self.sides:
            is_alone = ~_is_direction(x, z)
            across = self._across(positions[:, 0])
            x, z = torch.where(is_alone, across[0], x), torch.where(is_alone, across[1], z)
        return _about_vertical(x, z)

    def _first(self, pose: Float[Tensor, "b v c"]) -> Float[Tensor, "b 3 3"]:
        """As `halpose.data.align.first_rotation`."""
        lower, upper = self.spine
        right, left = self.sides[0]
        upright = _smallest_rotation(pose[:, upper] - pose[:, lower], axis=2)
        across = (upright @ (pose[:, right] - pose[:, left])[:, :, None])[:, :, 0]
        return _smallest_rotation(across, axis=0) @ upright


def _mean_level(directions: Float[Tensor, "b t v 3"]) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
    """Mean x and z of the directions that are known; 0 and 0 where none is."""
    directions = directions.flatten(1, 2)
    seen = ~directions.isnan().any(-1, keepdim=True)
    x, _, z = (torch.where(seen, directions, 0.0).sum(1) / seen.sum(1).clamp_min(1)).unbind(1)
    return x, z


def _is_direction(x: Float[Tensor, " b"], z: Float[Tensor, " b"]) -> Bool[Tensor, " b"]:
    return (x.square() + z.square()).sqrt() > NO_DIRECTION


def _about_vertical(x: Float[Tensor, " b"], z: Float[Tensor, " b"]) -> Float[Tensor, "b 3 3"]:
    """The rotation about y that turns (x, ., z) to +x; the identity where that is no direction."""
    directed = _is_direction(x, z)
    length = torch.where(directed, (x.square() + z.square()).sqrt(), 1.0)
    one, nothing = torch.ones_like(length), torch.zeros_like(length)
    cosine, sine = torch.where(directed, x / length, 1.0), torch.where(directed, z / length, 0.0)
    rows = (cosine, nothing, sine, nothing, one, nothing, -sine, nothing, cosine)
    return torch.stack(rows, dim=1).view(-1, 3, 3)


def frames_of(x: Tensor, chosen: Int[Tensor, "b f"]) -> Tensor:
    """Frames of each clip, (B, F, ...): of (B, T, C), or of (B, M, T, V) and (B, M, T, V, C), where time is third."""
    if x.ndim > 3:
        x = x.transpose(1, 2)
    clip = torch.arange(x.shape[0], device=x.device)[:, None] * x.shape[1]
    found = x.flatten(0, 1).index_select(0, (chosen + clip).flatten())
    return found.view(-1, chosen.shape[1], *x.shape[2:])


def _smallest_rotation(a: Float[Tensor, "b 3"], axis: int) -> Float[Tensor, "b 3 3"]:
    """As `halpose.data.align.smallest_rotation`, to the unit vector along a coordinate axis."""
    eye = torch.eye(3, dtype=a.dtype, device=a.device)
    length = a.square().sum(1, keepdim=True).sqrt()
    exists = length > 0
    unit = a / torch.where(exists, length, 1.0)
    target = eye[axis].expand_as(unit)
    normal = torch.linalg.cross(unit, target)
    turns = exists[:, 0] & (normal.abs().sum(1) >= NO_DIRECTION)
    x, y, z = normal.unbind(1)
    nothing = torch.zeros_like(x)
    cross = torch.stack((nothing, -z, y, z, nothing, -x, -y, x, nothing), dim=1).view(-1, 3, 3)
    cosine = unit[:, axis]
    # 1 / (1 + cosine) loses its digits where the vector points the other way; (1 - cosine) / sine² does not.
    sine = normal.square().sum(1)
    opposed = (1 - cosine) / torch.where(turns, sine, 1.0)
    factor = torch.where(cosine < 0, opposed, 1 / (1 + cosine.clamp_min(0)))
    rotation = eye + cross + factor[:, None, None] * (cross @ cross)
    return torch.where(turns[:, None, None], rotation, eye)


def _rms(x: Float[Tensor, "b t v c"]) -> Float[Tensor, " b"]:
    """Root mean square of the coordinates that are there; 1 for a body without size."""
    seen = ~x.isnan()
    squares = torch.where(seen, x, 0.0).square().sum((1, 2, 3))
    rms = (squares / seen.sum((1, 2, 3)).clamp_min(1)).sqrt()
    return torch.where(rms > 0, rms, 1.0)
