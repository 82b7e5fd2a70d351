"""Prototypes: k-means on the unit hypersphere, batched over restarts, on the device, without a host round trip.

The paper clusters with the Riemannian metric of the sphere. The nearest centre by angle is the nearest by dot
product, and the Riemannian mean m of points x_i solves sum_i (theta_i / sin theta_i) (x_i - cos theta_i m) = 0, so it
is the fixed point of m <- normalise(sum_i (theta_i / sin theta_i) x_i): spherical k-means with weights. No manifold
library is needed. Iterations are fixed in number, so that no value ever has to be read by the host.

Reference: HaLP (Shah et al., CVPR 2023), Sec. 3.5; Riemannian centre of mass: Karcher, 1977.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_NEAR_ONE = 1 - 1e-6  # acos has no finite derivative, and little accuracy, at 1


def cluster_sphere(
    points: Float[Tensor, "k d"],
    clusters: int,
    generator: torch.Generator | None = None,
    start: Float[Tensor, "n d"] | None = None,
    restarts: int = 4,
    iterations: int = 15,
) -> Float[Tensor, "n d"]:
    """Riemannian k-means of unit vectors.

    Args:
        points: unit vectors; at least `clusters` of them.
        clusters: N.
        generator: draws the k-means++ starts; on the device of `points`.
        start: N centres to begin from instead (a warm start): then there is one run and no draw.
        restarts: independent k-means++ runs, all at once; the one with the least inertia is returned.
        iterations: updates of every run.

    Returns:
        N unit vectors. Of all restarts, those with the least mean squared geodesic distance.

    Raises:
        ValueError: there are fewer points than clusters.
    """
    if len(points) < clusters:
        raise ValueError(f"{len(points)} points cannot form {clusters} clusters")
    centres = start[None] if start is not None else _plus_plus(points, clusters, restarts, generator)
    for _ in range(iterations):
        centres = _update(points, centres)
    if len(centres) == 1:
        return centres[0]
    best = geodesic_inertia(points, centres).argmin()
    return centres.index_select(0, best[None])[0]


def membership(group: Int[Tensor, "*k"], groups: int) -> Bool[Tensor, "*k n"]:
    """For each member whether it is in each of N groups, by the number of its own.

    `one_hot` gives the same, and has a CPU look at every number first.
    """
    return group[..., None] == torch.arange(groups, device=group.device)


def group_means(
    points: Float[Tensor, "k d"], member: Float[Tensor, "k n"], iterations: int = 5
) -> Float[Tensor, "n d"]:
    """Riemannian mean of each of N given groups of unit vectors.

    Args:
        points: unit vectors.
        member: one where a point belongs to a group; a group without a point gets the mean of all.
        iterations: of the fixed point, from the normalised arithmetic mean.
    """
    member = torch.where(member.sum(0) > 0, member, torch.ones_like(member))
    means = torch.nn.functional.normalize(member.T @ points, dim=1)
    for _ in range(iterations):
        angle = torch.acos((points @ means.T).clamp(-_NEAR_ONE, _NEAR_ONE))
        means = torch.nn.functional.normalize((member * angle / torch.sin(angle)).T @ points, dim=1)
    return means


def geodesic_inertia(points: Float[Tensor, "k d"], centres: Float[Tensor, "r n d"]) -> Float[Tensor, " r"]:
    """Mean squared geodesic distance of the points to their nearest centre, for each of R sets of centres."""
    nearest = (points @ centres.transpose(1, 2)).amax(2)
    return torch.acos(nearest.clamp(-_NEAR_ONE, _NEAR_ONE)).square().mean(1)


def _plus_plus(points: Tensor, clusters: int, restarts: int, generator: torch.Generator | None) -> Tensor:
    """k-means++ starts (Arthur & Vassilvitskii, 2007) by squared angle: (R, N, D)."""
    chosen = torch.randint(len(points), (restarts,), generator=generator, device=points.device)
    centres = [points[chosen]]
    distance = torch.full((restarts, len(points)), torch.inf, device=points.device, dtype=points.dtype)
    for _ in range(clusters - 1):
        cosine = centres[-1] @ points.T
        angle = torch.acos(cosine.clamp(-_NEAR_ONE, _NEAR_ONE))
        distance = torch.minimum(distance, angle.square())
        # Where every point coincides with a centre already, any point will do.
        chosen = torch.multinomial(distance + 1e-12, 1, generator=generator)[:, 0]
        centres.append(points[chosen])
    return torch.stack(centres, dim=1)


def _update(points: Tensor, centres: Tensor) -> Tensor:
    """One assignment and one mean of every cluster of every restart."""
    cosine = points @ centres.transpose(1, 2)  # (R, K, N)
    nearest, assigned = cosine.max(2)
    angle = torch.acos(nearest.clamp(-_NEAR_ONE, _NEAR_ONE))
    weight = angle / torch.sin(angle)
    member = membership(assigned, centres.shape[1]).to(points.dtype)  # (R, K, N)
    total = (member * weight[..., None]).transpose(1, 2) @ points
    moved = torch.nn.functional.normalize(total, dim=-1)
    # An empty cluster restarts at the point that is farthest from its centre (the n-th empty one at the n-th farthest).
    empty = member.sum(1) == 0  # (R, N)
    farthest = points[angle.argsort(dim=1, descending=True)[:, : centres.shape[1]]]
    order = (empty.cumsum(1) - 1).clamp_min(0)
    replacement = farthest.gather(1, order[..., None].expand_as(moved))
    return torch.where(empty[..., None], replacement, moved)
