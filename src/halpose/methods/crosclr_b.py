"""CrosSCLR-B: what one stream finds near counts as positive in the others; CrosSCLR with the paper's GRU.

Until `crosclr.mine_after` every stream contrasts alone (SkeletonCLR, here InfoNCE). From then on, for each ordered pair
of streams (u, v), the nearest entries of v's queue are positives of u, at the same places of u's queue. With `context`
the product of both similarities stands beside each, as positive where the entry is one and as negative elsewhere.

What the paper leaves open and the published code decides: the mean over positives of their log probability instead of
the logarithm of the summed probability; several streams are averaged over their teachers and summed over students; the
nearest are found by the queries. "B" is the HaLP paper's name for CrosSCLR run with CMD's recurrent encoder.

Reference: Li et al., 3D Human Action Representation Learning via Cross-View Consistency Pursuit, CVPR 2021
(cross-view contrastive learning with mined positives); HaLP (CVPR 2023), Table 1.
"""

from __future__ import annotations

from collections.abc import Hashable

import torch
from torch import Tensor

from halpose.config import Config
from halpose.errors import ConfigError
from halpose.losses import mined_contrast
from halpose.methods.base import Moment, StreamOutput, Term
from halpose.methods.moco import InfoNCE


class CrossStream(InfoNCE):
    """InfoNCE of each stream until mining begins, then with the positives that the other streams find.

    Raises:
        ConfigError: there is only one stream.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.config = config.crosclr
        if len(config.streams) < 2:
            raise ConfigError(
                f"method {config.method} mines positives across streams, but streams has only "
                f"{', '.join(config.streams)}; try --set streams=joint,motion,bone"
            )

    def is_mining(self, moment: Moment) -> bool:
        """Whether mining has begun."""
        return moment.progress >= self.config.mine_after

    def phase(self, moment: Moment) -> Hashable:
        """Before and after mining begins."""
        return self.is_mining(moment)

    def forward(self, outputs: dict[str, StreamOutput], moment: Moment) -> tuple[Tensor, dict[str, Tensor]]:
        """InfoNCE of each stream before mining, cross-view contrast after; logs contrast accuracy as InfoNCE does."""
        alone, metrics = super().forward(outputs, moment)
        if not self.is_mining(moment):
            return alone, metrics
        losses = []
        for name, output in outputs.items():
            teachers = [other for other_name, other in outputs.items() if other_name != name]
            each = [self.of_pair(output, teacher) for teacher in teachers]
            losses.append(sum(each[1:], each[0]) / len(each))
        return sum(losses[1:], losses[0]), metrics

    def of_pair(self, student: StreamOutput, teacher: StreamOutput) -> Tensor:
        """Loss of one stream with the positives of another."""
        nearest = teacher.negatives.detach().topk(min(self.config.mined, teacher.negatives.shape[1]), dim=1).indices
        mined = torch.zeros_like(student.similarity, dtype=torch.bool).scatter(1, nearest, True)
        logits = [student.positive[:, None], student.negatives]
        is_positive = [torch.ones_like(mined[:, :1]), mined]
        if self.config.context:
            logits.append(student.without_own(student.similarity * teacher.similarity))
            is_positive.append(mined)
        return mined_contrast(torch.cat(logits, dim=1), torch.cat(is_positive, dim=1), self.temperature)


def crosclr_b(config: Config) -> list[Term]:
    """The one term of CrosSCLR."""
    return [CrossStream(config)]
