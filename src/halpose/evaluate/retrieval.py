"""Retrieval: are the clips that are most like a query of its class, all the way down the list?

Queries are the clips that are scored, the gallery is what may be learned from. Nothing is learned and nothing chosen.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from halpose.evaluate.base import Outcome, Part, Settings
from halpose.evaluate.featureset import FeatureSet
from halpose.evaluate.intervals import bootstrap_mean
from halpose.evaluate.knn import BLOCK_BYTES, similarities
from halpose.evaluate.result import Measure

DEPTHS = (1, 5, 10)
"""k of recall@k."""

_TEMPORARIES = 12
"""Bytes that sorting and counting take for each byte of similarities."""


def rank(
    queries: Float[np.ndarray, "q d"],
    query_labels: Int[np.ndarray, " q"],
    gallery: Float[np.ndarray, "g d"],
    gallery_labels: Int[np.ndarray, " g"],
    *,
    metric: Literal["cosine", "euclidean"] = "cosine",
    device: torch.device | str = "cpu",
    block_bytes: int = BLOCK_BYTES,
) -> tuple[Float[np.ndarray, " q"], Int[np.ndarray, " q"], Int[np.ndarray, " q"]]:
    """Order the gallery by similarity for each query, and see where its class stands.

    O(q g (D + log g)) operations; memory for a few blocks beyond the inputs.

    Args:
        queries: (Q, D).
        query_labels: (Q,).
        gallery: (G, D).
        gallery_labels: (G,).
        metric: how two clips are compared.
        device: where the work is done.
        block_bytes: size of each temporary array.

    Returns:
        (Q,) average precision, 0 for a query whose class the gallery lacks; (Q,) rank of the first clip of its class
        (from 1; G + 1 where there is none; of equally similar clips the earlier in the gallery comes first); (Q,) place
        in the gallery of the most similar clip.

    Raises:
        DataError: a feature is not finite.
    """
    wanted, classes = (torch.from_numpy(labels).to(device) for labels in (query_labels, gallery_labels))
    precision = np.zeros(len(queries))
    first, nearest = np.zeros((2, len(queries)), dtype=np.int64)
    rows = max(1, block_bytes // (4 * _TEMPORARIES * len(gallery)))
    for start, block in similarities(queries, gallery, metric=metric, device=device, block_bytes=block_bytes):
        for offset in range(0, len(block), rows):
            similar = block[offset : offset + rows]
            at = slice(start + offset, start + offset + len(similar))
            value, order = similar.sort(dim=1, descending=True, stable=True)
            hit = classes[order] == wanted[at, None]
            precision[at] = average_precision(value, hit).cpu().numpy()
            found = torch.where(hit.any(dim=1), hit.int().argmax(dim=1), len(gallery))
            first[at], nearest[at] = (found + 1).cpu().numpy(), order[:, 0].cpu().numpy()
    return precision, first, nearest


def average_precision(similar: Float[torch.Tensor, "q g"], hit: Bool[torch.Tensor, "q g"]) -> Float[torch.Tensor, " q"]:
    """Mean, over the hits of each row, of the precision of the list that ends with them.

    Equally similar clips have no order: each counts with the list that ends with the last of them.

    Args:
        similar: (Q, G) descending in each row.
        hit: (Q, G) which are of the query's class.
    """
    count = similar.shape[1]
    place = torch.arange(count, device=similar.device)
    last = torch.ones_like(hit)
    last[:, :-1] = similar[:, 1:] < similar[:, :-1]
    end = torch.where(last, place, count).flip(1).cummin(dim=1).values.flip(1)
    found = hit.cumsum(dim=1)
    precision = found.gather(1, end).double() / (end + 1)
    total: torch.Tensor = (precision * hit).sum(dim=1) / found[:, -1].clamp_min(1)
    return total


def retrieval(sets: FeatureSet, part: Part, settings: Settings) -> Outcome:
    """Mean average precision and recall@k of the scored clips against what may be learned from.

    recall@k is the share of the queries with a clip of their class among the k most similar; recall@1 is the accuracy
    of the nearest neighbour, and so the `top1` of the result. A query whose class the gallery lacks finds nothing and
    counts as 0. The interval of mAP is a bootstrap over the queries.
    """
    gallery, queries = sets.roles(part)
    precision, first, nearest = rank(
        queries.features, queries.labels, gallery.features, gallery.labels, metric=sets.metric, device=settings.device
    )
    recalls = {f"recall@{depth}": Measure.share(first <= depth) for depth in DEPTHS}
    return Outcome(
        predictions=gallery.labels[nearest],
        settings={"gallery": len(gallery), "metric": sets.metric},
        metric="mAP",
        values={"mAP": Measure(float(precision.mean()), *bootstrap_mean(precision, settings.seed))} | recalls,
    )
