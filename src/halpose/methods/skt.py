"""SKT, Skeletal Twins: redundancy reduction between two views and agreement of each clip's own; no negatives.

Barlow Twins asks that each dimension of the projection agree between the views over the batch; SKT adds that the two
embeddings of each clip agree. The paper's text is not freely available: of its instance-level term only the purpose is
known to us, and it is taken as one minus the cosine of the projections as the correlation sees them: standardised over
the batch. Of the projections themselves it would only make the common mean grow, which the correlation does not see,
until all embeddings are one point. Its encoder is a graph convolutional network (`stgcn`).

HaLP fits here too: the anchor is the other view, prototypes come from the latest embeddings.

Reference: Zhang, Hou and Zhang, Skeletal Twins: Unsupervised Skeleton-based Action Representation Learning, ICME 2022;
Zbontar et al., Barlow Twins, ICML 2021.
"""

from __future__ import annotations

from torch import Tensor

from halpose.config import Config
from halpose.losses import instance_consistency, redundancy_reduction
from halpose.methods.base import Moment, StreamOutput, Term
from halpose.methods.halp import HaLP


class Twins(Term):
    """Redundancy reduction and instance consistency, summed over the streams; siamese streams only."""

    name = "twins"

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config.skt

    def forward(self, outputs: dict[str, StreamOutput], moment: Moment) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss and its two parts; contrast accuracy over the batch as for the contrastive methods."""
        reduction, consistency, hits = [], [], []
        for output in outputs.values():
            if output.projections is None:
                raise TypeError("skt works on siamese streams")
            first, second = output.projections
            reduction.append(redundancy_reduction(first, second, self.config.off_diagonal))
            consistency.append(instance_consistency(output.positive))
            hits.append((output.positive > output.negatives.amax(1)).float().mean())
        total, agreement = sum(reduction[1:], reduction[0]), sum(consistency[1:], consistency[0])
        return total + self.config.consistency * agreement, {
            "redundancy": total.detach(),
            "consistency": agreement.detach(),
            "accuracy": sum(hits[1:], hits[0]).detach() / len(hits),
        }


def skt(config: Config) -> list[Term]:
    """The one term of SKT."""
    return [Twins(config)]


def halp_skt(config: Config) -> list[Term]:
    """SKT and the hallucinated term."""
    return [Twins(config), HaLP(config)]
