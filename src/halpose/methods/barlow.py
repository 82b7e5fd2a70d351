"""Barlow Twins, and HaLP on it: the dimensions of two views' projections correlate one to one, without negatives.

Both views go through one encoder (`siamese` streams). Over the batch of all ranks each dimension of the projections is
standardised; the cross-correlation of the two views shall be the identity (`losses.redundancy_reduction`). The sum is
divided by the embedding's size, so that it is as large as a contrastive term and HaLP's weight means what it means
elsewhere. SKT adds the agreement of each clip's embeddings to this.

HaLP works on the standardised projections made unit vectors: its anchors are the other views, its prototypes are
clustered from the latest batches' embeddings.

Reference: Zbontar et al., Barlow Twins: Self-Supervised Learning via Redundancy Reduction, ICML 2021.
"""

from __future__ import annotations

from torch import Tensor

from halpose.config import Config
from halpose.losses import redundancy_reduction
from halpose.methods.base import Moment, StreamOutput, Term
from halpose.methods.halp import HaLP


class Barlow(Term):
    """Redundancy reduction, summed over the streams; siamese streams only."""

    name = "barlow"

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.off_diagonal = config.barlow.off_diagonal

    def forward(self, outputs: dict[str, StreamOutput], moment: Moment) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss; contrast accuracy over the batch as for the contrastive methods."""
        losses, hits = [], []
        for output in outputs.values():
            if output.projections is None:
                raise TypeError("barlow works on siamese streams")
            first, second = output.projections
            losses.append(redundancy_reduction(first, second, self.off_diagonal))
            hits.append((output.positive > output.negatives.amax(1)).float().mean())
        return sum(losses[1:], losses[0]), {"accuracy": sum(hits[1:], hits[0]).detach() / len(hits)}


def barlow(config: Config) -> list[Term]:
    """The one term of Barlow Twins."""
    return [Barlow(config)]


def halp_barlow(config: Config) -> list[Term]:
    """Barlow Twins and the hallucinated term."""
    return [Barlow(config), HaLP(config)]
