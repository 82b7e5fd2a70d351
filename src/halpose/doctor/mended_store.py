"""A new store in which what can be mended is; the recordings themselves are never changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import halpose
from halpose.data.chunk_files import SetAside
from halpose.data.normalise import CleanClip, clean
from halpose.data.parallel import Progress
from halpose.data.store import StoreWriter
from halpose.data.survey import MOST_PEOPLE
from halpose.doctor.axes import wrong_axes
from halpose.doctor.duplicates import dropped
from halpose.doctor.finding import Finding
from halpose.doctor.layouts import usual_layout
from halpose.doctor.measure import layout_of
from halpose.doctor.mend import MENDED, Treatment, mend
from halpose.doctor.patients import Patients, Portion
from halpose.doctor.report import Examination
from halpose.doctor.units import unit_of
from halpose.errors import DataError
from halpose.processes import cores, in_order
from halpose.skeleton import Layout


@dataclass(frozen=True)
class MendReport:
    """What `mend_store` did.

    Attributes:
        out: the store.
        clips: how many it holds.
        mended: what was done (keys of `MENDED`) -> how often.
        left: what was found and could not be mended: (check, kind) -> how many findings.
        set_aside: clips that are not in the store, with reasons.
    """

    out: Path
    clips: int
    mended: dict[str, int]
    left: dict[str, int]
    set_aside: tuple[SetAside, ...]

    def summary(self) -> list[str]:
        """In words."""
        lines = [f"{self.clips} clips: {self.out}"]
        lines += [f"mended: {count} {MENDED[what][1]}" for what, count in self.mended.items()]
        if self.set_aside:
            first = self.set_aside[0]
            lines.append(f"left out: {len(self.set_aside)}, such as {first.clip or first.file}: {first.reason}")
        if self.left:
            lines.append("not mended: " + ", ".join(f"{kind} ({count})" for kind, count in self.left.items()))
        return lines

    def to_dict(self) -> dict[str, Any]:
        """As `--json` gives it, and as the store keeps it."""
        return {
            "store": str(self.out),
            "clips": self.clips,
            "mended": self.mended,
            "left": self.left,
            "set_aside": [asdict(item) for item in self.set_aside],
        }


@dataclass(frozen=True)
class _Task:
    """A portion with what is to be done with each of its clips, None for those that are left out."""

    portion: Portion
    treatments: tuple[Treatment | None, ...]
    layout: Layout
    people: int


_Result = tuple[CleanClip, dict[str, int]] | str | None


def mend_store(
    patients: Patients,
    examination: Examination,
    out: str | Path,
    *,
    overwrite: bool = False,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> MendReport:
    """Write a store of what was examined, mended.

    Args:
        patients: what was examined.
        examination: what was found.
        out: the store to make.
        overwrite: replace a store that is there; never the one that was examined.
        workers: processes; None is one per core.
        progress: called after every portion.

    Raises:
        DataError: nothing can be stored, or `out` is what was examined.
    """
    out = Path(out).absolute()
    if out == patients.path.absolute():
        raise DataError(f"{out}: that is what was examined, and it is never changed; choose another place")
    if not examination.clips:
        raise DataError(f"{patients.path}: no recording can be read, so there is nothing to store")
    name, _, channels = usual_layout(examination.clips)
    layout = examination.layouts[name]
    people = min(max(clip.people for clip in examination.clips), MOST_PEOPLE)
    if patients.store is not None:
        people = patients.store.frames.shape[1]
    treatments, aside = _treatments(examination)
    tasks = _tasks(patients, examination, treatments, layout, people)
    writer = _writer(patients, examination, out, layout, (people, channels), overwrite)
    done: Counter[str] = Counter()
    of_clip: dict[str, dict[str, int]] = {}
    kept: list[int] = []
    with writer:
        first = files = 0
        for task, results in zip(tasks, in_order(_mend_portion, tasks, workers or cores()), strict=True):
            for at, result in enumerate(results, first):
                if isinstance(result, str):
                    aside[at] = SetAside(examination.clips[at].file, "unusable", result, examination.clips[at].name)
                elif result is not None:
                    clip, mended = result
                    writer.append(replace(clip, label=examination.clips[at].label))
                    kept.append(at)
                    done.update(mended)
                    if mended:
                        of_clip[clip.name] = mended
            first, files = first + len(results), files + task.portion.size
            if progress:
                progress(Progress(files, patients.size, len(writer), len(aside)))
        for split, codes in examination.labelling.splits.items():
            writer.set_split(split, np.asarray(codes)[kept])
        done["clips_dropped"] = sum(item.kind == "duplicate" for item in aside.values())
        report = MendReport(
            out, len(writer), {what: done[what] for what in MENDED if done[what]}, _left(examination),
            tuple(aside[at] for at in sorted(aside)),
        )  # fmt: skip
        writer.report = {**report.to_dict(), "mended_clips": of_clip}
        writer.provenance["doctor"] = {
            "halpose": halpose.__version__, "of": str(patients.path), "mended": report.mended, "left": report.left,
        }  # fmt: skip
    return report


def _treatments(examination: Examination) -> tuple[list[Treatment | None], dict[int, SetAside]]:
    """What is to be done with each clip, by what the set says; and what is left out."""
    clips = examination.clips
    twins, axes, usual = dropped(clips), wrong_axes(clips), usual_layout(clips)
    treatments: list[Treatment | None] = []
    aside: dict[int, SetAside] = {}
    owner: dict[str, str] = {}
    for at, (clip, axis) in enumerate(zip(clips, axes, strict=True)):
        reason = kind = ""
        if layout_of(clip) != usual:
            kind, reason = "layout", f"layout {clip.layout}, {clip.channels}-D; the store is {usual[0]}, {usual[2]}-D"
        elif at in twins:
            kind, reason = "duplicate", f"the same recording as {clips[twins[at]].name}"
        elif not clip.people:
            kind, reason = "no body", "nobody is seen in any frame"
        elif clip.file and clip.name in owner:
            kind, reason = "name", f"a clip of this name was read from {owner[clip.name]} already"
        if kind:
            aside[at] = SetAside(clip.file, kind, reason, clip.name)
            treatments.append(None)
        else:
            owner[clip.name] = clip.file
            treatments.append(Treatment(unit_of(clip) or "", axis))
    return treatments, aside


def _tasks(
    patients: Patients, examination: Examination, treatments: list[Treatment | None], layout: Layout, people: int
) -> list[_Task]:
    """Portions with the treatments of their clips: those of their files, one after another."""
    tasks, first = [], 0
    for portion in patients.portions:
        files, last = set(portion.files), first
        if files:
            while last < len(examination.clips) and examination.clips[last].file in files:
                last += 1
        else:
            last += portion.size
        tasks.append(_Task(portion, tuple(treatments[first:last]), layout, people))
        first = last
    return tasks


def _mend_portion(task: _Task) -> list[_Result]:
    """The clips of a portion, mended; the reason where one cannot be used, None where it is left out."""
    results: list[_Result] = []
    clips = (item for _, item in task.portion.read() if not isinstance(item, Finding))
    for sequence, treatment in zip(clips, task.treatments, strict=True):
        if treatment is None:
            results.append(None)
            continue
        mended, done = mend(sequence, treatment)
        try:
            results.append((clean(mended, task.people, task.layout), done))
        except DataError as error:
            results.append(str(error).removeprefix(f"{sequence.name}: "))
    return results


def _writer(
    patients: Patients, examination: Examination, out: Path, layout: Layout, shape: tuple[int, int], overwrite: bool
) -> StoreWriter:
    """The store to write, with what is known of where its clips come from."""
    store = patients.store
    return StoreWriter(
        out,
        layout=layout,
        people=shape[0],
        channels=shape[1],
        name=store.name if store is not None else out.name,
        classes=_classes(examination),
        dtype=store.frames.dtype if store is not None else "float32",
        synthetic=bool(store.meta["synthetic"]) if store is not None else False,
        provenance=store.meta["provenance"] if store is not None else {
            "data_set": f"recordings in {patients.path.absolute().name}",
            "format": " + ".join(examination.formats),
            "files": sum(examination.formats.values()),
            "halpose": halpose.__version__,
            "default_split": next(iter(examination.labelling.splits), ""),
        },
        overwrite=overwrite,
    )  # fmt: skip


def _classes(examination: Examination) -> list[str]:
    """Names of the classes; numbered where recordings have labels that nobody named."""
    labelling = examination.labelling
    known = max((clip.label for clip in examination.clips), default=-1) + 1
    return [labelling.name(label) for label in range(max(known, len(labelling.classes)))]


def _left(examination: Examination) -> dict[str, int]:
    """What no treatment is for: check and kind -> how many findings, notes left out."""
    able = {check for check, _ in MENDED.values()}
    beyond = {("frozen", "whole body"), ("units", "impossible size"), ("axes", "mirrored"),
              ("duplicates", "frames in common")}  # fmt: skip
    return {
        f"{group.check}: {group.kind}": group.count
        for group in examination.groups()
        if group.severity != "note" and (group.check not in able or (group.check, group.kind) in beyond)
    }
