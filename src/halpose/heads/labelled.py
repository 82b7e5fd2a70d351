"""Labelled clips: what a `labels.csv` or a store says of recordings, beside their embeddings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from halpose.data.labels import Labels, read_labels
from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.errors import ConfigError, DataError
from halpose.evaluate.base import Progress, silent
from halpose.inference.clips import Window
from halpose.inference.embed import Embeddings, embed, embed_store
from halpose.inference.recordings import find_recordings
from halpose.inference.sources import Reading, is_store, source_windows

TABLE = "labels.csv"  # what a table is called where recordings lie, and no recording
_NAMED = 5  # of many, in a message


@dataclass(frozen=True)
class LabelledClips:
    """Embeddings of clips whose class is known.

    Attributes:
        vectors: (N, D) float32.
        labels: (N,) index of each clip's class.
        classes: their names.
        subjects: who moves, "" where nobody says.
        names: of the clips.
        is_test: which are only scored, not learned from.
    """

    vectors: Float[np.ndarray, "n d"]
    labels: Int[np.ndarray, " n"]
    classes: tuple[str, ...]
    subjects: tuple[str, ...]
    names: tuple[str, ...]
    is_test: Bool[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, chosen: np.ndarray) -> LabelledClips:
        """Some of them: a mask, or indices."""
        index = np.arange(len(self))[chosen]
        texts = {name: tuple(getattr(self, name)[row] for row in index) for name in ("subjects", "names")}
        return replace(
            self, vectors=self.vectors[index], labels=self.labels[index], is_test=self.is_test[index], **texts
        )

    def learned(self) -> LabelledClips:
        """The clips that are learned from; classes without one of them are left out.

        Raises:
            DataError: there are too few of them, or of a class.
        """
        found = self.rows(~self.is_test)
        counts = np.bincount(found.labels, minlength=len(self.classes))
        there = np.flatnonzero(counts)
        if len(there) < 2:
            what = f"only clips of {self.classes[there[0]]!r}" if len(there) else "no labelled clip"
            raise DataError(f"{what} to learn from; a classifier needs two classes with two clips each, or more")
        single = [self.classes[label] for label in there if counts[label] == 1]
        if single:
            raise DataError(
                f"a single clip of {_some(single)}: its class cannot be learned and held out at once; label a second "
                "one, or leave the class out of the table"
            )
        number = np.full(len(self.classes), -1)
        number[there] = np.arange(len(there))
        return replace(found, labels=number[found.labels], classes=tuple(self.classes[label] for label in there))


def labelled_store(
    run: Run, store: Store, table: Path | None = None, streams: Sequence[str] = (), progress: Progress = silent
) -> LabelledClips:
    """Labelled clips of a prepared store.

    Args:
        run: whose embeddings are wanted.
        store: of any layout that can be mapped to the run's.
        table: `labels.csv` with names of clips; the store's own labels if not given, the test part of the run's split
            (or the store's first) being kept for scoring.
        streams: of the run; all when empty.
        progress: told how many clips are embedded.

    Raises:
        DataError: the table names clips that the store does not have, or there are no labels at all.
    """
    names = store.clips.name.tolist()
    subjects = [str(subject) for subject in store.clips.subject]
    if table is None:
        labels, classes = np.asarray(store.clips.label, dtype=np.int64), store.classes
        split = run.config.data.split if run.config.data.split in store.splits else next(iter(store.splits), "")
        is_test = np.zeros(len(store), bool)
        if split:
            is_test[store.part(split, "test")] = True
        if not (labels >= 0).any():
            raise DataError(f"{store.path}: its clips have no labels; give a table of them: labels.csv")
    else:
        said = read_labels(table)
        keys = [said.key(name, name) for name in names]
        _check_found(table, said, keys, names, f"{store.path}: names of clips look like {names[0]!r}")
        entries = [said.entries[key] if key is not None else None for key in keys]
        labels = np.array([entry.label if entry else -1 for entry in entries])
        is_test = np.array([entry is not None and entry.part == "test" for entry in entries])
        subjects = [
            entry.subject if entry and entry.subject else own for entry, own in zip(entries, subjects, strict=True)
        ]
        classes = said.classes
    chosen = np.flatnonzero(labels >= 0)
    found = embed_store(run, store, streams, progress=progress).rows(chosen)
    return LabelledClips(
        np.asarray(found.vectors), labels[chosen], classes, tuple(subjects[row] for row in chosen), found.names,
        is_test[chosen],
    )  # fmt: skip


def labelled_files(
    run: Run,
    table: Path,
    paths: Sequence[Path] = (),
    reading: Reading | None = None,
    streams: Sequence[str] = (),
    set_aside: Callable[[str, str], None] | None = None,
    progress: Progress = silent,
) -> LabelledClips:
    """Labelled clips of files.

    Args:
        run: whose embeddings are wanted.
        table: `labels.csv`; files are named by their path below a folder, with or without its ending, or by their name.
        paths: files and folders; the folder of the table when empty.
        reading: how recordings are read: whole, because windows of one would be learned from and held out at once.
        streams: of the run; all when empty.
        set_aside: told what cannot be embedded and why, and the others go on.
        progress: told how many files are done.

    Raises:
        DataError: the table names files that are not there, or two of them by one name, or nothing can be embedded.
        ConfigError: recordings would be read in windows.
    """
    if reading and reading.window:
        raise ConfigError(f"{table}: labels are of whole recordings; read them without a window")
    said = read_labels(table)
    if not said.classes:
        raise DataError(f"{table}: no file has a label; fill the column called label")
    files = _files(paths) if paths else _beside(table, said)
    files = {name: path for name, path in files.items() if path != table and path.name != TABLE}
    keys: list[str | None] = []
    names: list[str] = []

    def windows() -> Iterator[Window]:
        for done, (name, path) in enumerate(files.items()):
            progress("embed", done, len(files))
            for window in source_windows(path, run, reading or Reading(), set_aside):
                key = said.key(name, window.clip.name)
                keys.append(key)
                names.append(name)
                if key is not None and said.entries[key].label >= 0:
                    yield replace(window, label=key)

    blocks = list(embed(run, windows(), streams))
    _check_found(table, said, keys, names, f"files are named like {next(iter(files), 'none')!r}")
    found = Embeddings.join(blocks)
    entries = [said.entries[key] for key in found.labels]
    subjects = [entry.subject or own for entry, own in zip(entries, found.subjects, strict=True)]
    return LabelledClips(
        found.vectors, np.array([entry.label for entry in entries]), said.classes, tuple(subjects), found.names,
        np.array([entry.part == "test" for entry in entries]),
    )  # fmt: skip


def _files(paths: Sequence[Path]) -> dict[str, Path]:
    """Recordings by the name that a table may give them."""
    found: dict[str, Path] = {}
    for path in paths:
        if not path.exists():
            raise DataError(f"{path}: no such file or folder; give recordings or a folder of them")
        if is_store(path):
            raise DataError(f"{path}: a prepared store; give it with --on")
        for file in find_recordings(path):
            name = file.relative_to(path).as_posix() if path.is_dir() and file != path else path.name
            found[name if name not in found else file.as_posix()] = file
    return found


def _beside(table: Path, said: Labels) -> dict[str, Path]:
    """The files that a table names, in its folder; those that are not there are left to be noticed."""
    found: dict[str, Path] = {}
    for name in said.entries:
        path = table.parent / name
        matches = [path] if path.exists() else sorted(table.parent.glob(f"{_plain(name)}.*"))
        found |= {match.relative_to(table.parent).as_posix(): match for match in matches if match != table}
    return found


def _plain(name: str) -> str:
    """A name as glob reads it literally."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


def _check_found(table: Path, said: Labels, keys: Sequence[str | None], names: Sequence[str], hint: str) -> None:
    """Whether every line was used, and for one recording only."""
    missing = [name for name in said.entries if name not in set(keys)]
    if missing:
        raise DataError(
            f"{table}: {len(missing)} of its {len(said.entries)} names are not there: {_some(missing)}; {hint}"
        )
    where: dict[str, set[str]] = defaultdict(set)
    for key, name in zip(keys, names, strict=True):
        if key is not None:
            where[key].add(name)
    several = {key: sorted(found) for key, found in where.items() if len(found) > 1}
    if several:
        key, found = next(iter(several.items()))
        raise DataError(f"{table}: {key!r} may be {_some(found)}; write which, by its path")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(repr, names[:_NAMED])) + more
