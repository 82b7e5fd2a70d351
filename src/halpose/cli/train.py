"""`halpose train` and `halpose recipes`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from halpose.cli import INTERRUPTED, common_options, machine_options, print_json
from halpose.cli.console import TrainingBar, command, remark, show
from halpose.settings import DEFAULT_RECIPE, flatten, load_recipe, override_text, recipe_about, recipe_names

if TYPE_CHECKING:
    from halpose.engine.trainer import Summary


@click.command(short_help="Pre-train an encoder on a store, without labels.")
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--recipe", default=None, help="A name from `halpose recipes`, or a .toml file. Default: moco.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Change a setting; may be repeated.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Run directory to make.")
@click.option("--resume", is_flag=True, help="Go on where the run in --out stopped.")
@click.option("--fork", type=click.Path(path_type=Path), help="Begin from another run's newest checkpoint.")
@click.option("--stop-at", type=click.IntRange(min=1), help="Save and stop after this many steps of the schedule.")
@machine_options
@click.option("--track", multiple=True, metavar="TRACKER", help="Also log to tensorboard, wandb or trackio.")
@common_options
def train(
    store: Path,
    recipe: str | None,
    assignments: tuple[str, ...],
    out: Path,
    resume: bool,
    fork: Path | None,
    stop_at: int | None,
    device: str,
    track: tuple[str, ...],
    as_json: bool,
) -> None:
    """Pre-train an encoder on a store, without labels.

    \b
    Examples:
      halpose train stores/utd-mhad --recipe utd-mhad-halp --out runs/utd
      halpose train stores/mine --set steps=5000 --set seed=1 --out runs/mine
      halpose train stores/mine --out runs/mine --resume
      torchrun --nproc-per-node 8 -m halpose train stores/mine --out runs/mine
    """
    from halpose.data.store import Store
    from halpose.engine.distributed import Launch
    from halpose.engine.run import read_run_config
    from halpose.engine.trackers import build_tracker
    from halpose.engine.trainer import train as pre_train

    opened = Store.open(store)
    launch = Launch.from_environment()
    # torchrun restarts with the very command that it started with: what to resume may not be there yet.
    is_new = launch is not None and not (out / "config.json").exists()
    if resume and recipe is None and not assignments and not is_new:
        config = read_run_config(out)[1]
    else:
        config = override_text(load_recipe(recipe or DEFAULT_RECIPE), assignments)
    watchers = (TrainingBar(), *(build_tracker(name, out) for name in track))
    summary = pre_train(
        opened, config, out, device=device, resume=resume, fork=fork, stop_at=stop_at, watchers=watchers, launch=launch
    )
    if launch is None or launch.rank == 0:
        _tell(summary, store, bool((opened.clips.label >= 0).any()), as_json)
    if summary.interrupted:
        raise click.exceptions.Exit(INTERRUPTED)


def _tell(summary: Summary, store: Path, has_labels: bool, as_json: bool) -> None:
    """What came of it, and what to run next."""
    for note in summary.notes:
        remark(f"note: {note}")
    if summary.interrupted:
        go_on = command("train", store, "--out", summary.run, "--resume")
        remark(f"stopped at step {summary.steps}; go on with: {go_on}")
    else:
        show(
            f"{summary.steps} steps, {summary.clips_per_second:.0f} clips/s, loss {summary.loss:.3f}: {summary.run}",
            as_json,
        )
        following = ("evaluate", summary.run, "--on", store) if has_labels else ("report", summary.run)
        remark(f"next: {command(*following)}")
    if as_json:
        print_json(asdict(summary))


@click.command(short_help="List the recipes, or show one.")
@click.argument("name", required=False)
@common_options
def recipes(name: str | None, as_json: bool) -> None:
    """List the recipes, or show every setting of one, as --set takes it.

    \b
    Examples:
      halpose recipes
      halpose recipes ntu60-xsub-halp
    """
    if name is None:
        about = {known: recipe_about(known) for known in recipe_names()}
        if as_json:
            print_json({"recipes": about})
        else:
            for known, text in about.items():
                show(f"{known:30} {text}")
        return
    settings = dict(flatten(load_recipe(name).to_dict()))
    if as_json:
        print_json({"recipe": name, "settings": settings})
    else:
        for key, value in settings.items():
            show(f"{key}={','.join(map(str, value)) if isinstance(value, tuple | list) else value}")
