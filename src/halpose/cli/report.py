"""`halpose report`."""

from __future__ import annotations

from pathlib import Path

import click

from halpose.cli import common_options, machine_options, print_json
from halpose.cli.console import WorkingBar, command, remark, show


@click.command(short_help="One page of a run: data, curves, scores, maps, neighbours.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--on", "store", type=click.Path(path_type=Path), help="Store. Default: what it was trained on.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Page to write. Default: RUN/report.html.")
@click.option("--split", default="", help="Split of the store. Default: the run's.")
@click.option("--points", default=3000, show_default=True, type=click.IntRange(min=1), help="On the map, at most.")
@click.option("--title", default="", help="Heading. Default: the run's name.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of map and choice of clips.")
@machine_options
@common_options
def report(
    run: Path,
    store: Path | None,
    out: Path | None,
    split: str,
    points: int,
    title: str,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Write one page: what a run was trained on, how it learned, how good it is, what it thinks is alike.

    Scores are those that `halpose evaluate` left beside the run; k-NN and the linear probe are scored if they are
    missing. A store without labels or splits gives a page without scores.

    \b
    Examples:
      halpose report runs/utd
      halpose report runs/utd --on stores/utd-mhad -o utd.html
    """
    from halpose.data.store import Store
    from halpose.engine.device import resolve_device
    from halpose.engine.run import Run
    from halpose.report.page import write_page
    from halpose.report.run_page import run_page
    from halpose.report.run_scores import chosen_split, run_scores, shown_rows, trained_store

    where = resolve_device(device)
    loaded = Run.load(run, where)
    path = store or trained_store(loaded)
    opened = Store.open(path)
    split = chosen_split(loaded, opened, split)
    with WorkingBar() as progress:
        rows = run_scores(loaded, opened, split, where, progress) if split else []
        progress("page")
        page = run_page(
            loaded, opened, shown_rows(rows), title=title or run.resolve().name, split=split, seed=seed, points=points,
            next_steps=_following(run, path, bool(rows)),
        )  # fmt: skip
        out = write_page(out or run / "report.html", page)
    show(f"The page: {out.absolute().as_uri()}", as_json)
    for note in page.notes:
        remark(f"note: {note}")
    if as_json:
        print_json(
            {
                "page": str(out), "bytes": out.stat().st_size, "store": str(path), "split": split,
                "points": len(page.embedding.labels) if page.embedding else 0, "notes": list(page.notes),
            }
        )  # fmt: skip


def _following(run: Path, store: Path, is_scored: bool) -> tuple[str, ...]:
    more = ("evaluate", run, "--on", store, "--protocol", "semi-linear,retrieval,untrained")
    return ((command(*more),) if is_scored else ()) + (command("compare", run, "OTHER_RUN"),)
