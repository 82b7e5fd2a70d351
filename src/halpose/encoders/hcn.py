"""The hierarchical co-occurrence network (HCN): a sequence as an image of time by joints, coordinates its colours.

First each joint by itself: convolutions that never mix two joints. Then the joints become the channels, so that every
later convolution sees all of them at once: what occurs together. Positions and motion go through branches of their own
until halfway. People share the weights; each output is the largest among them.

Deviations from the paper: pooling over time ends where the branches join, and a linear layer per time step replaces the
one over the whole map, so that there are outputs in order of time for `encoder.pooling`; each convolution has a
BatchNorm, as it is trained without dropout.

Reference: Li et al., Co-occurrence Feature Learning from Skeleton Data for Action Recognition and Detection with
Hierarchical Aggregation, IJCAI 2018. As the image-like view of ISC: Thoker et al., ACM MM 2021.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from halpose.config import EncoderConfig
from halpose.encoders.base import Encoder
from halpose.skeleton import motion

_LEAST = 8  # channels of the narrowest convolution


class HCN(Encoder):
    """Two branches of point and co-occurrence convolutions, joined.

    Args:
        joints: V.
        channels: C, values per joint.
        config: `width` is the channels at the end (Li et al.: 256), and the parts before are sized by it, as in the
            paper; `layers` the convolutions after the branches join (2); `dropout` before the last, linear layer (0.5);
            `input_norm` is over a person's V x C channels.
    """

    def __init__(self, joints: int, channels: int, config: EncoderConfig) -> None:
        super().__init__(joints * channels, config.width, config)
        width, layers = config.width, config.layers
        eighth, quarter, half = (max(_LEAST, width // share) for share in (8, 4, 2))
        self.position = _branch(joints, channels, eighth, quarter)
        self.motion = _branch(joints, channels, eighth, quarter)
        # The former point channels are the map's second side, halved with time by each branch, then alone.
        side, before = -(-eighth // 4), 2 * quarter
        joined: list[nn.Module] = []
        for layer in range(layers):
            after = width if layer == layers - 1 else half
            joined += [*_convolution(before, after, 3), nn.MaxPool2d((1, 2), ceil_mode=True)]
            before, side = after, -(-side // 2)
        self.joined = nn.Sequential(*joined)
        self.dropout = nn.Dropout(config.dropout)
        self.last = nn.Linear(width * side, width)

    def outputs(self, x: Float[Tensor, "n m t v c"]) -> tuple[Float[Tensor, "n s d"], None]:
        """One vector per time step of the last map, a quarter of the frames; the largest among the people."""
        clips, people, frames, joints, channels = x.shape
        y = self.norm(x.reshape(clips * people, frames, joints * channels))
        y = y.view(clips * people, 1, frames, joints, channels)
        y = torch.cat([self.position(_image(y)), self.motion(_image(motion(y)))], dim=1)
        y = self.joined(y)
        y = self.last(self.dropout(y.permute(0, 2, 1, 3).flatten(2)))
        return y.view(clips, people, y.shape[1], y.shape[2]).amax(1), None


class JointsAsChannels(nn.Module):
    """(B, D, T, V) to (B, V, T, D): what was a place in the image becomes a channel."""

    def forward(self, x: Float[Tensor, "b d t v"]) -> Float[Tensor, "b v t d"]:
        """Swap the two."""
        return x.transpose(1, 3).contiguous()


def _image(x: Float[Tensor, "b 1 t v c"]) -> Float[Tensor, "b c t v"]:
    """One person's clip with its coordinates as channels."""
    return x.squeeze(1).permute(0, 3, 1, 2)


def _branch(joints: int, channels: int, eighth: int, quarter: int) -> nn.Sequential:
    """Each joint by itself, over single frames and over three; then all joints at once, twice, halving time twice."""
    return nn.Sequential(
        *_convolution(channels, quarter, 1),
        *_convolution(quarter, eighth, (3, 1)),
        JointsAsChannels(),
        *_convolution(joints, eighth, 3),
        nn.MaxPool2d(2, ceil_mode=True),
        *_convolution(eighth, quarter, 3),
        nn.MaxPool2d(2, ceil_mode=True),
    )


def _convolution(before: int, after: int, kernel: int | tuple[int, int]) -> tuple[nn.Module, ...]:
    """Convolution of the same size, BatchNorm (so no bias), ReLU."""
    return nn.Conv2d(before, after, kernel, padding="same", bias=False), nn.BatchNorm2d(after), nn.ReLU()
