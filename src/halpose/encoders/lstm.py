"""A long short-term memory over flattened frames: the encoder of AS-CAL.

AS-CAL's feature is the mean of the hidden states: `encoder.pooling = mean`, one layer, width 256. Its "momentum LSTM"
is this one as the key branch.

Reference: Rao et al., Augmented Skeleton Based Contrastive Action Learning with Momentum LSTM for Unsupervised Action
Recognition, Information Sciences 2021, Sec. 3.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from halpose.config import EncoderConfig
from halpose.encoders.base import Encoder
from halpose.encoders.pooling import flatten_frames


class LSTM(Encoder):
    """Layers of one LSTM, forward in time.

    Args:
        channels: values per frame (V x C x M).
        config: `width` is the hidden size (AS-CAL: 256, one layer, pooling mean); `dropout` is between the layers.
    """

    def __init__(self, channels: int, config: EncoderConfig) -> None:
        super().__init__(channels, config.width, config)
        # One layer has nothing after it that could be dropped, and torch warns.
        dropout = config.dropout if config.layers > 1 else 0.0
        self.lstm = nn.LSTM(channels, config.width, config.layers, batch_first=True, dropout=dropout)

    def outputs(self, x: Float[Tensor, "n m t v c"]) -> tuple[Float[Tensor, "n t d"], Float[Tensor, "n d"]]:
        """Hidden states of the last layer at every frame, and the last of them."""
        y, (states, _) = self.lstm(self.norm(flatten_frames(x)))
        return y, states[-1]
