"""What the transformers share: heads that divide the width, stretches of frames as tokens, codes of place in time."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from halpose.config import EncoderConfig
from halpose.errors import ConfigError


def attention_heads(config: EncoderConfig) -> int:
    """The number of heads, each as wide as the others.

    Raises:
        ConfigError: the heads do not divide the width.
    """
    if config.width % config.heads:
        raise ConfigError(f"encoder.width {config.width} is not a multiple of encoder.heads {config.heads}")
    return config.heads


def patches(x: Float[Tensor, "n t *rest"], size: int) -> Float[Tensor, "n s p *rest"]:
    """Stretches of `size` frames; what is left at the end is dropped. A shorter clip's last frame is repeated."""
    frames = x.shape[1]
    if frames < size:
        x = torch.cat([x, x[:, -1:].expand(-1, size - frames, *x.shape[2:])], dim=1)
    whole = x.shape[1] // size
    return x[:, : whole * size].reshape(x.shape[0], whole, size, *x.shape[2:])


def sinusoids(length: int, width: int, device: torch.device) -> Float[Tensor, "t d"]:
    """Fixed sine and cosine position codes (Vaswani et al., 2017)."""
    position = torch.arange(length, device=device, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, width, 2, device=device) * (-9.2103404 / width))
    code = torch.zeros(length, width, device=device)
    code[:, 0::2] = torch.sin(position * rate)
    code[:, 1::2] = torch.cos(position * rate[: width // 2])
    return code
