"""CMD: joint, motion and bone streams teach each other whom they find near; and the same with HaLP in every stream.

`halp_cmd` is the paper's best row: "we use the CMD framework and hallucinate per-modality positives" (HaLP Sec. 4.2).

Reference: Mao et al., CMD: Self-supervised 3D Action Representation Learning with Cross-modal Mutual Distillation, ECCV
2022; Shah et al., HaLP, CVPR 2023.
"""

from __future__ import annotations

from itertools import permutations

from torch import Tensor

from halpose.config import Config
from halpose.errors import ConfigError
from halpose.losses import neighbour_distillation
from halpose.methods.base import Moment, StreamOutput, Term
from halpose.methods.halp import HaLP
from halpose.methods.moco import InfoNCE


class Distillation(Term):
    """CMD Eqs. 3 to 6, summed over every ordered pair of streams.

    The queues of all streams are filled together, so that an entry has the same place in each.

    Raises:
        ConfigError: there is only one stream.
    """

    name = "cmd"

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config.distillation
        if len(config.streams) < 2:
            raise ConfigError(
                f"method {config.method} distils between streams, but streams has only {', '.join(config.streams)}; "
                "try --set streams=joint,motion,bone"
            )

    def weight(self, moment: Moment) -> float:
        """Constant."""
        return self.config.weight

    def forward(self, outputs: dict[str, StreamOutput], moment: Moment) -> tuple[Tensor, dict[str, Tensor]]:
        """Distillation from each stream's keys to each other stream's queries."""
        teachers = {name: output.without_own(output.key @ output.queue.T) for name, output in outputs.items()}
        losses = [
            neighbour_distillation(
                outputs[student].similarity,
                teachers[teacher],
                self.config.neighbours,
                self.config.student_temperature,
                self.config.teacher_temperature,
            )
            for teacher, student in permutations(outputs, 2)
        ]
        return sum(losses[1:], losses[0]), {}


def cmd(config: Config) -> list[Term]:
    """CMD's terms."""
    return [InfoNCE(config), Distillation(config)]


def halp_cmd(config: Config) -> list[Term]:
    """CMD and the hallucinated term in every stream."""
    return [InfoNCE(config), Distillation(config), HaLP(config)]
