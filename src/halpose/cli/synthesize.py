"""`halpose data synthesize`: motion of nobody."""

from __future__ import annotations

from pathlib import Path

import click

from halpose.cli import common_options, print_json
from halpose.cli.console import bar, command, remark, show


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Store, or folder with --ntu, to make.")
@click.option("--clips", default=720, show_default=True, type=click.IntRange(min=1), help="How many.")
@click.option("--actions", type=click.Choice(["12", "60"]), default="12", show_default=True, help="How many kinds.")
@click.option("--subjects", default=40, show_default=True, type=click.IntRange(min=1), help="How many people.")
@click.option("--seed", default=0, show_default=True, help="Another seed is another world.")
@click.option("--noise", default=1.0, show_default=True, help="Sensor noise; 1 is about a Kinect v2.")
@click.option("--glitches", default=1.0, show_default=True, help="Tracking faults; 1 is about NTU RGB+D.")
@click.option("--distraction", default=1.0, show_default=True, help="What goes on beside the action; 0 is a stage.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(min=1), help="Processes.")
@click.option("--ntu", is_flag=True, help="Write NTU RGB+D .skeleton files instead of a store.")
@common_options
def synthesize(
    out: Path,
    clips: int,
    actions: str,
    subjects: int,
    seed: int,
    noise: float,
    glitches: float,
    distraction: float,
    workers: int,
    ntu: bool,
    as_json: bool,
) -> None:
    """Generate labelled synthetic motion: a store, or files in NTU RGB+D's own format.

    \b
    Examples:
      halpose data synthesize --clips 1200 --out stores/synthetic
      halpose data synthesize --ntu --clips 5000 --actions 60 --out synthetic-ntu
    """
    from halpose.data.synthetic import SyntheticSpec, write_ntu, write_store

    spec = SyntheticSpec(
        clips=clips,
        actions=int(actions),
        subjects=subjects,
        seed=seed,
        noise=noise,
        glitches=glitches,
        distraction=distraction,
    )
    with bar() as progress:
        task = progress.add_task("synthesize", total=clips)

        def advance(done: int) -> None:
            progress.update(task, completed=done)

        if ntu:
            write_ntu(spec, out, progress=advance, workers=workers)
        else:
            write_store(spec, out, progress=advance, workers=workers)
    show(f"{clips} synthetic clips of {actions} actions: {out}", as_json)
    following = (
        ("data", "prepare", "ntu60", "--source", out, "--out", "STORE") if ntu else ("train", out, "--out", "RUN")
    )
    remark(f"next: {command(*following)}")
    if as_json:
        print_json({"out": str(out), "clips": clips, "synthetic": True})
