"""Recurrent encoders: `gru`, the form that the published code trains, and `bigru`, the one its name promises.

The published "BiGRU" is fed one frame at a time and carries both hidden states, so both halves run forward in time and
are concatenated between layers. Its checkpoints need that form. In a truly bidirectional GRU the last frame of the
reverse half has seen one frame only: there `final` pooling takes each half's final state instead.

Reference: HaLP (CVPR 2023) and CMD (ECCV 2022), Sec. 4; the forward-in-time form is the published code's.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from halpose.config import EncoderConfig
from halpose.encoders.base import Encoder
from halpose.encoders.pooling import flatten_frames
from halpose.encoders.recurrence import is_ours, two_grus
from halpose.encoders.rounded_recurrence import is_rounded, two_rounded_grus


class GRU(Encoder):
    """Layers of two GRUs, either both forward in time or one in each direction.

    Args:
        channels: values per frame (V x C x M).
        config: `width` is the hidden size of each half (published: 1024 and 3 layers, with `input_norm`).
        reverse: whether the second half runs backward in time.
    """

    def __init__(self, channels: int, config: EncoderConfig, reverse: bool = False) -> None:
        super().__init__(channels, 2 * config.width, config)
        self.reverse = reverse
        sizes = [channels] + [2 * config.width] * (config.layers - 1)
        self.first = nn.ModuleList(nn.GRU(size, config.width) for size in sizes)
        self.second = nn.ModuleList(nn.GRU(size, config.width) for size in sizes)

    def outputs(self, x: Float[Tensor, "n m t v c"]) -> tuple[Float[Tensor, "n t d"], Float[Tensor, "n d"]]:
        """Both halves' outputs of the last layer at every frame, and their final states."""
        y = self.norm(flatten_frames(x.transpose(0, 2)))  # (T, N, V C M): every frame of all clips lies together
        for first, second in zip(self.first, self.second, strict=True):
            y = self._layer(y, first, second)
        ahead, back = y.chunk(2, dim=2)
        final = torch.cat([ahead[-1], back[0 if self.reverse else -1]], dim=1)
        return y.transpose(0, 1), final

    def _layer(self, y: Float[Tensor, "t n i"], first: nn.Module, second: nn.Module) -> Float[Tensor, "t n d"]:
        """One layer in the quickest way that there is for these inputs."""
        if is_ours(y):
            return two_grus(y, first, second, self.reverse)
        if not self.training and is_rounded(y):  # in training, query and key are rounded alike
            return two_rounded_grus(y, first, second, self.reverse)
        return self._by_torch(y, first, second)

    def _by_torch(self, y: Float[Tensor, "t n i"], first: nn.Module, second: nn.Module) -> Float[Tensor, "t n d"]:
        """As `two_grus`, on any device and in any precision."""
        ahead, _ = first(y)
        back, _ = second(y.flip(0) if self.reverse else y)
        return torch.cat([ahead, back.flip(0) if self.reverse else back], dim=2)
