"""Cleaned clips on disk, between reading them and putting the store together.

A chunk is one archive: the frames of its clips, one clip after another, each with its confidence behind it where it
has one, written as they come, and an index of everything else. Neither writing nor reading holds more than one clip's
frames in memory.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from halpose.data.confidence import from_bytes, to_bytes
from halpose.data.normalise import CleanClip
from halpose.data.store_files import COLUMNS
from halpose.errors import DataError

_FRAMES, _INDEX = "frames", "index.npz"
_COLUMNS = {column: form for column, form in COLUMNS.items() if column != "people"}  # people are counted anew
_LITTLE_FLOAT = np.dtype("<f4")


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


def write_chunk(path: Path, layout: str, files: int, items: Iterable[Prepared | SetAside]) -> ChunkCounts:
    """Write clips as they come; the file appears whole or not at all.

    Args:
        path: the file to make.
        layout: joint layout of every clip.
        files: how many files the items come from.
        items: cleaned clips, and what had to be set aside.

    Raises:
        DataError: the disk refuses.
    """
    passing = path.with_name(f".{path.name}.{os.getpid()}")
    about: dict[str, Any] = {
        "files": files, "layout": layout, "of": [], "keys": [], "repairs": [], "has_confidence": [], "set_aside": [],
    }  # fmt: skip
    shapes: list[tuple[int, ...]] = []
    columns: dict[str, list[Any]] = {column: [] for column in _COLUMNS}
    try:
        with passing.open("wb") as file:
            with zipfile.ZipFile(file, "w") as archive:
                with archive.open(_FRAMES, "w", force_zip64=True) as frames:
                    for item in items:
                        if isinstance(item, SetAside):
                            about["set_aside"].append(asdict(item))
                            continue
                        frames.write(np.ascontiguousarray(item.clip.positions, dtype=_LITTLE_FLOAT).data)
                        about["has_confidence"].append(item.clip.confidence is not None)
                        if item.clip.confidence is not None:
                            frames.write(np.ascontiguousarray(to_bytes(item.clip.confidence)).data)
                        shapes.append(item.clip.positions.shape)
                        about["of"].append(item.file)
                        about["keys"].append(item.keys)
                        about["repairs"].append(dict(item.clip.repairs))
                        for column, values in columns.items():
                            values.append(getattr(item.clip, column))
                archive.writestr(_INDEX, _index(shapes, about, columns))
            file.flush()
            os.fsync(file.fileno())
        os.replace(passing, path)
    except OSError as error:
        passing.unlink(missing_ok=True)
        raise DataError(
            f"{path.parent}: cannot be written ({error.strerror or error}); finished chunks are kept: free some space "
            "and run the same command again"
        ) from None
    return ChunkCounts(files, len(shapes), len(about["set_aside"]))


def _index(shapes: list[tuple[int, ...]], about: Mapping[str, Any], columns: Mapping[str, list[Any]]) -> bytes:
    arrays = {
        column: np.array(columns[column], dtype=str if kind == "U" else kind).reshape(len(shapes), *row)
        for column, (kind, row) in _COLUMNS.items()
    }
    arrays["shapes"] = np.array(shapes, dtype=np.int64).reshape(-1, 4)
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
    buffer = BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def read_chunk(path: Path) -> Iterator[Prepared | SetAside]:
    """What a chunk holds: clips in the order in which they were written, then what was set aside.

    Raises:
        DataError: the file is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            with np.load(BytesIO(archive.read(_INDEX)), allow_pickle=False) as arrays:
                table = {name: arrays[name] for name in arrays.files}
            about = json.loads(table["about"].tobytes())
            with archive.open(_FRAMES) as frames:
                for at, shape in enumerate(table["shapes"].tolist()):
                    data = frames.read(int(np.prod(shape)) * _LITTLE_FLOAT.itemsize)
                    positions = np.frombuffer(data, dtype=_LITTLE_FLOAT).reshape(shape)
                    confidence = None
                    if about["has_confidence"][at]:
                        data = frames.read(int(np.prod(shape[:3])))
                        confidence = from_bytes(np.frombuffer(data, dtype=np.uint8).reshape(shape[:3]))
                    values = {column: table[column][at] for column in _COLUMNS}
                    values = {column: v.item() if np.ndim(v) == 0 else v for column, v in values.items()}
                    clip = CleanClip(
                        positions, about["layout"], repairs=about["repairs"][at], confidence=confidence, **values
                    )
                    yield Prepared(clip, about["of"][at], about["keys"][at])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: damaged ({error}); remove it and run the same command again") from None
    yield from (SetAside(**item) for item in about["set_aside"])
