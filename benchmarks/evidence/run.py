"""Run a grid of pre-trainings and score each: resumable, one tidy file of results.

    python benchmarks/evidence/run.py halp --stores stores --out evidence

Each cell is (data set, variant, seed). Cells of one data set and seed fork from the same MoCo warm-up, so that they
differ only in what follows, and see the same clips in the same views. Rows go to `OUT/results.jsonl`, one for each
part and protocol; a cell that is there is not run again. Raw coordinates and the untrained encoder are scored once.
`summarise.py` makes the tables.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import torch
from grid import GRIDS, Grid

from halpose.ablate.cells import hardware, read_rows, score_rows, warm_up, write_rows
from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.engine.trainer import train
from halpose.settings import load_recipe, override_text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("grid", choices=GRIDS)
    parser.add_argument("--stores", type=Path, required=True, help="folder with one store per data set")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", nargs="*", help="data sets (default: all of the grid)")
    parser.add_argument("--variants", nargs="*", help="variants (default: all of the grid)")
    parser.add_argument("--seeds", type=int, nargs="*", help="seeds (default: as many as the grid says)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep-runs", action="store_true", help="keep the run directories")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    grid = GRIDS[chosen.grid]
    unknown = set(chosen.variants or ()) - set(grid.variants)
    if unknown:
        sys.exit(f"no variant {', '.join(sorted(unknown))}; there are {', '.join(grid.variants)}")
    for seed in chosen.seeds if chosen.seeds is not None else range(grid.seeds):
        for name in chosen.sets or grid.recipe:
            store = Store.open(chosen.stores / name)
            run_cells(chosen.grid, grid, store, name, seed, chosen.variants or list(grid.variants), chosen)


def run_cells(
    title: str, grid: Grid, store: Store, name: str, seed: int, variants: list[str], chosen: argparse.Namespace
) -> None:
    """Every variant of one data set and seed."""
    results = chosen.out / "results.jsonl"
    done = {(row["set"], row["variant"], row["seed"]) for row in read_rows(results) if row["grid"] == title}
    base = override_text(load_recipe(grid.recipe[name]), (*grid.shared, f"seed={seed}"))
    folder = chosen.out / "runs" / title / f"{name}-{seed}"
    for variant in variants:
        if (name, variant, seed) in done:
            continue
        begun = time.perf_counter()
        warm = warm_up(store, base, folder / "warm", chosen.device) if grid.forks else None
        config = override_text(base, grid.variants[variant])
        path = folder / variant.replace(" ", "-")
        shutil.rmtree(path, ignore_errors=True)
        summary = train(store, config, path, device=chosen.device, fork=warm)
        run = Run.load(path, chosen.device)
        common = {
            "grid": title, "set": name, "variant": variant, "seed": seed, "steps": summary.steps,
            "loss": summary.loss, "train_seconds": summary.seconds, "device": hardware(chosen.device),
            "threads": chosen.threads, "date": time.strftime("%Y-%m-%d"),
        }  # fmt: skip
        kinds = ("trained", "untrained") if variant == variants[0] else ("trained",)
        kinds = (*kinds, "raw") if variant == variants[0] and seed == 0 else kinds
        rows = score(run, store, kinds, chosen.device, common)
        write_rows(results, rows)
        shown = "  ".join(
            f"{row['part'][:3]} {row['protocol']} {100 * row['top1']:.1f}"
            for row in rows
            if row["features"] == "trained"
        )
        print(f"{name} {variant} seed {seed}: {shown}  ({time.perf_counter() - begun:.0f} s)", flush=True)
        if not chosen.keep_runs:
            shutil.rmtree(path)
    if not chosen.keep_runs:
        shutil.rmtree(folder, ignore_errors=True)


def score(run: Run, store: Store, kinds: tuple[str, ...], device: str, common: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a cell; untrained and raw features are variants of their own."""
    rows = score_rows(run, store, kinds, device, common)
    return [row if row["features"] == "trained" else row | {"variant": row["features"]} for row in rows]


if __name__ == "__main__":
    main()
