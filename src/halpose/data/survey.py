"""What a folder of recordings holds: formats, skeleton, rate, people, unit, axis; told by its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath

import numpy as np

from halpose import io
from halpose.data.chunk_files import SetAside
from halpose.data.own_form import OtherSkeleton, OwnForm
from halpose.data.source import SourceFile, walk
from halpose.data.spec import SYNTHETIC_MARK
from halpose.data.upright import Measured, Upright, find_upright, measure
from halpose.errors import DataError, FormatError, HalposeError
from halpose.skeleton import Layout, Sequence

# Enough recordings, and clips of one, to tell unit, axis and people.
SAMPLE, CLIPS = 48, 4
# So many people are counted as are seen at once in this share of the frames; one who is lost and found again has two
# rows, never at once.
_SEEN = 0.1
MOST_PEOPLE = 2


@dataclass(frozen=True)
class Survey:
    """A folder of recordings.

    Attributes:
        root: the folder.
        files: recordings in the order of their names; a recording of one file per frame is a folder.
        formats: format -> how many recordings are in it.
        unknown: files of an ending that halpose reads that are in no known form, each with its reason.
        ignored: ending -> how many files of other endings there are.
        layout: of every recording; as the user named it, or as the first one has it.
        first: that first recording.
        is_mapped: whether the user named the layout.
        channels: coordinates per joint.
        people: most people in a recording of the sample.
        fps: frames per second -> how many clips of the sample have it.
        subjects: whom recordings of the sample name.
        by_number: whether the layout was guessed from the number of joints.
        upright: unit and axis of each skeleton, by the name of its layout.
        synthetic: whether a file says that the recordings were generated.
    """

    root: Path
    files: tuple[SourceFile, ...]
    formats: Mapping[str, int]
    unknown: tuple[SetAside, ...]
    ignored: Mapping[str, int]
    layout: Layout
    first: str
    is_mapped: bool
    channels: int
    people: int
    fps: Mapping[float, int]
    subjects: tuple[str, ...]
    by_number: bool
    upright: Mapping[str, Upright]
    synthetic: bool = False

    def describe(self) -> list[str]:
        """What was found, in words."""
        formats = ", ".join(f"{count} {name}" for name, count in self.formats.items())
        rates = ", ".join(f"{fps:g}" if fps else "an unknown number of" for fps in self.fps)
        joints = f"{len(self.layout)} joints"
        lines = [
            f"found: {formats}; layout {self.layout.name} ({joints}{', guessed by their number' * self.by_number}), "
            f"{self.channels}-D, {rates} frames a second, {self.people} {'person' if self.people == 1 else 'people'}",
        ]
        for name, upright in self.upright.items():
            lines += [f"{name}: {line}" if len(self.upright) > 1 else line for line in upright.describe()]
        if self.unknown:
            first = self.unknown[0]
            lines.append(f"in no known format: {len(self.unknown)}, such as {first.file}: {first.reason}")
        if self.ignored:
            kinds = ", ".join(f"{count} {ending}" for ending, count in sorted(self.ignored.items()))
            lines.append(f"not looked at: {kinds}")
        return lines


def survey(folder: Path, layout: Layout | None = None, without: Path | None = None, fps: float = 0.0) -> Survey:
    """Look through a folder, and into a sample of its recordings.

    Args:
        folder: a folder with recordings at any depth, or a single one.
        layout: to map every recording to; by default they have to have one layout in common.
        without: a file in it that is no recording, such as the labels.
        fps: frames per second of recordings that do not say.

    Raises:
        DataError: there is no recording that can be read, or two of the sample have different skeletons.
    """
    if not folder.exists():
        raise DataError(f"{folder}: no such folder; give the folder that holds the recordings")
    root = folder if folder.is_dir() else folder.parent
    there = {file.path: file for file in walk(root)} if folder.is_dir() else {folder.name: _of(folder, root, {})}
    marks = [path for path in there if PurePosixPath(path).name == SYNTHETIC_MARK]
    there = {path: file for path, file in there.items() if path not in marks}
    if without is not None:
        there = {path: file for path, file in there.items() if (root / path).absolute() != without.absolute()}
    known = {ending for format in io.FORMATS.values() for ending in format.suffixes}
    found: dict[SourceFile, str] = {}
    unknown: list[SetAside] = []
    ignored: Counter[str] = Counter()
    for path in io.recordings(root / path for path in sorted(there)):
        file = _of(path, root, there)
        if path.is_file() and path.suffix.lower() not in known:
            ignored[path.suffix.lower() or "without an ending"] += 1
            continue
        try:
            found[file] = io.sniff(path)
        except FormatError as error:
            unknown.append(SetAside(file.path, "unknown", str(error).removeprefix(f"{path}: ")))
    if not found:
        raise DataError(_nothing(folder, unknown, ignored))
    return replace(_look_into(root, found, tuple(unknown), ignored, layout, fps), synthetic=bool(marks))


def _of(path: Path, root: Path, there: Mapping[str, SourceFile]) -> SourceFile:
    """A file that was found, or a folder of files with one frame each."""
    relative = path.relative_to(root).as_posix()
    if relative in there:
        return there[relative]
    members = [status for status in map(Path.stat, path.iterdir() if path.is_dir() else [path])]
    return SourceFile(relative, sum(s.st_size for s in members), max(s.st_mtime_ns for s in members))


def _look_into(
    root: Path,
    found: Mapping[SourceFile, str],
    unknown: tuple[SetAside, ...],
    ignored: Mapping[str, int],
    layout: Layout | None,
    fps: float,
) -> Survey:
    files = list(found)
    picked = sorted({round(at) for at in np.linspace(0, len(files) - 1, min(SAMPLE, len(files)))})
    clips: list[tuple[str, Sequence]] = []
    faults: list[str] = []
    for file in (files[at] for at in picked):
        try:
            clips += [(file.path, clip) for clip in islice(io.read(root / file.path, found[file]), CLIPS)]
        except HalposeError as error:
            faults.append(str(error))
    if not clips:
        raise DataError(f"{root}: none of {len(picked)} recordings could be read: {'; '.join(faults[:3])}")
    first_file, first = clips[0]
    target = layout or first.skeleton
    form = OwnForm(target, first_file, layout is not None, first.positions.shape[-1], {})
    people, rates = 1, Counter[float]()
    measured: dict[str, list[Measured]] = {}
    for file_name, clip in clips:
        try:
            form.fit(clip, file_name)
        except OtherSkeleton as error:
            raise DataError(f"{root}: {error}{_skeletons(root, clips)}") from None
        measured.setdefault(clip.skeleton.name, []).append(measure(clip))
        people = max(people, _together(clip))
        rates[round(clip.fps or fps, 3)] += 1
    return Survey(
        root=root,
        files=tuple(files),
        formats=dict(Counter(found.values()).most_common()),
        unknown=unknown,
        ignored=dict(ignored),
        layout=target,
        first=form.first,
        is_mapped=form.is_mapped,
        channels=form.channels,
        people=min(people, MOST_PEOPLE),
        fps=dict(rates.most_common()),
        subjects=tuple(sorted({clip.subject for _, clip in clips} - {""})),
        by_number=layout is None and bool(first.extra.get("by_number")),
        upright={name: find_upright(bodies) for name, bodies in measured.items()},
    )


def _skeletons(root: Path, clips: list[tuple[str, Sequence]]) -> str:
    """How many recordings have which skeleton, where there are several, and what would take them all."""
    counts = Counter(clip.skeleton.name for _, clip in clips)
    if len(counts) < 2 or len({clip.positions.shape[-1] for _, clip in clips}) > 1:
        return ""
    said = ", ".join(f"{count} have {name}" for name, count in counts.most_common(3))
    usual = counts.most_common(1)[0][0]
    like = next(file for file, clip in clips if clip.skeleton.name == usual)
    return f". Of {len(clips)} looked into, {said}: --layout {root / like} maps all to that of most"


def _together(clip: Sequence) -> int:
    """How many people there are, by how many are seen in one frame."""
    seen = np.isfinite(clip.positions[..., 0]).any(axis=2)
    at_once = np.sort(seen[:, seen.any(axis=0)].sum(axis=0))
    return int(at_once[len(at_once) - max(1, int(_SEEN * len(at_once)))]) if len(at_once) else 1


def _nothing(folder: Path, unknown: list[SetAside], ignored: Mapping[str, int]) -> str:
    endings = ", ".join(sorted({ending for format in io.FORMATS.values() for ending in format.suffixes}))
    if unknown:
        reasons = Counter(item.reason for item in unknown)
        first = {item.reason: item.file for item in reversed(unknown)}
        said = "; ".join(
            f"{first[reason]}{f' and {count - 1} more' * (count > 1)}: {reason}"
            for reason, count in reasons.most_common(3)
        )
        return f"{folder}: no recording in a known format: {said}"
    kinds = ", ".join(f"{count} {ending}" for ending, count in sorted(ignored.items())) or "nothing"
    packed = any(PurePosixPath(f"x{ending}").suffix in (".zip", ".gz", ".7z", ".tar", ".rar") for ending in ignored)
    return f"{folder}: no recordings, but {kinds}; known endings: {endings}{'; unpack archives first' * packed}"
