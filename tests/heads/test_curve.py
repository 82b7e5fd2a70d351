"""More labels, more hits; scored on nobody that was learned from; and a picture of it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest
from clusters import clusters

from halpose.errors import DataError
from halpose.heads.curve import Point, learning_curve
from halpose.heads.curve_chart import curve_chart


def test_accuracy_grows_with_labels() -> None:
    points = learning_curve(clusters(each=16, test=6, noise=0.35), draws=4)
    assert [point.each for point in points] == [1, 2, 3, 5, 8, 10]
    assert [point.clips for point in points] == [5, 10, 15, 25, 40, 50]
    assert points[0].accuracy < 0.75 * points[-1].accuracy
    for point in points:
        assert 0 <= point.low <= point.accuracy <= point.high <= 1
    assert all(later.accuracy > earlier.accuracy - 0.1 for earlier, later in zip(points, points[1:], strict=False))


def test_without_a_test_part_every_clip_is_scored_once_by_folds() -> None:
    clips = clusters(classes=3, each=8, subjects=4, dimension=400, noise=1.0)
    noise = replace(clips, vectors=np.random.default_rng(0).normal(size=clips.vectors.shape).astype(np.float32))
    points = learning_curve(noise)
    assert [point.each for point in points] == [1, 2, 3, 5, 6]
    assert points[-1].clips == 18  # three of four subjects
    hits = [point.accuracy * len(clips) for point in points]
    np.testing.assert_allclose(hits, np.round(hits), atol=1e-9)
    # Nothing can be learned from noise, and whoever is scored was not learned from.
    assert max(point.accuracy for point in points) < 0.7


def test_classes_that_only_the_test_part_has_are_not_scored() -> None:
    clips = clusters(test=3)
    learned = (clips.labels != 4) | clips.is_test
    assert learning_curve(clips.rows(learned), draws=2)[-1].accuracy > 0.9
    alone = ((clips.labels == 4) & clips.is_test) | ((clips.labels != 4) & ~clips.is_test)
    with pytest.raises(DataError, match="no curve can be drawn"):
        learning_curve(clips.rows(alone))


def test_the_picture_has_a_place_for_each_point() -> None:
    points = [Point(1, 4, 0.25, 0.1, 0.4), Point(2, 8, 0.5, 0.4, 0.6), Point(4, 16, 1.0, 0.9, 1.0)]
    picture = ElementTree.fromstring(curve_chart(points, "<b>head & shoulders</b>"))
    spaces = {"": "http://www.w3.org/2000/svg"}
    circles = picture.findall("circle", spaces)
    x, y = ([float(circle.get(name) or "") for circle in circles] for name in ("cx", "cy"))
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.1)  # doublings
    assert (y[0] - y[2]) == pytest.approx(3 * (y[0] - y[1]), abs=0.1)
    assert "<b>head & shoulders</b>" in [text.text for text in picture.findall("text", spaces)]
    band = (picture.find("polygon", spaces).get("points") or "").split()  # type: ignore[union-attr]
    assert len(band) == 6
    assert ElementTree.fromstring(curve_chart(points[:1], "one")) is not None
