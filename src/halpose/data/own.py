"""Recordings of one's own to a store: what they are is found out, and said."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from halpose.data.chunks import Settings
from halpose.data.given_layout import given_layout
from halpose.data.labels import Labels, read_labels
from halpose.data.own_form import OwnForm, parts_of
from halpose.data.prepare import PrepareReport, Progress, largest_of, make_store, read_missing_list
from halpose.data.source import Source
from halpose.data.spec import DatasetSpec
from halpose.data.splits import SplitRule
from halpose.data.survey import Survey, survey
from halpose.errors import ConfigError
from halpose.skeleton import Layout

MOST_FPS = 10_000
_WHY = {
    "given": "as the column split says",
    "x-sub": "by subject: everybody is in one part only",
    "by-file": "by a hash of each file's name, because subjects are not named: one person may be in several parts",
}


def prepare_own(
    source: str | Path,
    out: str | Path,
    *,
    labels: str | Path | None = None,
    layout: str | Path | Layout | None = None,
    fps: float = 0.0,
    least_confidence: float = 0.0,
    people: int | None = None,
    workers: int | None = None,
    dtype: str = "float32",
    overwrite: bool = False,
    missing_list: str | Path | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> PrepareReport:
    """Find out what recordings a folder holds, and read, clean and store them.

    Formats may be mixed as long as all recordings have one skeleton, or a layout is named to which their joints are
    mapped by name. Lengths become metres and y up where the bodies tell otherwise (`halpose.data.upright`).

    Args:
        source: a folder with recordings at any depth, or a single one.
        out: the store to make.
        labels: a CSV with a column `file` and any of `label`, `subject`, `camera`, `split`.
        layout: that all recordings are mapped to: name, TOML file, a recording that has it, or the layout itself.
        fps: frames per second of recordings that do not say; 0 leaves it unknown.
        least_confidence: joints that a pose estimator is less sure of are missing; 0 believes all.
        people: people of a clip to keep; None is as many as a sample of the recordings shows, at most two.
        workers: processes; None is one per core.
        dtype: float32 or float16.
        overwrite: replace a store that is there.
        missing_list: a text file naming recordings to leave out.
        progress: called after every chunk.

    Raises:
        DataError: nothing in the folder can be used, two recordings have different skeletons, the labels are wrong, or
            the store cannot be written.
        ConfigError: there is no such layout or dtype, or a number is out of its range.
    """
    if people is not None and people < 1:
        raise ConfigError(f"a clip has one person or more, not {people}")
    largest = largest_of(dtype)
    if not 0 <= fps <= MOST_FPS:
        raise ConfigError(f"{fps:g} frames a second; give a number from 0 to {MOST_FPS}")
    if not 0 <= least_confidence <= 1:
        raise ConfigError(f"a least confidence of {least_confidence:g}; it is from 0, which believes all, to 1")
    said = read_labels(Path(labels)) if labels is not None else Labels()
    found = survey(Path(source), given_layout(layout), Path(labels) if labels is not None else None, fps)
    split, parts = _split(found, said)
    form = OwnForm(
        found.layout, found.first, found.is_mapped, found.channels, dict(found.upright), said, split, parts, fps
    )
    name = re.sub(r"[^\w.-]+", "-", Path(out).absolute().name) or "recordings"
    rule = SplitRule(
        "part", frozenset(("train", "validation")), frozenset(("test",)), frozenset(("validation",)), "part",
        why=_WHY[split],
    )  # fmt: skip
    spec = DatasetSpec(
        name=name,
        title=f"recordings in {found.root.absolute().name}",
        classes=said.classes,
        layout=found.layout.name,
        people=people or found.people,
        channels=found.channels,
        forms=(),
        splits={split: rule},
        default_split=split,
        least_confidence=least_confidence,
        licence="not stated: recordings of one's own",
        source=found.root.absolute().name,
        citation="none",
    )
    formats = " + ".join(found.formats)
    settings = Settings(
        root=str(found.root.absolute()),
        format=formats,
        layout=spec.layout,
        people=spec.people,
        channels=spec.channels,
        classes=len(said.classes),
        largest=largest,
        least_confidence=least_confidence,
        listed=read_missing_list(Path(missing_list)) if missing_list is not None else frozenset(),
        own=form,
    )
    return make_store(
        Source(spec, found.root, formats, found.files, found.synthetic), settings, found.layout, out,
        workers=workers, dtype=dtype, overwrite=overwrite, progress=progress,
        remarks=[*found.describe(), *_about_labels(found, said, split)], aside=found.unknown,
    )  # fmt: skip


def _split(found: Survey, said: Labels) -> tuple[str, dict[str, str]]:
    """How recordings are divided: as the labels say, by subject where those are known, else by file."""
    if any(entry.part for entry in said.entries.values()):
        return "given", {}
    subjects = said.subjects() or found.subjects
    if len(subjects) > 1:
        return "x-sub", parts_of(subjects)
    return "by-file", parts_of(file.path for file in found.files)


def _about_labels(found: Survey, said: Labels, split: str) -> list[str]:
    """What the labels name and do not name."""
    lines = [f"split {split}: {_WHY[split]}"]
    if not said.entries:
        return lines
    files = [file.path for file in found.files]
    without = [file for file in files if said.find(file).label < 0]
    unused = said.unused(files)
    lines.insert(
        0, f"labels: {len(said.classes)} classes ({', '.join(said.classes[:5])}{', ...' * (len(said.classes) > 5)})"
    )
    if unused and len(files) > 1:
        lines.append(f"{len(unused)} lines of the labels name no file here, such as {unused[0]}")
    if without and len(files) > 1:
        lines.append(f"{len(without)} of {len(files)} files have no label, such as {without[0]}")
    return lines
