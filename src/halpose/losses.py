"""The losses, one pure function per equation: similarities in, a scalar out.

Sizes: B clips, K negatives, G positives per clip, N prototypes, D dimensions.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
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


def soft_negatives(
    similarity: Float[Tensor, "b g"], weight: Float[Tensor, "b g"], temperature: float
) -> Float[Tensor, "b g"]:
    """Negatives that count in part, as those that `info_nce` and `weighted_contrast` take (not in the paper).

    exp((s + tau ln w) / tau) = w exp(s / tau): s + tau ln w is a negative of weight w, and -inf, left out, at w = 0.

    Args:
        similarity: q . point.
        weight: how many negatives each point is worth.
        temperature: tau of the loss that takes them.
    """
    return similarity + temperature * weight.log()


def chance_level(negatives: Float[Tensor, "b k"]) -> Float[Tensor, ""]:
    """InfoNCE of queries that cannot tell their key from their negatives: ln(1 + K), averaged over the batch.

    Args:
        negatives: q . queue; entries that are left out (-inf) do not count.
    """
    return negatives.isfinite().sum(1).to(negatives.dtype).log1p().mean()


def neighbour_distillation(
    student: Float[Tensor, "b k"],
    teacher: Float[Tensor, "b k"],
    neighbours: int,
    student_temperature: float,
    teacher_temperature: float,
) -> Float[Tensor, ""]:
    """What one modality finds near, the other shall find near (CMD, Eqs. 3 to 6).

    KL divergence, averaged over the batch, between two distributions over the teacher's nearest entries of the queue:
    the teacher's (sharper, without gradient) and the student's similarities to the same entries of its own queue.

    Args:
        student: q . queue in the student's modality, with gradient.
        teacher: k . queue in the teacher's modality; -inf leaves an entry out.
        neighbours: K, how many of the teacher's nearest entries count.
        student_temperature: published 0.1.
        teacher_temperature: published 0.05, lower so that the teacher is surer.

    Reference: Mao et al., CMD: Self-supervised 3D Action Representation Learning with Cross-modal Mutual Distillation,
    ECCV 2022.
    """
    nearest = teacher.topk(min(neighbours, teacher.shape[1]), dim=1)
    target = torch.softmax(nearest.values / teacher_temperature, dim=1)
    found = torch.log_softmax(student.gather(1, nearest.indices) / student_temperature, dim=1)
    return torch.nn.functional.kl_div(found, target, reduction="batchmean")


def mined_contrast(
    logits: Float[Tensor, "b k"], is_positive: Bool[Tensor, "b k"], temperature: float
) -> Float[Tensor, ""]:
    """InfoNCE with several positives in one row: minus the mean log probability of a row's positives.

    CrosSCLR and AimCLR print the logarithm of the positives' summed probability (their cross-view and NNM losses); both
    published codes take the mean of their logarithms instead, which no single easy positive can satisfy, and so does
    this.

    Args:
        logits: similarities to everything, the own key among them; -inf leaves an entry out (it is no positive then).
        is_positive: at least one in each row.
        temperature: tau.
    """
    log_probability = torch.log_softmax(logits / temperature, dim=1)
    counted = is_positive & log_probability.isfinite()
    total = torch.where(counted, log_probability, 0.0).sum(1)
    return -(total / counted.sum(1)).mean()


def distribution_divergence(
    query: Float[Tensor, "b k"], reference: Float[Tensor, "b k"], temperature: float
) -> Float[Tensor, ""]:
    """Whom an extreme view finds near shall be whom the normal view finds near (D3M of AimCLR).

    Cross-entropy of the query's distribution over key and queue against the reference's, which gets no gradient.

    Args:
        query: similarities of the extreme view to the own key and the queue; -inf leaves an entry out.
        reference: the same of the normal view, with the same entries left out.
        temperature: tau.

    Reference: Guo et al., Contrastive Learning from Extremely Augmented Skeleton Sequences for Self-supervised Action
    Recognition, AAAI 2022.
    """
    target = torch.softmax(reference.detach() / temperature, dim=1)
    found = torch.log_softmax(query / temperature, dim=1)
    return -(target * torch.where(target > 0, found, 0.0)).sum(1).mean()


def standardise(projections: Float[Tensor, "*views n d"]) -> Float[Tensor, "*views n d"]:
    """Each dimension with mean 0 and variance 1 over a batch of clips; one that is the same for all clips is 0."""
    centred = projections - projections.mean(-2, keepdim=True)
    # The root of the variance, held above 0 before it is taken: the slope of a root at 0 has no bound.
    return centred / centred.square().mean(-2, keepdim=True).clamp_min(1e-12).sqrt()


def redundancy_reduction(
    first: Float[Tensor, "n d"], second: Float[Tensor, "n d"], off_diagonal: float
) -> Float[Tensor, ""]:
    """Barlow Twins Eq. 1: the cross-correlation of both views' dimensions shall be the identity.

    Divided by D, so that its size is that of a contrastive term and does not grow with the embedding.

    Args:
        first: projections of one view of each clip, of any length.
        second: those of the other view.
        off_diagonal: weight of the squared correlations between different dimensions (published 0.005).

    Reference: Zbontar et al., Barlow Twins: Self-Supervised Learning via Redundancy Reduction, ICML 2021.
    """
    correlation = standardise(first).T @ standardise(second) / len(first)
    on = (1 - correlation.diagonal()).square().sum()
    off = correlation.square().sum() - correlation.diagonal().square().sum()
    return (on + off_diagonal * off) / correlation.shape[0]


def instance_consistency(positive: Float[Tensor, " b"]) -> Float[Tensor, ""]:
    """Both views of one clip shall point the same way: 1 - cosine, averaged (SKT's instance-level term).

    Args:
        positive: cosine of both views' embeddings. They must be without their common mean, or growing it is all that
            this asks for.

    Reference: Zhang, Hou and Zhang, Skeletal Twins, ICME 2022.
    """
    return (1 - positive).mean()
