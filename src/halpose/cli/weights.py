"""`halpose import` and `halpose export-weights`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from halpose.cli import common_options, print_json
from halpose.cli.console import command, remark, show
from halpose.skeleton import MODALITIES


@click.command("import", short_help="Make a run of a checkpoint of the published code.")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Run directory to make.")
@click.option("--recipe", default="halp-published", show_default=True, help="Settings that the file cannot tell.")
@click.option(
    "--layout", default="kinect25", show_default=True, help="Joints it was trained on: a name, or a .toml file."
)
@click.option(
    "--modality", type=click.Choice(MODALITIES), default="joint", show_default=True,
    help="Of a checkpoint with one stream, whose names do not tell.",
)  # fmt: skip
@click.option(
    "--step", default=0, show_default=True, type=click.IntRange(min=0, max=2**31 - 1),
    help="Where in its schedule a --fork of the run begins.",
)  # fmt: skip
@common_options
def import_weights(
    checkpoint: Path, out: Path, recipe: str, layout: str, modality: str, step: int, as_json: bool
) -> None:
    """Make a run of a checkpoint of the published CMD or HaLP code.

    Streams, sizes and method are read off its tensors; nothing that the file names is run.

    \b
    Examples:
      halpose import checkpoint_0450.pth.tar --out runs/published
      halpose import pku.pth.tar --recipe pkummd2-xsub-halp-published --out runs/pku
    """
    from halpose.engine.exchange import import_published
    from halpose.settings import load_recipe
    from halpose.skeleton import load_layout

    made = import_published(checkpoint, out, load_recipe(recipe), load_layout(layout), modality, step)
    trained = f"{made.epoch} epochs" if made.epoch else f"{made.trained_steps} steps"
    show(
        f"{made.method} with {', '.join(made.streams)}: {made.layers} layers of width {made.width}, "
        f"{made.people} people of {made.layout}, {made.tensors} tensors, trained for {trained}: {out}",
        as_json,
    )
    remark(f"next: {command('evaluate', out, '--on', 'STORE')}")
    if as_json:
        print_json(asdict(made))


@click.command("export-weights", short_help="Write a run's weights as the published code does.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File to write, usually .pth.tar.")
@common_options
def export_weights(run: Path, out: Path, as_json: bool) -> None:
    """Write a run's weights as the published CMD and HaLP code names them, with a fresh optimizer.

    Only what that code can hold: encoder gru with last pooling and input norm; one stream, or joint, motion and bone.

    \b
    Examples:
      halpose export-weights runs/published --out checkpoint.pth.tar
    """
    from halpose.engine.exchange import export_published
    from halpose.engine.run import Run

    made = export_published(Run.load(run), out)
    show(f"{made.method} with {', '.join(made.streams)}: {made.tensors} tensors: {out}", as_json)
    if as_json:
        print_json(asdict(made))
