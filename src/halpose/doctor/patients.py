"""What is examined: recordings in files, or the clips of a prepared store, in portions that one process takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from halpose import io
from halpose.data.given_layout import given_layout
from halpose.data.labels import Labels, read_labels
from halpose.data.source import walk
from halpose.data.store import Store
from halpose.data.store_files import META, NOT_IN_SPLIT, PART_CODES
from halpose.doctor.finding import Finding
from halpose.doctor.parts import Labelling
from halpose.errors import ConfigError, DataError, FormatError
from halpose.mapping import map_joints
from halpose.skeleton import IN_IMAGE, Y_IS_UP, Layout, Sequence

# A portion is worth starting a process's next task for, and small enough for the bar to move.
_FILES, _BYTES, _CLIPS = 64, 8 << 20, 128


@dataclass(frozen=True)
class Portion:
    """What one process examines at a time.

    Attributes:
        root: the folder that files are named from, or the store.
        files: paths below it; empty for a store.
        start: first clip of a store.
        stop: the one after the last.
        layout: to map every recording to, if given.
        labels: what is known of the files.
    """

    root: Path
    files: tuple[str, ...] = ()
    start: int = 0
    stop: int = 0
    layout: Layout | None = None
    labels: Labels | None = None

    @property
    def size(self) -> int:
        """Files, or clips of a store."""
        return len(self.files) or self.stop - self.start

    def read(self) -> Iterator[tuple[str, Sequence | Finding]]:
        """The recordings, each with the file it is from ("" for a store's); or what is wrong with a file."""
        if not self.files:
            store = Store.open(self.root)
            told = _told(store)
            for at in range(self.start, self.stop):
                clip = store.clip(at)
                yield "", self._fit(replace(clip, extra=clip.extra | told))
            return
        for file in self.files:
            try:
                for sequence in io.read(self.root / file):
                    yield file, self._labelled(file, self._fit(sequence))
            except DataError as error:
                reason = str(error).removeprefix(f"{self.root / file}: ")
                yield file, Finding(
                    "damaged", "damaged file", "error", reason.split("; ")[0], reason.partition("; ")[2] or
                    "copy or export it again; `halpose data prepare` sets it aside", file=file,
                )  # fmt: skip

    def _fit(self, sequence: Sequence) -> Sequence:
        if self.layout is None or sequence.skeleton.joints == self.layout.joints:
            return sequence
        way = map_joints(sequence.skeleton, self.layout, sequence.name)
        return replace(sequence, positions=way.apply(sequence.positions), layout=self.layout, confidence=None)

    def _labelled(self, file: str, sequence: Sequence) -> Sequence:
        """A recording with what the labels say of it, named by its path."""
        path = str(PurePosixPath(file).with_suffix(""))
        name = path if PurePosixPath(path).name == sequence.name else f"{path}/{sequence.name}"
        if self.labels is None:
            return replace(sequence, name=name)
        said = self.labels.find(file, sequence.name)
        return replace(
            sequence, name=name, label=said.label, subject=said.subject or sequence.subject,
            camera=said.camera or sequence.camera,
        )  # fmt: skip


def _told(store: Store) -> dict[str, bool]:
    """What the files that a store was made of told of its axes and lengths, as a reader of them tells it."""
    found = store.meta["provenance"].get("upright")
    uprights = list(found.values()) if isinstance(found, dict) else []
    names = {Y_IS_UP: "is_told", IN_IMAGE: "in_image"}
    return {
        key: True
        for key, name in names.items()
        if uprights and all(isinstance(upright, dict) and upright.get(name) is True for upright in uprights)
    }


@dataclass(frozen=True)
class Patients:
    """All that is examined.

    Attributes:
        path: as it was given.
        store: the store, if it is one.
        portions: what there is to do.
        formats: format -> how many files.
        faults: what is wrong with files that are not read.
        labels: what is known of the files.
    """

    path: Path
    store: Store | None
    portions: tuple[Portion, ...]
    formats: Mapping[str, int]
    faults: tuple[Finding, ...]
    labels: Labels | None

    @property
    def size(self) -> int:
        """Files, or clips of a store."""
        return sum(portion.size for portion in self.portions)

    def labelling(self, where: list[tuple[str, str]], split: str = "") -> Labelling:
        """Names of classes and splits of the clips that were read.

        Args:
            where: file and name of each clip.
            split: the only split to look at; all of them if empty.

        Raises:
            ConfigError: there is no such split.
        """
        if self.store is not None:
            classes, splits = self.store.classes, dict(self.store.clips.split)
        elif self.labels is not None:
            classes = self.labels.classes
            parts = [self.labels.find(file, PurePosixPath(name).name).part for file, name in where]
            codes = np.array([PART_CODES.get(part, NOT_IN_SPLIT) for part in parts], dtype=np.int8)
            splits = {"given": codes} if any(parts) else {}
        else:
            classes, splits = (), {}
        if split and split not in splits:
            raise ConfigError(f"{self.path}: no split named {split!r}; it has {', '.join(splits) or 'none'}")
        return Labelling(tuple(classes), {split: splits[split]} if split else splits)

    def read_clips(self, where: list[tuple[str, str]], numbers: set[int]) -> dict[int, Sequence]:
        """Some of the clips once more.

        Args:
            where: file and name of each clip that was examined.
            numbers: of those that are wanted.
        """
        found: dict[int, Sequence] = {}
        if self.store is not None:
            for at in numbers:
                portion = Portion(self.path, start=at, stop=at + 1, layout=self.portions[0].layout)
                found[at] = next(item for _, item in portion.read() if isinstance(item, Sequence))
            return found
        for file in {where[at][0] for at in numbers}:
            of_file = [at for at, (other, _) in enumerate(where) if other == file]
            portion = replace(self.portions[0], files=(file,))
            clips = (item for _, item in portion.read() if isinstance(item, Sequence))
            for at, clip in zip(of_file, clips, strict=False):
                if at in numbers:
                    found[at] = clip
                    if len(found.keys() & set(of_file)) == len(numbers & set(of_file)):
                        break
        return found


def find_patients(path: Path, layout: Layout | str | Path | None = None, labels: str | Path | None = None) -> Patients:
    """Find what there is to examine.

    Args:
        path: a recording, a folder of recordings at any depth, or a prepared store.
        layout: name, TOML file, or layout to map every recording to.
        labels: a `labels.csv`, as `halpose data prepare` takes it.

    Raises:
        DataError: there is nothing, or a store comes with labels of its own.
    """
    known = given_layout(layout)
    if not path.exists():
        raise DataError(
            f"{path}: no such file or folder; give a recording, a folder of recordings, or a prepared store"
        )
    if (path / META).is_file():
        if labels is not None:
            raise DataError(f"{path}: a store has its labels in it; leave --labels out")
        store = Store.open(path)
        starts = range(0, len(store), _CLIPS)
        portions = tuple(Portion(path, start=at, stop=min(at + _CLIPS, len(store)), layout=known) for at in starts)
        return Patients(path, store, portions, {"store": len(store)}, (), None)
    said = read_labels(Path(labels)) if labels is not None else None
    return _find_files(path, known, said, None if labels is None else Path(labels))


def _find_files(path: Path, layout: Layout | None, said: Labels | None, without: Path | None) -> Patients:
    if path.is_dir() and io.recordings(sorted(path.iterdir())) != [path]:
        root, files = path, [path / file.path for file in walk(path)]
    else:
        root, files = path.parent, [path]
    known = {ending for format in io.FORMATS.values() for ending in format.suffixes}
    formats, others = Counter[str](), Counter[str]()
    found: list[str] = []
    faults: list[Finding] = []
    for file in io.recordings(sorted(files)):
        if without is not None and file.absolute() == without.absolute():
            continue
        name = file.relative_to(root).as_posix()
        if file.is_file() and file.suffix.lower() not in known:
            others[file.suffix.lower() or "no ending"] += 1
            continue
        try:
            formats[io.sniff(file)] += 1
            found.append(name)
        except FormatError as error:
            reason, _, remedy = str(error).removeprefix(f"{file}: ").partition("; ")
            if file.is_file() and file.stat().st_size:  # a list of all formats would say less
                reason = f"ends in {file.suffix}, but is no recording in a form that halpose knows"
            faults.append(
                Finding("damaged", "in no known form", "warning", reason,
                        "convert it, if it is a recording, or move it away" if file.is_file() else remedy, file=name)
            )  # fmt: skip
    if others:
        kinds = ", ".join(f"{count} {ending}" for ending, count in others.most_common(5))
        faults.append(
            Finding("damaged", "no recordings", "note", f"not looked at, because no format ends so: {kinds}",
                    "nothing, if they are not recordings", count=others.total())
        )  # fmt: skip
    if not found and not any(fault.severity != "note" for fault in faults):
        raise DataError(f"{path}: no recordings; known endings: {', '.join(sorted(known))}")
    return Patients(path, None, tuple(_portions(root, found, layout, said)), dict(formats), tuple(faults), said)


def _portions(root: Path, files: list[str], layout: Layout | None, said: Labels | None) -> Iterator[Portion]:
    """Files in their order, so many at a time that a portion is neither tiny nor long."""
    some: list[str] = []
    size = 0
    for file in files:
        some.append(file)
        whole = root / file
        size += whole.stat().st_size if whole.is_file() else _BYTES
        if len(some) >= _FILES or size >= _BYTES:
            yield Portion(root, tuple(some), layout=layout, labels=said)
            some, size = [], 0
    if some:
        yield Portion(root, tuple(some), layout=layout, labels=said)
