"""The work of preparing, in chunks of files: each is read, cleaned and kept on disk until the store is put together.

What a chunk holds depends on its files and the settings only, so it does not matter who makes it, or when.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from collections.abc import Sequence as Items
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from halpose import io
from halpose.data.normalise import CleanClip, clean
from halpose.data.source import SourceFile
from halpose.data.splits import numbered, video_keys
from halpose.data.store_files import COLUMNS
from halpose.errors import DataError, HalposeError
from halpose.io.ntu import name_fields
from halpose.skeleton import Sequence

CHUNK_BYTES = 8 << 20
CHUNK_FILES = 256
_COLUMNS = tuple(column for column in COLUMNS if column != "people")


@dataclass(frozen=True)
class SetAside:
    """A file or clip that is not in the store, and why.

    Attributes:
        file: path below the source folder.
        kind: damaged, no body, listed, pruned or duplicate.
        reason: in words.
        clip: its name, where a file holds several.
    """

    file: str
    kind: str
    reason: str
    clip: str = ""


@dataclass(frozen=True)
class Settings:
    """All that the content of a chunk depends on, besides its files.

    Attributes:
        root: the source folder.
        format: name in `halpose.io.FORMATS`.
        layout, people, channels, classes: shape of a clip, and how many classes there are.
        largest: the greatest coordinate that the store can hold.
        pruned: clip names that are left out, and the reason.
        listed: clip names that a list of missing skeletons holds.
    """

    root: str
    format: str
    layout: str
    people: int
    channels: int
    classes: int
    largest: float
    pruned: dict[str, str] = field(default_factory=dict)
    listed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Prepared:
    """One cleaned clip with the keys that splits are made by."""

    clip: CleanClip
    file: str
    keys: dict[str, str]


@dataclass(frozen=True)
class ChunkCounts:
    """How much a chunk holds."""

    files: int
    clips: int
    set_aside: int


def divide(files: Items[SourceFile]) -> list[tuple[SourceFile, ...]]:
    """Consecutive files in chunks of a few megabytes; the division depends on nothing but the files."""
    chunks: list[tuple[SourceFile, ...]] = []
    start, size = 0, 0
    for at, file in enumerate(files):
        if at > start and (size + file.size > CHUNK_BYTES or at - start == CHUNK_FILES):
            chunks.append(tuple(files[start:at]))
            start, size = at, 0
        size += file.size
    return [*chunks, tuple(files[start:])]


def make_chunk(settings: Settings, files: Items[SourceFile], path: Path) -> ChunkCounts:
    """Read and clean the files of one chunk and keep the result at `path`, whole or not at all."""
    prepared: list[Prepared] = []
    aside: list[SetAside] = []
    for file in files:
        for item in _clean_file(settings, file.path):
            if isinstance(item, SetAside):
                aside.append(item)
            else:
                prepared.append(item)
    _write(path, settings, len(files), prepared, aside)
    return ChunkCounts(len(files), len(prepared), len(aside))


def _clean_file(settings: Settings, file: str) -> Iterator[Prepared | SetAside]:
    """Every clip of a file, or why it is set aside. Nothing a file holds may stop the work."""
    clips = 0
    stem = Path(file).stem
    if stem in settings.listed:
        yield SetAside(file, "listed", "named in the list of missing skeletons")
        return
    try:
        for sequence in io.read(Path(settings.root, file), settings.format):
            clips += 1
            yield _clean_clip(settings, file, _complete(sequence))
    except (HalposeError, OSError) as error:
        before = f"after {clips} whole clips, which are kept: " if clips else ""
        yield SetAside(file, "damaged", before + str(error))
    except Exception as error:  # a reader's own fault costs one file and is named, not a night's work
        yield SetAside(file, "damaged", f"the {settings.format} reader failed: {type(error).__name__}: {error}")
    else:
        if not clips:
            yield SetAside(file, "no body", "holds no clip")


def _clean_clip(settings: Settings, file: str, sequence: Sequence) -> Prepared | SetAside:
    """Clean one clip, or say why it is set aside."""
    name = sequence.name
    joints, channels = sequence.positions.shape[2:]
    if name in settings.listed:
        return SetAside(file, "listed", "named in the list of missing skeletons", name)
    if name in settings.pruned:
        return SetAside(file, "pruned", settings.pruned[name], name)
    if sequence.layout != settings.layout or channels != settings.channels:
        return SetAside(
            file,
            "damaged",
            f"layout {sequence.layout} with {joints} joints and {channels} channels; the data set has "
            f"{settings.layout} and {settings.channels} channels",
            name,
        )
    if not -1 <= sequence.label < settings.classes:
        return SetAside(file, "damaged", f"label {sequence.label}, but there are {settings.classes} classes", name)
    if not np.isfinite(sequence.positions).all(axis=-1).any():
        return SetAside(file, "no body", "no body in any frame: the skeleton is missing", name)
    try:
        clip = clean(sequence, people=settings.people)
    except DataError as error:
        return SetAside(file, "damaged", str(error), name)
    largest = float(np.nanmax(np.abs(clip.positions)))
    if largest > settings.largest:
        return SetAside(file, "damaged", f"coordinate {largest:g} does not fit the store", name)
    keys = {key: str(value) for key, value in sequence.extra.items() if key in ("style", "video")}
    return Prepared(clip, file, keys)


def _complete(sequence: Sequence) -> Sequence:
    """Fill in what the name says where the format has no field for it (NTU clips in a pickle, PKU-MMD videos)."""
    named = name_fields(sequence.name)
    if named and not sequence.subject:
        return replace(sequence, setup=named["setup"], camera=named["camera"], subject=str(named["subject"]))
    if "video" in sequence.extra and not sequence.subject:
        return replace(sequence, subject=video_keys(str(sequence.extra["video"])).get("subject", ""))
    return sequence


def split_keys(prepared: Prepared) -> dict[str, str]:
    """What split rules decide by."""
    clip = prepared.clip
    return {
        **video_keys(prepared.keys.get("video", "")),
        **prepared.keys,
        "subject": numbered(clip.subject),
        "camera": str(clip.camera),
        "setup": str(clip.setup),
    }


def _write(path: Path, settings: Settings, files: int, prepared: list[Prepared], aside: list[SetAside]) -> None:
    clips = [item.clip for item in prepared]
    columns: dict[str, Any] = {
        column: np.array([getattr(clip, column) for clip in clips], dtype=str if kind == "U" else kind).reshape(
            len(clips), *row
        )
        for column, (kind, row) in COLUMNS.items()
    }
    rows = [clip.positions.swapaxes(0, 1) for clip in clips]
    about = {
        "files": files,
        "layout": settings.layout,
        "of": [item.file for item in prepared],
        "keys": [item.keys for item in prepared],
        "repairs": [dict(clip.repairs) for clip in clips],
        "set_aside": [asdict(item) for item in aside],
    }
    passing = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with passing.open("wb") as file:
            np.savez(
                file,
                positions=np.concatenate(rows) if rows else np.zeros((0, 0, 0, 0), np.float32),
                lengths=np.array([len(row) for row in rows], dtype=np.int64),
                about=np.frombuffer(json.dumps(about).encode(), dtype=np.uint8),
                **columns,
            )
            file.flush()
            os.fsync(file.fileno())
        os.replace(passing, path)
    except OSError as error:
        passing.unlink(missing_ok=True)
        raise DataError(
            f"{path.parent}: cannot be written ({error.strerror or error}); finished chunks are kept: free some space "
            "and run the same command again"
        ) from None


def read_chunk(path: Path) -> tuple[list[Prepared], list[SetAside], ChunkCounts]:
    """A chunk as `make_chunk` kept it.

    Raises:
        DataError: the file is damaged.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            table = {name: arrays[name] for name in arrays.files}
        about = json.loads(table["about"].tobytes())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: damaged ({error}); remove it and run the same command again") from None
    ends = np.cumsum(table["lengths"])
    prepared = []
    for at, end in enumerate(ends):
        values = {column: table[column][at] for column in _COLUMNS}
        values = {column: v.item() if np.ndim(v) == 0 else v for column, v in values.items()}
        positions = table["positions"][end - table["lengths"][at] : end].swapaxes(0, 1)
        clip = CleanClip(positions=positions, layout=about["layout"], repairs=about["repairs"][at], **values)
        prepared.append(Prepared(clip, about["of"][at], about["keys"][at]))
    aside = [SetAside(**item) for item in about["set_aside"]]
    return prepared, aside, ChunkCounts(about["files"], len(prepared), len(aside))
