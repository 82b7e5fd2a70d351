"""A long short-term memory over flattened frames: the encoder of AS-CAL.

AS-CAL's feature is the mean of the hidden states: `encoder.pooling = mean`, one layer, width 256. Its "momentum LSTM"
is this one as the key branch.

Reference: Rao et al., Augmented Skeleton Based Contrastive Action Learning with Momentum LSTM for Unsupervised Action
Recognition, Information Sciences 2021, Sec. 3.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from halpose.encoders.base import Encoder
from halpose.encoders.pooling import InputNorm, Pool, flatten_frames


class LSTM(Encoder):
    """Layers of one LSTM, forward in time.

    Args:
        channels: values per frame (V x C x M).
        width: hidden size (AS-CAL: 256).
        layers: number of layers (AS-CAL: 1).
        dropout: between the layers.
        pooling: see `Pool` (AS-CAL: mean).
        segments: see `Pool`.
        input_norm: BatchNorm over the input channels.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        layers: int,
        dropout: float,
        pooling: str,
        segments: int,
        input_norm: bool,
    ) -> None:
        super().__init__()
        self.norm = InputNorm(channels) if input_norm else nn.Identity()
        # One layer has nothing after it that could be dropped, and torch warns.
        self.lstm = nn.LSTM(channels, width, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.pool = Pool(pooling, segments, width)

    def outputs(self, x: Float[Tensor, "n m t v c"]) -> tuple[Float[Tensor, "n t d"], Float[Tensor, "n d"]]:
        """Hidden states of the last layer at every frame, and the last of them."""
        y, (states, _) = self.lstm(self.norm(flatten_frames(x)))
        return y, states[-1]
