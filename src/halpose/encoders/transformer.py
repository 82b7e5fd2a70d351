"""A small pre-norm transformer over time: the best encoder per CPU minute on small sets.

A token is a few consecutive frames of all people and joints. Temporal order lives in the position codes and, with
`segments` pooling, in the feature itself.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from halpose.encoders.base import Encoder
from halpose.encoders.pooling import InputNorm, Pool, flatten_frames, patches, sinusoids
from halpose.errors import ConfigError


class Transformer(Encoder):
    """Transformer encoder over tokens of `patch` frames.

    Args:
        channels: values per frame (V x C x M).
        width: model width.
        layers: number of blocks, each with a feed-forward part of twice the width.
        heads: attention heads; must divide the width.
        patch: frames per token; frames beyond a whole number of tokens are dropped from the end.
        dropout: inside the blocks.
        pooling: see `Pool`.
        segments: see `Pool`.
        input_norm: BatchNorm over the input channels.

    Raises:
        ConfigError: the heads do not divide the width.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        layers: int,
        heads: int,
        patch: int,
        dropout: float,
        pooling: str,
        segments: int,
        input_norm: bool,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ConfigError(f"encoder.width {width} is not a multiple of encoder.heads {heads}")
        self.patch = patch
        self.norm = InputNorm(channels) if input_norm else nn.Identity()
        self.embed = nn.Linear(channels * patch, width)
        block = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)
        self.pool = Pool(pooling, segments, width)

    def outputs(self, x: Float[Tensor, "n m t v c"]) -> tuple[Float[Tensor, "n s d"], None]:
        """One vector per token."""
        y: Tensor = self.norm(flatten_frames(x))
        y = self.embed(patches(y, self.patch).flatten(2))
        return self.blocks(y + sinusoids(y.shape[1], y.shape[2], y.device)), None
