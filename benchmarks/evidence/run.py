"""Run a grid of pre-trainings and score each: resumable, one tidy file of results.

    python benchmarks/evidence/run.py halp --stores stores --out evidence

Each cell is (data set, variant, seed). Cells of one data set and seed fork from the same MoCo warm-up, so that they
differ only in what follows, and see the same clips in the same views. Rows go to `OUT/results.jsonl`, one for each
part and protocol; a cell that is there is not run again. Raw coordinates and the untrained encoder are scored once.
Where a grid asks for it, `OUT/diagnosis.jsonl` has a row for each cell. `summarise.py` makes the tables, `page.py` the
pictures.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diagnosis import diagnose
from folds import fold
from grid import GRIDS, Grid

from halpose.ablate.cells import PARTS, hardware, read_rows, score_rows, shared_steps, warm_up, without_halp, write_rows
from halpose.config import Config
from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.engine.trainer import train
from halpose.evaluate.run import evaluate_run
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
            if grid.folds:
                store = fold(store, grid.folds, seed % grid.folds)
            run_cells(chosen.grid, grid, store, name, seed, chosen.variants or list(grid.variants), chosen)


def run_cells(
    title: str, grid: Grid, store: Store, name: str, seed: int, variants: list[str], chosen: argparse.Namespace
) -> None:
    """Every variant of one data set and seed."""
    results = chosen.out / "results.jsonl"
    done = {
        (name if grid.splits else row["set"], row["variant"], row["seed"])
        for row in read_rows(results)
        if row["grid"] == title
    }
    base = override_text(load_recipe(grid.recipe[name]), (*grid.shared, f"seed={seed}"))
    folder = chosen.out / "runs" / title / f"{name}-{seed}"
    if grid.supervised and (name, "supervised", seed) not in done:
        variants = [*variants, "supervised"]
    for variant in variants:
        if (name, variant, seed) in done:
            continue
        begun = time.perf_counter()
        if variant == "supervised":
            rows = supervised(store, base, folder / variant, chosen.device, {"grid": title, "set": name, "seed": seed})
            write_rows(results, rows)
            continue
        config = override_text(base, grid.variants[variant])
        warm = warm_up(store, base, folder / "warm", chosen.device) if grid.forks and begins_as(base, config) else None
        path = folder / variant.replace(" ", "-")
        shutil.rmtree(path, ignore_errors=True)
        summary = train(store, config, path, device=chosen.device, fork=warm)
        if summary.interrupted:
            sys.exit(f"stopped at step {summary.steps}: this cell begins again when the same command is called")
        run = Run.load(path, chosen.device)
        common = {
            "grid": title, "set": name, "variant": variant, "seed": seed, "steps": summary.steps,
            "loss": summary.loss, "train_seconds": summary.seconds, "device": hardware(chosen.device),
            "threads": chosen.threads, "date": time.strftime("%Y-%m-%d"), "folds": grid.folds,
        }  # fmt: skip
        kinds = ("trained", "untrained") if variant == variants[0] else ("trained",)
        if grid.raw and variant == variants[0] and seed < max(1, grid.folds):
            kinds = (*kinds, "raw")
        rows = score(run, store, kinds, chosen.device, common, grid)
        if "diagnose=true" in grid.shared:
            cell = {key: common[key] for key in ("grid", "set", "variant", "seed")}
            write_rows(chosen.out / "diagnosis.jsonl", [cell | diagnose(run, store)])
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


def begins_as(base: Config, config: Config) -> bool:
    """Whether a variant's first steps are the baseline's, so that it may fork from them where HaLP begins."""
    own = ("method", "halp", "distillation", "crosclr", "aimclr", "skt", "barlow", "multicrop", "diagnose")
    apart = [config.to_dict() | dict.fromkeys(own) for config in (base, config)]
    return apart[0] == apart[1] and shared_steps(base) == shared_steps(config)


def supervised(store: Store, base: Config, path: Path, device: str, common: dict[str, Any]) -> list[dict[str, Any]]:
    """The same encoder from scratch with all labels: what could be had, if they were there."""
    begun = time.perf_counter()
    train(store, without_halp(replace(base, steps=1)), path, device=device)  # for its first weights
    rows = []
    for part in PARTS:
        (result,) = evaluate_run(
            Run.load(path, device), store, split=base.data.split, part=part, protocols=("finetune",),
            kinds=("untrained",), device=device,
        )  # fmt: skip
        interval = {"top1": result.top1, "low": result.low, "high": result.high, "clips": result.clips}
        rows.append({
            **common, **interval, "variant": "supervised", "part": part, "features": "supervised",
            "protocol": "linear", "split": result.split, "device": hardware(device),
            "train_seconds": time.perf_counter() - begun, "date": time.strftime("%Y-%m-%d"),
        })  # fmt: skip
    return rows


def score(
    run: Run, store: Store, kinds: tuple[str, ...], device: str, common: dict[str, Any], grid: Grid
) -> list[dict[str, Any]]:
    """The rows of a cell; untrained and raw features are variants of their own."""
    rows = []
    for split in grid.splits or ("",):
        named = common | {"set": split} if split else common
        rows += score_rows(run, store, kinds, device, named, grid.parts, grid.protocols, split)
    return [row if row["features"] == "trained" else row | {"variant": row["features"]} for row in rows]


if __name__ == "__main__":
    main()
