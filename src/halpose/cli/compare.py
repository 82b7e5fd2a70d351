"""`halpose compare`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from halpose.cli import common_options, machine_options, print_json
from halpose.cli.console import WorkingBar, remark, show

if TYPE_CHECKING:
    from rich.table import Table

    from halpose.report.run_sides import Difference, Line, Side


@click.command(short_help="Several runs side by side: settings, curves, scores, cost.")
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Also write a page.")
@click.option("--on", "store", type=click.Path(path_type=Path), help="Score the runs here, too, clip by clip.")
@click.option("--split", default="", help="Split of the store. Default: each run's own.")
@click.option("--title", default="", help="Heading of the page.")
@machine_options
@common_options
def compare(
    runs: tuple[Path, ...], out: Path | None, store: Path | None, split: str, title: str, device: str, as_json: bool
) -> None:
    """Compare runs with the first: settings that differ, scores with their differences, cost; a page shows curves too.

    Scores are those that `halpose evaluate` left beside the runs. Where both runs tell which test clips they
    recognised, differences are paired by clip.

    \b
    Examples:
      halpose compare runs/moco runs/halp
      halpose compare runs/moco runs/halp runs/cmd --on stores/utd-mhad -o compare.html
    """
    from halpose.report.compare_page import compare_page
    from halpose.report.document import write_document
    from halpose.report.run_sides import compare_scores, costs, differing, read_sides, scored_on

    if len(runs) < 2:
        raise click.UsageError("give two runs or more; one is looked at with `halpose report`")
    sides = read_sides(runs)
    if store is not None:
        from halpose.data.store import Store
        from halpose.engine.device import resolve_device

        with WorkingBar() as progress:
            sides = scored_on(sides, Store.open(store), split, resolve_device(device), progress)
    lines = compare_scores(sides)
    settings, cost = differing(sides), costs(sides)
    for view in _scores(sides, lines):
        show(view, as_json)
    if not lines:
        remark("no run was scored; halpose evaluate RUN --on STORE, or give --on STORE here")
    show(_values("Settings that differ", sides, settings), as_json)
    show(_values("Cost", sides, cost), as_json)
    if out is not None:
        write_document(out, compare_page(sides, title))
        show(f"The page: {out.absolute().as_uri()}", as_json)
    if as_json:
        print_json(_content(sides, lines, dict(settings), dict(cost), out))


def _scores(sides: list[Side], lines: list[Line]) -> Iterator[Table]:
    """A table for each data set and split, with what was trained and scored of two runs at least."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = [line for line in lines if line.key[5] == "trained" and sum(row is not None for row in line.rows) > 1]
    for place in dict.fromkeys(line.place for line in shown):
        here = [line for line in shown if line.place == place]
        view = Table(box=box.SIMPLE_HEAD, padding=0, title=place, title_justify="left", caption_justify="left")
        for column in ("Score", "Run", "Top-1 %", "95 % interval", "Difference"):
            view.add_column(column, justify="left" if column in ("Score", "Run") else "right", overflow="fold")
        for line in here:
            name = line.title.removesuffix(", trained")
            for side, row, found in zip(sides, line.rows, line.differences, strict=True):
                if row is not None:
                    interval = f"{100 * row['low']:.1f} to {100 * row['high']:.1f}"
                    view.add_row(*map(Text, (name, side.name, f"{100 * row['top1']:.1f}", interval, _away(found))))
                    name = ""
        if any(found and not found.is_paired for line in here for found in line.differences):
            view.caption = "* not paired by clip: --on STORE scores again, clip by clip"
        yield view


def _away(found: Difference | None) -> str:
    if found is None:
        return ""
    return (
        f"{100 * found.value:+.1f} ({100 * found.low:+.1f}, {100 * found.high:+.1f}){' ' if found.is_paired else '*'}"
    )


def _values(title: str, sides: list[Side], rows: list[tuple[str, list[str]]]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    view = Table(box=box.SIMPLE_HEAD, padding=0, title=title, title_justify="left")
    for column in ("", *(side.name for side in sides)):
        view.add_column(Text(column), overflow="fold")
    for name, values in rows:
        view.add_row(*map(Text, (name, *values)))
    return view


def _content(
    sides: list[Side], lines: list[Line], settings: dict[str, Any], cost: dict[str, Any], out: Path | None
) -> dict[str, Any]:
    scores = []
    for line in lines:
        top1 = [None if row is None else {name: row[name] for name in ("top1", "low", "high")} for row in line.rows]
        differences = [None if found is None else asdict(found) for found in line.differences]
        names = ("data_set", "split", "streams", "protocol", "variant", "features")
        scores.append({**dict(zip(names, line.key, strict=True)), "runs": top1, "differences": differences})
    return {
        "runs": [str(side.path) for side in sides], "scores": scores, "settings": settings, "cost": cost,
        "page": None if out is None else str(out),
    }  # fmt: skip
