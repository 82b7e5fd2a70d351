"""More real views instead of hallucinated ones: MoCo with further crops of each clip, all contrasted with one key.

HaLP adds positives without looking at the clip again. Its rival at equal time is to look again: SwAV's multi-crop gives
the query encoder further views, of which each covers less of the clip, and every one of them shall find the same key.
The loss is the mean of Eq. 1 over all queries of a clip, so its size does not grow with their number. Only the query
encoder runs more often; keys and queue are MoCo's.

SwAV's further views are smaller pictures and so cheaper; ours are shorter crops, brought to the same number of frames.

Reference: Caron et al., Unsupervised Learning of Visual Features by Contrasting Cluster Assignments, NeurIPS 2020.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from halpose.config import Config
from halpose.losses import info_nce
from halpose.methods.base import Moment, StreamOutput, Term
from halpose.methods.moco import InfoNCE
from halpose.parts.stream import Stream


class MultiCrop(InfoNCE):
    """Eq. 1 of every query of a clip against its one key, averaged; accuracy is that of the first query, as in MoCo."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        crop = replace(config.views, crop=config.multicrop.crop)
        self.views = {f"crop_{number}": crop for number in range(config.multicrop.views)}

    def embed(self, stream: Stream, views: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The further queries, of one pass of the query encoder."""
        together = torch.cat([views[name] for name in self.views])
        return dict(zip(self.views, stream.query(together).chunk(len(self.views)), strict=True))

    def forward(self, outputs: dict[str, StreamOutput], moment: Moment) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean over the queries, summed over the streams."""
        first, metrics = super().forward(outputs, moment)
        losses = [first]
        for output in outputs.values():
            for name in self.views:
                query = output.extra[name]
                negatives = output.without_own(query @ output.queue.T)
                losses.append(info_nce((query * output.key).sum(1), negatives, self.temperature))
        return sum(losses[1:], losses[0]) / (1 + len(self.views)), metrics


def multicrop(config: Config) -> list[Term]:
    """The one term."""
    return [MultiCrop(config)]
