"""`halpose export`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from halpose.cli import common_options, print_json
from halpose.cli.console import remark, show


@click.command("export", short_help="Write a run as one graph: ONNX, or a torch program.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--onnx", type=click.Path(path_type=Path), help="ONNX file to write.")
@click.option("--torch", "program", type=click.Path(path_type=Path), help="File for torch.export.load, usually .pt2.")
@click.option("--streams", default="", help="Comma-separated streams of the run. Default: all, side by side.")
@click.option("--check", type=click.Path(path_type=Path), help="Store to compare on, beside random clips.")
@common_options
def export(run: Path, onnx: Path | None, program: Path | None, streams: str, check: Path | None, as_json: bool) -> None:
    """Write a run as one graph from positions to embeddings, with cleaning, normalisation and resizing inside.

    What is written is compared with the run first, and appears only if their embeddings agree.

    \b
    Examples:
      halpose export runs/utd --onnx utd.onnx
      halpose export runs/utd --onnx utd.onnx --check stores/utd-mhad
      halpose export runs/utd --torch utd.pt2 --streams joint
    """
    if onnx is None and program is None:
        raise click.UsageError("nothing to write: give --onnx FILE, --torch FILE or both")
    from halpose.data.store import Store
    from halpose.engine.run import Run
    from halpose.export.run import export_run

    names = [name.strip() for name in streams.split(",") if name.strip()]
    files = export_run(Run.load(run), onnx, program, names, Store.open(check) if check else None)
    for file in files:
        show(
            f"{file.path}: {file.bytes / 1e6:.1f} MB, {file.clips} clips compared: embeddings differ by at most "
            f"{file.difference:.1e} of their size",
            as_json,
        )
    remark("how to use it: docs/export.md")
    if as_json:
        print_json({"run": str(run), "files": [asdict(file) | {"path": str(file.path)} for file in files]})
