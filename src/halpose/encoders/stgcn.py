"""A small spatial-temporal graph convolutional network (ST-GCN): convolutions along bones, then along time.

Reference: Yan et al., Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action Recognition, AAAI 2018.
Its network has nine blocks of 64, 128 and 256 channels; here width and depth are settings, and so is its BatchNorm over
the input. CrosSCLR (Li et al., CVPR 2021) and AimCLR (Guo et al., AAAI 2022) train it with a quarter of the channels.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from halpose.config import EncoderConfig
from halpose.encoders.base import Encoder
from halpose.encoders.graph import spatial_partition
from halpose.skeleton import Layout

_STAGES = 3
_KERNEL = 9  # frames that a temporal convolution sees


class STGCN(Encoder):
    """Blocks in up to three stages; each stage after the first doubles the channels and halves the frames.

    Args:
        layout: whose graph it is.
        channels: C, values per joint.
        config: `width` is the channels of the last stage (Yan et al.: 256), `layers` the number of blocks (9), each
            with `dropout` at its end; `input_norm` is over a person's V x C channels (Yan et al.: yes).
    """

    def __init__(self, layout: Layout, channels: int, config: EncoderConfig) -> None:
        super().__init__(len(layout) * channels, config.width, config)
        self.register_buffer("graph", torch.from_numpy(spatial_partition(layout)), persistent=False)
        stages = min(_STAGES, config.layers)
        blocks, before, last = [], channels, 0
        for layer in range(config.layers):
            stage = layer * stages // config.layers
            after, stride = max(1, config.width >> (stages - 1 - stage)), 2 if stage > last else 1
            blocks.append(Block(before, after, stride, len(layout), config.dropout, shortcut=layer > 0))
            before, last = after, stage
        self.blocks = nn.ModuleList(blocks)

    def outputs(self, x: Float[Tensor, "n m t v c"]) -> tuple[Float[Tensor, "n s d"], None]:
        """Mean over joints and people at each time step that is left, a quarter of the frames."""
        clips, people, frames, joints, channels = x.shape
        y = self.norm(x.reshape(clips * people, frames, joints * channels))
        y = y.view(clips * people, frames, joints, channels).permute(0, 3, 1, 2).contiguous()
        for block in self.blocks:
            y = block(y, self.graph)
        return y.mean(3).view(clips, people, -1, y.shape[2]).mean(1).transpose(1, 2), None


class Block(nn.Module):
    """One spatial-temporal unit: graph convolution, temporal convolution, shortcut.

    Args:
        before: channels in.
        after: channels out.
        stride: of the temporal convolution.
        joints: V.
        dropout: at the end.
        shortcut: whether the input is added to the output (not in the first block, whose input is coordinates).
    """

    def __init__(self, before: int, after: int, stride: int, joints: int, dropout: float, shortcut: bool) -> None:
        super().__init__()
        # How much each bone counts, in each part, learned per block (Sec. 3.6).
        self.importance = nn.Parameter(torch.ones(3, joints, joints))
        # No biases: a BatchNorm follows each convolution.
        self.spatial = nn.Conv2d(3 * before, after, 1, bias=False)
        self.spatial_norm = nn.BatchNorm2d(after)
        self.temporal = nn.Conv2d(after, after, (_KERNEL, 1), (stride, 1), (_KERNEL // 2, 0), bias=False)
        self.temporal_norm = nn.BatchNorm2d(after)
        self.dropout = nn.Dropout(dropout)
        self.shortcut: nn.Module | None = None
        if shortcut and before == after and stride == 1:
            self.shortcut = nn.Identity()
        elif shortcut:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, (stride, 1), bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Float[Tensor, "b c t v"], graph: Float[Tensor, "3 v v"]) -> Float[Tensor, "b d s v"]:
        """What each joint takes from its neighbours, mixed, then convolved along time."""
        # Gathering before mixing is the cheaper order, since a block has no more channels in than out.
        gathered = torch.cat([x @ part for part in graph * self.importance], dim=1)
        y = self.spatial_norm(self.spatial(gathered)).relu()
        y = self.dropout(self.temporal_norm(self.temporal(y)))
        return nn.functional.relu(y if self.shortcut is None else y + self.shortcut(x))
