"""Every method on small sets, under one protocol and step budget: trained once, scored by stream and together.

    python benchmarks/evidence/field.py --stores stores --out evidence/field
    python benchmarks/evidence/field.py --stores stores --out evidence/field --table

A cell is (data set, entry, seed). Runs lie in `OUT/runs`, go on where they stopped, and are scored on the test part
once; rows go to `OUT/field.jsonl`, and a cell that is there is not run again. No setting is chosen here: every method
has the encoder, the views and the optimizer of the recipe `moco`, but for ISC and AS-CAL, which are about encoders and
augmentations and keep their own.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from summarise import difference

from halpose.ablate.cells import hardware, read_rows, write_rows
from halpose.data.store import Store
from halpose.engine.checkpoint import latest_step
from halpose.engine.run import Run
from halpose.engine.trainer import train
from halpose.evaluate.run import evaluate_run
from halpose.settings import load_recipe, override_text

# The split that is scored. x-view-2 has the training and test parts of x-view, but its validation part is a view, not
# subjects: it can choose a probe for an unseen view.
SETS = {"utd-mhad": "x-sub", "nw-ucla": "x-view-2"}
THREE = "streams=joint,motion,bone"
RATE = "optimizer.learning_rate=2e-3"  # what recipes had when this was run
# What is trained: recipe and settings. Where streams do not touch each other, one training of three gives joint, too.
ENTRIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "moco": ("moco", (THREE,)),
    "halp": ("halp", (THREE,)),
    "pull": ("pull", (THREE,)),
    "cmd": ("cmd", ()),
    "halp_cmd": ("halp_cmd", ()),
    "crosclr_b": ("crosclr_b", ()),
    "aimclr": ("aimclr", ()),
    "skt": ("skt", ()),
    "halp_skt": ("halp_skt", ()),
    "simclr": ("simclr", ()),
    "halp_simclr": ("halp_simclr", ()),
    "ascal": ("ascal", ()),
    "isc": ("isc", ("encoder.width=64",)),
    "halp_cmd-beside": ("halp_cmd", ("halp.placement=beside",)),
}
SEVERAL_SEEDS = ("moco", "halp", "cmd", "halp_cmd", "halp_cmd-beside")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stores", type=Path, required=True, help="folder with one store per data set")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--entries", nargs="*", choices=ENTRIES, default=list(ENTRIES))
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=3, help="of the entries that are compared with each other")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--trained-only", action="store_true", help="score the runs that are finished, train none")
    parser.add_argument("--table", action="store_true", help="print the tables of the rows that are there, no more")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    results = chosen.out / "field.jsonl"
    if not chosen.table:
        for seed in range(chosen.seeds):
            for name in chosen.sets:
                for entry in chosen.entries:
                    if seed == 0 or entry in SEVERAL_SEEDS:
                        cell(Store.open(chosen.stores / name), name, entry, seed, results, chosen)
    rows = read_rows(results)
    for name in dict.fromkeys(row["set"] for row in rows):
        print_table(name, [row for row in rows if row["set"] == name])


def cell(store: Store, name: str, entry: str, seed: int, results: Path, chosen: argparse.Namespace) -> None:
    """Train and score one cell, unless its rows are there."""
    key = {"set": name, "entry": entry, "seed": seed, "steps": chosen.steps}
    if any(key.items() <= row.items() for row in read_rows(results)):
        return
    recipe, settings = ENTRIES[entry]
    config = override_text(load_recipe(recipe), (RATE, *settings, f"seed={seed}", f"steps={chosen.steps}"))
    path = chosen.out / "runs" / f"{name}-{entry}-{seed}"
    if (latest_step(path) or 0) < chosen.steps:
        if chosen.trained_only:
            return
        train(store, config, path, device=chosen.device, resume=latest_step(path) is not None)
    run = Run.load(path, chosen.device)
    about = {"device": hardware(chosen.device), "threads": chosen.threads, "date": time.strftime("%Y-%m-%d")}
    streams = list(run.config.streams)
    rows = [key | about | row for row in scores(run, store, streams, "all", ("trained",), chosen.device)]
    if len(streams) > 1:
        rows += [key | about | row for row in scores(run, store, streams[:1], "first", ("trained",), chosen.device)]
    if seed < chosen.seeds and entry == "moco":  # its untrained encoders are those of every method of this seed
        rows += [key | about | row for row in scores(run, store, streams, "all", ("untrained",), chosen.device)]
        rows += [
            key | about | row for row in scores(run, store, streams[:1], "first", ("untrained", "raw"), chosen.device)
        ]
    write_rows(results, rows)
    print(f"{time.strftime('%H:%M:%S')} {name} {entry} {seed}", flush=True)


def scores(
    run: Run, store: Store, streams: list[str], which: str, kinds: tuple[str, ...], device: str
) -> list[dict[str, Any]]:
    """k-NN and linear probe on the test part: of one stream, or of the sum of the streams' own scores."""
    protocols = ("ensemble-knn", "ensemble") if which == "all" and len(streams) > 1 else ("knn", "linear")
    found = evaluate_run(
        run, store, split=SETS[store.name], protocols=protocols, kinds=kinds, streams=streams, device=device
    )
    return [
        {"streams": which if len(streams) > 1 or which == "first" else "first", "features": result.features}
        | {"protocol": "knn" if "knn" in result.protocol else "linear", "top1": result.top1}
        | {"low": result.low, "high": result.high, "clips": result.clips}
        for result in found
    ]


def print_table(name: str, rows: list[dict[str, Any]]) -> None:
    """One data set as a Markdown table."""
    found: dict[tuple[str, str, str], dict[int, float]] = defaultdict(dict)
    for row in rows:
        entry = row["entry"] if row["features"] == "trained" else row["features"]
        found[entry, row["streams"], row["protocol"]][row["seed"]] = 100 * row["top1"]
    entries = list(dict.fromkeys(entry for entry, _, _ in found))
    entries.sort(key=lambda entry: {"raw": 0, "untrained": 1}.get(entry, 2))
    columns = [(streams, protocol) for streams in ("first", "all") for protocol in ("knn", "linear")]
    print(f"\n{name}, test part, top-1 %, mean ± sd over seeds\n")
    print(
        "| entry | seeds | joint k-NN | joint linear | all k-NN | all linear |\n| --- | --- | --- | --- | --- | --- |"
    )
    for entry in entries:
        cells = [spread(list(found[entry, streams, protocol].values())) for streams, protocol in columns]
        seeds = max(len(found[entry, streams, protocol]) for streams, protocol in columns)
        print(f"| {entry} | {seeds} | " + " | ".join(cells) + " |")
    for ours, theirs in (("halp", "moco"), ("halp_cmd", "cmd"), ("halp_cmd-beside", "cmd"), ("cmd", "moco")):
        pairs = [(found[ours, streams, protocol], found[theirs, streams, protocol]) for streams, protocol in columns]
        cells = [difference(*pair) for pair in pairs]
        print(f"| {ours} - {theirs} | | " + " | ".join(cells) + " |")


def spread(values: list[float]) -> str:
    """Mean and standard deviation; nothing where nothing was measured."""
    if not values:
        return ""
    return f"{mean(values):.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else "")


if __name__ == "__main__":
    main()
