"""AimCLR: extreme views learn from normal ones, and the nearest neighbours become positives.

Three views: two normal ones contrasted as in MoCo, and an extreme one whose distribution over key and queue shall be
the normal query's (D3M), once as it is and once with its most telling outputs dropped (EADM). Late in training the
nearest entries of the queue, as each of the three queries finds them, become positives (NNM).

What the paper leaves open and the published code decides: the mean over positives of their log probability; the two D3M
losses are averaged. EADM is defined there on ST-GCN's feature map; here it works on any encoder's outputs
(`parts.attention_drop`). Of the published list the extreme view here adds mirror, rotation about any axis, reversal,
noise, blur and an axis mask to the normal view (`aimclr.*`).

Reference: Guo et al., Contrastive Learning from Extremely Augmented Skeleton Sequences for Self-supervised Action
Recognition, AAAI 2022.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import asdict, replace

import torch
from torch import Tensor

from halpose.config import Config
from halpose.losses import distribution_divergence, mined_contrast
from halpose.methods.base import Moment, StreamOutput, Term
from halpose.methods.moco import InfoNCE
from halpose.parts.attention_drop import attention_drop
from halpose.parts.stream import Stream

_QUERIES = ("extreme", "dropped")


def _logits(output: StreamOutput, query: Tensor) -> Tensor:
    """(N, 1 + K) similarities of a query to its clip's key and to the queue."""
    own_key = (query * output.key).sum(1, keepdim=True)
    return torch.cat([own_key, output.without_own(query @ output.queue.T)], dim=1)


class MinedInfoNCE(InfoNCE):
    """InfoNCE until mining begins, then with the nearest neighbours of all three queries as further positives."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.config = config.aimclr

    def is_mining(self, moment: Moment) -> bool:
        """Whether mining has begun."""
        return moment.progress >= self.config.mine_after

    def phase(self, moment: Moment) -> Hashable:
        """Before and after mining begins."""
        return self.is_mining(moment)

    def forward(self, outputs: dict[str, StreamOutput], moment: Moment) -> tuple[Tensor, dict[str, Tensor]]:
        """One positive before mining, several after (NNM)."""
        alone, metrics = super().forward(outputs, moment)
        if not self.is_mining(moment):
            return alone, metrics
        losses = [self.of_output(output) for output in outputs.values()]
        return sum(losses[1:], losses[0]), metrics

    def of_output(self, output: StreamOutput) -> Tensor:
        """Loss of one stream with its mined positives."""
        logits = _logits(output, output.query)
        is_positive = torch.zeros_like(logits, dtype=torch.bool)
        is_positive[:, 0].fill_(True)
        for query in (output.query, *(output.extra[name] for name in _QUERIES)):
            found = _logits(output, query.detach())[:, 1:].topk(min(self.config.mined, logits.shape[1] - 1), dim=1)
            is_positive = is_positive.scatter(1, 1 + found.indices, True)
        return mined_contrast(logits, is_positive, self.temperature)


class ExtremeViews(Term):
    """D3M: the extreme query and its dropped form shall see the key and the queue as the normal query does."""

    name = "d3m"

    def __init__(self, config: Config) -> None:
        super().__init__()
        extreme = {
            name.removeprefix("extreme_"): value
            for name, value in asdict(config.aimclr).items()
            if name.startswith("extreme_")
        }
        self.views = {"extreme": replace(config.views, published=False, **extreme)}
        self.temperature = config.contrast.temperature
        self.threshold = config.aimclr.drop_threshold

    def embed(self, stream: Stream, views: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The extreme view's embedding, as it is and with its most telling outputs dropped; one pass of the encoder."""
        branch = stream.query
        outputs, final = branch.encoder.outputs(views["extreme"])
        dropped = attention_drop(outputs, self.threshold)
        found = {"extreme": branch.encoder.pool(outputs, final), "dropped": branch.encoder.pool(dropped, final)}
        return {name: torch.nn.functional.normalize(branch.projector(x), dim=1) for name, x in found.items()}

    def forward(self, outputs: dict[str, StreamOutput], moment: Moment) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean of both divergences, summed over the streams."""
        losses = []
        for output in outputs.values():
            normal = _logits(output, output.query)
            losses += [
                distribution_divergence(_logits(output, output.extra[name]), normal, self.temperature) / len(_QUERIES)
                for name in _QUERIES
            ]
        return sum(losses[1:], losses[0]), {}


def aimclr(config: Config) -> list[Term]:
    """AimCLR's terms."""
    return [MinedInfoNCE(config), ExtremeViews(config)]
