"""Nearest neighbours: which clips are most like this one, and the vote of their classes.

Plain matrix products of blocks of queries and blocks of the gallery, so that memory does not grow with either.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Float, Int

from halpose.errors import ConfigError, DataError
from halpose.evaluate.base import Outcome, Part, Settings
from halpose.evaluate.featureset import FeatureSet, Metric
from halpose.evaluate.partial import minus_partial_distance, partial_cosine

BLOCK_BYTES = 64 << 20
"""Size of each temporary array: a block of queries, a block of the gallery, their similarities."""


def neighbours(
    queries: Float[np.ndarray, "q d"] | Float[torch.Tensor, "q d"],
    gallery: Float[np.ndarray, "g d"] | Float[torch.Tensor, "g d"],
    k: int = 1,
    *,
    metric: Metric = "cosine",
    device: torch.device | str = "cpu",
    block_bytes: int = BLOCK_BYTES,
) -> tuple[Int[torch.Tensor, "q k"], Float[torch.Tensor, "q k"]]:
    """The k most similar clips of the gallery for each query, most similar first.

    O(q g D) operations in float32; memory for a few blocks beyond the inputs, wherever those live (a memory map will
    do). A clip without any signal (all zero) has similarity 0 to every other under the cosine.

    Args:
        queries: (q, D).
        gallery: (g, D).
        k: neighbours of each query, at most g.
        metric: `cosine`, or `euclidean` (similarity is minus the distance); with `partial` before it, over the values
            that both clips have, and a missing one is NaN.
        device: where the products are computed.
        block_bytes: size of each temporary array.

    Returns:
        Indices into the gallery (equally similar ones in ascending order) and similarities, both (q, k), on `device`.

    Raises:
        ConfigError: k is not between 1 and g, or the dimensions differ.
        DataError: a feature is not finite.
    """
    if not 1 <= k <= len(gallery):
        raise ConfigError(f"k is {k}, but the gallery has {len(gallery)} clips; k must be 1 to {len(gallery)}")
    if queries.shape[1] != gallery.shape[1]:
        raise ConfigError(f"queries have {queries.shape[1]} dimensions, the gallery {gallery.shape[1]}")
    rows = _rows(queries.shape[1], block_bytes)
    indices = torch.empty(len(queries), k, dtype=torch.int64, device=device)
    similarities = torch.empty(len(queries), k, dtype=torch.float32, device=device)
    for start in range(0, len(queries), rows):
        query = _block(queries, start, rows, metric, device)
        best, where = _empty(len(query), k, device)
        for offset in range(0, len(gallery), rows):
            other = _block(gallery, offset, rows, metric, device)
            similar = _similarity(query, other, metric)
            value, index = _largest(similar, min(k, len(other)))
            best, where = _merge(best, where, value, index + offset, k)
        indices[start : start + rows] = where
        similarities[start : start + rows] = best if metric.endswith("cosine") else -(-best).clamp_min(0).sqrt()
    return indices, similarities


def similarities(
    queries: Float[np.ndarray, "q d"],
    gallery: Float[np.ndarray, "g d"],
    *,
    metric: Metric = "cosine",
    device: torch.device | str = "cpu",
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[tuple[int, Float[torch.Tensor, "b g"]]]:
    """Every similarity, a block of queries at a time: the number of its first query, and (B, G).

    Under `euclidean` they are minus the squared distance, which has the same order.

    Args:
        queries: (Q, D).
        gallery: (G, D).
        metric: as of `neighbours`.
        device: where the products are computed.
        block_bytes: size of a block.

    Raises:
        DataError: a feature is not finite.
    """
    across = _rows(queries.shape[1], block_bytes)
    rows = max(1, min(across, block_bytes // (4 * max(1, len(gallery)))))
    for start in range(0, len(queries), rows):
        query = _block(queries, start, rows, metric, device)
        blocks = (_block(gallery, offset, across, metric, device) for offset in range(0, len(gallery), across))
        yield start, torch.cat([_similarity(query, other, metric) for other in blocks], dim=1)


def _rows(dimension: int, block_bytes: int) -> int:
    """Rows of a block, so that neither they nor their similarities to as many others take more."""
    return max(1, min(block_bytes // (4 * max(1, dimension)), math.isqrt(block_bytes // 4)))


def _similarity(
    query: Float[torch.Tensor, "q d"], other: Float[torch.Tensor, "g d"], metric: str
) -> Float[torch.Tensor, "q g"]:
    return _SIMILARITIES[metric](query, other)


def _empty(queries: int, k: int, device: torch.device | str) -> tuple[torch.Tensor, torch.Tensor]:
    best = torch.full((queries, k), -math.inf, device=device)
    return best, torch.full((queries, k), torch.iinfo(torch.int64).max, device=device)


def _largest(
    similar: Float[torch.Tensor, "q g"], k: int
) -> tuple[Float[torch.Tensor, "q k"], Int[torch.Tensor, "q k"]]:
    """The k largest of each row; of equal ones the first, which `topk` does not promise."""
    if k == 1:
        value, index = similar.max(dim=1, keepdim=True)
        return value, index
    value, index = similar.topk(k)
    tied = (similar >= value[:, -1:]).sum(dim=1) > k
    if bool(tied.any()):
        values, order = similar[tied].sort(dim=1, descending=True, stable=True)
        value[tied], index[tied] = values[:, :k], order[:, :k]
    return value, index


def _merge(
    best: Float[torch.Tensor, "q k"],
    where: Int[torch.Tensor, "q k"],
    value: Float[torch.Tensor, "q j"],
    index: Int[torch.Tensor, "q j"],
    k: int,
) -> tuple[Float[torch.Tensor, "q k"], Int[torch.Tensor, "q k"]]:
    """The k best of both, descending; equal ones in the order of the gallery, whatever the blocks were."""
    values, indices = torch.cat([best, value], dim=1), torch.cat([where, index], dim=1)
    indices, order = indices.sort(dim=1)
    values, order = values.gather(1, order).sort(dim=1, descending=True, stable=True)
    return values[:, :k], indices.gather(1, order)[:, :k]


def _block(
    source: np.ndarray | torch.Tensor,
    start: int,
    rows: int,
    metric: str,
    device: torch.device | str,
) -> Float[torch.Tensor, "n d"]:
    """Some rows as float32 on the device; unit length for the cosine."""
    piece = source[start : start + rows]
    if isinstance(piece, np.ndarray):  # copied, because a memory map is read-only and torch warns of that
        piece = torch.from_numpy(np.array(piece, dtype=np.float32))
    block = piece.to(device=device, dtype=torch.float32)
    # Of a partial metric a missing value is NaN, which no sum may be.
    if not bool((~block.isinf() if metric.startswith("partial") else block.isfinite()).all()):
        raise DataError(f"features of clips {start} to {start + len(block) - 1}: a value is not finite")
    if metric != "cosine":
        return block
    length = torch.linalg.vector_norm(block, dim=1, keepdim=True, dtype=torch.float64)
    unit: torch.Tensor = block / length.clamp_min(torch.finfo(torch.float32).tiny).float()
    return unit


def _minus_squared_distance(
    query: Float[torch.Tensor, "q d"], other: Float[torch.Tensor, "g d"]
) -> Float[torch.Tensor, "q g"]:
    """Minus |x - y|², from one product; centred first, because the product cancels badly far from the origin."""
    centre = other.mean(dim=0)
    query, other = query - centre, other - centre
    return 2 * query @ other.T - query.square().sum(1, keepdim=True) - other.square().sum(1)


_SIMILARITIES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "cosine": lambda query, other: query @ other.T,
    "euclidean": _minus_squared_distance,
    "partial cosine": partial_cosine,
    "partial euclidean": minus_partial_distance,
}


def vote(
    labels: Int[torch.Tensor, "q k"], similarities: Float[torch.Tensor, "q k"], classes: int
) -> Int[torch.Tensor, " q"]:
    """Class with the most votes; among equals the one whose voters are most similar in sum.

    Args:
        labels: (q, k) class of each neighbour.
        similarities: (q, k).
        classes: number of classes.
    """
    zeros = torch.zeros(len(labels), classes, dtype=torch.float64, device=labels.device)
    votes = zeros.scatter_add(1, labels, torch.ones_like(similarities, dtype=torch.float64))
    support = zeros.scatter_add(1, labels, similarities.double())
    support[votes < votes.max(dim=1, keepdim=True).values] = -math.inf
    return support.argmax(dim=1)


def knn(sets: FeatureSet, part: Part, settings: Settings) -> Outcome:
    """Vote of the k nearest neighbours, k = 1 unless set: no parameter is learned and none is chosen."""
    gallery, queries = sets.roles(part)
    where, similarities = neighbours(
        queries.features, gallery.features, settings.k, metric=sets.metric, device=settings.device
    )
    labels = torch.from_numpy(gallery.labels).to(where.device)[where]
    classes = int(gallery.labels.max()) + 1
    return Outcome(
        predictions=vote(labels, similarities, classes).cpu().numpy(),
        settings={"k": settings.k, "metric": sets.metric},
    )
