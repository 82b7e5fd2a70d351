"""Hallucinated positives as numbers: which point of which walk, and how much it counts. No vector is formed.

A point is alpha z + beta P_sel, so its product with the query needs only q . z and q . P_sel. Points are drawn
(`drawn_points`) or are the nodes and means that stand for all draws (`expected_points`). Sizes: B anchors, N
prototypes, T <= N of them to walk toward, G points per anchor.

Reference: HaLP (Shah et al., CVPR 2023), Eqs. 4 to 8; `docs/method.md`, section 9.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from halpose.config import HalpConfig
from halpose.parts.geodesic import Limits, mean_walk, neighbours, walk
from halpose.parts.prototypes import membership

# Inside an InfoNCE the mean over t has no closed form; this many Gauss-Legendre nodes leave an error below 1e-6.
_NODES = 6


class Points(NamedTuple):
    """Points on walks, all (B, G).

    Attributes:
        alpha: coefficient of the anchor.
        beta: coefficient of the prototype.
        weight: how much the point counts; 0 leaves it out.
        selected: index of the prototype.
    """

    alpha: Float[Tensor, "b g"]
    beta: Float[Tensor, "b g"]
    weight: Float[Tensor, "b g"]
    selected: Int[Tensor, "b g"]

    def similarity(self, anchor: Float[Tensor, "b 1"], prototypes: Float[Tensor, "b n"]) -> Float[Tensor, "b g"]:
        """Product of each clip's query with its points, from q . z and q . P."""
        return self.alpha * anchor + self.beta * prototypes.gather(1, self.selected)


def target_count(config: HalpConfig, prototypes: int) -> int:
    """T: toward how many prototypes an anchor may walk."""
    return (config.nearest or prototypes - 1) + (config.select == "all")


def targets(limit: Limits, config: HalpConfig) -> Int[Tensor, "b t"]:
    """The prototypes that each anchor may walk toward, when only its `halp.nearest` are asked for."""
    found = neighbours(limit, config.nearest)
    return torch.cat([limit.nearest[:, None], found], dim=1) if config.select == "all" else found


def step_size(
    uniform: Float[Tensor, "b g"], furthest: Float[Tensor, "b g"], config: HalpConfig
) -> Float[Tensor, "b g"]:
    """How far each walk goes, as a fraction of its geodesic.

    paper: t uniform in (0, lambda t*). published: t uniform in ((1 - lambda) t*, t*], what the published code draws and
    Table 5 fits. `hardest`: t = t*.
    """
    if config.hardest:
        return furthest
    step = config.hardness * uniform
    return (step if config.interval == "paper" else 1 - step) * furthest


def drawn_points(
    limit: Limits, selected: Int[Tensor, "b g"], uniform: Float[Tensor, "b g"], config: HalpConfig
) -> tuple[Points, Points | None]:
    """What was drawn: the points that the rank filter keeps, and those it rejects if they are asked for.

    A rejected point weighs T / G: all draws toward one prototype are worth one point, however many there are, and the
    sum over rejected points tends to that of `expected_points`.
    """
    rank = limit.rank.gather(1, selected)
    omega = limit.omega.gather(1, selected)
    exact = config.estimator == "exact"
    furthest = rank if exact else limit.pair.gather(1, selected)
    t = step_size(uniform, furthest, config)
    kept = torch.ones_like(t) if exact else (t <= rank).to(t.dtype)
    alpha, beta = walk(t, omega)
    points = Points(alpha, beta, kept, selected)
    if config.rejected == "dropped":
        return points, None
    share = target_count(config, limit.pair.shape[1]) / selected.shape[1]
    return points, points._replace(weight=(1 - kept) * share)


def expected_points(limit: Limits, config: HalpConfig) -> tuple[Points, Points | None]:
    """All draws at once: each prototype stands for its whole arc of positives, and for the rest of it, the rejected.

    An arc from `low` to `high` has weight (high - low) / (lambda t*), the chance that a draw survives the rank filter.
    Beside InfoNCE its mean point is known (`mean_walk`); inside one, Gauss-Legendre nodes stand for it. From there to
    `end`, where the draws end, lie the rejected, with the chance that remains.
    """
    span = (config.hardness * limit.pair).clamp_min(1e-6)
    if config.interval == "paper":
        low, high = torch.zeros_like(span), torch.minimum(span, limit.rank)
        end = config.hardness * limit.pair
    else:
        low = (1 - config.hardness) * limit.pair
        high, end = torch.minimum(limit.pair, limit.rank), limit.pair
    if config.hardest:
        low = high = end = limit.pair
        weight = (limit.pair <= limit.rank).to(span.dtype)
    else:
        weight = (high - low).clamp_min(0.0) / span
    high = torch.maximum(low, high)
    rest = 1 - weight if config.hardest else (end - high).clamp_min(0.0) / span
    # Toward P* itself the walk has no length: all of its positives are the anchor (select = all).
    is_nearest = membership(limit.nearest, limit.pair.shape[1])
    weight = torch.where(is_nearest, float(config.select == "all"), weight)
    every = torch.arange(limit.pair.shape[1], device=weight.device).expand_as(weight)
    selected = targets(limit, config) if config.nearest else every
    low, high, end, weight, rest, omega = (
        values.gather(1, selected) for values in (low, high, end, weight, rest, limit.omega)
    )
    if config.placement == "beside":
        return Points(*mean_walk(low, high, omega), weight, selected), None
    kept = _nodes(low, high, omega, weight, selected)
    if config.rejected == "dropped":
        return kept, None
    return kept, _nodes(high, torch.maximum(high, end), omega, rest, selected)


def _nodes(
    low: Float[Tensor, "b t"],
    high: Float[Tensor, "b t"],
    omega: Float[Tensor, "b t"],
    weight: Float[Tensor, "b t"],
    selected: Int[Tensor, "b t"],
) -> Points:
    """The nodes of each arc, which share its weight; G = T times their number."""
    node, node_weight = _quadrature(weight.dtype, weight.device)
    t = low[..., None] + (high - low)[..., None] * (node + 1) / 2
    alpha, beta = walk(t, omega[..., None].expand_as(t))
    weight = weight[..., None] * node_weight / 2
    selected = selected.repeat_interleave(_NODES, dim=1)
    return Points(alpha.flatten(1), beta.flatten(1), weight.flatten(1), selected)


@cache
def _quadrature(dtype: torch.dtype, device: torch.device) -> tuple[Float[Tensor, " k"], Float[Tensor, " k"]]:
    """Nodes in (-1, 1) and their weights, copied to a device once: to copy is to wait."""
    node, weight = np.polynomial.legendre.leggauss(_NODES)
    return torch.as_tensor(node, dtype=dtype, device=device), torch.as_tensor(weight, dtype=dtype, device=device)
