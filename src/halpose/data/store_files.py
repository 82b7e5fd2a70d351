"""The files of a store: their names, columns, format version, and the checks that they are whole."""

from __future__ import annotations

import json
import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Float, Int8, Int16, Int32, Int64

from halpose.errors import ConfigError, DataError
from halpose.skeleton import Layout

FORMAT_VERSION = 1
# Columns larger than this are mapped, not read: of millions of clips, a batch needs a few rows. Their checksums are
# not verified then; types and shapes are.
MAPPED_BYTES = 64 << 20
META, FRAMES, CLIPS, REPORT = "store.json", "frames.npy", "clips.npz", "report.json"
CONFIDENCE = "confidence.npy"
PART_CODES = {"train": 0, "validation": 1, "test": 2}
NOT_IN_SPLIT = -1
PARTS = ("train", "validation", "official", "test", "all")


class StoreError(DataError):
    """A store is missing, damaged, of another version, or in the way."""


@dataclass(frozen=True)
class Clips:
    """What is known of each of the N clips.

    Attributes:
        offsets: clip i is frames offsets[i] to offsets[i + 1] of the flat array.
        label: class index, -1 when unknown.
        subject: who moves, "" when unknown.
        name: unique within the source.
        camera: camera or view number, 0 when unknown.
        setup: recording setup number, 0 when unknown.
        fps: frames per second, 0 when unknown.
        people: how many people the clip holds; the others are NaN throughout.
        origin: centre joint of the main actor in their first frame.
        first_rotation: published alignment, from that frame; x' = R (x - centre).
        torso_rotation: rotation about the vertical that turns the clip's mean right-to-left vector to +x.
        scale_first: RMS of the main actor's coordinates after subtracting the origin.
        scale_frame: the same after subtracting the centre joint frame by frame.
        split: for each split, 0 train, 1 validation, 2 test, -1 not in it.
    """

    offsets: Int64[np.ndarray, " starts"]
    label: Int32[np.ndarray, " n"]
    subject: np.ndarray
    name: np.ndarray
    camera: Int16[np.ndarray, " n"]
    setup: Int16[np.ndarray, " n"]
    fps: Float[np.ndarray, " n"]
    people: Int8[np.ndarray, " n"]
    origin: Float[np.ndarray, "n 3"]
    first_rotation: Float[np.ndarray, "n 3 3"]
    torso_rotation: Float[np.ndarray, "n 3 3"]
    scale_first: Float[np.ndarray, " n"]
    scale_frame: Float[np.ndarray, " n"]
    split: Mapping[str, Int8[np.ndarray, " n"]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Int64[np.ndarray, " n"]:
        """Frames of each clip."""
        lengths: np.ndarray = np.diff(self.offsets)
        return lengths


# Field of Clips -> its type and the shape of one row; "U" is text of any length.
COLUMNS: dict[str, tuple[str, tuple[int, ...]]] = {
    "label": ("int32", ()),
    "subject": ("U", ()),
    "name": ("U", ()),
    "camera": ("int16", ()),
    "setup": ("int16", ()),
    "fps": ("float32", ()),
    "people": ("int8", ()),
    "origin": ("float32", (3,)),
    "first_rotation": ("float32", (3, 3)),
    "torso_rotation": ("float32", (3, 3)),
    "scale_first": ("float32", ()),
    "scale_frame": ("float32", ()),
}


_META_TYPES: dict[str, type | tuple[type, ...]] = {
    "name": str, "layout": dict, "classes": list, "people": int, "channels": int, "clips": int, "frames": int,
    "splits": list, "provenance": dict, "synthetic": bool, "repairs": dict, "set_aside": int,
}  # fmt: skip
HAS_CONFIDENCE = "confidence"
"""Key of `store.json`, true where there is a `confidence.npy`; stores without it know nothing of either."""
_LOCAL_NAME = 26  # where an archive's entry says how long its name is
_REMEDY = "prepare the data set again with `halpose data prepare`"


def read_meta(path: Path) -> dict[str, Any]:
    """The content of `store.json`, its format version and types checked."""
    if not (path / META).is_file():
        aside = path.parent / f".{path.name}.replaced"
        if not path.exists() and aside.exists():
            raise StoreError(
                f"{path}: replacing this store was interrupted; the earlier one is whole in {aside}: rename it back"
            )
        raise StoreError(f"{path}: no store there ({META} is missing); make one with `halpose data prepare`")
    try:
        meta = json.loads((path / META).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{path / META}: cannot be read ({error}); {_REMEDY}") from None
    version = meta.get("format_version") if isinstance(meta, dict) else None
    if version is None:
        raise StoreError(f"{path / META}: not the description of a store (no format_version); {_REMEDY}")
    if version != FORMAT_VERSION:
        raise StoreError(
            f"{path}: store format {version}, but this halpose reads format {FORMAT_VERSION}; {_REMEDY}, or "
            "use the halpose that wrote it"
        )
    wrong = [key for key, kind in _META_TYPES.items() if not isinstance(meta.get(key), kind)]
    wrong += [HAS_CONFIDENCE] if not isinstance(meta.get(HAS_CONFIDENCE, False), bool) else []
    if wrong:
        raise StoreError(f"{path / META}: {', '.join(wrong)} missing or of the wrong kind; {_REMEDY}")
    return dict(meta)


# What numpy, zipfile and Layout are known to raise over a file that is not what it should be.
DAMAGE = (
    ConfigError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def _guarded(file: Path, read: Callable[[], Any]) -> Any:
    """Run `read`, and turn whatever a damaged file makes numpy raise into one StoreError."""
    try:
        return read()
    except FileNotFoundError:
        raise StoreError(f"{file}: missing; {_REMEDY}") from None
    except DAMAGE as error:
        raise StoreError(f"{file}: damaged ({error}); {_REMEDY}") from None


def map_frames(path: Path) -> np.memmap:
    """`frames.npy` as a memory map; nothing of it is read but the header."""
    frames = _guarded(path / FRAMES, lambda: np.load(path / FRAMES, mmap_mode="r", allow_pickle=False))
    if not isinstance(frames, np.memmap) or frames.ndim != 4 or frames.dtype not in (np.float32, np.float16):
        raise StoreError(
            f"{path / FRAMES}: not a (frames, people, joints, channels) array of float32 or float16; {_REMEDY}"
        )
    size = (path / FRAMES).stat().st_size
    if size != frames.offset + frames.nbytes:
        raise StoreError(
            f"{path / FRAMES}: {size} bytes, but {frames.shape} frames take {frames.offset + frames.nbytes}; {_REMEDY}"
        )
    return frames


def map_confidence(path: Path, meta: Mapping[str, Any], frames: Float[np.ndarray, "f m v c"]) -> np.memmap | None:
    """`confidence.npy` as a memory map, where the store has one."""
    if not meta.get(HAS_CONFIDENCE):
        return None
    file = path / CONFIDENCE
    found = _guarded(file, lambda: np.load(file, mmap_mode="r", allow_pickle=False))
    if not isinstance(found, np.memmap) or found.dtype != np.uint8 or found.shape != frames.shape[:3]:
        raise StoreError(f"{file}: not one byte for each of {frames.shape[:3]} frames, people and joints; {_REMEDY}")
    if file.stat().st_size != found.offset + found.nbytes:
        raise StoreError(f"{file}: {file.stat().st_size} bytes, not {found.offset + found.nbytes}; {_REMEDY}")
    return found


def read_clips(path: Path, splits: tuple[str, ...]) -> Clips:
    """`clips.npz`, every column of the type and length it must have."""
    file = path / CLIPS

    def read() -> dict[str, Any]:
        with file.open("rb") as stream, np.lib.npyio.NpzFile(stream, allow_pickle=False) as arrays:
            table: dict[str, Any] = {name: read_member(file, stream, arrays, name) for name in ("offsets", *COLUMNS)}
            table["split"] = {name: read_member(file, stream, arrays, f"split/{name}") for name in splits}
            return table

    table = _guarded(file, read)
    count = len(table["offsets"]) - 1 if table["offsets"].ndim == 1 else -1
    expected = {name: (kind, (count, *row)) for name, (kind, row) in COLUMNS.items()}
    columns = {name: table[name] for name in COLUMNS} | {f"split/{k}": v for k, v in table["split"].items()}
    for name, array in columns.items():
        kind, shape = expected.get(name, ("int8", (count,)))
        if array.shape != shape or (array.dtype.kind != "U" if kind == "U" else array.dtype != kind):
            raise StoreError(f"{file}: {name} is {array.dtype} {array.shape}, expected {kind} {shape}; {_REMEDY}")
    return Clips(**table)


def read_member(file: Path, stream: BinaryIO, arrays: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    """An array of an archive; a large one as a memory map."""
    assert arrays.zip is not None
    member = arrays.zip.getinfo(f"{name}.npy")
    if member.file_size > MAPPED_BYTES and member.compress_type == zipfile.ZIP_STORED:
        return _map_member(file, stream, member)
    found: np.ndarray = arrays[name]
    return found


def _map_member(file: Path, stream: BinaryIO, member: zipfile.ZipInfo) -> np.ndarray:
    """An array in an archive, uncompressed, as a memory map."""
    stream.seek(member.header_offset + _LOCAL_NAME)
    name, extra = struct.unpack("<HH", stream.read(4))
    stream.seek(name + extra, os.SEEK_CUR)
    np.lib.format.read_magic(stream)
    shape, in_columns, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.hasobject or in_columns:
        raise ValueError(f"{member.filename} is no plain array")
    start = stream.tell() - member.header_offset - _LOCAL_NAME - 4 - name - extra
    if start + dtype.itemsize * math.prod(shape) != member.file_size:
        raise ValueError(f"{member.filename} has {member.file_size} bytes, not those of {dtype} {shape}")
    return np.memmap(file, dtype, "r", stream.tell(), shape).view(np.ndarray)


def check_agreement(path: Path, meta: Mapping[str, Any], frames: Float[np.ndarray, "f m v c"], clips: Clips) -> None:
    """The three files tell of the same clips."""
    joints = len(_guarded(path / META, lambda: Layout.from_dict(meta["layout"])))
    shape = (meta["frames"], meta["people"], joints, meta["channels"])
    if frames.shape != shape:
        raise StoreError(f"{path}: {FRAMES} holds {frames.shape}, but {META} says {shape}; {_REMEDY}")
    if len(clips) != meta["clips"]:
        raise StoreError(f"{path}: {CLIPS} holds {len(clips)} clips, {META} says {meta['clips']}; {_REMEDY}")
    offsets = clips.offsets
    if offsets[0] != 0 or offsets[-1] != len(frames) or (np.diff(offsets) < 1).any():
        raise StoreError(f"{path}: offsets in {CLIPS} do not divide the {len(frames)} frames of {FRAMES}; {_REMEDY}")
    if clips.label.max() >= len(meta["classes"]) or clips.label.min() < -1:
        raise StoreError(
            f"{path}: labels run from {clips.label.min()} to {clips.label.max()}, but {META} names "
            f"{len(meta['classes'])} classes; {_REMEDY}"
        )


def write_header(file: BinaryIO, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """The .npy header; numpy pads it so that the first axis may grow without moving the data."""
    np.lib.format.write_array_header_1_0(
        file, {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    )


def close_on_disk(file: BinaryIO) -> None:
    """Close a file once its bytes are on the disk: a rename must not overtake them."""
    file.flush()
    os.fsync(file.fileno())
    file.close()
