"""A small pre-norm transformer over time: the best encoder per CPU minute on small sets.

A token is a few consecutive frames of all people and joints. Temporal order lives in the position codes and, with
`segments` pooling, in the feature itself.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from halpose.config import EncoderConfig
from halpose.encoders.base import Encoder
from halpose.encoders.pooling import flatten_frames
from halpose.encoders.tokens import attention_heads, patches, sinusoids


class Transformer(Encoder):
    """Transformer encoder over tokens of `patch` frames.

    Args:
        channels: values per frame (V x C x M).
        config: `layers` is the number of blocks, each with a feed-forward part of twice the `width` and with `dropout`;
            frames beyond a whole number of patches are dropped from the end.

    Raises:
        ConfigError: the heads do not divide the width.
    """

    def __init__(self, channels: int, config: EncoderConfig) -> None:
        super().__init__(channels, config.width, config)
        width, heads = config.width, attention_heads(config)
        self.patch = config.patch
        self.embed = nn.Linear(channels * config.patch, width)
        block = nn.TransformerEncoderLayer(
            width, heads, 2 * width, config.dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, config.layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)

    def outputs(self, x: Float[Tensor, "n m t v c"]) -> tuple[Float[Tensor, "n s d"], None]:
        """One vector per token."""
        y: Tensor = self.norm(flatten_frames(x))
        y = self.embed(patches(y, self.patch).flatten(2))
        return self.blocks(y + sinusoids(y.shape[1], y.shape[2], y.device)), None
