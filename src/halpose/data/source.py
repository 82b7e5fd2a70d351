"""The files of a data set in a folder: found by pattern, or a clear word about what is there instead."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
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
        spec: what they are.
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

    @property
    def name(self) -> str:
        """Name for the store: that of the data set, and never without the word for generated files."""
        return f"synthetic-{self.spec.name}" if self.synthetic and "synthetic" not in self.spec.name else self.spec.name


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
    here = list(_walk(root)) if folder.is_dir() else [_describe(folder, folder.name)]
    synthetic = (root / SYNTHETIC_MARK).is_file() or any(file.path.endswith(f"/{SYNTHETIC_MARK}") for file in here)
    for form in spec.forms:
        files = tuple(sorted(_matching(form, root, here), key=lambda file: file.path))
        if files:
            return Source(spec, root, form.format, files, synthetic)
    raise DataError(_nothing_found(spec, folder, root, here))


def _walk(root: Path) -> Iterator[SourceFile]:
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
