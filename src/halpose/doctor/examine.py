"""The examination: every clip once, in several processes; then the set, by what is remembered of its clips."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from halpose.data.parallel import Progress
from halpose.doctor.body import bodies
from halpose.doctor.checks import CHECKS
from halpose.doctor.finding import Finding
from halpose.doctor.measure import Measures, measure
from halpose.doctor.parts import Labelling
from halpose.doctor.patients import Patients, Portion, find_patients
from halpose.doctor.report import Examination, Findings
from halpose.processes import cores, in_order
from halpose.skeleton import Layout, Sequence


@dataclass(frozen=True)
class Examined:
    """What a process found in a portion; findings number its clips from 0."""

    size: int
    clips: list[Measures]
    findings: list[Finding]
    layouts: dict[str, Layout]


def examine(
    path: str | Path,
    *,
    layout: str | Path | Layout | None = None,
    labels: str | Path | None = None,
    split: str = "",
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Examination:
    """Look for everything in `CHECKS`.

    Args:
        path: a recording, a folder of recordings at any depth, or a prepared store.
        layout: name, TOML file, or layout to map every recording to.
        labels: a `labels.csv` for files.
        split: the only split to look at; all of them if empty.
        workers: processes; None is one per core, 1 works in this process.
        progress: called after every portion.

    Raises:
        DataError: there is nothing to examine.
        ConfigError: there is no such layout or split.
    """
    return examine_patients(find_patients(Path(path), layout, labels), split=split, workers=workers, progress=progress)


def examine_patients(
    patients: Patients,
    *,
    split: str = "",
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Examination:
    """As `examine`, of what was found already."""
    started = time.perf_counter()
    found = Findings()
    found.add(patients.faults)
    clips: list[Measures] = []
    layouts: dict[str, Layout] = {}
    done = aside = 0
    for part in in_order(examine_portion, patients.portions, workers or cores()):
        found.add(one if one.at < 0 else replace(one, at=one.at + len(clips)) for one in part.findings)
        clips += part.clips
        layouts.update(part.layouts)
        done += part.size
        aside += sum(one.check == "damaged" for one in part.findings)
        if progress:
            progress(Progress(done, patients.size, len(clips), aside))
    labelling = patients.labelling([(clip.file, clip.name) for clip in clips], split)
    if patients.store is None and patients.labels is None:
        clips, labelling = _labelled_by_files(clips, labelling)
    if clips:
        for check in CHECKS.values():
            if check.whole is not None:
                found.add(check.whole(clips, labelling))
    seconds = time.perf_counter() - started
    return Examination(str(patients.path), patients.formats, tuple(clips), layouts, labelling, found, seconds)


def _labelled_by_files(clips: list[Measures], labelling: Labelling) -> tuple[list[Measures], Labelling]:
    """Clips whose files name their class in words, with labels; as they are where no file does."""
    classes = sorted({clip.said for clip in clips} - {""})
    if not classes:
        return clips, labelling
    number = {name: at for at, name in enumerate(classes)}
    numbered = [replace(clip, label=number.get(clip.said, -1)) for clip in clips]
    return numbered, replace(labelling, classes=tuple(classes))


def examine_portion(portion: Portion) -> Examined:
    """Read a portion, and look at each clip by itself."""
    clips: list[Measures] = []
    findings: list[Finding] = []
    layouts: dict[str, Layout] = {}
    for file, item in portion.read():
        if isinstance(item, Finding):
            findings.append(item)
            continue
        measures, found = examine_clip(item, file)
        findings += [replace(one, file=file, clip=item.name, at=len(clips)) for one in found]
        clips.append(measures)
        layouts[item.skeleton.name] = item.skeleton
    return Examined(portion.size, clips, findings, layouts)


def examine_clip(sequence: Sequence, file: str = "") -> tuple[Measures, list[Finding]]:
    """What is remembered of a recording, and what is wrong with it by itself."""
    people = bodies(sequence)
    found = [one for check in CHECKS.values() if check.clip is not None for one in check.clip(sequence, people)]
    return measure(sequence, people, file), found
