"""Approximate search for millions of vectors: a graph of near neighbours, by faiss (extra `faiss`).

Reference: Malkov and Yashunin, Efficient and robust approximate nearest neighbor search using hierarchical navigable
small world graphs, TPAMI 2020; Douze et al., The Faiss library, 2024.
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from halpose.errors import DataError
from halpose.inference.embed import Embeddings
from halpose.inference.search import Finder
from halpose.whole_file import whole_file

_LINKS, _BUILD, _LEAST = 32, 128, 128  # links of a vector, candidates when it is linked, and when it is looked for
_ROWS = 65536
_COMPARED = 64  # vectors of a kept graph


def approximate(index: Embeddings, kept: Path | None = None) -> Finder:
    """Walks a graph instead of comparing with all: O(log N) a query, and rarely misses a neighbour.

    Args:
        index: what is searched.
        kept: file of the embeddings; the graph is kept beside it, as `FILE.faiss`, and made anew when they are newer
            or others.

    Raises:
        DataError: faiss is not installed, or a vector is not finite.
    """
    faiss = _faiss()
    file = None if kept is None else kept.with_name(f"{kept.name}.faiss")
    graph = _read(faiss, file, kept, index)
    if graph is None:
        graph = _build(faiss, index)
        if file is not None:
            _keep(faiss, graph, file)

    def find(queries: Float[np.ndarray, "q d"], k: int) -> tuple[Int[np.ndarray, "q k"], Float[np.ndarray, "q k"]]:
        graph.hnsw.efSearch = max(_LEAST, 4 * k)
        cosines, rows = graph.search(_unit(queries, "query"), k)
        return rows, cosines

    return find


def _build(faiss: Any, index: Embeddings) -> Any:
    graph = faiss.IndexHNSWFlat(index.vectors.shape[1], _LINKS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = _BUILD
    for at in range(0, len(index), _ROWS):
        graph.add(_unit(index.vectors[at : at + _ROWS], f"vectors from {at} on"))
    return graph


def _keep(faiss: Any, graph: Any, file: Path) -> None:
    """Write the graph; where that cannot be, it is made anew the next time."""
    if file.parent.is_dir():
        with suppress(DataError, RuntimeError), whole_file(file) as partial:
            faiss.write_index(graph, str(partial))


def _read(faiss: Any, file: Path | None, kept: Path | None, index: Embeddings) -> Any:
    """The graph of an earlier call, if it is of these very embeddings as far as that can be told."""
    if file is None or kept is None or not file.exists() or file.stat().st_mtime < kept.stat().st_mtime:
        return None
    try:
        graph = faiss.read_index(str(file))
    except RuntimeError:
        return None
    if not isinstance(graph, faiss.IndexHNSWFlat) or (graph.ntotal, graph.d) != index.vectors.shape:
        return None
    # Files that were copied or moved here may be older than the graph of those that lay here before.
    some = np.unique(np.linspace(0, len(index) - 1, _COMPARED).astype(np.int64))
    is_ours = np.allclose(
        np.stack([graph.reconstruct(row) for row in some.tolist()]), _unit(index.vectors[some], "vectors"), atol=1e-6
    )
    return graph if is_ours else None


def _unit(vectors: Float[np.ndarray, "n d"], what: str) -> Float[np.ndarray, "n d"]:
    rows = np.array(vectors, dtype=np.float32, order="C")
    if not np.isfinite(rows).all():
        raise DataError(f"{what}: a value is not finite, so that nothing is near it; embed that recording again")
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return rows


def _faiss() -> Any:
    try:
        with warnings.catch_warnings():  # its wrapper defines types as Python 3.12 would not have them
            warnings.simplefilter("ignore", DeprecationWarning)
            import faiss
    except ImportError:
        raise DataError(
            "approximate search needs faiss: pip install 'halpose[faiss]'; without it, all are compared"
        ) from None
    return faiss
