"""A small space-time transformer: a token per joint and stretch of frames; attention among joints, then along time.

Factorised attention (Bertasius et al., TimeSformer, ICML 2021, "divided"; for skeletons Plizzari et al., ST-TR, CVIU
2021) costs S (VM)^2 + VM S^2 per layer where attention among all tokens costs (S VM)^2. Pre-norm. Time has sinusoidal
codes; joints and people have codes that are learned.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from halpose.config import EncoderConfig
from halpose.encoders.base import Encoder
from halpose.encoders.pooling import flatten_frames
from halpose.encoders.tokens import attention_heads, patches, sinusoids


class SpaceTimeTransformer(Encoder):
    """Transformer over tokens of one joint of one person in `patch` frames.

    Args:
        joints: V.
        channels: C, values per joint.
        people: M; the joints of all people attend to each other.
        config: `layers` is the number of blocks; `dropout` acts on what each part of a block adds; frames beyond a
            whole number of patches are dropped from the end.

    Raises:
        ConfigError: the heads do not divide the width.
    """

    def __init__(self, joints: int, channels: int, people: int, config: EncoderConfig) -> None:
        super().__init__(joints * channels * people, config.width, config)
        width, heads = config.width, attention_heads(config)
        self.patch = config.patch
        self.embed = nn.Linear(channels * config.patch, width)
        self.joints = nn.Parameter(torch.randn(joints, width) * 0.02)
        self.people = nn.Parameter(torch.randn(people, 1, width) * 0.02)
        self.blocks = nn.ModuleList(Block(width, heads, config.dropout) for _ in range(config.layers))
        self.last_norm = nn.LayerNorm(width)

    def outputs(self, x: Float[Tensor, "n m t v c"]) -> tuple[Float[Tensor, "n s d"], None]:
        """Mean over joints and people at each stretch of frames."""
        clips, people, frames, joints, channels = x.shape
        y = self.norm(flatten_frames(x)).view(clips, frames, joints, channels, people)
        y = patches(y.permute(0, 1, 4, 2, 3), self.patch)  # (N, S, patch, M, V, C)
        y = self.embed(y.permute(0, 1, 3, 4, 2, 5).flatten(4))
        time = sinusoids(y.shape[1], y.shape[-1], y.device)[:, None, None]
        y = (y + time + self.joints + self.people).flatten(2, 3)
        for block in self.blocks:
            y = block(y)
        return self.last_norm(y).mean(2), None


class Block(nn.Module):
    """Attention among the joints of a time step, attention along each joint's time, feed-forward; each added."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.space = Attention(width, heads)
        self.time = Attention(width, heads)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "n s p d"]) -> Float[Tensor, "n s p d"]:
        """Space, time, feed-forward."""
        x = x + self.dropout(self.space(self.norms[0](x)))
        x = x + self.dropout(self.time(self.norms[1](x).transpose(1, 2)).transpose(1, 2))
        added: Tensor = self.dropout(self.feed(self.norms[2](x)))
        return x + added


class Attention(nn.Module):
    """Self-attention along the last axis but one; the others are batch."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        # A bias of the keys would change nothing: it moves all scores of a query alike.
        self.mix = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "a b l d"]) -> Float[Tensor, "a b l d"]:
        """Every token's mixture of all tokens."""
        # Four axes: torch's fused attention on a GPU takes no other shape.
        mixture = self.mix(x).reshape(-1, x.shape[2], 3, self.heads, x.shape[3] // self.heads)
        query, key, value = mixture.permute(2, 0, 3, 1, 4)
        found = nn.functional.scaled_dot_product_attention(query, key, value)
        mixed: Tensor = self.out(found.transpose(1, 2).reshape(x.shape))
        return mixed
