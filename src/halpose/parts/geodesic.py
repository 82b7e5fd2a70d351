"""The geometry of hallucinated positives: walks along geodesics of the unit sphere, in closed form.

An anchor z walks toward a prototype P_sel; how far, decides which prototype is nearest on the way. Everything the loss
needs is a dot product (Sec. 9 of the derivation in `docs/method.md`), so these functions take similarities, not
vectors. Sizes: B anchors, N prototypes, G positives per anchor, D dimensions.

Reference: HaLP (Shah et al., CVPR 2023), Eqs. 3 to 7.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from halpose.parts.prototypes import membership

# Angles are kept this far from 0 and pi: at 0 the walk has no length, at pi no direction (antipodes).
_EDGE = 1e-3


def angle(cosine: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Angle between unit vectors, kept off 0 and pi so that every formula below is finite."""
    return torch.acos(cosine.clamp(-1.0, 1.0)).clamp(_EDGE, math.pi - _EDGE)


def walk(
    t: Float[Tensor, "*shape"], omega: Float[Tensor, "*shape"]
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """Coefficients (alpha, beta) of Eq. 4: the point after a fraction t of the way is alpha z + beta P.

    alpha = sin((1 - t) omega) / sin(omega), beta = sin(t omega) / sin(omega). (The paper prints sin(1 - t) omega.)
    """
    sine = torch.sin(omega)
    return torch.sin((1 - t) * omega) / sine, torch.sin(t * omega) / sine


def mean_walk(
    low: Float[Tensor, "*shape"], high: Float[Tensor, "*shape"], omega: Float[Tensor, "*shape"]
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """Coefficients of the mean point of the arc from t = low to t = high.

    The mean of an arc is its midpoint, shortened by sinc of half its angle: the integrals of alpha and beta over t
    divided by (high - low), without the cancellation that their differences of cosines suffer at small angles.
    """
    alpha, beta = walk((low + high) / 2, omega)
    shortening = torch.sinc((high - low) * omega / (2 * math.pi))
    return alpha * shortening, beta * shortening


class Limits(NamedTuple):
    """How far each anchor may walk toward each prototype. All (B, N) but `nearest`.

    Attributes:
        nearest: (B,) index of P*, the prototype nearest to the anchor.
        omega: angle between anchor and prototype.
        pair: t* of Eq. 7, where P_sel becomes as near as P*. 0 in the column of P* itself.
        rank: the exact limit of Eq. 5: where any prototype becomes as near as P*. The rank filter keeps t <= rank.
    """

    nearest: Int[Tensor, " b"]
    omega: Float[Tensor, "b n"]
    pair: Float[Tensor, "b n"]
    rank: Float[Tensor, "b n"]


def limits(similarity: Float[Tensor, "b n"], prototype_similarity: Float[Tensor, "n n"]) -> Limits:
    """Solve Eqs. 5 and 7 for every anchor and every prototype to walk toward.

    With a_j = z . (P* - P_j) >= 0 and b_j = P_sel . (P* - P_j), prototype j overtakes P* at
    t_j = atan2(a_j sin(omega), a_j cos(omega) - b_j) / omega. Eq. 7 is t_sel; its printed arctan is negative where
    atan2 is not. Eq. 5 is the least t_j. Walking toward P* itself, Eq. 6 is smallest at t = 0: both limits are 0.

    Args:
        similarity: z . P_j of every anchor and prototype.
        prototype_similarity: P_i . P_j.
    """
    prototypes = similarity.shape[1]
    nearest = similarity.argmax(1)
    omega = angle(similarity)
    gap = similarity.gather(1, nearest[:, None]) - similarity  # a_j, (B, N)
    reach = prototype_similarity[nearest][:, :, None] - prototype_similarity[None]  # b_j, (B, sel, j)
    gap = gap[:, None, :]
    overtaken = torch.atan2(gap * torch.sin(omega)[:, :, None], gap * torch.cos(omega)[:, :, None] - reach)
    overtaken = overtaken / omega[:, :, None]
    # P* never overtakes itself, nor does a copy of it.
    is_nearest = membership(nearest, prototypes)
    level = (gap.abs() + reach.abs()) <= 1e-7
    overtaken = overtaken.masked_fill(is_nearest[:, None, :] | level, math.inf)
    pair = overtaken.diagonal(dim1=1, dim2=2).clamp(0.0, 1.0)
    rank = overtaken.amin(2).clamp(0.0, 1.0)
    return Limits(nearest, omega, pair.masked_fill(is_nearest, 0.0), rank.masked_fill(is_nearest, 0.0))


def neighbours(limit: Limits, count: int) -> Int[Tensor, "b k"]:
    """The prototypes nearest to each anchor but P*, nearest first."""
    return limit.omega.scatter(1, limit.nearest[:, None], math.inf).topk(count, dim=1, largest=False).indices


def hallucinate(
    anchor: Float[Tensor, "b d"],
    prototypes: Float[Tensor, "n d"],
    selected: Int[Tensor, "b g"],
    t: Float[Tensor, "b g"],
) -> Float[Tensor, "b g d"]:
    """The hallucinated positives as vectors (Eqs. 3 and 4). Training never needs them; pictures and tests do."""
    target = prototypes[selected]
    alpha, beta = walk(t, angle((anchor[:, None] * target).sum(-1)))
    return torch.nn.functional.normalize(alpha[..., None] * anchor[:, None] + beta[..., None] * target, dim=-1)


def keeps_rank(
    points: Float[Tensor, "b g d"], prototypes: Float[Tensor, "n d"], nearest: Int[Tensor, " b"]
) -> Bool[Tensor, "b g"]:
    """The rank filter of Eq. 2 on vectors: is P* of the anchor still the nearest prototype of each point?"""
    return (points @ prototypes.T).argmax(-1) == nearest[:, None]
