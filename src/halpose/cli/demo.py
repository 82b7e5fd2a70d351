"""`halpose demo`."""

from __future__ import annotations

from pathlib import Path

import click

from halpose.cli import common_options, print_json
from halpose.cli.console import TrainingBar, remark, show


@click.command(short_help="The main job end to end, in under five minutes.")
@click.option(
    "--out", default="halpose-demo", show_default=True, type=click.Path(path_type=Path), help="Folder to use."
)
@click.option("--data", type=click.Path(path_type=Path), help="Folder of recordings. Default: HALPOSE_DATA.")
@click.option("--steps", default=1500, show_default=True, type=click.IntRange(min=1), help="Training steps.")
@click.option("--clips", default=1440, show_default=True, type=click.IntRange(min=1), help="Synthetic clips, if any.")
@click.option("--seed", default=0, show_default=True, help="Of everything random.")
@common_options
def demo(out: Path, data: Path | None, steps: int, clips: int, seed: int, as_json: bool) -> None:
    """Prepare data, pre-train without labels, score against untrained and raw, and write a page.

    Takes real recordings from the folder that HALPOSE_DATA names, or generates synthetic ones; it says which. After an
    interruption the same command goes on where it was. Nothing is written outside --out.

    \b
    Examples:
      halpose demo
      halpose demo --data recordings --out demo --seed 1
    """
    from halpose.demo import demo as run_demo
    from halpose.evaluate.result import table

    outcome = run_demo(out, data=data, steps=steps, clips=clips, seed=seed, watchers=(TrainingBar(),), say=remark)
    show(table(outcome.results), as_json)
    show(f"\nThe page: {outcome.page.absolute().as_uri()}", as_json)
    show("On your own data:", as_json)
    for command in outcome.next_steps:
        show(f"  {command}", as_json)
    if as_json:
        print_json(
            {
                "store": str(outcome.store), "run": str(outcome.run), "page": str(outcome.page),
                "results": [result.to_dict() for result in outcome.results], "notes": list(outcome.notes),
            }
        )  # fmt: skip
