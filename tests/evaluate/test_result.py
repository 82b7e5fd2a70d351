from __future__ import annotations

import io
import json
import math

import numpy as np
import pytest
from rich.console import Console

from halpose.errors import DataError
from halpose.evaluate.intervals import Z_95, wilson, wilson_over_draws
from halpose.evaluate.result import Measure, Result, table

CLASSES = ("sit", "stand", "wave", "never")
ABOUT = {"protocol": "knn", "features": "trained", "split": "x-sub", "part": "test"}


def some_result(**more: object) -> Result:
    labels = np.array([0, 0, 0, 1, 1, 2])
    predictions = np.array([0, 0, 1, 1, 2, 2])
    return Result.from_predictions(predictions, labels, CLASSES, **{**ABOUT, **more})


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_agrees_with_published_values(hits: int, trials: int, low: float, high: float) -> None:
    assert wilson(hits, trials) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("hits", "trials"), [(1, 7), (50, 100), (391, 430), (16000, 16560)])
def test_at_the_ends_of_the_interval_the_score_test_just_rejects(hits: int, trials: int) -> None:
    for end in wilson(hits, trials):
        assert abs(hits / trials - end) == pytest.approx(Z_95 * math.sqrt(end * (1 - end) / trials))


def test_wilson_stays_within_zero_and_one_and_mirrors() -> None:
    assert wilson(10, 10)[1] == 1.0
    assert wilson(0, 10)[0] == 0.0
    low, high = wilson(3, 10)
    assert wilson(7, 10) == pytest.approx((1 - high, 1 - low))


def test_counts_go_to_true_row_and_predicted_column() -> None:
    result = some_result()
    assert result.confusion == ((2, 1, 0, 0), (0, 1, 1, 0), (0, 0, 1, 0), (0, 0, 0, 0))
    assert result.top1 == pytest.approx(4 / 6)
    assert result.clips == 6
    assert (result.low, result.high) == wilson(4, 6)


def test_which_clips_were_recognised_is_kept_unless_there_are_several_draws() -> None:
    labels = np.array([0, 1, 2, 2])
    assert Result.from_predictions(np.array([0, 2, 2, 0]), labels, CLASSES, **ABOUT).hits == "1010"
    assert Result.from_predictions(np.stack([labels, labels]), labels, CLASSES, **ABOUT).hits == ""


def test_a_class_without_clips_has_no_accuracy_and_does_not_enter_the_mean() -> None:
    result = some_result()
    assert result.per_class == (2 / 3, 1 / 2, 1.0, None)
    assert result.mean_per_class == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)


def test_json_round_trip_is_exact_and_strict() -> None:
    result = some_result(settings={"k": 1, "tried": {"a": 0.5}}, notes=("one",), seconds=0.25, best_on_test=0.7)
    text = json.dumps(result.to_dict(), allow_nan=False)
    assert Result.from_dict(json.loads(text)) == result
    keys = json.loads(text).keys()
    assert {"protocol", "features", "split", "top1", "low", "high", "per_class", "mean_per_class"} <= keys


def test_an_unknown_key_is_left_out_and_a_missing_one_named() -> None:
    row = some_result().to_dict()
    assert Result.from_dict(row | {"of_a_later_version": 1}) == some_result()
    del row["top1"]
    with pytest.raises(DataError, match="top1"):
        Result.from_dict(row)


def test_nothing_to_score_is_an_error() -> None:
    none = np.empty(0, dtype=np.int64)
    with pytest.raises(DataError, match="no labelled clip"):
        Result.from_predictions(none, none, CLASSES, **ABOUT)


def shown(results: list[Result]) -> str:
    console = Console(width=220, file=io.StringIO())
    console.print(table(results))
    return console.file.getvalue()


def test_the_table_says_what_was_scored() -> None:
    text = shown([some_result(settings={"k": 1}), some_result(features="raw", settings={"normalisation": "first"})])
    assert "x-sub, test part: 6 clips" in text
    assert text.count("66.7") == 2
    assert "30.0 to 90.3" in text
    assert "normalisation first" in text
    assert "paper" not in text


def test_best_on_test_is_labelled_and_only_where_asked_for() -> None:
    text = shown([some_result(), some_result(protocol="linear-sgd", best_on_test=0.875)])
    assert "Best on test" in text
    assert "the paper's protocol" in text
    assert text.count("87.5") == 1


def test_a_validation_score_is_not_dressed_up_as_a_test_score() -> None:
    assert "not for reporting" in shown([some_result(part="validation")])


def test_a_note_of_one_row_names_the_row() -> None:
    text = shown([some_result(notes=("odd",)), some_result(protocol="linear")])
    assert "trained knn: odd" in text


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_a_terminal_and_breaks_no_cell(width: int) -> None:
    results = [
        some_result(
            protocol="linear-sgd", features="untrained", best_on_test=0.9, settings={"epochs": 80}, seconds=1.0
        ),
        some_result(features="raw", settings={"normalisation": "first [aligned]", "k": 1}, selected_on="validation"),
    ]
    console = Console(width=width, file=io.StringIO())
    console.print(table(results))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if line.startswith("│")]
    assert rows == [
        ["untrained", "linear-sgd", "66.7", "30.0 to 90.3", "90.0", "72.2"],
        ["raw", "knn", "66.7", "30.0 to 90.3", "", "72.2"],
    ]
    assert "raw knn: normalisation first [aligned], k 1, chosen on validation" in lines
    assert "untrained linear-sgd: epochs 80" in lines


def test_further_numbers_stand_below_the_one_to_look_at_first() -> None:
    found = {"recall@1": Measure(4 / 6, 0.3, 0.9), "mAP": Measure(0.5, 0.4, 0.6)}
    results = [some_result(protocol="retrieval", metric="mAP", values=found), some_result(variant="5 %")]
    lines = shown(results).splitlines()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if line.startswith("│")]
    assert rows == [
        ["trained", "retrieval", "mAP", "50.0", "40.0 to 60.0", ""],
        ["", "", "recall@1", "66.7", "30.0 to 90.0", "72.2"],
        ["trained", "knn 5 %", "top-1", "66.7", "30.0 to 90.3", "72.2"],
    ]
    assert Result.from_dict(json.loads(json.dumps(results[0].to_dict()))) == results[0]
    assert results[0].headline == 0.5 and results[1].headline == results[1].top1


def test_several_draws_are_averaged() -> None:
    labels = np.array([0, 0, 1, 1])
    draws = np.array([[0, 0, 1, 1], [0, 1, 1, 0]])
    result = Result.from_predictions(draws, labels, CLASSES, **ABOUT)
    assert result.top1 == 0.75
    assert result.clips == 4
    assert result.by_draw == (1.0, 0.5)
    assert Result.from_dict(json.loads(json.dumps(result.to_dict()))) == result
    assert result.confusion[:2] == ((3, 1, 0, 0), (1, 3, 0, 0))
    assert (result.low, result.high) == wilson_over_draws(draws == labels)
    assert result.per_class[:2] == (0.75, 0.75)


def test_cost_is_told_where_it_is_noticed() -> None:
    text = shown([some_result(seconds=0.3), some_result(protocol="finetune", seconds=71.2)])
    assert "cost: trained finetune 71 s on cpu" in text
