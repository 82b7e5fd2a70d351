from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from halpose.errors import ConfigError, DataError
from halpose.evaluate.base import Settings
from halpose.evaluate.featureset import FeatureSet, Samples
from halpose.evaluate.knn import knn, neighbours, vote


def exact(queries: np.ndarray, gallery: np.ndarray, metric: str) -> np.ndarray:
    """All similarities in float64, one pair at a time in spirit."""
    q, g = queries.astype(np.float64), gallery.astype(np.float64)
    if metric == "euclidean":
        return -np.linalg.norm(q[:, None] - g[None], axis=2)
    return (q @ g.T) / np.outer(np.linalg.norm(q, axis=1), np.linalg.norm(g, axis=1))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("k", [1, 3, 60])
@pytest.mark.parametrize("block_bytes", [100, 500, 4000, 1 << 20])
def test_neighbours_are_those_of_float64(metric: str, k: int, block_bytes: int) -> None:
    rng = np.random.default_rng(0)
    queries, gallery = rng.normal(size=(37, 9)).astype(np.float32), rng.normal(size=(60, 9)).astype(np.float32)
    indices, similarities = neighbours(queries, gallery, k, metric=metric, block_bytes=block_bytes)  # type: ignore[arg-type]
    truth = exact(queries, gallery, metric)
    order = np.argsort(-truth, axis=1)[:, :k]
    np.testing.assert_array_equal(indices.numpy(), order)
    np.testing.assert_allclose(similarities.numpy(), np.take_along_axis(truth, order, 1), atol=2e-6)


def test_tensors_and_arrays_give_the_same() -> None:
    rng = np.random.default_rng(1)
    queries, gallery = rng.normal(size=(5, 4)).astype(np.float32), rng.normal(size=(8, 4)).astype(np.float32)
    for a, b in zip(
        neighbours(queries, gallery, 2), neighbours(torch.tensor(queries), torch.tensor(gallery), 2), strict=True
    ):
        assert torch.equal(a, b)


@pytest.mark.parametrize("block_bytes", [1, 200, 1 << 20])
def test_of_equal_neighbours_the_first_in_the_gallery_wins(block_bytes: int) -> None:
    gallery = np.tile(np.eye(3, dtype=np.float32), (6, 1))
    indices, _ = neighbours(np.eye(3, dtype=np.float32), gallery, 4, block_bytes=block_bytes)
    assert indices.tolist() == [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e25])
def test_the_cosine_does_not_depend_on_length(scale: float) -> None:
    rng = np.random.default_rng(2)
    queries, gallery = rng.normal(size=(6, 5)).astype(np.float32), rng.normal(size=(9, 5)).astype(np.float32)
    plain = neighbours(queries, gallery, 3)
    scaled = neighbours(queries, (gallery * np.float32(scale)), 3)
    assert torch.equal(plain[0], scaled[0])
    torch.testing.assert_close(plain[1], scaled[1])


def test_distances_far_from_the_origin_are_not_lost_to_rounding() -> None:
    rng = np.random.default_rng(3)
    gallery = rng.normal(size=(50, 6)).astype(np.float32)
    far = np.float32(1000)
    indices, similarities = neighbours(gallery + far, gallery + far, 1, metric="euclidean")
    assert indices[:, 0].tolist() == list(range(50))
    assert float(similarities.abs().max()) < 0.01


def test_a_clip_without_signal_is_similar_to_none() -> None:
    _, similarities = neighbours(np.zeros((1, 3), np.float32), np.eye(3, dtype=np.float32), 3)
    assert similarities.tolist() == [[0.0, 0.0, 0.0]]


def test_a_read_only_memory_map_will_do(tmp_path: Path) -> None:
    gallery = np.random.default_rng(4).normal(size=(20, 4)).astype(np.float32)
    np.save(tmp_path / "gallery.npy", gallery)
    mapped = np.load(tmp_path / "gallery.npy", mmap_mode="r")
    assert torch.equal(neighbours(mapped, mapped)[0][:, 0], torch.arange(20))


@pytest.mark.parametrize("k", [0, 4])
def test_k_must_fit_the_gallery(k: int) -> None:
    with pytest.raises(ConfigError, match=r"gallery has 3 clips; k must be 1 to 3"):
        neighbours(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32), k)


def test_dimensions_must_agree() -> None:
    with pytest.raises(ConfigError, match="queries have 3 dimensions, the gallery 2"):
        neighbours(np.ones((1, 3), np.float32), np.ones((1, 2), np.float32))


def test_a_value_that_is_not_finite_is_refused() -> None:
    gallery = np.eye(3, dtype=np.float32)
    gallery[1, 1] = np.nan
    with pytest.raises(DataError, match="not finite"):
        neighbours(np.eye(3, dtype=np.float32), gallery)


def counted_vote(labels: list[int], similarities: list[float]) -> int:
    counts = Counter(labels)
    support = {label: sum(s for x, s in zip(labels, similarities, strict=True) if x == label) for label in counts}
    return min(counts, key=lambda label: (-counts[label], -support[label], label))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 7).flatmap(
        lambda k: st.tuples(
            st.lists(st.integers(0, 3), min_size=k, max_size=k),
            # Eighths add without rounding, so that both formulations see the same ties.
            st.lists(st.integers(-8, 8).map(lambda n: n / 8), min_size=k, max_size=k),
        )
    )
)
def test_the_vote_is_the_majority_then_the_more_similar(case: tuple[list[int], list[float]]) -> None:
    labels, similarities = case
    assert int(vote(torch.tensor([labels]), torch.tensor([similarities]), 4)) == counted_vote(labels, similarities)


def test_knn_learns_from_train_alone_when_validation_is_scored() -> None:
    def at(*points: tuple[float, float]) -> Samples:
        return Samples(np.array(points, dtype=np.float32), np.arange(len(points)))

    sets = FeatureSet(train=at((1, 0), (0, 1)), validation=at((0.9, 1), (1, 0.9)), test=at((0.9, 1), (1, 0.9)))
    assert knn(sets, "validation", Settings()).predictions.tolist() == [1, 0]
    assert knn(sets, "test", Settings()).predictions.tolist() == [0, 1]
