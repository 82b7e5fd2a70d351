"""From one vector per time step to one feature per clip."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

POOLINGS = ("last", "final", "mean", "segments")


class Pool(nn.Module):
    """Pool the outputs of a sequence encoder over time.

    Args:
        how: `last` output; `final` hidden states, which of a truly bidirectional GRU have each seen the whole clip;
            `mean` over time, which forgets order; `segments`: means of consecutive stretches, concatenated, which
            keep it.
        segments: number of stretches.
        width: size of one output.
    """

    def __init__(self, how: str, segments: int, width: int) -> None:
        super().__init__()
        self.how = how
        self.segments = segments
        self.feature_dim = width * segments if how == "segments" else width

    def forward(
        self, outputs: Float[Tensor, "n t d"], final: Float[Tensor, "n d"] | None = None
    ) -> Float[Tensor, "n f"]:
        """One feature per clip; `final` is needed by `final` only and falls back on the last output."""
        if self.how == "segments":
            means = nn.functional.adaptive_avg_pool1d(outputs.transpose(1, 2), self.segments)
            return means.transpose(1, 2).flatten(1)
        if self.how == "mean":
            return outputs.mean(1)
        if self.how == "final" and final is not None:
            return final
        return outputs[:, -1]


def flatten_frames(x: Float[Tensor, "n m t v c"]) -> Float[Tensor, "n t vcm"]:
    """All coordinates of a frame as one vector, ordered joint, channel, person, as the published encoders take it."""
    people, joints, channels = x.shape[1], x.shape[3], x.shape[4]
    return x.permute(0, 2, 3, 4, 1).reshape(x.shape[0], x.shape[2], joints * channels * people)


class InputNorm(nn.Module):
    """BatchNorm over the input channels of (N, T, channels), as the published GRU begins."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, x: Float[Tensor, "n t d"]) -> Float[Tensor, "n t d"]:
        """Normalise each channel over batch and time."""
        normalised: Tensor = self.norm(x.reshape(-1, x.shape[-1]))
        return normalised.view_as(x)
