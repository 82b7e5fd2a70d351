"""`halpose evaluate`."""

from __future__ import annotations

from pathlib import Path

import click

from halpose.cli import common_options, print_json
from halpose.cli.console import WorkingBar, show


@click.command(short_help="Score a run against untrained and raw features.")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@click.option("--on", "store", required=True, type=click.Path(path_type=Path), help="Labelled store.")
@click.option(
    "--protocol",
    "names",
    default="",
    help="Comma-separated protocols (knn, linear, linear-sgd, retrieval, ensemble, ensemble-knn) and features "
    "(untrained, raw). Default: knn, linear and all features.",
)
@click.option("--streams", default="", help="Comma-separated streams of the run. Default: all, side by side.")
@click.option("--split", default="", help="Split of the store. Default: the run's.")
@click.option(
    "--part", type=click.Choice(["test", "validation"]), default="test", show_default=True,
    help="validation: to choose settings without looking at the test part.",
)  # fmt: skip
@click.option("-k", default=1, show_default=True, type=click.IntRange(min=1), help="Neighbours of knn.")
@click.option("--best-on-test", is_flag=True, help="Also report what peeking at the test part gives (the paper does).")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads. Default: all cores.")
@common_options
def evaluate(
    runs: tuple[Path, ...],
    store: Path,
    names: str,
    streams: str,
    split: str,
    part: str,
    k: int,
    best_on_test: bool,
    device: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Score a run: nearest neighbours and a linear probe, beside an untrained encoder and raw coordinates.

    Everything that must be chosen is chosen on the validation part; the test part is read once. Several runs are
    taken together, their streams side by side.

    \b
    Examples:
      halpose evaluate runs/utd --on stores/utd-mhad
      halpose evaluate runs/utd --on stores/utd-mhad --part validation --protocol knn
      halpose evaluate runs/utd --on stores/utd-mhad --protocol retrieval,raw --json
      halpose evaluate runs/joint runs/bone --on stores/utd-mhad --protocol ensemble
    """
    import torch

    from halpose.data.store import Store
    from halpose.engine.checkpoint import write_json
    from halpose.engine.run import Run
    from halpose.engine.trainer import resolve_device
    from halpose.evaluate.base import Settings
    from halpose.evaluate.result import table
    from halpose.evaluate.run import evaluate_run, parse_protocols

    if threads:
        torch.set_num_threads(threads)
    where = resolve_device(device)
    protocols, kinds = parse_protocols(_words(names))
    opened = Store.open(store)
    loaded = [Run.load(run, where) for run in runs]
    with WorkingBar() as progress:
        results = evaluate_run(
            loaded,
            opened,
            split=split,
            part="validation" if part == "validation" else "test",
            protocols=protocols,
            kinds=kinds,
            streams=_words(streams),
            settings=Settings(k=k, best_on_test=best_on_test, device=str(where)),
            device=where,
            progress=progress,
        )
    content = {
        "run": str(runs[0]), "runs": list(map(str, runs)), "store": str(store), "data_set": opened.name,
        "steps": loaded[0].step, "results": [result.to_dict() for result in results],
    }  # fmt: skip
    show(table(results), as_json)  # before anything that can fail: these numbers took a while
    kind = "evaluation" if len(runs) == 1 else "together"
    write_json(runs[0] / f"{kind}-{opened.name}-{results[0].split}-{part}.json", content)
    if as_json:
        print_json(content)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
