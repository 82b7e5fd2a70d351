"""A page of plots from the results of `run.py`: every score, every paired difference, and whether a gain holds.

    python benchmarks/evidence/page.py evidence/results.jsonl -o evidence/page.html

A gain is a mean paired difference to the baseline, and to every control, whose 95 % bootstrap interval over seeds
lies above zero.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from grid import GRIDS, Grid

from halpose.ablate.cells import read_rows
from halpose.evaluate.intervals import bootstrap_mean
from halpose.report.axes import Scale, domain, tick_labels, ticks
from halpose.report.document import Section, document, write_document
from halpose.report.markup import Markup, element, join

BARS = ("raw", "untrained", "supervised")
WIDTH, LEFT, RIGHT, ROW = 720.0, 190.0, 700.0, 26.0
PROTOCOLS = {"knn": "nearest neighbour", "linear": "linear probe"}

Scores = dict[str, dict[int, float]]  # variant -> seed -> top-1 in per cent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--part", choices=["validation", "test"], default="test")
    chosen = parser.parse_args()
    rows = [row for row in read_rows(chosen.results) if row["part"] == chosen.part and row["grid"] in GRIDS]
    sections = [section for title, grid in GRIDS.items() for section in grid_sections(title, grid, rows)]
    write_document(chosen.out, document("Evidence", sections, {}, subtitle=f"{len(rows)} scores, {chosen.part} parts"))


def grid_sections(title: str, grid: Grid, rows: list[dict[str, Any]]) -> Iterator[Section]:
    """A section for each data set of a grid that has results."""
    for name in grid.recipe:
        found = [row for row in rows if row["grid"] == title and row["set"] == name]
        if found:
            figures = [
                figure
                for protocol, called in PROTOCOLS.items()
                for figure in (
                    element("h3", {}, f"{called}: top-1, %"),
                    absolute(scores(found, protocol)),
                    element("h3", {}, f"{called}: difference to {grid.baseline}, points"),
                    differences(scores(found, protocol), grid),
                    verdict(scores(found, protocol), grid),
                )
            ]
            intro = f"{grid.about} Predicted: {grid.prediction}" if grid.prediction else grid.about
            yield Section(f"{title}-{name}", f"{title}: {name}", intro, join(figures))


def scores(rows: list[dict[str, Any]], protocol: str) -> Scores:
    """Scores of one protocol."""
    found: Scores = defaultdict(dict)
    for row in rows:
        if row["protocol"] == protocol:
            found[row["variant"]][row["seed"]] = 100 * row["top1"]
    return found


def paired(ours: dict[int, float], theirs: dict[int, float]) -> list[float]:
    """Differences over the seeds that both have."""
    return [ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())]


def absolute(found: Scores) -> Markup:
    """Every seed's score as a point, the mean as a bar."""
    order = sorted(found, key=lambda variant: BARS.index(variant) if variant in BARS else len(BARS))
    return chart([(variant, list(found[variant].values()), None) for variant in order])


def differences(found: Scores, grid: Grid) -> Markup:
    """Every paired difference as a point, the mean with its interval."""
    lines = []
    for variant, own in found.items():
        pairs = paired(own, found[grid.baseline])
        if variant != grid.baseline and variant not in BARS and len(pairs) > 1:
            lines.append((variant, pairs, bootstrap_mean(np.array(pairs))))
    return chart(lines, zero=True)


def verdict(found: Scores, grid: Grid) -> Markup:
    """In words: which variants gain over the baseline and every control, which over the baseline alone, which lose."""
    said = []
    for variant, own in found.items():
        if variant in (grid.baseline, *BARS, *grid.controls):
            continue
        ends = {
            other: bootstrap_mean(np.array(pairs))
            for other in (grid.baseline, *grid.controls)
            if len(pairs := paired(own, found.get(other, {}))) > 1
        }
        if not ends:
            continue
        beaten = [other for other, (low, _) in ends.items() if low > 0]
        lost = [other for other, (_, high) in ends.items() if high < 0]
        said.append(
            f"{variant}: of {len(ends)}, above {', '.join(beaten) or 'none'}; below {', '.join(lost) or 'none'}."
        )
    return element("ul", {}, *(element("li", {}, line) for line in said))


def chart(lines: list[tuple[str, list[float], tuple[float, float] | None]], zero: bool = False) -> Markup:
    """A row for each line: points, and their mean with its interval where there is one."""
    if not lines:
        return element("p", {}, "Two seeds at least are needed.")
    values = [value for _, points, ends in lines for value in (*points, *(ends or ()))]
    low, high = domain(np.array([*values, 0.0] if zero else values))
    scale, height = Scale(low, high, LEFT, RIGHT), ROW * len(lines) + 34
    marks = ticks(low, high, 6)
    grid = [
        join((
            element("line", {"x1": scale(at), "x2": scale(at), "y1": 4, "y2": height - 26, "class": "rule"}),
            element("text", {"x": scale(at), "y": height - 10, "text-anchor": "middle"}, label),
        ))
        for at, label in zip(marks, tick_labels(marks), strict=True)
    ]  # fmt: skip
    if zero:
        grid.append(element("line", {"x1": scale(0), "x2": scale(0), "y1": 4, "y2": height - 26, "stroke-width": 2}))
    rows = [_row(line, scale, 4 + ROW * (at + 0.5)) for at, line in enumerate(lines)]
    return element(
        "svg",
        {"viewBox": f"0 0 {WIDTH:g} {height:g}", "role": "img", "stroke": "currentColor", "fill": "currentColor",
         "font-size": 12, "stroke-width": 0.3},
        *grid, *rows,
    )  # fmt: skip


def _row(line: tuple[str, list[float], tuple[float, float] | None], scale: Scale, y: float) -> Markup:
    name, points, ends = line
    middle = mean(points)
    dots = [element("circle", {"cx": scale(value), "cy": y, "r": 2.5, "fill-opacity": 0.35}) for value in points]
    interval = (
        element("line", {"x1": scale(ends[0]), "x2": scale(ends[1]), "y1": y, "y2": y, "stroke-width": 2})
        if ends
        else None
    )
    return element(
        "g",
        {},
        element("title", {}, f"{name}: {middle:+.2f}" if ends else f"{name}: {middle:.1f}"),
        element("text", {"x": LEFT - 12, "y": y + 4, "text-anchor": "end", "stroke": "none"}, name),
        *dots,
        interval,
        element("rect", {"x": scale(middle) - 1.5, "y": y - 8, "width": 3, "height": 16}),
    )


if __name__ == "__main__":
    main()
