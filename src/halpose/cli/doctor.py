"""`halpose data doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from halpose.cli import common_options, print_json
from halpose.cli.console import bar, command, remark, show

if TYPE_CHECKING:
    from halpose.doctor import Examination


@click.command(short_help="Say what is wrong with recordings, and mend what can be mended.")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--labels", type=click.Path(path_type=Path), help="CSV: file,label,subject,camera,split.")
@click.option("--layout", help="Layout to map every recording to: a name, or a .toml file.")
@click.option("--split", default="", help="Look for leakage in this split only. Default: in all.")
@click.option("--page", type=click.Path(path_type=Path), help="HTML file for the report with pictures.")
@click.option("--fix", is_flag=True, help="Write a new store in which what can be mended is.")
@click.option("--out", type=click.Path(path_type=Path), help="That store.")
@click.option("--overwrite", is_flag=True, help="Replace a store that is there.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes. Default: one per core.")
@common_options
def doctor(
    path: Path,
    labels: Path | None,
    layout: str | None,
    split: str,
    page: Path | None,
    fix: bool,
    out: Path | None,
    overwrite: bool,
    workers: int | None,
    as_json: bool,
) -> None:
    """Examine recordings, a folder of them, or a prepared store, and say what is wrong, where, and what would help.

    Damage, gaps, spikes, frozen and swapped joints, swapped people, units, axes, frame rates, duplicates, balance,
    leakage between the parts of a split.

    \b
    Examples:
      halpose data doctor recordings
      halpose data doctor recordings --labels labels.csv --page doctor.html
      halpose data doctor stores/mine --fix --out stores/mended
    """
    if fix != (out is not None):
        raise click.UsageError(
            "--fix and --out STORE go together: the store that is made is never the one that is read"
        )
    from halpose.data.parallel import Progress
    from halpose.doctor.examine import examine_patients
    from halpose.doctor.mended_store import mend_store
    from halpose.doctor.patients import find_patients

    patients = find_patients(path, layout, labels)
    with bar("{task.fields[aside]}") as progress:
        task = progress.add_task("examine", total=patients.size, aside="")

        def advance(now: Progress) -> None:
            aside = f"{now.set_aside} set aside" if now.set_aside else ""
            progress.update(task, total=now.files, completed=now.done, aside=aside)

        found = examine_patients(patients, split=split, workers=workers, progress=advance)
        mended = None
        if out is not None:
            task = progress.add_task("mend", total=patients.size, aside="")
            mended = mend_store(patients, found, out, overwrite=overwrite, workers=workers, progress=advance)
    _show(found, as_json)
    if page is not None:
        from halpose.report.doctor_page import write_doctor_page

        show(f"page: {write_doctor_page(page, patients, found, mended)}", as_json)
    for line in mended.summary() if mended is not None else ():
        show(line, as_json)
    remark(f"{found.seconds:.1f} s; next: {command(*_next(path, out, found))}")
    if as_json:
        print_json({**found.to_dict(), "fix": None if mended is None else mended.to_dict()})


def _show(found: Examination, as_json: bool) -> None:
    """Findings by kind, the grave ones first, each kind with its first examples."""
    formats = ", ".join(f"{count} {name}" for name, count in found.formats.items() if name != "store")
    files = f" in {formats}" if formats else ""
    show(f"{found.path}: {len(found.clips)} clips{files}, {sum(clip.frames for clip in found.clips)} frames", as_json)
    if not found.groups():
        show("nothing is wrong", as_json)
        return
    table = Table("", "check", "found", "what, and where", box=None, pad_edge=False)
    for group in found.groups():
        first, alone = group.first[0], group.count == 1
        what = first.what if alone else f"{group.kind}, in {group.count} clips or files"
        table.add_row(group.severity, group.check, str(first.count if alone else group.count), _one_line(what),
                      style=_STYLE[group.severity])  # fmt: skip
        for finding in group.first[:_EXAMPLES]:
            said = finding.where if alone else f"{finding.where}: {finding.what}"
            if said:
                table.add_row("", "", "", f"  {_one_line(said)}", style="dim")
        table.add_row("", "", "", f"  → {first.remedy}", style="dim")
    show(table, as_json)
    counts = found.counts()
    show(", ".join(f"{counts[severity]} {severity}{'s' * (counts[severity] != 1)}" for severity in counts), as_json)


_EXAMPLES = 3
_STYLE = {"error": "red", "warning": "yellow", "note": ""}


def _one_line(text: str, most: int = 160) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _next(path: Path, out: Path | None, found: Examination) -> tuple[Any, ...]:
    """The words of the command to run next."""
    if out is not None:
        return "data", "doctor", out
    mendable = {"spikes", "frozen", "sides", "people", "units", "axes", "duplicates"}
    if any(group.check in mendable and group.severity != "note" for group in found.groups()):
        return "data", "doctor", path, "--fix", "--out", "STORE"
    if found.formats.keys() == {"store"}:
        return "train", path, "--out", "RUN"
    return "data", "prepare", "--source", path, "--out", "STORE"
