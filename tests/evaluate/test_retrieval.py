from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from halpose.errors import DataError
from halpose.evaluate.base import Settings
from halpose.evaluate.featureset import FeatureSet, Samples
from halpose.evaluate.knn import knn, similarities
from halpose.evaluate.protocol import evaluate
from halpose.evaluate.result import Result
from halpose.evaluate.retrieval import average_precision, precision_of_first, rank, retrieval

Clusters = Callable[..., FeatureSet]
CLASSES = ("a", "b", "c", "d")


def some(sets: FeatureSet) -> tuple[Samples, Samples]:
    return sets.roles("test")[1], sets.roles("test")[0]


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a / np.linalg.norm(a, axis=1, keepdims=True)) @ (b / np.linalg.norm(b, axis=1, keepdims=True)).T


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("block_bytes", [1, 2000, 64 << 20])
def test_average_precision_is_that_of_scikit_learn(metric: str, block_bytes: int, clusters: Clusters) -> None:
    queries, gallery = some(clusters(noise=2.0))
    precision, _, _, _ = rank(
        queries.features,
        queries.labels,
        gallery.features,
        gallery.labels,
        metric=metric,  # type: ignore[arg-type]
        block_bytes=block_bytes,
    )
    similar = cosines(queries.features, gallery.features)
    if metric == "euclidean":
        apart = queries.features[:, None].astype(np.float64) - gallery.features[None]
        similar = -np.square(apart).sum(axis=2)
    witness = [average_precision_score(gallery.labels == label, row) for label, row in zip(queries.labels, similar)]  # noqa: B905
    np.testing.assert_allclose(precision, witness, rtol=1e-9)


def test_equally_similar_clips_have_no_order() -> None:
    similar = torch.tensor([[0.9, 0.5, 0.5, 0.5, 0.1]])
    for hit in ([True, False, True, False, False], [True, True, False, False, False]):
        (found,) = average_precision(similar, torch.tensor([hit]))
        assert float(found) == pytest.approx(average_precision_score(hit, similar[0].numpy()))
        assert float(found) == pytest.approx((1 + 2 / 4) / 2)


def test_features_without_signal_retrieve_the_share_of_the_class() -> None:
    labels = np.array([0] * 9 + [1])
    nothing = np.zeros((10, 4), np.float32)
    precision, shown, _, _ = rank(nothing[:2], np.array([0, 1]), nothing, labels)
    np.testing.assert_allclose(precision, [0.9, 0.1])
    np.testing.assert_allclose(shown, [0.9, 0.1])


def test_precision_of_the_first_few() -> None:
    similar = torch.tensor([[0.9, 0.8, 0.8, 0.8, 0.1, 0.0]])
    hit = torch.tensor([[True, False, True, True, False, True]])
    for k, share in ((1, 1.0), (2, (1 + 2 / 3) / 2), (3, (1 + 4 / 3) / 3), (4, 3 / 4), (5, 3 / 5), (99, 4 / 6)):
        (found,) = precision_of_first(similar, hit, k)
        assert float(found) == pytest.approx(share)


def test_ranks_are_those_of_a_loop(clusters: Clusters) -> None:
    queries, gallery = some(clusters(noise=4.0, classes=8, each=5))
    labels = np.where(gallery.labels == 3, 2, gallery.labels)  # class 3 is not in the gallery
    _, shown, first, nearest = rank(queries.features, queries.labels, gallery.features, labels, block_bytes=300)
    similar = cosines(queries.features, gallery.features)
    for query in range(len(queries)):
        order = np.argsort(-similar[query], kind="stable")
        places = [place for place, clip in enumerate(order, 1) if labels[clip] == queries.labels[query]]
        assert first[query] == (places[0] if places else len(gallery) + 1)
        assert nearest[query] == order[0]
        assert shown[query] == pytest.approx(np.mean(labels[order[:5]] == queries.labels[query]))
    assert (first[queries.labels == 3] == len(gallery) + 1).all()


def test_similarities_come_in_blocks_that_make_the_whole(clusters: Clusters) -> None:
    queries, gallery = some(clusters())
    blocks = list(similarities(queries.features, gallery.features, block_bytes=1500))
    assert len(blocks) > 3
    assert [start for start, _ in blocks] == list(np.cumsum([0] + [len(block) for _, block in blocks[:-1]]))
    whole = torch.cat([block for _, block in blocks])
    np.testing.assert_allclose(whole.numpy(), cosines(queries.features, gallery.features), atol=1e-6)


def result_of(sets: FeatureSet, **settings: int) -> Result:
    return evaluate({"trained": sets}, ["retrieval"], classes=CLASSES, split="s", settings=Settings(**settings))[0]  # type: ignore[arg-type]


def test_the_result_leads_with_map_and_recall_at_one_is_the_nearest_neighbour(clusters: Clusters) -> None:
    sets = clusters(noise=2.5)
    result = result_of(sets)
    assert (result.metric, result.headline) == ("mAP", result.values["mAP"].value)
    assert result.top1 == result.values["recall@1"].value
    assert result.top1 == (knn(sets, "test", Settings()).predictions == sets.test.labels).mean()
    recalls = [result.values[f"recall@{k}"].value for k in (1, 5, 10)]
    assert recalls == sorted(recalls) and recalls[0] < recalls[2]
    precision, shown, _, _ = rank(sets.test.features, sets.test.labels, sets.official.features, sets.official.labels)
    assert result.headline == pytest.approx(precision.mean())
    assert result.values["precision@5"].value == pytest.approx(shown.mean())
    for value in result.values.values():
        assert value.low <= value.value <= value.high
    # A bootstrap over queries: half-width about 1.96 standard errors of the mean.
    error = precision.std() / np.sqrt(len(precision))
    assert result.values["mAP"].high - result.values["mAP"].low == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_the_same_seed_gives_the_same_interval(clusters: Clusters) -> None:
    sets = clusters(noise=2.5)
    first, again, other = (result_of(sets, seed=seed).values["mAP"] for seed in (0, 0, 1))
    assert first == again
    assert first.value == other.value and first.low != other.low


def test_perfect_features_retrieve_everything_first(clusters: Clusters) -> None:
    result = result_of(clusters(noise=0.0))
    assert {name: value.value for name, value in result.values.items()} == pytest.approx(
        {"mAP": 1, "precision@5": 1, "recall@1": 1, "recall@5": 1, "recall@10": 1}
    )


def test_a_class_with_one_clip_in_the_gallery_counts(clusters: Clusters) -> None:
    sets = clusters(noise=0.0)
    keep = (sets.train.labels != 2) | (np.arange(len(sets.train)) == 2)
    lone = Samples(sets.train.features[keep], sets.train.labels[keep])
    none = Samples(sets.validation.features[:0], sets.validation.labels[:0])
    assert result_of(replace(sets, train=lone, validation=none)).values["mAP"].value == pytest.approx(1)


def test_a_class_that_the_gallery_lacks_finds_nothing_and_is_told(clusters: Clusters) -> None:
    sets = clusters(noise=0.0)
    known = sets.official.labels != 2
    train = Samples(sets.official.features[known], sets.official.labels[known])
    none = Samples(sets.validation.features[:0], sets.validation.labels[:0])
    result = result_of(replace(sets, train=train, validation=none))
    assert result.values["mAP"].value == result.values["recall@10"].value == 0.75
    assert "without a training clip" in result.notes[0]


def test_a_feature_that_is_not_finite_is_refused(clusters: Clusters) -> None:
    sets = clusters()
    sets.test.features[3] = np.nan
    with pytest.raises(DataError, match="features of clips"):
        retrieval(sets, "test", Settings())
