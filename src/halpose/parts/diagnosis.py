"""What a training's loss does not tell: how near views of a clip are, how spread clips are, which term moves queries.

Measured on the side: nothing here draws, moves state or changes a gradient.

Reference: Wang and Isola, Understanding Contrastive Representation Learning through Alignment and Uniformity on the
Hypersphere, ICML 2020.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from halpose.parts.ranks import Ranks
from halpose.parts.stream import StreamOutput


def alignment(query: Float[Tensor, "n d"], key: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """Mean squared distance of each clip's two unit embeddings: 0 where they agree, 2 by chance."""
    return (query - key).square().sum(1).mean()


def uniformity(points: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """Logarithm of the mean of exp(-2 |x - y|^2) over all pairs of unit vectors: 0 where all are one, low if spread.

    Uniform on the sphere of D dimensions it tends to -4 as D grows. A single point has no pair: 0.
    """
    if len(points) < 2:
        return points.new_zeros(())
    return torch.pdist(points).square().mul(-2).exp().mean().log()


def diagnose(outputs: Mapping[str, StreamOutput], parts: Mapping[str, Tensor], ranks: Ranks) -> dict[str, Tensor]:
    """Alignment and uniformity of a joined batch, means over the streams, and shares of the gradient.

    Uniformity is that of each view's queries. `share.NAME` of a term is |dL_NAME / dq| / sum over terms of |dL / dq|,
    weights applied, q all queries of all streams (siamese: the projections that both views' embeddings are made of).
    The first term's share is what the others leave. What reaches the encoder on other ways (further views) is left out.

    Args:
        outputs: of the streams.
        parts: weighted value of each term, on the graph; it stays usable.
        ranks: each with its slice of the batch.
    """
    found: dict[str, list[Tensor]] = {"alignment": [], "uniformity": []}
    with torch.no_grad():
        for output in outputs.values():
            found["alignment"].append(ranks.mean(alignment(output.query, output.key)))
            views = ranks.join(output.query.reshape(output.views, -1, output.query.shape[1]), dim=1)
            found["uniformity"] += [uniformity(view) for view in views]
    values = {name: torch.stack(each).mean() for name, each in found.items()}
    if len(parts) < 2 or not torch.is_grad_enabled():
        return values
    norms = {name: _gradient_norm(part, outputs, ranks) for name, part in parts.items()}
    total = torch.stack(list(norms.values())).sum().clamp_min(1e-12)
    return values | {f"share.{name}": norm / total for name, norm in list(norms.items())[1:]}


def _gradient_norm(part: Tensor, outputs: Mapping[str, StreamOutput], ranks: Ranks) -> Tensor:
    """Norm of the gradient that a term sends to all queries of the joined batch, but for a factor all terms share."""
    joined = [output.projections for output in outputs.values() if output.projections is not None]
    roots = joined or [output.query for output in outputs.values()]
    found = torch.autograd.grad(part, roots, retain_graph=True, allow_unused=True, materialize_grads=True)
    if joined:  # every rank has the projections of all, and each of their losses depends on them
        return torch.stack([ranks.mean(gradient).square().sum() for gradient in found]).sum().sqrt()
    return ranks.mean(torch.stack([gradient.square().sum() for gradient in found]).sum()).sqrt()
