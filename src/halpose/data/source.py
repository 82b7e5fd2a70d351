"""The files of a data set in a folder: found by pattern, or a clear word about what is there instead."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from halpose.data.catalog import DATASETS
from halpose.data.spec import SYNTHETIC_MARK, DatasetSpec, FileForm
from halpose.errors import DataError

_ARCHIVES = (".zip", ".7z", ".tar", ".gz", ".tgz", ".rar", ".bz2")


@dataclass(frozen=True)
class SourceFile:
    """One file: its path below the source folder, with `/`, its size in bytes and its time in nanoseconds."""

    path: str
    size: int
    modified: int


@dataclass(frozen=True)
class Source:
    """Files to read as one data set.

    Attributes:
        spec: what they are; of generated files, what the folder itself says of them.
        root: the folder that their paths start from.
        format: name in `halpose.io.FORMATS`.
        files: in the order in which their clips will stand in the store.
        synthetic: whether the folder says that its files were generated.
    """

    spec: DatasetSpec
    root: Path
    format: str
    files: tuple[SourceFile, ...]
    synthetic: bool = False


def find_source(spec: DatasetSpec, folder: Path) -> Source:
    """Find a data set's files in a folder, at any depth.

    Args:
        spec: the data set.
        folder: a folder, or a single file of the data set.

    Raises:
        DataError: the folder is missing, or holds none of the data set's files.
    """
    if not folder.exists():
        raise DataError(f"{folder}: no such folder; give the folder that holds {spec.title}: {spec.source}")
    root = folder if folder.is_dir() else folder.parent
    here = list(walk(root)) if folder.is_dir() else [_describe(folder, folder.name)]
    marks = [root / SYNTHETIC_MARK, *(root / file.path for file in here if file.path.endswith(f"/{SYNTHETIC_MARK}"))]
    mark = next((path for path in marks if path.is_file()), None)
    for form in spec.forms:
        files = tuple(sorted(_matching(form, root, here), key=lambda file: file.path))
        if files:
            return Source(_generated(spec, mark) if mark else spec, root, form.format, files, mark is not None)
    raise DataError(_nothing_found(spec, folder, root, here))


def _generated(spec: DatasetSpec, mark: Path) -> DatasetSpec:
    """What generated files in a data set's form are: its form and splits, but neither its name, classes nor terms."""
    try:
        classes = tuple(str(name) for name in json.loads(mark.read_text(encoding="utf-8"))["classes"])
    except (OSError, ValueError, KeyError, TypeError):
        classes = tuple(f"synthetic action {number + 1}" for number in range(len(spec.classes)))
    return replace(
        spec,
        name=spec.name if "synthetic" in spec.name else f"synthetic-{spec.name}",
        title=f"synthetic recordings in the form of {spec.title}",
        classes=classes,
        licence="none: generated, no people were recorded",
        source="halpose data synthesize --ntu",
        citation="none: synthetic",
        files=None,
        clips=None,
        counts={},
    )


def walk(root: Path) -> Iterator[SourceFile]:
    """Every file below a folder, links followed, hidden ones left out."""
    seen = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = Path(folder).relative_to(root)
        for name in files:
            path = Path(folder, name)
            if not name.startswith(".") and path.is_file():
                yield _describe(path, (below / name).as_posix())


def _describe(path: Path, relative: str) -> SourceFile:
    status = path.stat()
    return SourceFile(relative, status.st_size, status.st_mtime_ns)


def _matching(form: FileForm, root: Path, files: list[SourceFile]) -> Iterator[SourceFile]:
    """Files whose whole path ends as the form says: the source may be given at any level of the folders."""
    above = root.absolute().as_posix().rstrip("/") + "/"
    ending = re.compile(rf"(?:^|/)(?:{form.pattern})\Z")
    longest = form.example.count("/") + 1
    for file in files:
        tail = "/".join((above + file.path).rsplit("/", longest)[-longest:])
        if ending.search(tail):
            yield file


def _nothing_found(spec: DatasetSpec, folder: Path, root: Path, here: list[SourceFile]) -> str:
    wanted = " or ".join(form.example for form in spec.forms)
    message = f"{folder}: no files of {spec.title} here; expected files like {wanted}"
    if not here:
        return f"{message}, but the folder is empty"
    kinds = Counter(PurePosixPath(file.path).suffix or "no suffix" for file in here).most_common(4)
    there = ", ".join(f"{count} {kind}" for kind, count in kinds)
    message = f"{message}, found {len(here)} others ({there}) such as {here[0].path}"
    archives = [file.path for file in here if PurePosixPath(file.path).suffix in _ARCHIVES]
    others = [
        name
        for name, other in DATASETS.items()
        if other is not spec and any(any(_matching(form, root, here)) for form in other.forms)
    ]
    if others:
        return f"{message}; they look like {' or '.join(others)}: try that name"
    if archives:
        return f"{message}; unpack {archives[0]} first"
    return f"{message}; give the folder that holds {spec.title}: {spec.source}"
