"""The work of preparing, in chunks of files: every clip of every file is read and cleaned, or set aside and named.

What a chunk holds depends on its files and the settings only, so it does not matter who makes it, or when.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Sequence as Items
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from halpose import io
from halpose.data.chunk_files import ChunkCounts, Prepared, SetAside, write_chunk
from halpose.data.normalise import clean
from halpose.data.own_form import OtherSkeleton, OwnForm
from halpose.data.source import SourceFile
from halpose.data.splits import numbered, video_keys
from halpose.errors import DataError, HalposeError
from halpose.io.ntu import name_fields
from halpose.skeleton import Sequence

CHUNK_BYTES = 8 << 20
CHUNK_FILES = 256
_NO_BODY = re.compile("no ?body in any|skeleton is missing")  # what readers say of a file without people


@dataclass(frozen=True)
class Settings:
    """All that the content of a chunk depends on, besides its files.

    Attributes:
        root: the source folder.
        format: name in `halpose.io.FORMATS`.
        layout, people, channels, classes: shape of a clip, and how many classes there are.
        largest: the greatest coordinate that the store can hold.
        least_confidence: joints that the source is less sure of are missing.
        pruned: clip names that are left out, and the reason.
        listed: clip names that a list of missing skeletons holds.
        own: what is done to recordings of one's own, whose format, then, may differ from file to file.
    """

    root: str
    format: str
    layout: str
    people: int
    channels: int
    classes: int
    largest: float
    least_confidence: float = 0.0
    pruned: dict[str, str] = field(default_factory=dict)
    listed: frozenset[str] = frozenset()
    own: OwnForm | None = None


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


def share(files: Items[SourceFile], number: int, of: int) -> Items[SourceFile]:
    """The files of one shard: consecutive, so that shards put one after another are the whole, and about as many bytes.

    Args:
        files: all of them, in order.
        number: which shard, from 1.
        of: how many shards; no more than files.
    """
    sizes = np.cumsum([file.size for file in files])
    ends = [0]
    for shard in range(1, of):
        end = int(np.searchsorted(sizes, sizes[-1] * shard / of, side="right"))
        ends.append(min(max(end, ends[-1] + 1), len(files) - (of - shard)))  # no shard is empty
    return files[ends[number - 1] : len(files) if number == of else ends[number]]


def make_chunk(settings: Settings, files: Items[SourceFile], path: Path) -> ChunkCounts:
    """Read and clean the files of one chunk and keep the result at `path`, whole or not at all."""
    items = (item for file in files for item in _clean_file(settings, file.path))
    return write_chunk(path, settings.layout, len(files), items)


def _clean_file(settings: Settings, file: str) -> Iterator[Prepared | SetAside]:
    """Every clip of a file, or why it is set aside. Nothing a file holds may stop the work."""
    clips = 0
    path = Path(settings.root, file)
    for name in (path.stem, path.stem.rsplit("_", 1)[0]):  # some files end in _skeleton
        if excluded := _excluded(settings, file, name):
            yield excluded
            return
    try:
        for sequence in io.read(path, None if settings.own else settings.format):
            clips += 1
            yield _clean_clip(settings, file, _complete(sequence, path.stem))
    except OtherSkeleton:
        raise
    except Exception as error:  # a reader's own fault costs one file and is named, not a night's work
        reason = f"after {clips} whole clips, which are kept: " if clips else ""
        if isinstance(error, HalposeError | OSError):
            reason += str(error).removeprefix(f"{path}: ")
        else:
            reason += f"the {settings.format} reader failed: {type(error).__name__}: {error}"
        yield SetAside(file, "no body" if _NO_BODY.search(reason) else "damaged", reason)
    else:
        if not clips:
            yield SetAside(file, "no body", "holds no clip")


def _excluded(settings: Settings, file: str, name: str) -> SetAside | None:
    """Whether a clip is left out by its name."""
    if name in settings.listed:
        return SetAside(file, "listed", "named in the list of missing skeletons", name)
    if name in settings.pruned:
        return SetAside(file, "pruned", settings.pruned[name], name)
    return None


def _clean_clip(settings: Settings, file: str, sequence: Sequence) -> Prepared | SetAside:
    """Clean one clip, or say why it is set aside."""
    name = sequence.name
    if excluded := _excluded(settings, file, name):
        return excluded
    keys = {"style": str(sequence.extra["style"])} if "style" in sequence.extra else {}
    if settings.own:
        sequence, own_keys = settings.own.fit(sequence, file)
        name, keys = sequence.name, keys | own_keys
    joints, channels = sequence.positions.shape[2:]
    if sequence.skeleton.name != settings.layout or channels != settings.channels:
        return SetAside(
            file,
            "damaged",
            f"layout {sequence.skeleton.name} with {joints} joints and {channels} channels; the data set has "
            f"{settings.layout} and {settings.channels} channels",
            name,
        )
    if not -1 <= sequence.label < settings.classes:
        return SetAside(file, "damaged", f"label {sequence.label}, but there are {settings.classes} classes", name)
    if not np.isfinite(sequence.positions).all(axis=-1).any():
        return SetAside(file, "no body", "nobody in any frame: the skeleton is missing", name)
    try:
        clip = clean(sequence, people=settings.people, least_confidence=settings.least_confidence)
    except DataError as error:
        return SetAside(file, "damaged", str(error).removeprefix(f"{name}: "), name)
    except Exception as error:  # as with readers
        return SetAside(file, "damaged", f"cleaning failed: {type(error).__name__}: {error}", name)
    largest = float(np.nanmax(np.abs(clip.positions)))
    if largest > settings.largest:
        return SetAside(file, "damaged", f"coordinate {largest:g} does not fit the store", name)
    return Prepared(clip, file, keys)


def _complete(sequence: Sequence, video: str) -> Sequence:
    """Fill in what names say where the format has no field for it: NTU clips in a pickle, PKU-MMD videos."""
    named = name_fields(sequence.name)
    if named and not sequence.subject:
        return replace(sequence, setup=named["setup"], camera=named["camera"], subject=str(named["subject"]))
    if not sequence.subject:
        return replace(sequence, subject=video_keys(video).get("subject", ""))
    return sequence


def split_keys(prepared: Prepared) -> dict[str, str]:
    """What split rules decide by; the video is the file that a clip was cut from."""
    clip, video = prepared.clip, Path(prepared.file).stem
    return {
        **video_keys(video),
        **prepared.keys,
        "video": video,
        "subject": numbered(clip.subject),
        "camera": str(clip.camera),
        "setup": str(clip.setup),
    }
