from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from document import Document
from hypothesis import given
from hypothesis import strategies as st

from halpose.report.curves import curve_data, curve_grid, read_curves

NAN = float("nan")


def rows(**series: list[float | None]) -> list[dict[str, Any]]:
    length = len(next(iter(series.values())))
    return [{"step": 10 * i} | {key: values[i] for key, values in series.items()} for i in range(length)]


def lines(markup: str) -> list[str]:
    return [path["d"] or "" for path in Document(markup).all("path", class_="line")]


def test_nothing_to_draw() -> None:
    assert read_curves([]) is None
    assert read_curves([{"step": 1}, {"step": 2, "epoch": 1, "loss": None}]) is None
    assert read_curves(rows(loss=[NAN, NAN])) is None


def test_one_row_is_a_dot() -> None:
    curves = read_curves([{"step": 7, "loss": 2.5}])
    assert curves is not None
    page = Document(curve_grid(curves))
    assert len(page.all("circle", class_="point")) == 1 and not page.all("path", class_="line")
    assert "7" in [text for tag, text in page.text if tag == "text"]


def test_gaps_break_the_line_and_lone_values_are_dots() -> None:
    curves = read_curves(rows(loss=[1, 2, NAN, 3, None, 4, 5, 6], accuracy=[0.1] * 8))
    assert curves is not None
    page = Document(curve_grid(curves))
    (path, flat) = lines(curve_grid(curves))
    assert [part.count("L") + 1 for part in path.split("M")[1:]] == [2, 3]
    assert flat.count("M") == 1
    assert len(page.all("circle", class_="point")) == 1


@given(st.lists(st.floats(-1e6, 1e6) | st.just(NAN) | st.just(float("inf")), min_size=1, max_size=30))
def test_every_value_stays_inside_its_panel(values: list[float]) -> None:
    curves = read_curves([{"step": i, "loss": value} for i, value in enumerate(values)])
    if curves is None:
        assert not np.isfinite(values).any()
        return
    markup = curve_grid(curves)
    assert "nan" not in markup and "inf" not in markup.replace("infonce", "")
    for path in lines(markup):
        numbers = [float(n) for n in re.findall(r"-?[\d.]+", path)]
        assert all(0 <= x <= 360 for x in numbers[::2]) and all(0 <= y <= 176 for y in numbers[1::2])


def test_start_of_the_term_is_marked_once_it_begins() -> None:
    late = read_curves(rows(loss=[1, 2, 3, 4], halp=[0, 0, -1, -2]))
    missing = read_curves(rows(loss=[1, 2, 3, 4], halp=[None, None, -1, -2]))
    early = read_curves(rows(loss=[1, 2, 3, 4], halp=[-3, -2, 0, -2]))
    never = read_curves(rows(loss=[1, 2, 3, 4], halp=[0, 0, 0, 0]))
    assert late is not None and missing is not None and early is not None and never is not None
    assert late.halp_start == missing.halp_start == 20
    assert early.halp_start is None and never.halp_start is None
    assert np.array_equal(late.values["halp"], [NAN, NAN, -1, -2], equal_nan=True)
    assert early.values["halp"].tolist() == [-3, -2, 0, -2]
    assert "halp" not in never.values
    assert curve_grid(late).count("HaLP starts") == 1
    assert "HaLP starts" not in curve_grid(early)


def test_a_step_logged_twice_keeps_its_last_row_and_order_is_restored() -> None:
    curves = read_curves([{"step": 20, "loss": 9}, {"step": 10, "loss": 1}, {"step": 20, "loss": 2}])
    assert curves is not None
    assert curves.steps.tolist() == [10, 20] and curves.values["loss"].tolist() == [1, 2]


def test_the_only_term_is_not_drawn_twice() -> None:
    curves = read_curves(rows(loss=[3, 2, 1], infonce=[3, 2, 1], zebra=[1, 1, 1]))
    assert curves is not None
    assert list(curves.values) == ["loss", "zebra"]


def test_text_and_flags_are_no_curves() -> None:
    curves = read_curves([{"step": 1, "loss": 1.0, "device": "cpu", "resumed": True}])
    assert curves is not None and list(curves.values) == ["loss"]


def test_long_runs_are_averaged_without_losing_their_mean() -> None:
    values = np.random.default_rng(0).normal(size=1000)
    values[[3, 500]] = np.nan
    curves = read_curves([{"step": i, "loss": v} for i, v in enumerate(values)], most_points=100)
    assert curves is not None
    assert curves.rows_per_point == 10 and len(curves.steps) == 100
    assert curves.values["loss"][0] == pytest.approx(np.nanmean(values[:10]))
    assert curves.steps[-1] == pytest.approx(994.5)


def test_data_for_the_browser_puts_points_where_the_drawing_has_them() -> None:
    curves = read_curves(rows(loss=[5, 3, 4]))
    assert curves is not None
    data = curve_data(curves)
    drawn = [float(n) for n in re.findall(r"-?[\d.]+", lines(curve_grid(curves))[0])]

    def place(value: float, scale: list[float]) -> float:
        low, high, start, end = scale
        return start + (value - low) / (high - low) * (end - start)

    assert drawn[::2] == pytest.approx([place(step, data["x"]) for step in data["steps"]], abs=0.06)
    assert drawn[1::2] == pytest.approx([place(v, data["y"]["loss"]) for v in data["values"]["loss"]], abs=0.06)
