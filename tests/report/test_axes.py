from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halpose.report.axes import MINUS, Scale, domain, readable, tick_labels, ticks


@given(st.floats(-1e6, 1e6), st.floats(1e-5, 1e6), st.integers(2, 8))
def test_ticks_are_round_even_and_inside(low: float, extent: float, count: int) -> None:
    high = low + extent
    found = ticks(low, high, count)
    assert 2 <= len(found) <= max(count + 1, 6)
    slack = 1e-6 * extent
    assert all(low - slack <= tick <= high + slack for tick in found)
    steps = np.diff(found)
    assert np.allclose(steps, steps[0] if len(steps) else 0, rtol=1e-6)
    for step in steps:
        assert f"{step:.0e}"[0] in "125"


@given(st.floats(-1e4, 1e4), st.floats(1e-4, 1e4))
def test_tick_labels_tell_ticks_apart(low: float, extent: float) -> None:
    found = ticks(low, low + extent)
    labels = tick_labels(found)
    assert len(set(labels)) == len(found)
    if 1e-3 <= max(map(abs, found)) < 10_000:
        assert [float(label.replace(MINUS, "-")) for label in labels] == pytest.approx(found, abs=1e-9)


def test_tick_labels_of_small_and_large_values() -> None:
    assert tick_labels([0.0, 0.0001, 0.0002]) == ["0", f"1e{MINUS}4", f"2e{MINUS}4"]
    assert tick_labels([0.0, 20000.0]) == ["0", "20k"]
    assert tick_labels([1e6, 1.5e6]) == ["1.0M", "1.5M"]
    assert tick_labels([1e-4, 1.5e-4]) == [f"1.0e{MINUS}4", f"1.5e{MINUS}4"]
    assert tick_labels([0.0, 0.5, 1.0]) == ["0.0", "0.5", "1.0"]
    assert tick_labels([]) == []


@given(st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")) | st.just(float("inf")), max_size=8))
def test_domain_shows_every_finite_value_and_is_never_empty(values: list[float]) -> None:
    low, high = domain(np.array(values, dtype=float))
    assert low < high
    assert all(low <= value <= high for value in values if np.isfinite(value))
    ticks(low, high)


def test_scale_maps_its_ends() -> None:
    scale = Scale(2.0, 4.0, 100.0, 20.0)
    assert (scale(2.0), scale(4.0), scale(3.0)) == (100.0, 20.0, 60.0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.91234, "0.912"),
        (-5.487, f"{MINUS}5.49"),
        (941.4, "941"),
        (16384.0, "16.38k"),
        (2.5e6, "2.5M"),
        (9.3e-8, f"9.3e{MINUS}8"),
        (float("nan"), "\u2013"),
    ],
)
def test_readable(value: float, text: str) -> None:
    assert readable(value) == text
