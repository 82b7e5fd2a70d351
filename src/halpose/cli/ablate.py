"""`halpose ablate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from halpose.ablate.catalogue import ABLATIONS
from halpose.cli import common_options, machine_options, print_json
from halpose.cli.console import TrainingBar, WorkingBar, remark, show

if TYPE_CHECKING:
    from halpose.ablate.cells import Bench
    from halpose.config import Config


def _seeds(context: click.Context, option: click.Parameter, text: str) -> tuple[int, ...]:
    """`0,1,2`: different whole numbers, as given."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdigit() for word in words) or len({*map(int, words)}) < len(words):
        raise click.BadParameter(f"{text!r} is not a list of different seeds; write --seeds 0,1,2", context, option)
    return tuple(map(int, words))


@click.command(short_help="Run one of the paper's ablations on a store.")
@click.argument("name", metavar="ABLATION", type=click.Choice(list(ABLATIONS)))
@click.option("--on", "store", required=True, type=click.Path(path_type=Path), help="Labelled store.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for runs and results. Default: ablations/STORE.")
@click.option(
    "--steps", type=click.IntRange(min=1), help="Of each training (default 600); of overhead, steps timed (50)."
)
@click.option("--seeds", default="0", show_default=True, callback=_seeds, help="Seeds, with commas.")
@click.option("--recipe", default=None, help="Of a method with HaLP. Default: the store's own, else halp.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Change a setting; may be repeated.")
@machine_options
@common_options
def ablate(
    name: str,
    store: Path,
    out: Path | None,
    steps: int | None,
    seeds: tuple[int, ...],
    recipe: str | None,
    assignments: tuple[str, ...],
    device: str,
    as_json: bool,
) -> None:
    """Run one of the paper's ablations: lambda, prototypes, anchor, query-key, hardest, topk, solver or overhead.

    The paper's numbers stand beside ours. What is finished in --out is not done again, and what is stopped goes on with
    the same command; ablations in one folder share their trainings.

    \b
    Examples:
      halpose ablate lambda --on stores/utd-mhad
      halpose ablate anchor --on stores/utd-mhad --steps 2000 --seeds 0,1,2
      halpose ablate solver --on stores/utd-mhad --json
    """
    from halpose.ablate.cells import Bench
    from halpose.ablate.trainings import base_config
    from halpose.data.store import Store
    from halpose.engine.checkpoint import write_json
    from halpose.engine.trainer import resolve_device

    folder = out or Path("ablations") / store.absolute().name
    bench = Bench(Store.open(store), folder, str(resolve_device(device)), (TrainingBar(),))
    timed = name == "overhead"
    config = base_config(bench, recipe, None if timed else steps, assignments)
    # One after another, so that --json prints what the file holds.
    work = _overhead if timed else _solver if name == "solver" else _compare
    content = work(bench, name, config, seeds, steps, as_json)
    write_json(folder / f"{name}.json", content)
    if as_json:
        print_json(content)


def _title(bench: Bench, name: str) -> str:
    return f"{name} ({ABLATIONS[name].where}) on {bench.store.name}: {ABLATIONS[name].question}"


def _compare(
    bench: Bench, name: str, config: Config, seeds: tuple[int, ...], steps: int | None, as_json: bool
) -> dict[str, Any]:
    from halpose.ablate.comparison import comparison_table
    from halpose.ablate.trainings import compare

    found = compare(bench, name, config, seeds, remark)
    show(comparison_table(found.lines, found.baselines, _title(bench, name), found.notes), as_json)
    return found.content


def _solver(
    bench: Bench, name: str, config: Config, seeds: tuple[int, ...], steps: int | None, as_json: bool
) -> dict[str, Any]:
    from halpose.ablate.cells import train_cell
    from halpose.ablate.equation2 import sentences, solve, verdict_table
    from halpose.settings import override_text

    runs = [train_cell(bench, override_text(config, (f"seed={seed}",))) for seed in seeds]
    with WorkingBar() as progress:
        verdicts = solve(runs, bench.store, progress=progress)
    notes = [*sentences(verdicts), ABLATIONS[name].note]
    show(verdict_table(verdicts, _title(bench, name), notes), as_json)
    return {
        "ablation": name, "question": ABLATIONS[name].question, "store": str(bench.store.path),
        "data_set": bench.store.name, "steps": config.steps, "seeds": list(seeds), "notes": notes,
        "verdicts": [verdict.to_dict() for verdict in verdicts], "settings": config.to_dict(),
    }  # fmt: skip


def _overhead(
    bench: Bench, name: str, config: Config, seeds: tuple[int, ...], steps: int | None, as_json: bool
) -> dict[str, Any]:
    import torch

    from halpose.bench.overhead import STEPS, overhead, overhead_table, to_content
    from halpose.bench.timing import machine

    with WorkingBar() as progress:
        costs = overhead(
            bench.store, config, torch.device(bench.device), steps or STEPS,
            lambda done, total: progress("rounds", done, total),
        )  # fmt: skip
    notes = [
        f"{machine()}. Time: multiple of moco's, median over rounds of {config.halp.refresh} steps in turn.",
        "Memory: weights, gradients, optimizer, key branches, queues, and what a step adds (on a CPU: the activations "
        "kept for the backward pass).",
        ABLATIONS[name].note,
    ]
    show(overhead_table(costs, _title(bench, name), notes), as_json)
    return {
        "ablation": name, "question": ABLATIONS[name].question, "store": str(bench.store.path),
        "data_set": bench.store.name, "machine": machine(), "costs": to_content(costs), "notes": notes,
        "settings": config.to_dict(),
    }  # fmt: skip
