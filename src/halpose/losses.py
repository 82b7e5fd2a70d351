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
