"""What every encoder is: outputs over time, then a pooling that makes them one feature per clip."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from halpose.config import EncoderConfig
from halpose.encoders.pooling import InputNorm, Pool


class Encoder(nn.Module):
    """A sequence encoder: `outputs` is what each one is about, `forward` pools them.

    The two are apart because a term may work on the outputs themselves (AimCLR drops the most telling of them).

    Args:
        inputs: channels that are normalised: values of a frame, or of one person in it.
        width: D, size of one output.
        config: `input_norm`, and how to pool.

    Attributes:
        norm: BatchNorm over the input channels, or nothing.
        pool: from outputs to a feature.
        feature_dim: F, the size of a feature.
    """

    def __init__(self, inputs: int, width: int, config: EncoderConfig) -> None:
        super().__init__()
        self.norm = InputNorm(inputs) if config.input_norm else nn.Identity()
        self.pool = Pool(config.pooling, config.segments, width)

    @property
    def feature_dim(self) -> int:
        """Size of a feature."""
        return self.pool.feature_dim

    def outputs(self, x: Float[Tensor, "n m t v c"]) -> tuple[Float[Tensor, "n s d"], Float[Tensor, "n d"] | None]:
        """One vector per time step (or token), in order of time; and the final state where there is such a thing."""
        raise TypeError(f"{type(self).__name__} is an encoder without outputs")

    def forward(self, x: Float[Tensor, "n m t v c"]) -> Float[Tensor, "n f"]:
        """Feature of each clip."""
        feature: Tensor = self.pool(*self.outputs(x))
        return feature
