"""Random views of whole batches, on the device, from a `torch.Generator`; and the fixed view of evaluation.

`published_view` is what ISC, CMD and HaLP train on: a temporal crop, then either a shear or a joint jitter.
`composed_view` draws from a longer list, each part switched by its own setting, all applied together. In both, what
was missing in the recording (NaN) is zero in the view.

Where `data.confidence` asks for it, a view has how sure the source was of each joint as its last channel. It goes where
the joint goes (crop, mirror, reversal) and is zero where the joint is set to zero; nothing that moves a joint touches
it. No random number is drawn for it: with and without it, coordinates are the same.

Reference: HaLP (CVPR 2023) Sec. 4.2; ISC: Thoker et al., Skeleton-contrastive 3D Action Representation Learning, ACM MM
2021; AS-CAL: Rao et al., Information Sciences 2021 (shear, reversal, noise, blur, masks); AimCLR: Guo et al., AAAI
2022.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from halpose.config import ViewConfig
from halpose.data.window import Window, batch_axes

_EVALUATION_SHARE = 0.95  # of the frames, from the middle (published)
_BLUR_REACH = 7  # frames to either side


def random_view(
    window: Window, chosen: Int[Tensor, " b"], frames: int, config: ViewConfig, generator: torch.Generator
) -> Float[Tensor, "b m t v c"]:
    """One random view of each chosen clip.

    Args:
        window: where the clips are.
        chosen: positions of the clips in the window; a clip may be chosen twice and gets two different views.
        frames: T.
        config: what is drawn, and how strongly.
        generator: on the window's device.
    """
    view = published_view if config.published else composed_view
    return view(window, chosen, frames, config, generator)


def evaluation_view(window: Window, chosen: Int[Tensor, " b"], frames: int) -> Float[Tensor, "b m t v c"]:
    """The central 95 % of each clip, without randomness."""
    length = window.lengths[chosen]
    cut = (length * (1 - _EVALUATION_SHARE) / 2).floor().long()
    x = window.sample(chosen, cut, length - 2 * cut, frames)
    sure = confidence(window, x, chosen, cut, length - 2 * cut)
    return beside(x.nan_to_num_(0.0) if window.has_missing else x, sure)


def confidence(
    window: Window,
    x: Float[Tensor, "b c t m v"],
    chosen: Int[Tensor, " b"],
    start: Int[Tensor, " b"],
    length: Int[Tensor, " b"],
) -> Float[Tensor, "b 1 t m v"] | None:
    """How sure the source was of the joints of crops, 0 where they are missing; None where nobody asks for it."""
    sure = window.confidence(chosen, start, length, x.shape[2])
    return sure.masked_fill_(x[:, :1].isnan(), 0.0) if sure is not None and window.has_missing else sure


def beside(x: Float[Tensor, "b c t m v"], sure: Float[Tensor, "b 1 t m v"] | None) -> Float[Tensor, "b m t v k"]:
    """Coordinates and what goes with them, in the usual order of axes."""
    return batch_axes(x if sure is None else torch.cat((x, sure), dim=1))


def random_crop(
    lengths: Int[Tensor, " b"], config: ViewConfig, generator: torch.Generator
) -> tuple[Int[Tensor, " b"], Int[Tensor, " b"]]:
    """Start and length of a temporal crop: max(least, floor(T u)) frames, at most T, at a uniform place."""
    low, high = config.crop
    share, place = torch.rand(2, len(lengths), generator=generator, device=lengths.device)
    length = (lengths * (low + (high - low) * share)).floor().long()
    length = torch.minimum(length.clamp_min(config.least_frames), lengths)
    start = (place * (lengths - length + 1)).floor().long()
    return torch.minimum(start, lengths - length), length


def published_view(
    window: Window, chosen: Int[Tensor, " b"], frames: int, config: ViewConfig, generator: torch.Generator
) -> Float[Tensor, "b m t v c"]:
    """Crop, then with probability 1/2 a shear, else a jitter of some joints: zero, or a random linear map."""
    start, length = random_crop(window.lengths[chosen], config, generator)
    batch, device, (channels, _, joints) = len(chosen), window.device, window.shape
    entries = channels * channels
    random = torch.rand(batch * (2 + entries + joints), generator=generator, device=device)
    halves, linear, order = torch.split(random, [2 * batch, entries * batch, joints * batch])
    is_jittered, is_mixed = halves.view(2, batch) >= 0.5
    fixed, weight = _published_maps(channels, config.shear, device)
    kind = is_jittered * (1 + is_mixed.long())
    linear = torch.addcmul(fixed[kind], weight[kind], 2 * linear.view(batch, entries) - 1)
    # A shear touches every joint, a jitter some: one map and one mask of joints for both.
    touched = (order.view(batch, joints).argsort(dim=1) < round(config.jitter_joints * joints)) | ~is_jittered[:, None]
    x = window.sample(chosen, start, length, frames, linear.view(batch, channels, channels), touched)
    sure = confidence(window, x, chosen, start, length)
    if sure is not None:
        sure = without(sure, touched & (is_jittered & ~is_mixed)[:, None])
    return beside(x.nan_to_num_(0.0) if window.has_missing else x, sure)


def composed_view(
    window: Window, chosen: Int[Tensor, " b"], frames: int, config: ViewConfig, generator: torch.Generator
) -> Float[Tensor, "b m t v c"]:
    """Crop; rotation, shear, mirror and reversal; other mean pose, offsets and drift; noise and blur; masks."""
    start, length = random_crop(window.lengths[chosen], config, generator)
    batch, device, (channels, people, joints) = len(chosen), window.device, window.shape
    linear = rotation_matrix(batch, channels, window.up, config.yaw, generator, device)
    linear = shear_matrix(uniform((batch, channels, channels), 1.0, generator, device), config.shear) @ linear
    if config.tilt:
        linear = tilt_matrix(batch, channels, config.tilt, generator, device) @ linear
    x = window.sample(chosen, start, length, frames, linear)
    sure = confidence(window, x, chosen, start, length)
    if config.mirror:
        happens = chance(batch, config.mirror, generator, device)
        x = mirrored(x, window, happens)
        sure = None if sure is None else side_changed(sure, window, happens)
    if config.reverse:
        happens = chance(batch, config.reverse, generator, device)[:, None, None, None, None]
        x = torch.where(happens, x.flip(2), x)
        sure = None if sure is None else torch.where(happens, sure.flip(2), sure)
    if config.pose:
        x += pose_shift(x, config.pose, generator)
    if config.offset:
        shape = (batch, channels, 1, people, joints)
        x += config.offset * torch.randn(shape, generator=generator, device=device)
    if config.drift:
        x = drifted(x, config.drift, generator)
    if config.noise:
        x.add_(torch.randn(x.shape, generator=generator, device=device), alpha=config.noise)
    if window.has_missing:
        x.nan_to_num_(0.0)
    if config.blur:
        x = blurred(x, config.blur, generator)
    if config.mask_axis:
        axis = torch.randint(channels, (batch, 1), generator=generator, device=device)
        masked = (axis == torch.arange(channels, device=device)) & chance(
            batch, config.mask_axis, generator, device
        ).unsqueeze(1)
        x.masked_fill_(masked[:, :, None, None, None], 0.0)
    masked = torch.zeros((batch, joints), dtype=torch.bool, device=device)
    if config.mask_joints:
        some = some_joints(batch, joints, round(config.mask_joints * joints), generator, device)
        masked |= some & chance(batch, config.mask_probability, generator, device)[:, None]
    if config.mask_part:
        masked |= one_part(batch, window, generator) & chance(batch, config.mask_part, generator, device)[:, None]
    if config.mask_joints or config.mask_part:
        x.view(*x.shape[:3], -1).mul_(over_people(~masked, people))
        sure = None if sure is None else without(sure, masked)
    return beside(x, sure)


@cache
def _published_maps(
    channels: int, shear: float, device: torch.device
) -> tuple[Float[Tensor, "3 cc"], Float[Tensor, "3 cc"]]:
    """Of a shear, zeros and a mixture: what is fixed, and what random numbers in (-1, 1) weigh that are added."""
    eye = torch.eye(channels, device=device).flatten()
    zero = torch.zeros_like(eye)
    return torch.stack((eye, zero, zero)), torch.stack((shear * (1 - eye), zero, zero + 1))


@cache
def _partners(mirror: tuple[int, ...], device: torch.device) -> Int[Tensor, " v"]:
    """Each joint's partner, copied to a device once: to copy is to wait."""
    return torch.tensor(mirror, device=device)


@cache
def _part_table(parts: tuple[tuple[int, ...], ...], joints: int, device: torch.device) -> Bool[Tensor, "p v"]:
    """Which joints each part has, copied to a device once; one empty part where there is none."""
    table = torch.zeros(max(len(parts), 1), joints, dtype=torch.bool)
    for row, members in enumerate(parts):
        table[row, list(members)] = True
    return table.to(device)


def uniform(shape: tuple[int, ...], reach: float, generator: torch.Generator, device: torch.device) -> Tensor:
    """Uniform numbers in (-reach, reach)."""
    return (torch.rand(shape, generator=generator, device=device) * 2 - 1) * reach


def chance(batch: int, probability: float, generator: torch.Generator, device: torch.device) -> Bool[Tensor, " b"]:
    """For each clip, whether a thing of this probability happens."""
    return torch.rand(batch, generator=generator, device=device) < probability


def shear_matrix(random: Float[Tensor, "b c c"], reach: float) -> Float[Tensor, "b c c"]:
    """Ones on the diagonal, the rest from numbers uniform in (-1, 1), times reach."""
    eye = torch.eye(random.shape[-1], device=random.device)
    return torch.addcmul(eye, random, 1 - eye, value=reach)


def rotation_matrix(
    batch: int, channels: int, up: int, degrees: float, generator: torch.Generator, device: torch.device
) -> Float[Tensor, "b c c"]:
    """Rotations about the vertical, uniform in +- degrees; in 2-D, where that is not possible, in the plane."""
    angle = uniform((batch,), math.radians(degrees), generator, device)
    first, second = (0, 1) if channels == 2 else [axis for axis in range(3) if axis != up]
    matrix = torch.eye(channels, device=device).repeat(batch, 1, 1)
    matrix[:, first, first] = matrix[:, second, second] = angle.cos()
    matrix[:, first, second] = angle.sin()
    matrix[:, second, first] = -angle.sin()
    return matrix


def tilt_matrix(
    batch: int, channels: int, degrees: float, generator: torch.Generator, device: torch.device
) -> Float[Tensor, "b c c"]:
    """Rotations about a random axis each, uniform in +- degrees (Rodrigues' formula); in 2-D, in the plane."""
    if channels == 2:
        return rotation_matrix(batch, channels, 1, degrees, generator, device)
    axis = torch.nn.functional.normalize(torch.randn((batch, 3), generator=generator, device=device), dim=1)
    angle = uniform((batch, 1, 1), math.radians(degrees), generator, device)
    eye = torch.eye(3, device=device)
    cross = torch.linalg.cross(axis[:, None].expand(-1, 3, -1), eye.expand(batch, -1, -1), dim=2)
    matrix: Float[Tensor, "b 3 3"] = eye + angle.sin() * cross + (1 - angle.cos()) * cross @ cross
    return matrix


def mirrored(x: Float[Tensor, "b c t m v"], window: Window, happens: Bool[Tensor, " b"]) -> Float[Tensor, "b c t m v"]:
    """Left-right mirror image: x changes sign and left joints take the place of right ones."""
    image = x.index_select(4, _partners(window.layout.mirror, x.device))
    image[:, 0].neg_()
    return torch.where(happens[:, None, None, None, None], image, x)


def side_changed(
    sure: Float[Tensor, "b 1 t m v"], window: Window, happens: Bool[Tensor, " b"]
) -> Float[Tensor, "b 1 t m v"]:
    """What goes with the joints of a mirror image."""
    partners = _partners(window.layout.mirror, sure.device)
    return torch.where(happens[:, None, None, None, None], sure.index_select(4, partners), sure)


def without(sure: Float[Tensor, "b 1 t m v"], masked: Bool[Tensor, "b v"]) -> Float[Tensor, "b 1 t m v"]:
    """Zero for joints that are set to zero."""
    return sure.masked_fill(masked[:, None, None, None], 0.0)


def pose_shift(x: Float[Tensor, "b c t m v"], reach: float, generator: torch.Generator) -> Float[Tensor, "b c 1 m v"]:
    """What moves each clip's mean pose a fraction uniform in (0, reach) toward a random other clip's.

    Of several people each takes on another's pose where it is: who is how far from whom is the movement itself.
    """
    # How often each joint was seen; a mapped joint is missing in all its coordinates or in none.
    seen = x.shape[2] - x[:, :1].isnan().to(x.dtype).sum(dim=2, keepdim=True)
    mean = x.nansum(dim=2, keepdim=True) / seen
    if x.shape[3] > 1:
        mean = mean - mean.nanmean(dim=4, keepdim=True)
    other = mean[torch.randperm(len(x), generator=generator, device=x.device)]
    share = reach * torch.rand((len(x), 1, 1, 1, 1), generator=generator, device=x.device)
    return (share * (other - mean)).nan_to_num(0.0)


def drifted(x: Float[Tensor, "b c t m v"], deviation: float, generator: torch.Generator) -> Float[Tensor, "b c t m v"]:
    """Add a slow wander of every joint: cosines of one, two and three half-waves over the view."""
    batch, channels, frames, people, joints = x.shape
    time = (torch.arange(frames, device=x.device) + 0.5) / frames
    waves = deviation * torch.cos(math.pi * torch.arange(1, 4, device=x.device) * time[:, None])
    size = torch.randn((batch * channels, 3, people * joints), generator=generator, device=x.device)
    planes = x.view(batch * channels, frames, people * joints)
    return torch.baddbmm(planes, waves.expand(len(size), -1, -1), size).view_as(x)


def blurred(
    x: Float[Tensor, "b c t m v"], probability: float, generator: torch.Generator
) -> Float[Tensor, "b c t m v"]:
    """Some clips smoothed over time by a Gaussian of 15 taps, its deviation uniform in (0.1, 2) frames.

    The weights sum to one at every frame, ends included (AimCLR's and AS-CAL's published kernels are not normalised).
    """
    batch, frames = x.shape[0], x.shape[2]
    deviation = 0.1 + 1.9 * torch.rand((batch, 1, 1), generator=generator, device=x.device)
    happens = chance(batch, probability, generator, x.device)[:, None, None]
    time = torch.arange(frames, device=x.device)
    apart = (time[:, None] - time).abs()
    weight = torch.exp(-0.5 * (apart / deviation).square()) * (apart <= _BLUR_REACH)
    weight = torch.where(happens, weight / weight.sum(2, keepdim=True), torch.eye(frames, device=x.device))
    return (weight[:, None] @ x.flatten(3)).view_as(x)


def some_joints(
    batch: int, joints: int, count: int, generator: torch.Generator, device: torch.device
) -> Bool[Tensor, "b v"]:
    """For each clip, a random set of `count` joints."""
    order = torch.rand((batch, joints), generator=generator, device=device).argsort(dim=1)
    return order < count


def over_people(joints: Bool[Tensor, "b v"], people: int) -> Float[Tensor, "b 1 1 mv"]:
    """One for the chosen joints of every person, else zero, beside (B, C, T, M V): long rows are quicker."""
    return torch.cat((joints.float(),) * people, dim=1)[:, None, None]


def one_part(batch: int, window: Window, generator: torch.Generator) -> Bool[Tensor, "b v"]:
    """For each clip, the joints of one random body part of the layout."""
    parts = _part_table(tuple(window.layout.parts.values()), len(window.layout), window.device)
    return parts[torch.randint(len(parts), (batch,), generator=generator, device=window.device)]
