"""Clips compared over what is known of both, beside a loop over pairs in float64; and raw coordinates that way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from halpose.data.memory import memory_store
from halpose.data.normalise import clean
from halpose.data.store import Store
from halpose.errors import DataError
from halpose.evaluate.featureset import FeatureSet, Metric, Samples
from halpose.evaluate.knn import neighbours, similarities
from halpose.evaluate.partial import FARTHEST
from halpose.evaluate.raw import RAW_FORMS, raw_features, raw_sets
from halpose.skeleton import Sequence, load_layout


def with_holes(rng: np.random.Generator, rows: int, share: float = 0.4) -> np.ndarray:
    x = (rng.normal(size=(rows, 12)) + 3).astype(np.float32)
    x[rng.random(x.shape) < share] = np.nan
    return x


def witness(a: np.ndarray, b: np.ndarray, metric: str) -> float:
    both = np.isfinite(a) & np.isfinite(b)
    if not both.any():
        return -np.inf
    a, b = a[both].astype(np.float64), b[both].astype(np.float64)
    if metric == "partial euclidean":
        return -float(np.sqrt(len(both) / both.sum() * np.square(a - b).sum()))
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


@pytest.mark.parametrize("metric", ["partial cosine", "partial euclidean"])
@pytest.mark.parametrize("block_bytes", [300, 1 << 20])
def test_neighbours_over_common_values(metric: Metric, block_bytes: int) -> None:
    rng = np.random.default_rng(0)
    queries, gallery = with_holes(rng, 30), with_holes(rng, 50)
    truth = np.array([[witness(a, b, metric) for b in gallery] for a in queries])
    where, similar = neighbours(queries, gallery, 5, metric=metric, block_bytes=block_bytes)
    np.testing.assert_allclose(similar.numpy(), -np.sort(-truth, axis=1)[:, :5], atol=1e-4)
    np.testing.assert_allclose(np.take_along_axis(truth, where.numpy(), 1), similar.numpy(), atol=1e-4)


@pytest.mark.parametrize("metrics", [("cosine", "partial cosine"), ("euclidean", "partial euclidean")])
def test_where_nothing_is_missing_it_is_the_usual_comparison(metrics: tuple[Metric, Metric]) -> None:
    rng = np.random.default_rng(1)
    queries, gallery = with_holes(rng, 20, 0), with_holes(rng, 30, 0)
    usual, partial = (neighbours(queries, gallery, 4, metric=metric) for metric in metrics)
    assert torch.equal(usual[0], partial[0])
    torch.testing.assert_close(usual[1], partial[1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("metric", ["partial cosine", "partial euclidean"])
def test_clips_without_anything_in_common_come_last(metric: Metric) -> None:
    query = np.array([[1, 2, np.nan, np.nan]], np.float32)
    gallery = np.array([[np.nan, np.nan, 1, 2], [-100, -200, 7, 7], [np.nan] * 4], np.float32)
    ((_, similar),) = similarities(query, gallery, metric=metric)
    assert similar[0].argmax() == 1 and (similar[0, [0, 2]] == FARTHEST).all() and similar.isfinite().all()


def test_only_what_is_compared_partially_may_be_missing() -> None:
    x = with_holes(np.random.default_rng(2), 6)
    samples = Samples(x, np.array([0, 1] * 3))
    assert FeatureSet(samples, samples, samples, "partial cosine").checked(("a", "b"))[1] == ()
    with pytest.raises(DataError, match="not finite"):
        FeatureSet(samples, samples, samples).checked(("a", "b"))
    x[0, 0] = np.inf
    for metric in ("partial cosine", "partial euclidean"):
        with pytest.raises(DataError, match="not finite"):
            FeatureSet(samples, samples, samples, metric).checked(("a", "b"))
        with pytest.raises(DataError, match="not finite"):
            neighbours(x, x, 1, metric=metric)


@pytest.mark.parametrize("name", RAW_FORMS)
def test_joints_that_were_not_seen_are_missing_and_people_who_are_not_there_are_not(store: Store, name: str) -> None:
    """Elsewhere the coordinates are those that are not ignored; unit lengths are those of the joints that were seen."""
    clips, form = np.array([0, 3, 11, 40]), RAW_FORMS[name]
    assert store.confidence is not None and set(store.clips.people[clips]) == {1, 2}
    usual = raw_features(store, form, clips, frames=16)
    ignoring = raw_features(store, replace(form, missing="ignore"), clips, frames=16)
    shape = (len(clips), -1, 16, 2, 20, 3)
    missing = np.isnan(ignoring).reshape(shape)
    assert (missing == missing[..., :1]).all() and (missing == missing[:, :1]).all()
    expected = np.zeros((len(clips), 16, 2, 20), bool)
    for row, clip in enumerate(clips):
        first, end = store.clips.offsets[clip : clip + 2]
        sure = np.asarray(store.confidence[first:end]) > 0
        for frame in range(16):
            at = min(max((frame + 0.5) * (end - first) / 16 - 0.5, 0), end - first - 1)
            below, above = int(at), min(int(at) + 1, end - first - 1)
            expected[row, frame] = (1 - at + below) * sure[below] + (at - below) * sure[above] < 0.5 - 1e-6
        expected[row, :, int(store.clips.people[clip]) :] = False
    np.testing.assert_array_equal(missing[:, 0, ..., 0], expected)
    assert 0 < expected.mean() < 0.1
    if form.values != "moving":
        np.testing.assert_array_equal(ignoring[~np.isnan(ignoring)], usual[~np.isnan(ignoring)])
    else:
        lengths = np.sqrt(np.nansum(ignoring.reshape(len(clips), 2, -1) ** 2, axis=2))
        np.testing.assert_allclose(lengths, 1, rtol=1e-5)


def test_moving_is_what_deviates_from_the_mean_of_what_was_seen() -> None:
    """A joint that is seen in half of the frames deviates from its mean in those."""
    rng = np.random.default_rng(3)
    positions = rng.normal(size=(1, 16, 20, 3)).astype(np.float32)
    hidden = positions.copy()
    hidden[0, 8:, 4] = np.nan
    store = memory_store([clean(Sequence(hidden, "kinect20", "c"), people=1)], load_layout("kinect20"))
    form = replace(RAW_FORMS["first moving"], missing="ignore")
    moving = raw_features(store, form, np.array([0]), frames=16)[0].reshape(2, 16, 20, 3)[1, :8, 4].astype(np.float64)
    deviation = positions[0, :8, 4].astype(np.float64)
    deviation -= deviation.mean(axis=0)
    scale = np.linalg.norm(moving) / np.linalg.norm(deviation)
    np.testing.assert_allclose(moving, scale * deviation, atol=1e-4)


def test_without_anything_missing_both_ways_give_the_same(store: Store) -> None:
    whole = replace(store, confidence=None)
    for name, form in RAW_FORMS.items():
        features = [raw_features(whole, replace(form, missing=how), np.arange(6), 16) for how in ("zero", "ignore")]
        np.testing.assert_allclose(features[0], features[1], atol=1e-6, err_msg=name)
    assert raw_sets(store, "x-sub", {"a": RAW_FORMS["first metres"]})["a"]().metric == "euclidean"
