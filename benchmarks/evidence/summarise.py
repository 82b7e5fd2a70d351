"""Tables from the results of `run.py`: mean, standard deviation, and differences paired by seed.

    python benchmarks/evidence/summarise.py evidence/results.jsonl --grid halp

`--pooled` makes one table of all data sets: a difference is that of one data set and seed. Seeds that test the same
people share their clips, so that what an interval draws anew are the groups of people, not the seeds.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from grid import GRIDS, Grid
from pairs import differences, interval

from halpose.ablate.cells import read_rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--grid", choices=GRIDS, required=True)
    parser.add_argument("--part", choices=["validation", "test"], default="test")
    parser.add_argument("--pooled", action="store_true", help="one table for all data sets")
    chosen = parser.parse_args()
    rows = [row for row in read_rows(chosen.results) if row["grid"] == chosen.grid and row["part"] == chosen.part]
    grid = GRIDS[chosen.grid]
    if chosen.pooled:
        print(f"\nall data sets, {chosen.part} part, top-1 %, paired by data set and seed\n")
        print_table([row | {"seed": (row["set"], row["seed"])} for row in rows], grid)
        return
    for name in dict.fromkeys(row["set"] for row in rows):
        print(
            f"\n{name}, {chosen.part} part, top-1 %: mean ± sd over seeds, paired difference to {grid.baseline} "
            "with 95 % bootstrap interval\n"
        )
        print_table([row for row in rows if row["set"] == name], grid)


def print_table(rows: list[dict[str, Any]], grid: Grid) -> None:
    """One data set as a Markdown table."""
    protocols = list(dict.fromkeys(row["protocol"] for row in rows))
    scores: dict[tuple[str, str], dict[Any, float]] = defaultdict(dict)
    for row in rows:
        scores[row["variant"], row["protocol"]][row["seed"]] = 100 * row["top1"]
    variants = list(dict.fromkeys(row["variant"] for row in rows))
    variants.sort(key=lambda variant: {"raw": 0, "untrained": 1, "supervised": 2}.get(variant, 3))
    print("| variant | seeds | " + " | ".join(f"{p} | Δ {p}" for p in protocols) + " |")
    print("| --- " * (2 + 2 * len(protocols)) + "|")
    for variant in variants:
        cells = []
        for protocol in protocols:
            found = scores[variant, protocol]
            spread = f" ± {stdev(found.values()):.1f}" if len(found) > 1 else ""
            cells.append(f"{mean(found.values()):.1f}{spread}" if found else "")
            is_baseline = variant == grid.baseline
            cells.append("" if is_baseline else difference(found, scores[grid.baseline, protocol], grid.folds))
        print(f"| {variant} | {len(scores[variant, protocols[0]])} | " + " | ".join(cells) + " |")


def difference(ours: dict[Any, float], theirs: dict[Any, float], folds: int = 0) -> str:
    """Mean paired difference and its interval, see `pairs.interval`; nothing where there are no two pairs."""
    pairs = differences(ours, theirs)
    if len(pairs) < 2:
        return ""
    low, high = interval(pairs, folds)
    return f"{mean(pairs.values()):+.1f} [{low:+.1f}, {high:+.1f}]"


if __name__ == "__main__":
    main()
