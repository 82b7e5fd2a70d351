"""The losses, one pure function per equation: similarities in, a scalar out.

Sizes: B clips, K negatives, G positives per clip, N prototypes, D dimensions.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def info_nce(positive: Float[Tensor, " b"], negatives: Float[Tensor, "b k"], temperature: float) -> Float[Tensor, ""]:
    """InfoNCE with one positive per query (HaLP Eq. 1, MoCo).

    Args:
        positive: q . k of each query and its own key.
        negatives: q . queue; -inf leaves an entry out.
        temperature: tau.
    """
    logits = torch.cat([positive[:, None], negatives], dim=1) / temperature
    return (torch.logsumexp(logits, dim=1) - logits[:, 0]).mean()


def weighted_pull(
    similarity: Float[Tensor, "b g"], weight: Float[Tensor, "b g"], temperature: float
) -> Float[Tensor, ""]:
    """Pull the query toward its hallucinated positives (HaLP Eq. 8), averaged over the batch's kept ones.

    The paper leaves open whether Eq. 8 averages per clip or per batch; the published code averages over all kept
    (clip, positive) pairs of the batch, and so does this. Zero when nothing was kept.

    Args:
        similarity: q . z^H of each clip and hallucinated positive.
        weight: 1 where the rank filter kept the positive and 0 elsewhere, or any share in between.
        temperature: tau.
    """
    return -(similarity * weight).sum() / weight.sum().clamp_min(1e-12) / temperature


def weighted_contrast(
    similarity: Float[Tensor, "b g"],
    weight: Float[Tensor, "b g"],
    negatives: Float[Tensor, "b k"],
    temperature: float,
) -> Float[Tensor, ""]:
    """Each hallucinated positive in an InfoNCE of its own against the queue's negatives (not in the paper).

    -log(exp(s) / (exp(s) + sum exp(n))) = softplus(logsumexp(n) - s): a pull that negatives balance, where Eq. 8 pulls
    without end. Arguments as in `weighted_pull` and `info_nce`.
    """
    against = torch.logsumexp(negatives / temperature, dim=1, keepdim=True)
    each = torch.nn.functional.softplus(against - similarity / temperature)
    return (each * weight).sum() / weight.sum().clamp_min(1e-12)
