"""`halpose embed`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from halpose.cli import common_options, machine_options, print_json, reading_options
from halpose.cli.console import WorkingBar, command, remark, show

if TYPE_CHECKING:
    from halpose.evaluate.features import Precision
    from halpose.inference.sources import Reading


@click.command(short_help="Vectors of recordings, whole or in windows.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, metavar="FILES...", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="File to write: .npz or .parquet.")
@click.option("--streams", default="", help="Comma-separated streams of the run. Default: all, side by side.")
@click.option(
    "--precision", type=click.Choice(["float32", "bfloat16"]), default="float32", show_default=True,
    help="Of the encoder's products; bfloat16 is quicker on processors that multiply it.",
)  # fmt: skip
@reading_options(windows=True)
@machine_options
@common_options
def embed(
    run: Path,
    files: tuple[Path, ...],
    out: Path,
    streams: str,
    precision: Precision,
    reading: Reading,
    device: str,
    as_json: bool,
) -> None:
    """Embed recordings: files, folders of them, prepared stores. What cannot be read is named and set aside.

    Memory does not grow with the number of recordings or windows; a store's recordings are not even held one by one.

    \b
    Examples:
      halpose embed runs/utd recordings -o emb.npz
      halpose embed runs/utd day.bvh --window 2s --stride 0.5s -o day.parquet
      halpose embed runs/utd stores/utd-mhad -o utd.npz --precision bfloat16 --json
      torchrun --nproc-per-node 8 -m halpose embed runs/utd recordings -o emb.npz
    """
    from halpose.engine.device import resolve_device
    from halpose.engine.distributed import Launch
    from halpose.engine.run import Run
    from halpose.inference.sources import embed_sources, find_sources

    launch = Launch.from_environment()
    is_first = launch is None or launch.rank == 0
    sources = find_sources(files)
    loaded = Run.load(run, resolve_device(device, launch))
    chosen = [word.strip() for word in streams.split(",") if word.strip()]
    with WorkingBar() as progress:
        made = embed_sources(
            loaded, sources, out, reading, chosen, progress if is_first else _unseen, launch,
            lambda source, reason: remark(f"set aside {source}: {reason}"), precision,
        )  # fmt: skip
    if not is_first:
        return
    aside = f", {len(made.set_aside)} set aside" if made.set_aside else ""
    of = "windows" if reading.window else "vectors"
    show(f"{made.vectors} {of} of {made.recordings} recordings, {made.dimension} numbers each{aside}: {out}", as_json)
    remark(f"next: {command('search', run, '--index', out, 'QUERY')}")
    if as_json:
        print_json(
            {
                "out": made.out, "run": str(run), "step": loaded.step, "streams": chosen or list(loaded.config.streams),
                "vectors": made.vectors, "dimension": made.dimension, "recordings": made.recordings,
                "window": reading.window, "stride": reading.stride or reading.window, "precision": precision,
                "set_aside": [{"source": source, "reason": reason} for source, reason in made.set_aside],
                "seconds": made.seconds,
            }
        )  # fmt: skip


def _unseen(what: str, done: int = 0, total: int = 0) -> None:
    """One rank shows progress."""
