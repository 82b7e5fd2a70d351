from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from document import Document

from halpose.errors import DataError
from halpose.report.embedding import (
    LARGEST_TSNE,
    Embedding,
    embed_2d,
    embedding_data,
    embedding_method,
    legend,
    scatter,
)


def clusters(rng: np.random.Generator, each: int = 10) -> tuple[np.ndarray, np.ndarray]:
    centres = rng.normal(0, 10, (3, 16))
    labels = np.repeat(np.arange(3), each)
    return centres[labels] + rng.normal(size=(len(labels), 16)), labels


def test_clusters_stay_apart_and_the_seed_decides() -> None:
    features, labels = clusters(np.random.default_rng(0))
    points = embed_2d(features, seed=3)
    assert points.shape == (30, 2) and np.isfinite(points).all()
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    assert (labels[distance.argmin(1)] == labels).all()
    assert np.array_equal(points, embed_2d(features, seed=3))


def test_pca_beyond_the_limit_is_the_best_plane() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(LARGEST_TSNE + 1, 5)) * [5.0, 0.1, 3.0, 0.1, 0.1]
    points = embed_2d(features)
    assert embedding_method(len(features)) == "PCA"
    for found, axis in ((points[:, 0], 0), (points[:, 1], 2)):
        assert abs(np.corrcoef(found, features[:, axis])[0, 1]) > 0.999
        assert found.std() == pytest.approx(features[:, axis].std(), rel=0.01)


@pytest.mark.parametrize("shape", [(0, 4), (1, 4), (2, 1), (5, 3), (7, 1)])
def test_few_clips_or_features(shape: tuple[int, int]) -> None:
    points = embed_2d(np.random.default_rng(2).normal(size=shape))
    assert points.shape == (shape[0], 2) and np.isfinite(points).all()


def test_few_clips_keep_their_distances() -> None:
    features = np.random.default_rng(4).normal(size=(6, 2)) @ np.random.default_rng(5).normal(size=(2, 40))
    points = embed_2d(features)
    assert np.allclose(
        np.linalg.norm(points[0] - points[1:], axis=1), np.linalg.norm(features[0] - features[1:], axis=1)
    )


def test_equal_clips_are_one_point() -> None:
    assert not embed_2d(np.full((20, 4), 0.3)).any()


def test_features_that_are_not_finite_are_refused() -> None:
    with pytest.raises(DataError, match="finite"):
        embed_2d(np.full((5, 2), np.nan))
    with pytest.raises(DataError, match="finite"):
        embed_2d(np.zeros(5))


@pytest.fixture
def embedding() -> Embedding:
    rng = np.random.default_rng(3)
    labels = np.arange(60) % 28 - 1
    return Embedding(
        rng.normal(size=(60, 2)) * [9, 2], labels, [f"k{i}" for i in range(27)], [f"c{i}" for i in range(60)]
    )


def test_every_point_is_drawn_inside_at_one_scale(embedding: Embedding) -> None:
    page = Document(scatter(embedding))
    (svg,) = page.all("svg")
    _, _, width, height = map(float, (svg["viewbox"] or "").split())
    data = embedding_data(embedding)
    x, y = np.array(data["x"]), np.array(data["y"])
    assert len(page.all("use")) == 60
    assert x.min() >= 0 and x.max() <= width and y.min() >= 0 and y.max() <= height
    scale = np.polyfit(embedding.points[:, 0], x, 1)[0]
    assert np.polyfit(embedding.points[:, 1], y, 1)[0] == pytest.approx(-scale, rel=0.01)
    drawn = np.array([(float(use["x"] or 0), float(use["y"] or 0)) for use in page.all("use")])
    by_class = np.argsort(embedding.labels, kind="stable")
    assert np.abs(drawn - np.stack((x, y), 1)[by_class]).max() < 0.06


def test_colour_and_shape_tell_27_classes_apart(embedding: Embedding) -> None:
    page = Document(legend(embedding))
    marks = list(
        zip(
            [svg["class"] for svg in page.all("svg", class_="glyph")],
            [use["href"] for use in page.all("use")],
            strict=True,
        )
    )
    assert len(marks) == 28 and len(set(marks)) == 28
    assert "no label" in page.words()
    assert embedding_data(embedding)["classes"]["-1"] == "no label"


def test_missing_points_are_left_out_and_one_point_is_in_the_middle(embedding: Embedding) -> None:
    points = embedding.points.copy()
    points[4] = np.nan
    page = Document(scatter(dataclasses.replace(embedding, points=points)))
    assert len(page.all("use")) == 59
    alone = Embedding(np.array([[3.0, 4.0]]), np.array([0]), ["a"], ["c"])
    (mark,) = Document(scatter(alone)).all("use")
    assert (mark["x"], mark["y"]) == ("340", "220")


def test_points_labels_and_names_must_agree(embedding: Embedding) -> None:
    with pytest.raises(DataError, match="as many points"):
        scatter(dataclasses.replace(embedding, names=["a"]))
    with pytest.raises(DataError, match="as many points"):
        scatter(dataclasses.replace(embedding, points=np.zeros((60, 3))))
