"""Learning curves: one small panel per logged quantity, all over the same steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from halpose.report.axes import Scale, domain, readable, tick_labels, ticks
from halpose.report.markup import Markup, decimal, element

TITLES = {
    "loss": "Total loss",
    "infonce": "Contrastive term",
    "halp": "HaLP term",
    "pull": "Pull term",
    "accuracy": "Contrast accuracy",
    "kept": "Positives kept",
    "mu": "Weight μ",
    "share.halp": "HaLP's share of the gradient",
    "alignment": "Alignment",
    "uniformity": "Uniformity",
    "clips_per_second": "Clips per second",
    "learning_rate": "Learning rate",
}
HALLUCINATED = frozenset({"halp", "kept"})
# Counters and clocks grow by themselves; drawing them tells nothing.
COUNTERS = frozenset({"step", "epoch", "clips", "time", "seconds", "elapsed", "eta"})
MOST_POINTS = 600
WIDTH, HEIGHT = 360.0, 176.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 350.0, 10.0, 150.0


@dataclass(frozen=True)
class Curves:
    """Logged quantities over steps.

    Attributes:
        steps: (R,) ascending.
        values: quantity -> (R,), NaN where a row does not hold it.
        rows_per_point: how many logged rows were averaged into one point.
        halp_start: first step with a HaLP term, if it began after the first row.
    """

    steps: Float[np.ndarray, r]
    values: Mapping[str, Float[np.ndarray, r]]
    rows_per_point: int
    halp_start: float | None


def read_curves(rows: Sequence[Mapping[str, Any]], most_points: int = MOST_POINTS) -> Curves | None:
    """Rows of metrics.jsonl as curves; None when there is nothing to draw.

    A step logged twice (a resumed run) keeps its last row. More rows than `most_points` are averaged in blocks.
    """
    by_step = {_number(row.get("step", index)): row for index, row in enumerate(rows)}
    steps = np.array(sorted(step for step in by_step if np.isfinite(step)), dtype=np.float64)
    keys = dict.fromkeys(key for row in rows for key in row if key not in COUNTERS)
    values = {key: np.array([_number(by_step[step].get(key)) for step in steps]) for key in keys}
    values = {key: series for key, series in values.items() if np.isfinite(series).any()}
    if not values:
        return None
    if "halp" in values:
        values["halp"] = _once_begun(values["halp"])
        if not np.isfinite(values["halp"]).any():
            del values["halp"]
    if "infonce" in values and "loss" in values and np.array_equal(values["infonce"], values["loss"], equal_nan=True):
        del values["infonce"]
    start = _start(steps, values.get("halp"))
    block = -(-len(steps) // most_points)
    return Curves(
        steps=_block_mean(steps, block),
        values={key: _block_mean(values[key], block) for key in _ordered(values)},
        rows_per_point=block,
        halp_start=start,
    )


def curve_grid(curves: Curves) -> Markup:
    """All panels; one cross-hair runs through them together."""
    return element(
        "div",
        {
            "class": "panels",
            "id": "curves",
            "tabindex": 0,
            "role": "group",
            "aria-label": "Learning curves; left and right arrow keys read the values step by step",
        },
        *(_panel(curves, key) for key in curves.values),
    )


def curve_data(curves: Curves) -> dict[str, Any]:
    """What the read-out in the browser needs: steps, values, and where each panel puts them."""
    return {
        "steps": curves.steps.tolist(),
        "x": [*_steps_range(curves), LEFT, RIGHT],
        "y": {key: [*domain(series), BOTTOM, TOP] for key, series in curves.values.items()},
        # Six digits are more than the read-out shows and keep the page small.
        "values": {key: [float(f"{value:.6g}") for value in series.tolist()] for key, series in curves.values.items()},
    }


def _panel(curves: Curves, key: str) -> Markup:
    series = curves.values[key]
    low, high = domain(series)
    x = Scale(*_steps_range(curves), LEFT, RIGHT)
    y = Scale(low, high, BOTTOM, TOP)
    level = ticks(low, high, 4)
    marks: list[Markup] = []
    for value, label in zip(level, tick_labels(level), strict=True):
        marks.append(element("line", {"class": "grid", "x1": LEFT, "x2": RIGHT, "y1": y(value), "y2": y(value)}))
        marks.append(element("text", {"x": LEFT - 8, "y": y(value) + 4, "text-anchor": "end"}, label))
    moments = _step_ticks(curves)
    for value, label in zip(moments, tick_labels(moments), strict=True):
        marks.append(element("text", {"x": x(value), "y": BOTTOM + 18, "text-anchor": "middle"}, label))
    marks.append(element("line", {"class": "base", "x1": LEFT, "x2": RIGHT, "y1": BOTTOM, "y2": BOTTOM}))
    if curves.halp_start is not None:
        marks.append(_start_mark(min(x(curves.halp_start), RIGHT), labelled=key == next(iter(curves.values))))
    marks += _line(curves.steps, series, x, y)
    marks.append(element("line", {"class": "cursor", "y1": TOP, "y2": BOTTOM, "visibility": "hidden"}))
    marks.append(element("circle", {"class": "cursor-dot", "r": 4, "visibility": "hidden"}))
    title = TITLES.get(key, key.replace("_", " "))
    last = readable(float(series[np.isfinite(series)][-1]))
    return element(
        "figure",
        {"class": "panel halp" if key in HALLUCINATED else "panel", "data-key": key},
        element(
            "figcaption",
            {},
            element("span", {"class": "name"}, title),
            element("output", {"class": "value", "data-last": last}, last),
        ),
        element(
            "svg",
            {
                "viewBox": f"0 0 {decimal(WIDTH)} {decimal(HEIGHT)}",
                "role": "img",
                "aria-label": f"{title} over training steps, last value {last}",
            },
            *marks,
        ),
    )


def _line(steps: Float[np.ndarray, r], series: Float[np.ndarray, r], x: Scale, y: Scale) -> list[Markup]:
    """The curve, broken at gaps; a value with gaps on both sides is a dot, so that it does not vanish."""
    known = np.isfinite(series)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], known, [False])).astype(np.int8)))
    path, dots = [], []
    for first, stop in zip(edges[::2], edges[1::2], strict=True):
        points = [f"{decimal(x(steps[i]), 1)} {decimal(y(series[i]), 1)}" for i in range(first, stop)]
        if len(points) == 1:
            dots.append(element("circle", {"class": "point", "cx": x(steps[first]), "cy": y(series[first]), "r": 3}))
        else:
            path.append("M" + "L".join(points))
    return ([element("path", {"class": "line", "d": "".join(path)})] if path else []) + dots


def _start_mark(position: float, labelled: bool) -> Markup:
    line = element("line", {"class": "start", "x1": position, "x2": position, "y1": TOP, "y2": BOTTOM})
    if not labelled:
        return line
    near_end = position > (LEFT + RIGHT) / 2
    place = {
        "x": position + (-6 if near_end else 6),
        "y": TOP + 11,
        "text-anchor": "end" if near_end else "start",
    }
    return Markup(line + element("text", {"class": "start-label", **place}, "HaLP starts"))


def _steps_range(curves: Curves) -> tuple[float, float]:
    first, last = float(curves.steps[0]), float(curves.steps[-1])
    return (first, last) if last > first else (first - 1.0, first + 1.0)


def _step_ticks(curves: Curves) -> list[float]:
    """Round steps; a run of one row has just that step."""
    if len(curves.steps) == 1:
        return [float(curves.steps[0])]
    low, high = _steps_range(curves)
    return [tick for tick in ticks(low, high, 4) if tick == int(tick)]


def _number(value: Any) -> float:
    """A logged value, NaN where it is missing or no number."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else float("nan")


def _ordered(values: Mapping[str, Float[np.ndarray, r]]) -> list[str]:
    """Known quantities first, in the order of `TITLES`; then what else a method logs."""
    return [key for key in TITLES if key in values] + [key for key in values if key not in TITLES]


def _once_begun(halp: Float[np.ndarray, r]) -> Float[np.ndarray, r]:
    """The term without the zeros logged before it began."""
    begun = np.cumsum(np.nan_to_num(halp) != 0) > 0
    return np.where(begun, halp, np.nan)


def _start(steps: Float[np.ndarray, r], halp: Float[np.ndarray, r] | None) -> float | None:
    if halp is None:
        return None
    first = int(np.flatnonzero(np.isfinite(halp))[0])
    return float(steps[first]) if first > 0 else None


def _block_mean(series: Float[np.ndarray, r], block: int) -> Float[np.ndarray, b]:
    """Means of `block` neighbours, over those that are finite."""
    if block <= 1:
        return series
    padded = np.full(-(-len(series) // block) * block, np.nan)
    padded[: len(series)] = np.where(np.isfinite(series), series, np.nan)
    blocks = padded.reshape(-1, block)
    known = np.isfinite(blocks)
    count = known.sum(1)
    return np.where(count > 0, np.where(known, blocks, 0.0).sum(1) / np.maximum(count, 1), np.nan)
