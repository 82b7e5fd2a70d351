"""`labels.csv`: what the owner of recordings knows of each: a label, and who, from where, in which part.

    file,label,subject,camera,split
    walk/anna_01.bvh,walk,anna,1,train

A file is named by its path below the source folder, with or without its ending, or by its name alone; a clip of a file
that holds several by its own name, which may stand behind the file's path (`takes/all.npz/clip3`). What names one thing
precisely goes before what may name several. All columns but `file` may be left out, and cells may be empty.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from halpose.data.store_files import PART_CODES
from halpose.errors import DataError
from halpose.io.base import read_bytes
from halpose.io.cells import divide, read_rows

COLUMNS = ("file", "label", "subject", "camera", "split")
_PARTS = {
    "train": "train", "training": "train", "validation": "validation", "valid": "validation", "val": "validation",
    "dev": "validation", "test": "test", "testing": "test", "": "",
}  # fmt: skip
_LARGEST = 1 << 28


@dataclass(frozen=True)
class Entry:
    """One line: label is an index into the classes, -1 where there is none; part is "" where it is not said."""

    label: int = -1
    subject: str = ""
    camera: int = 0
    part: str = ""


@dataclass(frozen=True)
class Labels:
    """All lines of a file.

    Attributes:
        classes: names of the labels: numbers in their order, else words in the alphabet's.
        entries: by the file's name, as it was written, with `/`.
    """

    classes: tuple[str, ...] = ()
    entries: dict[str, Entry] = field(default_factory=dict)

    def key(self, file: str, clip: str = "") -> str | None:
        """The entry that a recording goes by, or None.

        Args:
            file: path below the source folder, with `/`.
            clip: name of the clip, where a file holds several.
        """
        path = PurePosixPath(file)
        stem = str(path.with_suffix("")) if path.name else ""
        # The only clip of a file is called as the file is: a name that files in other folders may have, too.
        own = (f"{file}/{clip}", f"{stem}/{clip}", clip) if clip not in ("", path.stem) else ()
        return next((name for name in (*own, file, stem, path.name, path.stem) if name in self.entries), None)

    def find(self, file: str, clip: str = "") -> Entry:
        """What is known of a recording; an empty entry if nothing is."""
        key = self.key(file, clip)
        return Entry() if key is None else self.entries[key]

    def subjects(self) -> list[str]:
        """Everybody who is named, once each, in order."""
        return sorted({entry.subject for entry in self.entries.values()} - {""})

    def unused(self, files: Iterable[str]) -> list[str]:
        """Entries that none of these files goes by."""
        used = {self.key(file) for file in files}
        return [name for name in self.entries if name not in used]


def read_labels(path: Path) -> Labels:
    """Read a `labels.csv`; commas, semicolons or tabs divide it.

    Raises:
        DataError: it cannot be read, has no column `file`, names a file twice, or a part that there is not.
    """
    try:
        cells = divide(read_bytes(path, limit=_LARGEST))
        names = [name.lower() for name in cells.names] if cells else []
        if cells is None or "file" not in names:
            raise DataError(f"{path}: no column called file; the first line should be file,label,subject,camera,split")
        rows = read_rows(path, cells)
    except DataError as error:
        raise DataError(str(error)) from None
    at = {column: names.index(column) for column in COLUMNS if column in names}
    found: dict[str, dict[str, str]] = {}
    for line, row in rows:
        said = {column: row[place] for column, place in at.items()}
        file = str(PurePosixPath(said.pop("file").replace("\\", "/")))
        if file in found:
            raise DataError(f"{path}: line {line} names {file} a second time; keep one of the two")
        if said.get("split", "").lower() not in _PARTS:
            parts = ", ".join(PART_CODES)
            raise DataError(f"{path}: line {line}: no part called {said['split']!r}; a split has {parts}")
        found[file] = said
    classes = _ordered(said["label"] for said in found.values() if said.get("label"))
    cameras = _ordered(said["camera"] for said in found.values() if said.get("camera"))
    numbers = {name: int(name) if _is_small(name) else number + 1 for number, name in enumerate(cameras)}
    index = {name: number for number, name in enumerate(classes)}
    return Labels(
        classes,
        {
            file: Entry(
                index.get(said.get("label", ""), -1),
                said.get("subject", ""),
                numbers.get(said.get("camera", ""), 0),
                _PARTS[said.get("split", "").lower()],
            )
            for file, said in found.items()
        },
    )


def _is_small(name: str) -> bool:
    return name.isascii() and name.isdigit() and int(name) < 1 << 15


def _ordered(names: Iterable[str]) -> tuple[str, ...]:
    """Names once each: numbers in their order, else words in the alphabet's."""
    distinct = set(names)
    whole = all(name.isascii() and name.isdigit() and len(name) < 10 for name in distinct)
    return tuple(sorted(distinct, key=lambda name: (int(name), name) if whole else (0, name)))
