from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from document import Document

from halpose.errors import DataError
from halpose.evaluate.result import Result
from halpose.report.axes import MINUS
from halpose.report.score_table import headline, score_table, settings_table
from halpose.report.scores import headline_score, read_scores


def test_reads_what_the_evaluation_writes() -> None:
    labels = np.array([0, 0, 1, 1, 1])
    written = Result.from_predictions(
        np.array([0, 1, 1, 1, 0]), labels, ["a", "b"], protocol="knn", features="raw", split="x-sub", part="test"
    )
    (score,) = read_scores([written.to_dict()])
    assert (score.protocol, score.features, score.split, score.top1) == ("knn", "raw", "x-sub", 0.6)
    assert score.interval == (written.low, written.high)
    assert score.confusion is not None and score.confusion.tolist() == [[1, 1], [1, 2]]
    assert score.classes == ("a", "b")


def test_an_evaluation_without_confusion(result: dict[str, Any]) -> None:
    for nothing in (None, [], ()):
        (score,) = read_scores([result | {"confusion": nothing}])
        assert score.confusion is None
    (score,) = read_scores([{"protocol": "knn", "features": "raw", "top1": 0.5}])
    assert score.interval is None and score.split == ""


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"top1": 91.0}, "between 0 and 1"),
        ({"top1": float("nan")}, "between 0 and 1"),
        ({"confusion": [[1, 2, 3], [4, 5, 6]]}, "square"),
        ({"confusion": [1, 2]}, "square"),
        ({"classes": ["a", "b"]}, "2 class names for a confusion matrix of 3"),
    ],
)
def test_wrong_rows_are_refused_by_name(result: dict[str, Any], change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DataError, match=complaint) as caught:
        read_scores([result | change])
    assert "knn/trained" in str(caught.value)


def test_a_row_that_lacks_a_key_says_which(result: dict[str, Any]) -> None:
    del result["top1"]
    with pytest.raises(DataError, match="lacks top1"):
        read_scores([result])


def test_rows_of_one_protocol_stand_together(result: dict[str, Any]) -> None:
    linear = result | {"protocol": "linear"}
    rows = [result, linear, result | {"features": "raw"}, linear | {"features": "raw"}]
    order = [(score.protocol, score.features) for score in read_scores(rows)]
    assert order == [("knn", "trained"), ("knn", "raw"), ("linear", "trained"), ("linear", "raw")]


def test_headline_is_never_the_best_of_several(result: dict[str, Any]) -> None:
    better = result | {"protocol": "linear", "top1": 0.99}
    chosen = headline_score(read_scores([better, result]))
    assert chosen is not None and chosen.protocol == "knn"


def test_headline_is_a_trained_test_score(result: dict[str, Any]) -> None:
    assert headline_score(read_scores([result | {"features": "raw"}])) is None
    assert headline_score(read_scores([result | {"part": "validation"}])) is None
    assert headline(read_scores([result | {"features": "untrained"}])) is None


def test_headline_says_the_distance_and_whether_intervals_overlap(result: dict[str, Any]) -> None:
    close = result | {"features": "raw", "top1": 0.88, "low": 0.84, "high": 0.91}
    far = result | {"features": "untrained", "top1": 0.6, "low": 0.5, "high": 0.7}
    better = result | {"features": "other", "top1": 0.95, "low": 0.94, "high": 0.96}
    markup = headline(read_scores([result, close, far, better]))
    assert markup is not None
    items = [item.split("</li>")[0] for item in markup.split("<li")[1:]]
    assert "+2.0 points" in items[0] and "overlap" in items[0]
    assert "+30.0 points" in items[1] and "overlap" not in items[1]
    assert f"{MINUS}5.0 points" in items[2] and "overlap" not in items[2] and 'class="worse"' in items[2]


def test_validation_scores_are_called_that(result: dict[str, Any]) -> None:
    table = score_table(read_scores([result, result | {"part": "validation"}]))
    assert table is not None and Document(table).words().count("validation part") == 1


def test_dot_and_interval_stand_where_the_axis_says(result: dict[str, Any]) -> None:
    table = score_table(read_scores([result]))
    assert table is not None
    page = Document(table)
    assert not [e for e in page.elements if "style" in e[1]]
    (bar,) = page.all("line", class_="bar")
    (dot,) = [svg for svg in page.all("svg") if svg.get("x")]
    ticks = [(float(mark["x"].rstrip("%")), text) for mark, text in zip(page.all("text"), _axis(page), strict=True)]  # type: ignore[union-attr]
    (x0, low), (x1, high) = ticks[0], ticks[-1]
    for place, share in ((dot["x"], 0.9), (bar["x1"], 0.85), (bar["x2"], 0.93)):
        assert place is not None
        value = float(low) + (float(place.rstrip("%")) - x0) / (x1 - x0) * (float(high) - float(low))
        assert value == pytest.approx(100 * share, abs=0.05)


@pytest.mark.parametrize("top1", [0.0, 1.0])
def test_extreme_scores_stay_on_the_axis(result: dict[str, Any], top1: float) -> None:
    table = score_table(read_scores([result | {"top1": top1, "low": top1, "high": top1}]))
    assert table is not None
    (dot,) = [svg for svg in Document(table).all("svg") if svg.get("x")]
    assert 0 <= float((dot["x"] or "").rstrip("%")) <= 100


def test_the_papers_protocol_is_named_where_it_was_asked_for(result: dict[str, Any]) -> None:
    asked = result | {"best_on_test": 0.95, "selected_on": "validation", "notes": ["one clip left out"]}
    markup = settings_table(read_scores([asked]))
    assert markup is not None
    words = Document(markup).words()
    assert "paper's protocol, not a result) = 95.0" in words
    assert "chosen on = validation" in words and "one clip left out" in words
    assert settings_table(read_scores([result | {"settings": {}}])) is None
    assert score_table([]) is None


def _axis(page: Document) -> list[str]:
    return [text for tag, text in page.text if tag == "text"]
