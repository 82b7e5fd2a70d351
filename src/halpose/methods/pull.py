"""The control for HaLP: the same pull with the same weight and start, toward the real key instead of hallucinated ones.

Eq. 8 pulls without negatives. Whatever that alone brings, this method brings too; only what HaLP brings beyond it is
owed to hallucination.
"""

from __future__ import annotations

import torch
from torch import Tensor

from halpose.config import Config
from halpose.losses import weighted_contrast, weighted_pull
from halpose.methods.base import Moment, StreamOutput, Term
from halpose.methods.halp import DelayedTerm
from halpose.methods.moco import InfoNCE


class Pull(DelayedTerm):
    """Eq. 8 with the real key as its only positive: -q . k / tau, summed over the streams."""

    name = "pull"

    def forward(self, outputs: dict[str, StreamOutput], moment: Moment) -> tuple[Tensor, dict[str, Tensor]]:
        """The pull; there is nothing to filter."""
        factors = self.follow_contrast(outputs, moment.ranks)
        losses = [self._of_output(output) for output in outputs.values()]
        if factors:
            losses = [loss * factor for loss, factor in zip(losses, factors.values(), strict=True)]
        return sum(losses[1:], losses[0]), self.mu(factors)

    def _of_output(self, output: StreamOutput) -> Tensor:
        similarity = output.positive[:, None]
        weight = torch.ones_like(similarity)
        if self.config.placement == "inside":
            return weighted_contrast(similarity, weight, output.negatives, self.temperature)
        return weighted_pull(similarity, weight, self.temperature)


def pull(config: Config) -> list[Term]:
    """MoCo and the control term."""
    return [InfoNCE(config), Pull(config)]
