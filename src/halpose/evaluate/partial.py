"""Clips compared over what is known of both: missing values are NaN and count for nothing.

Everything is a matrix product of values, or of which are known, so that it costs three or four of them in place of one.
"""

from __future__ import annotations

import torch
from jaxtyping import Float

FARTHEST = -torch.finfo(torch.float32).max
"""Of two clips that have nothing in common nobody knows how like they are: they come last."""


def partial_cosine(query: Float[torch.Tensor, "q d"], other: Float[torch.Tensor, "g d"]) -> Float[torch.Tensor, "q g"]:
    """Cosine over the values that both have; 0 where one of them has no signal there, least where none are common."""
    (query, known), (other, known_other) = _split(query), _split(other)
    lengths = (query.square() @ known_other.T) * (known @ other.square().T)
    cosine = (query @ other.T) / lengths.sqrt().clamp_min(torch.finfo(torch.float32).tiny)
    return cosine.masked_fill(known @ known_other.T == 0, FARTHEST)


def minus_partial_distance(
    query: Float[torch.Tensor, "q d"], other: Float[torch.Tensor, "g d"]
) -> Float[torch.Tensor, "q g"]:
    """Minus the squared distance as the common values let expect it: - (D / n) times their sum of squares, n of D."""
    centre = other.nanmean(dim=0).nan_to_num(0.0)  # the products cancel badly far from the origin
    (query, known), (other, known_other) = _split(query - centre), _split(other - centre)
    common = known @ known_other.T
    products = query.square() @ known_other.T + known @ other.square().T - 2 * query @ other.T
    scaled = products.clamp_min(0) * (query.shape[1] / common.clamp_min(1))
    return (-scaled).masked_fill(common == 0, FARTHEST)


def _split(x: Float[torch.Tensor, "n d"]) -> tuple[Float[torch.Tensor, "n d"], Float[torch.Tensor, "n d"]]:
    """Values, 0 where they are missing, and 1 where they are not."""
    known = ~x.isnan()
    return torch.where(known, x, 0.0), known.to(x.dtype)
