"""`halpose search`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from halpose.cli import common_options, machine_options, print_json, reading_options
from halpose.cli.console import WorkingBar, remark, show

if TYPE_CHECKING:
    from halpose.inference.embed import Embeddings
    from halpose.inference.search import Neighbour
    from halpose.inference.sources import Reading


@click.command(short_help="Find the recordings that move most like one.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("query")
@click.option(
    "--index", "where", required=True, type=click.Path(path_type=Path),
    help="What is searched: a prepared store, or what `halpose embed` made.",
)  # fmt: skip
@click.option("-k", default=5, show_default=True, type=click.IntRange(min=1), help="How many.")
@click.option("--across", type=click.Choice(["subject"]), help="Leave out whoever moves in the query.")
@click.option("--streams", default="", help="Comma-separated streams of the run. Default: the index's, or all.")
@click.option("--approximate", is_flag=True, help="Do not compare with all: for millions (extra faiss).")
@click.option("--page", type=click.Path(path_type=Path), help="HTML page to write: query and neighbours side by side.")
@reading_options(windows=False)
@machine_options
@common_options
def search(
    run: Path,
    query: str,
    where: Path,
    k: int,
    across: str | None,
    streams: str,
    approximate: bool,
    page: Path | None,
    reading: Reading,
    device: str,
    as_json: bool,
) -> None:
    """Find the recordings that move most like one: QUERY is a file, or the name of a recording of the index.

    All are compared, unless --approximate. The query itself is not among its neighbours. Of an index of windows, each
    window of the query has neighbours of its own.

    \b
    Examples:
      halpose search runs/utd --index stores/utd-mhad a1_s1_t1
      halpose search runs/utd --index stores/utd-mhad my.bvh -k 10 --page similar.html
      halpose search runs/utd --index emb.npz my.bvh --approximate --json
    """
    from halpose.engine.device import resolve_device
    from halpose.engine.run import Run
    from halpose.inference.search import exact, find_query, open_index
    from halpose.inference.search import search as find
    from halpose.inference.sources import is_store

    device_used = resolve_device(device)
    loaded = Run.load(run, device_used)
    with WorkingBar() as progress:
        index = open_index(loaded, where, [word.strip() for word in streams.split(",") if word.strip()], progress)
        queries = find_query(loaded, index, query, reading)
        progress("search")
        finder = exact(index, str(device_used))
        if approximate:
            from halpose.inference.approximate import approximate as walk

            finder = walk(index, None if is_store(where) else where)
        found = find(queries, index, k, across="subject" if across else "", finder=finder)
    _tell(queries, found, as_json)
    if page is not None:
        from halpose.report.page import write_page
        from halpose.report.search_page import search_page

        facts = [("Run", str(run)), ("Index", str(where)), ("Searched", f"{len(index)} embeddings"), ("Query", query)]
        write_page(page, search_page(queries, found, facts=facts, layout=reading.layout))
        remark(f"the page: {page.absolute().as_uri()}")
    if as_json:
        print_json(
            {
                "run": str(run), "index": str(where), "searched": len(index), "approximate": approximate,
                "page": None if page is None else str(page),
                "queries": [
                    {
                        "name": queries.names[row], "label": queries.labels[row],
                        "start": float(queries.starts[row]), "end": float(queries.ends[row]),
                        "neighbours": [asdict(neighbour) for neighbour in neighbours],
                    }
                    for row, neighbours in enumerate(found)
                ],
            }
        )  # fmt: skip


def _tell(queries: Embeddings, found: list[list[Neighbour]], as_json: bool) -> None:
    """A table for each query."""
    from rich.table import Table

    for row, neighbours in enumerate(found):
        label = f" ({queries.labels[row]})" if queries.labels[row] else ""
        table = Table("", "name", "cosine", "label", "seconds", box=None, title=f"like {queries.title(row)}{label}")
        table.title_justify = "left"
        for one in neighbours:
            seconds = "" if one.end != one.end else f"{one.start:.2f} to {one.end:.2f}"
            table.add_row(str(one.rank), one.name, f"{one.cosine:.3f}", one.label, seconds)
        show(table, as_json)
