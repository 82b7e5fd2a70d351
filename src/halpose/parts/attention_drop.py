"""Drop what an encoder attends to most: the energy-based attention-guided drop module (EADM) of AimCLR."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

_EPSILON = 1e-4  # added to the variance (AimCLR, after SimAM)


def attention_drop(outputs: Float[Tensor, "n s d"], threshold: float) -> Float[Tensor, "n s d"]:
    """Set the outputs that stand out from their channel to zero, and scale the rest up.

    The energy of a value is (x - mean)^2 / (4 (variance + 1e-4)) + 1/2 over its channel's positions; its attention is
    the sigmoid of that, between 0.62 and 1. Dropped are positions whose mean attention reaches the threshold, and then
    single values whose attention does. The mask carries no gradient.

    The paper's module drops joints and frames of ST-GCN's feature map; this one takes the positions an encoder has.

    Args:
        outputs: of an encoder, S positions of D channels.
        threshold: attention from which on a value is dropped (published 0.7).

    Reference: Guo et al., AimCLR, AAAI 2022, Sec. 3.3; Yang et al., SimAM, ICML 2021.
    """
    with torch.no_grad():
        distance = (outputs - outputs.mean(1, keepdim=True)).square()
        variance = distance.sum(1, keepdim=True) / max(outputs.shape[1] - 1, 1)
        attention = torch.sigmoid(distance / (4 * (variance + _EPSILON)) + 0.5)
        is_position_kept = attention.mean(2, keepdim=True) < threshold
        kept = ((attention < threshold) & is_position_kept).to(outputs.dtype)
        scale = kept.numel() / kept.sum().clamp_min(1.0)
    return outputs * kept * scale
