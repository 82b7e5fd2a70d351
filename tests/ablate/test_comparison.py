"""Means, intervals and paired differences, against scipy; what is chosen is chosen on validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from halpose.ablate.comparison import (
    Estimate,
    Line,
    chosen,
    comparison_table,
    make_line,
    over_seeds,
    share_over_seeds,
    with_differences,
)
from halpose.evaluate.intervals import wilson, wilson_over_draws

OURS, THEIRS = (0.9, 0.8, 0.85), (0.7, 0.75, 0.72)


def rows(cell: str, test: Sequence[float], validation: Sequence[float] = ()) -> list[dict[str, Any]]:
    return [
        {"cell": f"{cell}{seed}", "seed": seed, "part": part, "protocol": protocol, "top1": top1, "clips": 20}
        for seed, scores in enumerate(zip(test, validation or test, strict=True))
        for part, top1 in zip(("test", "validation"), scores, strict=True)
        for protocol in ("knn", "linear")
    ]


def line(name: str, *scores: Sequence[float]) -> Line:
    return make_line(name, (), None, rows(name, *scores))


def test_an_interval_of_several_seeds_is_students() -> None:
    found = over_seeds([1.0, 3.0, 4.0])
    low, high = stats.t.interval(0.95, 2, loc=8 / 3, scale=stats.sem([1.0, 3.0, 4.0]))
    assert (found.mean, found.low, found.high) == pytest.approx((8 / 3, low, high))
    assert over_seeds([2.0]) == Estimate(2.0, None, None, (2.0,))


def test_an_accuracys_interval_covers_clips_and_seeds() -> None:
    one = share_over_seeds([0.9], 20)
    assert (one.low, one.high) == pytest.approx(tuple(100 * end for end in wilson(18, 20)))
    hits = np.zeros((3, 20), bool)
    for draw, count in enumerate((18, 16, 17)):
        hits[draw, :count] = True
    several = share_over_seeds(OURS, 20)
    assert (several.low, several.high) == pytest.approx(tuple(100 * end for end in wilson_over_draws(hits)))
    assert several.mean == pytest.approx(85) and several.values == pytest.approx((90, 80, 85))


def test_differences_are_paired_by_seed() -> None:
    compared = with_differences([line("moco", THEIRS), line("halp", OURS)], ("moco", "halp"))
    assert compared[0].differences.keys() == {"halp"} and compared[1].differences.keys() == {"moco"}
    found = compared[1].differences["moco"]["linear"]
    paired = 100 * np.subtract(OURS, THEIRS)
    test = stats.ttest_rel(OURS, THEIRS).confidence_interval(0.95)
    assert found.values == pytest.approx(tuple(paired))
    assert (found.low, found.high) == pytest.approx((100 * test.low, 100 * test.high))
    assert compared[0].differences["halp"]["knn"].mean == pytest.approx(-found.mean)


def test_the_choice_is_made_on_validation_and_never_on_test() -> None:
    lines = [line("best on test", (0.9, 0.9), (0.5, 0.6)), line("best on validation", (0.2, 0.3), (0.7, 0.6))]
    assert chosen(lines).name == "best on validation"
    assert chosen([*lines, line("its equal", (1, 1), (0.7, 0.6))]).name == "best on validation"


def test_a_line_knows_its_cells() -> None:
    made = make_line("λ = 1", ("halp.hardness=1",), 79.7, rows("c", OURS))
    assert made.cells == ("c0", "c1", "c2")
    assert made.scores["test"]["knn"].mean == pytest.approx(85)


def test_the_table_fits_and_shows_the_papers_numbers_beside_ours() -> None:
    lines = [
        line("moco", THEIRS), make_line("to prototypes", (), 79.7, rows("a", OURS)),
        make_line("to the query", (), 77.92, rows("b", (1.0, 0.1, 0.5))),
    ]  # fmt: skip
    compared = with_differences(lines, ("moco", "to prototypes"))
    console = Console(width=80, record=True, file=None, force_terminal=False)
    with console.capture() as capture:
        console.print(comparison_table(compared, ("moco", "to prototypes"), "Title", ["A note."]))
    shown = capture.get().splitlines()
    assert max(map(len, shown)) <= 80 and "…" not in capture.get()
    linear = [text for text in shown if "linear" in text and "NTU" not in text]
    assert [text.split()[-1] for text in linear[1:]] == ["79.7", "77.92"]
    assert "+12.7 ± " in linear[1]
    assert "NTU RGB+D 60 x-sub" in capture.get()
