"""Learning curves of several runs over each other: a panel for each quantity that at least two of them logged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from halpose.report.axes import Scale, domain, readable, tick_labels, ticks
from halpose.report.curves import BOTTOM, HEIGHT, LEFT, RIGHT, TITLES, TOP, WIDTH, Curves
from halpose.report.markup import Markup, decimal, element

DASHES = 4
"""Ways in which lines are dashed: colour alone does not tell runs apart, for nobody."""


def shared_quantities(curves: Sequence[Curves | None]) -> list[str]:
    """What at least two runs logged; known quantities first."""
    keys = [key for found in curves if found is not None for key in found.values]
    shared = [key for key in dict.fromkeys(keys) if keys.count(key) > 1]
    return [key for key in TITLES if key in shared] + [key for key in shared if key not in TITLES]


def overlay_grid(names: Sequence[str], curves: Sequence[Curves | None]) -> Markup:
    """All panels; one cross-hair runs through them together, by pointer or arrow keys."""
    return element(
        "div",
        {
            "class": "panels overlay",
            "id": "overlay",
            "tabindex": 0,
            "role": "group",
            "aria-label": "Learning curves of all runs; left and right arrow keys read the values step by step",
        },
        *(_panel(key, names, curves) for key in shared_quantities(curves)),
    )


def overlay_data(curves: Sequence[Curves | None]) -> dict[str, Any]:
    """What the read-out in the browser needs."""
    return {
        "x": [*_steps_range(curves), LEFT, RIGHT],
        "steps": [[] if found is None else found.steps.tolist() for found in curves],
        "panels": {
            key: {
                "y": [*_value_range(key, curves), BOTTOM, TOP],
                "values": [
                    [] if found is None or key not in found.values
                    else [float(f"{value:.6g}") for value in found.values[key].tolist()]
                    for found in curves
                ],
            }
            for key in shared_quantities(curves)
        },
    }  # fmt: skip


def run_swatch(position: int) -> Markup:
    """The line of a run, for a legend."""
    line = element("line", {"class": _line_class(position), "x1": 1, "x2": 25, "y1": 5, "y2": 5})
    return element("svg", {"class": "run-swatch", "viewBox": "0 0 26 10", "aria-hidden": "true"}, line)


def _panel(key: str, names: Sequence[str], curves: Sequence[Curves | None]) -> Markup:
    low, high = _value_range(key, curves)
    x, y = Scale(*_steps_range(curves), LEFT, RIGHT), Scale(low, high, BOTTOM, TOP)
    marks: list[Markup] = []
    levels = ticks(low, high, 4)
    for value, label in zip(levels, tick_labels(levels), strict=True):
        marks.append(element("line", {"class": "grid", "x1": LEFT, "x2": RIGHT, "y1": y(value), "y2": y(value)}))
        marks.append(element("text", {"x": LEFT - 8, "y": y(value) + 4, "text-anchor": "end"}, label))
    moments = [tick for tick in ticks(*_steps_range(curves), 4) if tick == int(tick)]
    for value, label in zip(moments, tick_labels(moments), strict=True):
        marks.append(element("text", {"x": x(value), "y": BOTTOM + 18, "text-anchor": "middle"}, label))
    marks.append(element("line", {"class": "base", "x1": LEFT, "x2": RIGHT, "y1": BOTTOM, "y2": BOTTOM}))
    values = []
    for position, (name, found) in enumerate(zip(names, curves, strict=True)):
        if found is None or key not in found.values:
            continue
        series = found.values[key]
        known = np.flatnonzero(np.isfinite(series))
        points = [f"{decimal(x(found.steps[i]), 1)} {decimal(y(series[i]), 1)}" for i in known]
        marks.append(element("path", {"class": _line_class(position), "d": "M" + "L".join(points)}))
        last = readable(float(series[known[-1]]))
        values.append(
            element(
                "li",
                {"data-run": str(position)},
                run_swatch(position),
                element("span", {"class": "name"}, name),
                element("output", {"class": "value", "data-last": last}, last),
            )
        )
    marks.append(element("line", {"class": "cursor", "y1": TOP, "y2": BOTTOM, "visibility": "hidden"}))
    title = TITLES.get(key, key.replace("_", " "))
    return element(
        "figure",
        {"class": "panel", "data-key": key},
        element("figcaption", {}, element("span", {"class": "name"}, title), element("output", {"class": "step"})),
        element(
            "svg",
            {
                "viewBox": f"0 0 {decimal(WIDTH)} {decimal(HEIGHT)}",
                "role": "img",
                "aria-label": f"{title} of {len(values)} runs over training steps; last values are listed below",
            },
            *marks,
        ),
        element("ul", {"class": "run-values"}, *values),
    )


def _line_class(position: int) -> str:
    return f"run-line line{position % 8} dash{position % DASHES}"


def _steps_range(curves: Sequence[Curves | None]) -> tuple[float, float]:
    steps = np.concatenate([found.steps for found in curves if found is not None] or [np.zeros(1)])
    first, last = float(steps.min()), float(steps.max())
    return (first, last) if last > first else (first - 1.0, first + 1.0)


def _value_range(key: str, curves: Sequence[Curves | None]) -> tuple[float, float]:
    return domain(np.concatenate([f.values[key] for f in curves if f is not None and key in f.values]))
