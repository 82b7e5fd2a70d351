"""`halpose evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from halpose.cli import common_options, machine_options, print_json
from halpose.cli.console import WorkingBar, show


@click.command(short_help="Score a run against untrained and raw features.")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@click.option("--on", "store", required=True, type=click.Path(path_type=Path), help="Labelled store.")
@click.option(
    "--protocol",
    "names",
    default="",
    help="Comma-separated protocols (knn, linear, linear-sgd, semi-linear, retrieval, ensemble, ensemble-knn, "
    "finetune, semi) and features (untrained, raw). Default: knn, linear and all features.",
)
@click.option("--streams", default="", help="Comma-separated streams of the run. Default: all, side by side.")
@click.option("--split", default="", help="Split of the store. Default: the run's.")
@click.option(
    "--part", type=click.Choice(["test", "validation"]), default="test", show_default=True,
    help="validation: to choose settings without looking at the test part.",
)  # fmt: skip
@click.option("-k", default=1, show_default=True, type=click.IntRange(min=1), help="Neighbours of knn.")
@click.option("--shares", default="0.01,0.05,0.1,0.2", show_default=True, help="Of the labels, for semi, semi-linear.")
@click.option("--draws", default=5, show_default=True, type=click.IntRange(min=1), help="Draws of these labels.")
@click.option("--unstratified", is_flag=True, help="Draw labels whatever their class, as the published code does.")
@click.option("--epochs", default=0.0, type=click.FloatRange(min=0), help="Of finetune and semi. Default: 600 steps.")
@click.option("--learning-rate", "rates", default="", help="Of finetune and semi; several: chosen on validation.")
@click.option(
    "--optimizer", type=click.Choice(["adamw", "sgd"]), default="adamw", show_default=True,
    help="Of finetune and semi.",
)  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of draws, new layers, views.")
@click.option("--best-on-test", is_flag=True, help="Also report what peeking at the test part gives (the paper does).")
@machine_options
@common_options
def evaluate(
    runs: tuple[Path, ...],
    store: Path,
    names: str,
    streams: str,
    split: str,
    part: str,
    k: int,
    shares: str,
    draws: int,
    unstratified: bool,
    epochs: float,
    rates: str,
    optimizer: str,
    seed: int,
    best_on_test: bool,
    device: str,
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
      halpose evaluate runs/utd --on stores/utd-mhad --protocol finetune,untrained
    """
    from halpose.data.store import Store
    from halpose.engine.checkpoint import write_json
    from halpose.engine.run import Run
    from halpose.engine.trainer import resolve_device
    from halpose.evaluate.base import Settings, tuning_settings
    from halpose.evaluate.result import table
    from halpose.evaluate.run import evaluate_run, parse_protocols
    from halpose.model_card import write_card

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
            settings=Settings(
                k=k,
                shares=_numbers("--shares", shares),
                draws=draws,
                stratified=not unstratified,
                tuning=tuning_settings(optimizer, epochs, _numbers("--learning-rate", rates)),
                best_on_test=best_on_test,
                seed=seed,
                device=str(where),
            ),
            device=where,
            progress=progress,
        )
    content: dict[str, Any] = {
        "run": str(runs[0]), "runs": list(map(str, runs)), "store": str(store), "data_set": opened.name,
        "steps": loaded[0].step, "results": [result.to_dict() for result in results],
    }  # fmt: skip
    show(table(results), as_json)  # before anything that can fail: these numbers took a while
    kind = "evaluation" if len(runs) == 1 else "together"
    which = "".join(f"-{name.replace(':', '+')}" for name in _words(streams))
    file = loaded[0].path / f"{kind}-{opened.name}-{results[0].split}-{part}{which}.json"
    write_json(file, content | {"results": content["results"] + _earlier(file, content)})
    write_card(loaded[0].path)
    if as_json:
        print_json(content)


def _earlier(file: Path, content: dict[str, Any]) -> list[dict[str, Any]]:
    """Scores of earlier calls that this one did not take again: a fine-tuning is not lost to a later look at k-NN."""
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
        if any(before[key] != content[key] for key in ("runs", "store", "steps")):
            return []
        rows = before["results"]
        taken = {_row_name(row) for row in content["results"]}
        return [row for row in rows if _row_name(row) not in taken]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _row_name(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["protocol"], row["features"], row["variant"]


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in _words(text))
    except ValueError:
        raise click.BadParameter(f"{text!r}: give numbers with commas", param_hint=option) from None
