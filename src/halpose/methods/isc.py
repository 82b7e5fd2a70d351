"""ISC: inter-skeleton contrast between representations of one clip, each with its encoder.

A sequence (GRU), a graph (ST-GCN) and an image (HCN) of the same clip: the query of one is contrasted with the key and
the queue of another, for every ordered pair. The recipe's streams are `joint:gru`, `joint:stgcn` and `joint:hcn`.

What differs from the paper: its graph encoder is an A-GCN, ours ST-GCN; it trains two of the three representations at a
time, here any number is trained together and the pairs are averaged per query, so that two give its loss and three do
not weigh more.

Reference: Thoker, Doughty and Snoek, Skeleton-Contrastive 3D Action Representation Learning, ACM MM 2021
(inter-skeleton contrast).
"""

from __future__ import annotations

from itertools import permutations

from torch import Tensor

from halpose.config import Config
from halpose.errors import ConfigError
from halpose.losses import info_nce
from halpose.methods.base import Moment, StreamOutput, Term


class InterSkeleton(Term):
    """InfoNCE from each stream's queries to each other stream's keys and queue.

    Raises:
        ConfigError: there is only one stream.
    """

    name = "infonce"

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.temperature = config.contrast.temperature
        if len(config.streams) < 2:
            raise ConfigError(
                f"method {config.method} contrasts representations, but streams has only {', '.join(config.streams)}; "
                "try --set streams=joint:gru,joint:stgcn"
            )

    def forward(self, outputs: dict[str, StreamOutput], moment: Moment) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and how often the key of the other representation beats every negative."""
        losses, hits = [], []
        for (_, one), (_, other) in permutations(outputs.items(), 2):
            positive = (one.query * other.key).sum(1)
            # All queues are filled together: an entry is of the same clip in each.
            negatives = one.without_own(one.query @ other.queue.T)
            losses.append(info_nce(positive, negatives, self.temperature))
            hits.append((positive > negatives.amax(1)).float().mean())
        loss = sum(losses[1:], losses[0]) / (len(outputs) - 1)
        return loss, {"accuracy": sum(hits[1:], hits[0]).detach() / len(hits)}


def isc(config: Config) -> list[Term]:
    """The one term of ISC."""
    return [InterSkeleton(config)]
