"""`halpose fit-head` and `halpose predict`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from halpose.cli import common_options, machine_options, print_json, reading_options
from halpose.cli.console import WorkingBar, command, remark, show

if TYPE_CHECKING:
    from halpose.heads.curve import Point
    from halpose.heads.head import Head
    from halpose.heads.predict import Prediction
    from halpose.inference.sources import Reading

_SHOWN = 60  # rows of a table on a screen


@click.command("fit-head", short_help="A classifier from a few labels, which knows when it does not know.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("labels", required=False, type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, metavar="[FILES]...", type=click.Path(path_type=Path))
@click.option("--on", "store", type=click.Path(path_type=Path), help="Prepared store whose clips are labelled.")
@click.option("--name", default="", help="Of the head. Default: that of the labels file, or of the store.")
@click.option("--streams", default="", help="Comma-separated streams of the run. Default: all, side by side.")
@click.option("--curve", type=click.Path(path_type=Path), help="SVG to write: accuracy against the number of labels.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of folds and draws.")
@click.option("--overwrite", is_flag=True, help="Replace a head of this name.")
@reading_options(windows=False)
@machine_options
@common_options
def fit_head(
    run: Path,
    labels: Path | None,
    files: tuple[Path, ...],
    store: Path | None,
    name: str,
    streams: str,
    curve: Path | None,
    seed: int,
    overwrite: bool,
    reading: Reading,
    device: str,
    as_json: bool,
) -> None:
    """Fit a classifier on a run's embeddings. LABELS is a table: file,label[,subject,camera,split].

    Files are looked for in FILES (files and folders), or in the folder of the table; with --on, names are those of the
    store's clips, and without a table its own labels are taken. What the table calls split test is only scored.

    \b
    Examples:
      halpose fit-head runs/utd recordings/labels.csv
      halpose fit-head runs/utd labels.csv recordings --name gestures
      halpose fit-head runs/utd --on stores/utd-mhad --curve curve.svg
    """
    from halpose.data.store import Store
    from halpose.engine.device import resolve_device
    from halpose.engine.run import Run
    from halpose.evaluate.features import chosen_streams
    from halpose.heads.fitting import fit_head as fit
    from halpose.heads.head import check_name, save_head
    from halpose.heads.labelled import labelled_files, labelled_store

    if labels is None and store is None:
        raise click.UsageError("what is labelled? give a table, labels.csv, or a labelled store: --on STORE")
    if store is not None and files:
        raise click.UsageError("labels are of files or of a store: give FILES or --on STORE, not both")
    loaded = Run.load(run, resolve_device(device))
    chosen = chosen_streams(loaded, [word.strip() for word in streams.split(",") if word.strip()])
    name = name or (labels.stem if labels else store.resolve().name if store else "")
    check_name(loaded, name, overwrite)
    with WorkingBar() as progress:
        if store is not None:
            clips = labelled_store(loaded, Store.open(store), labels, chosen, progress)
        else:
            assert labels is not None
            clips = labelled_files(
                loaded, labels, files, reading, chosen,
                lambda source, reason: remark(f"set aside {source}: {reason}"), progress,
            )  # fmt: skip
        head = fit(clips, streams=chosen, seed=seed, progress=progress)
        points = _curve(clips, seed, curve, name, progress)
    folder = save_head(loaded, name, head, overwrite)
    _tell(head, points, as_json)
    show(f"the head: {folder}", as_json)
    if curve:
        remark(f"picture: {curve}")
    remark(f"next: {command('predict', run, 'FILES', '--head', name)}")
    if as_json:
        print_json(
            {
                "run": str(run), "head": name, "folder": str(folder), "classes": list(head.classes),
                "temperature": head.temperature, "thresholds": asdict(head.thresholds), **head.about,
                "curve": [asdict(point) for point in points],
            }
        )  # fmt: skip


def _curve(clips: Any, seed: int, file: Path | None, name: str, progress: WorkingBar) -> list[Point]:
    """The learning curve and its picture, if it is asked for."""
    if file is None:
        return []
    from halpose.heads.curve import learning_curve
    from halpose.heads.curve_chart import curve_chart
    from halpose.whole_file import write_whole

    points = learning_curve(clips, seed=seed, progress=progress)
    write_whole(file, curve_chart(points, f"{name}: {len(clips.learned().classes)} classes"))
    return points


def _tell(head: Head, points: list[Point], as_json: bool) -> None:
    """What was learned from, and how good it is on clips that were held out."""
    from rich.table import Table

    about = head.about
    folds = f"{about['folds']} folds by {about['folds_by']}"
    show(f"{about['clips']} clips of {len(head.classes)} classes; C {about['C']:g}, chosen on {folds}", as_json)
    table = Table("", "held out", "test", box=None)
    rows = [
        ("accuracy %", "accuracy"),
        ("known clips accepted %", "accepted"),
        ("accuracy of the accepted %", "accuracy_of_accepted"),
        ("clips of other classes refused %", "refused"),
        ("calibration error %, before", "calibration_error_before"),
        ("calibration error %", "calibration_error"),
    ]
    held, test = {**about["held_out"], "refused": (about["left_out"] or {}).get("refused")}, about["test"] or {}
    for title, key in rows:
        table.add_row(title, _percent(held.get(key)), _percent(test.get(key)))
    show(table, as_json)
    if points:
        table = Table("clips of each class", "labelled clips", "accuracy %", "95 % interval", box=None)
        for point in points:
            interval = f"{100 * point.low:.1f} to {100 * point.high:.1f}"
            table.add_row(str(point.each), f"{point.clips:.0f}", f"{100 * point.accuracy:.1f}", interval)
        show(table, as_json)


def _percent(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return f"{100 * value['value']:.1f} ({100 * value['low']:.1f} to {100 * value['high']:.1f})"
    return f"{100 * value:.1f}"


@click.command(short_help="What a head says of recordings: a class, or unknown.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, metavar="FILES...", type=click.Path(path_type=Path))
@click.option("--head", "name", default="", help="Of the run. Default: its only one.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="CSV file to write, a line for each answer.")
@reading_options(windows=True)
@machine_options
@common_options
def predict(
    run: Path,
    files: tuple[Path, ...],
    name: str,
    out: Path | None,
    reading: Reading,
    device: str,
    as_json: bool,
) -> None:
    """Classify recordings: files, folders of them, prepared stores. What cannot be read is named and set aside.

    \b
    Examples:
      halpose predict runs/utd new.bvh
      halpose predict runs/utd day.bvh --head gestures --window 2s --stride 0.5s -o day.csv
      halpose predict runs/utd recordings --json
    """
    from halpose.engine.device import resolve_device
    from halpose.engine.run import Run
    from halpose.errors import DataError
    from halpose.heads.head import load_head
    from halpose.heads.predict import predict as answers
    from halpose.heads.predict import write_predictions
    from halpose.inference.sources import find_sources

    sources = find_sources(files)
    loaded = Run.load(run, resolve_device(device))
    head = load_head(loaded, name)
    aside: list[dict[str, str]] = []

    def set_aside(source: str, reason: str) -> None:
        aside.append({"source": source, "reason": reason})
        remark(f"set aside {source}: {reason}")

    with WorkingBar() as progress:
        coming = answers(loaded, head, sources, reading, set_aside, progress)
        found = list(coming) if out is None else write_predictions(out, coming)
    if not found:
        raise DataError("nothing could be classified: nothing was read, or nobody was seen in it")
    _show_answers(found, as_json)
    if out is not None:
        remark(f"written: {out}")
    if as_json:
        rows = [asdict(one) | {"unknown": one.is_unknown} for one in found]
        print_json({"run": str(run), "classes": list(head.classes), "predictions": rows, "set_aside": aside})


def _show_answers(found: list[Prediction], as_json: bool) -> None:
    from rich.table import Table

    table = Table("recording", "seconds", "answer", "confidence", "", box=None)
    for one in found[:_SHOWN]:
        seconds = "" if one.end != one.end else f"{one.start:.2f} to {one.end:.2f}"
        perhaps = f"perhaps {one.likeliest}" if one.is_unknown else ""
        table.add_row(one.name, seconds, one.answer, f"{one.confidence:.2f}", perhaps)
    show(table, as_json)
    if len(found) > _SHOWN:
        remark(f"and {len(found) - _SHOWN} more; -o FILE.csv writes all of them")
