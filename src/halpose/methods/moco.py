"""MoCo, the paper's Baseline: one positive, a queue of negatives (HaLP Eq. 1).

Reference: He et al., Momentum Contrast for Unsupervised Visual Representation Learning, CVPR 2020.
"""

from __future__ import annotations

from torch import Tensor

from halpose.config import Config
from halpose.losses import info_nce
from halpose.methods.base import Moment, StreamOutput, Term


class InfoNCE(Term):
    """Eq. 1, summed over the streams; logs how often the own key beats every negative."""

    name = "infonce"

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.temperature = config.contrast.temperature

    def forward(self, outputs: dict[str, StreamOutput], moment: Moment) -> tuple[Tensor, dict[str, Tensor]]:
        """InfoNCE and contrast accuracy."""
        losses = {
            name: info_nce(output.positive, output.negatives, self.temperature) for name, output in outputs.items()
        }
        hits = [(output.positive > output.negatives.amax(1)).float().mean() for output in outputs.values()]
        metrics = {"accuracy": sum(hits[1:], hits[0]).detach() / len(hits)}
        if len(losses) > 1:
            metrics |= {f"infonce.{name}": loss.detach() for name, loss in losses.items()}
        each = list(losses.values())
        return sum(each[1:], each[0]), metrics


def moco(config: Config) -> list[Term]:
    """The terms of the baseline."""
    return [InfoNCE(config)]
