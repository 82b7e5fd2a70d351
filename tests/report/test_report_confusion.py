from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from document import Document
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from halpose.report.confusion import confusion_data, confusion_views, hardest, mixups
from halpose.report.scores import read_scores

square = st.integers(1, 9).flatmap(lambda k: arrays(np.int64, (k, k), elements=st.integers(0, 5)))


def test_no_matrix_no_section(result: dict[str, Any]) -> None:
    assert confusion_views(read_scores([result | {"confusion": None}])) is None


@given(square)
def test_mixups_are_the_largest_mistakes(confusion: np.ndarray) -> None:
    found = mixups(confusion, most=4)
    wrong = sorted((int(n) for n in confusion[~np.eye(len(confusion), dtype=bool)] if n), reverse=True)
    assert [n for _, _, n in found] == wrong[:4]
    assert all(true != guess and confusion[true, guess] == n for true, guess, n in found)


@given(square)
def test_hardest_classes_are_the_least_recognised(confusion: np.ndarray) -> None:
    found = hardest(confusion, most=100)
    shares = [share for _, share, _ in found]
    assert shares == sorted(shares)
    expected = {k for k, row in enumerate(confusion.tolist()) if sum(row) and row[k] < sum(row)}
    assert {k for k, _, _ in found} == expected
    assert all(share == confusion[k, k] / clips and clips == confusion[k].sum() for k, share, clips in found)


@pytest.mark.parametrize("count", [1, 2, 10, 27, 60, 120])
def test_every_cell_that_holds_clips_is_drawn_once(result: dict[str, Any], count: int) -> None:
    rng = np.random.default_rng(count)
    confusion = rng.integers(0, 3, (count, count)) * (rng.random((count, count)) < 0.2)
    row = result | {"confusion": confusion.tolist(), "classes": [f"action {k}" for k in range(count)]}
    scores = read_scores([row])
    views = confusion_views(scores)
    assert views is not None
    page = Document(views)
    right, wrong = page.all("rect", class_="right"), page.all("rect", class_="wrong")
    assert len(right) == np.count_nonzero(np.diag(confusion))
    assert len(right) + len(wrong) == np.count_nonzero(confusion)
    (svg,) = page.all("svg")
    cell = float(svg["data-cell"] or 0)
    left, top, width, height = map(float, (svg["viewbox"] or "").split())
    assert left <= 0 and top <= 0 and left + width >= cell * count and top + height >= cell * count
    for mark in right + wrong:
        column, line = float(mark["x"] or 0) / cell, float(mark["y"] or 0) / cell
        share = confusion[round(line), round(column)] / confusion[round(line)].sum()
        assert float(mark["fill-opacity"] or 0) == pytest.approx(0.12 + 0.88 * share, abs=0.01)
    (data,) = confusion_data(scores)
    rebuilt = np.zeros_like(confusion)
    for true, guess, clips in data["cells"]:
        rebuilt[true, guess] = clips
    assert np.array_equal(rebuilt, confusion)


def test_headline_matrix_comes_first_and_views_match_their_data(result: dict[str, Any]) -> None:
    raw = result | {"features": "raw", "confusion": [[1, 0, 0], [0, 1, 0], [0, 0, 7]]}
    scores = read_scores([raw, result])
    views = confusion_views(scores)
    assert views is not None
    page = Document(views)
    assert [view["data-index"] for view in page.all("div", class_="confusion-view")] == ["0", "1"]
    assert len(page.all("option")) == 2
    first, second = confusion_data(scores)
    assert [2, 0, 2] in first["cells"] and [2, 2, 7] in second["cells"]


def test_long_names_are_cut_in_the_drawing_only(result: dict[str, Any]) -> None:
    name = "x" * 80
    views = confusion_views(read_scores([result | {"classes": [name, "b", "c"]}]))
    assert views is not None
    page = Document(views)
    assert all(len(text) < 30 for tag, text in page.text if tag == "text")
    assert name in page.words()
