"""The page of several runs: scores and their differences, settings that differ, curves over each other, cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

from halpose.report.axes import MINUS, percent, ticks
from halpose.report.curves import Curves, read_curves
from halpose.report.document import Section, document
from halpose.report.markup import Markup, element, join
from halpose.report.overlay import overlay_data, overlay_grid, run_swatch, shared_quantities
from halpose.report.run_sides import Difference, Line, Side, compare_scores, costs, differing
from halpose.report.score_table import axis, interval_chart
from halpose.report.scores import FEATURES, PROTOCOLS


def compare_page(sides: Sequence[Side], title: str = "", notes: Sequence[str] = ()) -> str:
    """The page as text.

    Args:
        sides: the runs; differences are from the first.
        title: heading.
        notes: remarks that a reader must know.
    """
    curves = [read_curves(side.metrics) for side in sides]
    lines = compare_scores(sides)
    sections = [
        _scores(sides, lines),
        _settings(sides),
        _training(sides, curves),
        _cost(sides),
        _notes(lines, notes),
    ]
    first, *others = (side.name for side in sides)
    return document(
        title or f"{len(sides)} runs",
        [section for section in sections if section is not None],
        {"overlay": overlay_data(curves) if shared_quantities(curves) else None},
        subtitle=f"{', '.join(others)}, each compared with {first}",
        lead=_legend(sides),
    )


def _legend(sides: Sequence[Side]) -> Markup:
    items = []
    for position, side in enumerate(sides):
        what = f"{side.config.method}, {side.step} steps, seed {side.config.seed}"
        items.append(
            element(
                "li",
                {},
                run_swatch(position),
                element("strong", {}, side.name),
                element("span", {"class": "muted"}, what + (", the first" if not position else "")),
            )
        )
    return element("ul", {"class": "runs"}, *items)


def _scores(sides: Sequence[Side], lines: Sequence[Line]) -> Section | None:
    if not lines:
        return None
    shared = [line for line in lines if sum(row is not None for row in line.rows) > 1]
    alone = [line for line in lines if line not in shared]
    parts = [_score_table(shared, sides)] if shared else []
    if alone:
        summary = element("summary", {}, f"{len(alone)} scores of one run only")
        parts.append(element("details", {"open": not shared}, summary, _score_table(alone, sides)))
    intro = (
        "Share of test clips given the right class, with its 95\u00a0% interval. Differences are in points; paired "
        "ones compare two runs clip by clip, which is sharper than comparing two intervals."
    )
    return Section("scores", "Scores", intro, join(parts))


def _score_table(lines: Sequence[Line], sides: Sequence[Side]) -> Markup:
    ends = [v for line in lines for row in line.rows if row for v in (row["top1"], row["low"], row["high"])]
    low = max(0.0, 10.0 * math.floor(10 * min(ends) - 0.2))
    high = min(100.0, 10.0 * math.ceil(10 * max(ends) + 0.2))
    grid = [tick for tick in ticks(low, high, 5) if low <= tick <= high]
    header = ("Run", "Top-1 accuracy, %", "Top-1", "95\u00a0% interval", "Difference from the first")
    kinds = ("features", "chart", "top1", "range", "difference")
    head = [element("th", {"scope": "col", "class": kind}, text) for kind, text in zip(kinds, header, strict=True)]
    foot = [
        element("td", {}),
        element("td", {"class": "chart"}, axis(low, high, grid)),
        element("td", {"colspan": 3}),
    ]
    table = element(
        "table",
        {"class": "scores sides"},
        element("thead", {}, element("tr", {}, *head)),
        *(_group(line, sides, low, high, grid) for line in lines),
        element("tfoot", {"aria-hidden": "true"}, element("tr", {}, *foot)),
    )
    return element("div", {"class": "table-scroll"}, table)


def _group(line: Line, sides: Sequence[Side], low: float, high: float, grid: Sequence[float]) -> Markup:
    _, _, _, protocol, variant, features = line.key
    title = ", ".join(
        filter(None, (PROTOCOLS.get(protocol, protocol), variant, FEATURES.get(features, features).lower()))
    )
    heading = element(
        "tr",
        {"class": "group"},
        element(
            "th", {"colspan": 5, "scope": "rowgroup"}, title, element("span", {"class": "muted"}, f" {line.place}")
        ),
    )
    rows = []
    for position, (side, row, difference) in enumerate(zip(sides, line.rows, line.differences, strict=True)):
        if row is None:
            continue
        rows.append(
            element(
                "tr",
                {"class": f"side line{position % 8}"},
                element("th", {"scope": "row", "class": "features"}, run_swatch(position), side.name),
                element(
                    "td", {"class": "chart"}, interval_chart(row["top1"], (row["low"], row["high"]), low, high, grid)
                ),
                element("td", {"class": "top1"}, percent(row["top1"])),
                element("td", {"class": "range"}, f"{percent(row['low'])}\u2013{percent(row['high'])}"),
                element("td", {"class": "difference"}, *_difference(difference)),
            )
        )
    return element("tbody", {}, heading, *rows)


def _difference(found: Difference | None) -> list[Markup]:
    if found is None:
        return []
    how = "paired" if found.is_paired else "not paired"
    return [
        element("strong", {"class": "clear" if found.is_clear else None}, signed(found.value)),
        element("span", {"class": "muted"}, f" {signed(found.low)} to {signed(found.high)}, {how}"),
    ]


def signed(share: float) -> str:
    """A difference in points, with its sign."""
    text = f"{abs(100 * share):.1f}"
    return text if text == "0.0" else ("+" if share > 0 else MINUS) + text


def _settings(sides: Sequence[Side]) -> Section:
    rows = differing(sides)
    intro = "What is not listed is the same in all runs." if rows else "All settings are the same."
    return Section("settings", "Settings that differ", intro, _table(sides, rows))


def _training(sides: Sequence[Side], curves: Sequence[Curves | None]) -> Section | None:
    if not shared_quantities(curves):
        return None
    intro = (
        "What training logged, over its steps. The loss of a run with more terms is a larger sum: compare such losses "
        "term by term."
    )
    return Section("training", "Training", intro, overlay_grid([side.name for side in sides], curves))


def _cost(sides: Sequence[Side]) -> Section:
    intro = "As each run measured itself. On different machines, or beside other work, speeds do not compare."
    return Section("cost", "Cost", intro, _table(sides, costs(sides)))


def _table(sides: Sequence[Side], rows: Sequence[tuple[str, Sequence[str]]]) -> Markup:
    if not rows:
        return join([])
    head = element(
        "tr",
        {},
        element("th", {"scope": "col"}, ""),
        *(element("th", {"scope": "col"}, run_swatch(n), side.name) for n, side in enumerate(sides)),
    )
    body = [
        element("tr", {}, element("th", {"scope": "row"}, name), *(element("td", {}, value) for value in values))
        for name, values in rows
    ]
    table = element("table", {"class": "beside"}, element("thead", {}, head), element("tbody", {}, *body))
    return element("div", {"class": "table-scroll"}, table)


def _notes(lines: Sequence[Line], notes: Sequence[str]) -> Section:
    said = [
        "Intervals cover the choice of test clips, not that of the training seed: another seed of the same settings "
        "gives another run.",
    ]
    if any(found and not found.is_paired for line in lines for found in line.differences):
        said.append(
            "Where it says \u201cnot paired\u201d, the scores were kept without the clips: halpose compare \u2026 "
            "--on STORE takes k-NN and linear probe again, clip by clip."
        )
    items = [element("li", {}, note) for note in (*notes, *said)]
    return Section("notes", "Notes", "", element("ul", {"class": "notes"}, *items))
