"""Retrieval: are the clips that are most like a query of its class, all the way down the list?

Queries are the clips that are scored, the gallery is what may be learned from. Nothing is learned and nothing chosen.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from halpose.evaluate.base import Outcome, Part, Settings
from halpose.evaluate.featureset import FeatureSet, Metric
from halpose.evaluate.intervals import bootstrap_mean
from halpose.evaluate.knn import BLOCK_BYTES, similarities
from halpose.evaluate.result import Measure

DEPTHS = (1, 5, 10)
"""k of recall@k."""

SHOWN = 5
"""k of precision@k: as many as a search shows."""

_TEMPORARIES = 12
"""Bytes that sorting and counting take for each byte of similarities."""


class Ranking(NamedTuple):
    """Where the clips of each query's class stand in the gallery, ordered by similarity.

    Attributes:
        precision: (Q,) average precision; 0 for a query whose class the gallery lacks.
        shown: (Q,) share of the query's class among the `SHOWN` most similar.
        first: (Q,) rank of the first clip of its class, from 1; G + 1 where there is none. Of equally similar clips the
            earlier in the gallery comes first.
        nearest: (Q,) place in the gallery of the most similar clip.
    """

    precision: Float[np.ndarray, " q"]
    shown: Float[np.ndarray, " q"]
    first: Int[np.ndarray, " q"]
    nearest: Int[np.ndarray, " q"]


def rank(
    queries: Float[np.ndarray, "q d"],
    query_labels: Int[np.ndarray, " q"],
    gallery: Float[np.ndarray, "g d"],
    gallery_labels: Int[np.ndarray, " g"],
    *,
    metric: Metric = "cosine",
    device: torch.device | str = "cpu",
    block_bytes: int = BLOCK_BYTES,
) -> Ranking:
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

    Raises:
        DataError: a feature is not finite.
    """
    wanted, classes = (torch.from_numpy(labels).to(device) for labels in (query_labels, gallery_labels))
    precision, shown = np.zeros((2, len(queries)))
    first, nearest = np.zeros((2, len(queries)), dtype=np.int64)
    rows = max(1, block_bytes // (4 * _TEMPORARIES * len(gallery)))
    for start, block in similarities(queries, gallery, metric=metric, device=device, block_bytes=block_bytes):
        for offset in range(0, len(block), rows):
            similar = block[offset : offset + rows]
            at = slice(start + offset, start + offset + len(similar))
            value, order = similar.sort(dim=1, descending=True, stable=True)
            hit = classes[order] == wanted[at, None]
            precision[at] = average_precision(value, hit).cpu().numpy()
            shown[at] = precision_of_first(value, hit, SHOWN).cpu().numpy()
            found = torch.where(hit.any(dim=1), hit.int().argmax(dim=1), len(gallery))
            first[at], nearest[at] = (found + 1).cpu().numpy(), order[:, 0].cpu().numpy()
    return Ranking(precision, shown, first, nearest)


def precision_of_first(
    similar: Float[torch.Tensor, "q g"], hit: Bool[torch.Tensor, "q g"], k: int
) -> Float[torch.Tensor, " q"]:
    """Share of hits among the first k of each row (of all where there are fewer).

    Equally similar clips have no order: of those around the k-th place, each takes one of the places that are left with
    the same probability, and the expectation counts.

    Args:
        similar: (Q, G) descending in each row.
        hit: (Q, G) which are of the query's class.
        k: places.
    """
    k = min(k, similar.shape[1])
    last = similar[:, k - 1 : k]
    certain, tied = similar > last, similar == last
    left = k - certain.sum(dim=1)
    share = (tied & hit).sum(dim=1).double() / tied.sum(dim=1)
    total: torch.Tensor = ((certain & hit).sum(dim=1) + left * share) / k
    return total


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
    """Mean average precision, precision@5 and recall@k of the scored clips against what may be learned from.

    recall@k is the share of the queries with a clip of their class among the k most similar; recall@1 is the accuracy
    of the nearest neighbour, and so the `top1` of the result. precision@5 is the share of the query's class among the 5
    most similar, what a search shows. A query whose class the gallery lacks finds nothing and
    counts as 0. The intervals of mAP and precision@5 are bootstraps over the
    queries.
    """
    gallery, queries = sets.roles(part)
    found = rank(
        queries.features, queries.labels, gallery.features, gallery.labels, metric=sets.metric, device=settings.device
    )

    def mean(of_each: Float[np.ndarray, " q"]) -> Measure:
        return Measure(float(of_each.mean()), *bootstrap_mean(of_each, settings.seed))

    recalls = {f"recall@{depth}": Measure.share(found.first <= depth) for depth in DEPTHS}
    return Outcome(
        predictions=gallery.labels[found.nearest],
        settings={"gallery": len(gallery), "metric": sets.metric},
        metric="mAP",
        values={"mAP": mean(found.precision), f"precision@{SHOWN}": mean(found.shown)} | recalls,
    )
