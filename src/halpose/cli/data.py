"""`halpose data list | prepare | merge | info`; `doctor` and `synthesize` have modules of their own."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from halpose.cli import HelpfulGroup, common_options, debug_option, print_json
from halpose.cli.console import bar, command, remark, show
from halpose.cli.doctor import doctor
from halpose.cli.synthesize import synthesize


def _shard(context: click.Context, option: click.Parameter, text: str | None) -> tuple[int, int] | None:
    """`2/8`: the second of eight."""
    if text is None:
        return None
    number, _, of = text.partition("/")
    if not (number.isdigit() and of.isdigit() and 1 <= int(number) <= int(of)):
        raise click.BadParameter(f"{text!r} is no part of a whole; write --shard 2/8 for the second of eight")
    return int(number), int(of)


@click.group(cls=HelpfulGroup, short_help="List, prepare, merge, synthesize and inspect data sets.")
@debug_option
def data() -> None:
    """Data sets: from raw files to a store that trains.

    \b
    Examples:
      halpose data list
      halpose data prepare nw-ucla --source FOLDER --out stores/nw-ucla
      halpose data prepare --source MY-RECORDINGS --labels labels.csv --out stores/mine
      halpose data synthesize --clips 600 --out stores/synthetic
      halpose data merge stores/part1 stores/part2 --out stores/whole
      halpose data info stores/nw-ucla
    """


data.add_command(doctor)
data.add_command(synthesize)


@data.command("list")
@click.argument("name", required=False)
@common_options
def list_command(name: str | None, as_json: bool) -> None:
    """What halpose knows of public data sets: classes, splits, licence, where to get them.

    \b
    Examples:
      halpose data list
      halpose data list nw-ucla
    """
    from halpose.data.catalog import DATASETS, find_spec

    specs = [find_spec(name)] if name else list(DATASETS.values())
    rows = [
        {
            "name": spec.name, "title": spec.title, "classes": len(spec.classes), "layout": spec.layout,
            "people": spec.people, "splits": list(spec.splits), "clips": spec.clips, "licence": spec.licence,
            "source": spec.source, "citation": spec.citation, "notes": list(spec.notes),
        }
        for spec in specs
    ]  # fmt: skip
    if as_json:
        print_json({"data_sets": rows})
    elif name:
        for key, value in rows[0].items():
            show(f"{key:9} {', '.join(map(str, value)) if isinstance(value, list) else value}")
    else:
        table = Table("name", "data set", "classes", "clips", "layout", "splits", box=None)
        for spec in specs:
            clips = str(spec.clips) if spec.clips else "?"
            table.add_row(spec.name, spec.title, str(len(spec.classes)), clips, spec.layout, ", ".join(spec.splits))
        show(table)
        remark("licence and where to get one: halpose data list NAME")


@data.command()
@click.argument("name", required=False)
@click.option("--source", required=True, type=click.Path(path_type=Path), help="Folder with the files, at any depth.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Store to make.")
@click.option(
    "--labels", type=click.Path(path_type=Path), help="Own recordings: CSV of file, label, subject, camera, split."
)
@click.option(
    "--layout", help="Own recordings: map joints by name to this layout: a name, a .toml file, or a recording with it."
)
@click.option("--fps", type=float, default=0.0, help="Own recordings: frames per second where files do not say.")
@click.option(
    "--least-confidence", type=float, default=0.0, help="Own recordings: joints less sure than this are missing."
)
@click.option("--people", type=click.IntRange(min=1), help="Own recordings: keep so many of a clip. Default: 1 or 2.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes. Default: one per core.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float16"]),
    default="float32",
    show_default=True,
    help="Of the coordinates.",
)
@click.option("--missing-list", type=click.Path(path_type=Path), help="Text file of clips to leave out (NTU has one).")
@click.option("--shard", callback=_shard, metavar="I/N", help="Only part I of N of the files; then: data merge.")
@click.option("--overwrite", is_flag=True, help="Replace a store that is there.")
@common_options
def prepare(
    name: str | None,
    source: Path,
    out: Path,
    labels: Path | None,
    layout: str | None,
    fps: float,
    least_confidence: float,
    people: int | None,
    workers: int | None,
    dtype: str,
    missing_list: Path | None,
    shard: tuple[int, int] | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Read, clean and store a data set. After an interruption the same command goes on where it was.

    Without NAME the files are recordings of your own: format, skeleton, unit and axis are found out, and said.

    \b
    Examples:
      halpose data prepare ntu60 --source nturgb+d_skeletons --out stores/ntu60
      halpose data prepare ntu60 --source nturgb+d_skeletons --out stores/part2 --shard 2/8
      halpose data prepare --source MY-RECORDINGS --labels labels.csv --out stores/mine
    """
    from halpose.data.own import prepare_own
    from halpose.data.prepare import Progress
    from halpose.data.prepare import prepare as make_store

    if name is not None and (labels or layout or people or fps or least_confidence):
        raise click.UsageError(
            "--labels, --layout, --fps, --least-confidence and --people are for recordings of your own; "
            f"leave {name} out"
        )
    if name is None and shard:
        raise click.UsageError("--shard is for data sets with a name; own recordings are prepared on one machine")
    with bar("{task.fields[aside]}") as progress:
        task = progress.add_task("prepare", total=None, aside="")

        def advance(now: Progress) -> None:
            aside = f"{now.set_aside} set aside" if now.set_aside else ""
            progress.update(task, total=now.files, completed=now.done, aside=aside)

        if name is None:
            report = prepare_own(
                source, out, labels=labels, layout=layout, fps=fps, least_confidence=least_confidence, people=people,
                workers=workers, dtype=dtype,
                overwrite=overwrite, missing_list=missing_list, progress=advance,
            )  # fmt: skip
        else:
            report = make_store(
                name, source, out, workers=workers, dtype=dtype, overwrite=overwrite, missing_list=missing_list,
                shard=shard, progress=advance,
            )  # fmt: skip
    for line in report.summary():
        show(line, as_json)
    following = (
        ("data", "merge", "PARTS", "--out", "STORE") if shard else ("train", out, "--out", f"runs/{name or out.name}")
    )
    remark(f"{report.seconds:.1f} s; next: {command(*following)}")
    if as_json:
        print_json(
            {
                "store": str(out), "files": report.files, "clips": report.clips, "frames": report.frames,
                "set_aside": len(report.set_aside), "repairs": dict(report.repairs), "notes": list(report.notes),
                "seconds": round(report.seconds, 2),
            }
        )  # fmt: skip


@data.command()
@click.argument("stores", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Store to make.")
@click.option("--overwrite", is_flag=True, help="Replace a store that is there.")
@common_options
def merge(stores: tuple[Path, ...], out: Path, overwrite: bool, as_json: bool) -> None:
    """Join stores: the shards of one data set, or different sets of one layout.

    All shards of a set give exactly the store that one `prepare` would have made. After an interruption the same
    command goes on where it was.

    \b
    Examples:
      halpose data merge stores/part1 stores/part2 --out stores/ntu60
      halpose data merge stores/ntu120 stores/pkummd2 --out stores/both
    """
    from halpose.data.merge import merge as join

    with bar() as progress:
        task = progress.add_task("merge", total=None)
        report = join(
            stores, out, overwrite=overwrite,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )  # fmt: skip
    for line in report.summary():
        show(line, as_json)
    remark(f"{report.seconds:.1f} s; next: {command('train', out, '--out', f'runs/{out.name}')}")
    if as_json:
        print_json(
            {
                "store": str(out), "name": report.name, "stores": report.stores, "shards": report.shards,
                "clips": report.clips, "frames": report.frames, "duplicates": report.duplicates,
                "notes": list(report.notes), "seconds": round(report.seconds, 2),
            }
        )  # fmt: skip


@data.command()
@click.argument("store", type=click.Path(path_type=Path))
@common_options
def info(store: Path, as_json: bool) -> None:
    """What a store holds: clips, layout, classes, splits.

    \b
    Examples:
      halpose data info stores/nw-ucla
      halpose data info stores/nw-ucla --json
    """
    from halpose.data.store import Store

    found = Store.open(store).info()
    if as_json:
        print_json(found)
        return
    splits = found.pop("splits")
    for key, value in found.items():
        name = key.replace("_", " ")
        if not isinstance(value, dict) or not value:
            show(f"{name:16} {value if value != {} else 'none'}")
            continue
        for inner, said in value.items():
            show(f"{name:16} {inner} {_words(said)}")
            name = ""
    table = Table("split", "train", "validation", "test", box=None)
    for split, parts in splits.items():
        table.add_row(split, *(str(parts[part]) for part in ("train", "validation", "test")))
    show(table)


def _words(value: object) -> str:
    """A value as people write it."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {inner}" for key, inner in value.items())
    return str(value)
