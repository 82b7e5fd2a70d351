"""A page of plots from the results of `run.py`: every score, every paired difference, and whether a gain holds.

    python benchmarks/evidence/page.py evidence/results.jsonl -o evidence/page.html

A gain is a mean paired difference to the baseline, and to every control, whose 95 % bootstrap interval over seeds lies
above zero; seeds that test the same people are one draw. Where `diagnosis.jsonl` lies beside the results there are
pictures of that, too: curves, what lies along the walks, and which of the measures goes with the gain.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from charts import Line, chart, line_chart, picture, scatter
from grid import GRIDS, Grid
from pairs import differences, interval
from scipy.stats import spearmanr

from halpose.ablate.cells import read_rows
from halpose.report.document import Section, document, write_document
from halpose.report.markup import Markup, element, join

BARS = ("raw", "untrained", "supervised")
PROTOCOLS = {"knn": "nearest neighbour", "linear": "linear probe"}


def _last(name: str) -> Callable[[dict[str, Any]], float | None]:
    """The last value of a curve."""
    return lambda look: next((value for value in reversed(look["curves"].get(name, ())) if value is not None), None)


MEASURES: dict[str, Callable[[dict[str, Any]], float | None]] = {
    "alignment": _last("alignment"),
    "uniformity": _last("uniformity"),
    "kept fraction": _last("kept"),
    "share of the gradient": _last("share.halp"),
    "purity of prototypes": lambda look: look["purity"],
    "right keys (t = 0)": lambda look: look["others"]["right"][0],
    "right to others (t = 0.3)": lambda look: look["others"]["right"][3],
    "right to its own (t = 0.5)": lambda look: look["own"]["right"][5],
    "same person (t = 0)": lambda look: look["others"]["person"][0],
}

Scores = dict[str, dict[int, float]]  # variant -> seed -> top-1 in per cent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--part", choices=["validation", "test"], default="test")
    parser.add_argument("--pictures", type=Path, help="folder for the diagnosis' charts, a file each")
    chosen = parser.parse_args()
    rows = [row for row in read_rows(chosen.results) if row["part"] == chosen.part and row["grid"] in GRIDS]
    looks = [row for row in read_rows(chosen.results.with_name("diagnosis.jsonl")) if row["grid"] in GRIDS]
    if chosen.pictures is not None:
        write_pictures(chosen.pictures, looks)
    sections = [
        section
        for title, grid in GRIDS.items()
        for section in (*grid_sections(title, grid, rows), *diagnosis_sections(title, grid, rows, looks))
    ]
    write_document(chosen.out, document("Evidence", sections, {}, subtitle=f"{len(rows)} scores, {chosen.part} parts"))


def grid_sections(title: str, grid: Grid, rows: list[dict[str, Any]]) -> Iterator[Section]:
    """A section for each data set of a grid that has results."""
    for name in grid.splits or grid.recipe:
        found = [row for row in rows if row["grid"] == title and row["set"] == name]
        if found:
            figures = [
                figure
                for protocol, called in PROTOCOLS.items()
                for figure in (
                    element("h3", {}, f"{called}: top-1, %"),
                    absolute(scores(found, protocol)),
                    element("h3", {}, f"{called}: difference to {grid.baseline}, points"),
                    gains(scores(found, protocol), grid),
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


def absolute(found: Scores) -> Markup:
    """Every seed's score as a point, the mean as a bar."""
    order = sorted(found, key=lambda variant: BARS.index(variant) if variant in BARS else len(BARS))
    return chart([(variant, list(found[variant].values()), None) for variant in order])


def gains(found: Scores, grid: Grid) -> Markup:
    """Every paired difference as a point, the mean with its interval."""
    lines = []
    for variant, own in found.items():
        pairs = differences(own, found[grid.baseline])
        if variant != grid.baseline and variant not in BARS and len(pairs) > 1:
            lines.append((variant, list(pairs.values()), interval(pairs, grid.folds)))
    return chart(lines, zero=True)


def verdict(found: Scores, grid: Grid) -> Markup:
    """In words: which variants gain over the baseline and every control, which over the baseline alone, which lose."""
    said = []
    for variant, own in found.items():
        if variant in (grid.baseline, *BARS, *grid.controls):
            continue
        ends = {
            other: interval(pairs, grid.folds)
            for other in (grid.baseline, *grid.controls)
            if len(pairs := differences(own, found.get(other, {}))) > 1
        }
        if not ends:
            continue
        beaten = [other for other, (low, _) in ends.items() if low > 0]
        lost = [other for other, (_, high) in ends.items() if high < 0]
        said.append(
            f"{variant}: of {len(ends)}, above {', '.join(beaten) or 'none'}; below {', '.join(lost) or 'none'}."
        )
    return element("ul", {}, *(element("li", {}, line) for line in said))


def diagnosis_sections(
    title: str, grid: Grid, rows: list[dict[str, Any]], looks: list[dict[str, Any]]
) -> Iterator[Section]:
    """Curves and walks of each data set of a grid; and, over all of them, which measure goes with the gain."""
    looks = [look for look in looks if look["grid"] == title]
    for name in dict.fromkeys(look["set"] for look in looks):
        of_set = [look for look in looks if look["set"] == name]
        charts = diagnosis_charts(of_set).items()
        figures = [part for called, drawn in charts for part in (element("h3", {}, called), drawn)]
        intro = "Mean over the seeds. Right: the nearest real key of another clip has the anchor's class."
        yield Section(f"{title}-{name}-diagnosis", f"{title}: {name}, diagnosis", intro, join(figures))
    found = predictors(grid, [row for row in rows if row["grid"] == title], looks)
    if found:
        yield Section(
            f"{title}-predictors", f"{title}: what goes with the gain", "A point is one training.", join(found)
        )


def diagnosis_charts(looks: list[dict[str, Any]]) -> dict[str, Markup]:
    """What lies along the walks, and each curve of every variant."""
    found = {"along the walk, share of the points": line_chart(walks(looks), "Shares", "t")}
    variants = list(dict.fromkeys(look["variant"] for look in looks))
    for measure in ("alignment", "uniformity", "kept", "infonce"):
        lines = [mean_curve(variant, looks, measure, colour) for colour, variant in enumerate(variants)]
        known = [line for line in lines if line is not None]
        if known:
            found[measure] = line_chart(known, measure, "steps")
    return found


def write_pictures(folder: Path, looks: list[dict[str, Any]]) -> None:
    """Each chart of the diagnosis as a file."""
    folder.mkdir(parents=True, exist_ok=True)
    for title, name in dict.fromkeys((look["grid"], look["set"]) for look in looks):
        of_set = [look for look in looks if (look["grid"], look["set"]) == (title, name)]
        for what, drawn in diagnosis_charts(of_set).items():
            file = f"{title}-{name}-{what.split(',')[0]}.svg".replace(" ", "-")
            (folder / file).write_text(picture(drawn, f"{title}, {name}: {what}"), encoding="utf-8")


def walks(looks: list[dict[str, Any]]) -> list[Line]:
    """Shares along t, means over all trainings of a grid."""
    lines = []
    for goal, called in (("others", "to others"), ("own", "to its own")):
        for measure in ("right", "person", "kept")[: 3 if goal == "others" else 2]:
            values = np.mean([look[goal][measure] for look in looks], axis=0).tolist()
            colour = ("right", "person", "kept").index(measure)
            lines.append(Line(f"{measure}, {called}", looks[0]["t"], values, colour, dashed=goal == "own"))
    return lines


def mean_curve(variant: str, looks: list[dict[str, Any]], measure: str, colour: int) -> Line | None:
    """A measure through training, mean over the seeds."""
    curves = [look["curves"] for look in looks if look["variant"] == variant and measure in look["curves"]]
    if not curves:
        return None
    shortest = min(len(curve["step"]) for curve in curves)
    values = []
    for at in range(shortest):
        there = [curve[measure][at] for curve in curves if curve[measure][at] is not None]
        values.append(mean(there) if there else None)
    return Line(variant, curves[0]["step"][:shortest], values, colour)


def predictors(grid: Grid, rows: list[dict[str, Any]], looks: list[dict[str, Any]]) -> list[Markup]:
    """For each measure at the end of training: the gain over the baseline, one point a training."""
    top1 = {(row["set"], row["variant"], row["seed"]): 100 * row["top1"] for row in rows if row["protocol"] == "knn"}
    cells = []
    for look in looks:
        here, bar = (look["set"], look["variant"], look["seed"]), (look["set"], grid.baseline, look["seed"])
        if look["variant"] not in (grid.baseline, *BARS, *grid.controls) and here in top1 and bar in top1:
            cells.append((look, top1[here] - top1[bar]))
    figures = []
    for name, measure in MEASURES.items():
        points = [(value, gain, f"{look['set']}, {look['variant']}, seed {look['seed']}")
                  for look, gain in cells if (value := measure(look)) is not None]  # fmt: skip
        if len(points) > 4:
            link = spearmanr([point[0] for point in points], [point[1] for point in points])
            said = f"{name}: rank correlation with the gain {link.statistic:+.2f} (p {link.pvalue:.2f}, {len(points)})"
            figures += [element("h3", {}, said), scatter(points, name, "gain in points of k-NN")]
    return figures


if __name__ == "__main__":
    main()
