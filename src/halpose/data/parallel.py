"""Making chunks in several processes, and going on where a killed run left off."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path

from halpose.data.chunk_files import ChunkCounts
from halpose.data.chunks import Settings, make_chunk
from halpose.data.source import SourceFile
from halpose.errors import DataError
from halpose.processes import pool

_MANIFEST = "manifest"
Chunk = tuple[SourceFile, ...]


@dataclass(frozen=True)
class Progress:
    """How far the work is: files read of all files, clips found, files and clips set aside."""

    done: int
    files: int
    clips: int
    set_aside: int


def chunk_path(partial: Path, at: int) -> Path:
    """Where the chunk of a number is kept."""
    return partial / f"chunk-{at:06d}.zip"


def claim(partial: Path, fingerprint: str, chunks: int) -> int:
    """Make the folder of chunks ours, keeping what an interrupted run of the same work left in it.

    Returns:
        How many chunks are there already.

    Raises:
        DataError: there is a folder of that name which halpose did not make.
    """
    manifest = partial / _MANIFEST
    if partial.exists():
        if not manifest.is_file() and any(partial.iterdir()):
            raise DataError(f"{partial}: in the way, and not left by halpose; move it or choose another output")
        if manifest.is_file() and manifest.read_text() == fingerprint:
            return sum(chunk_path(partial, at).is_file() for at in range(chunks))
        shutil.rmtree(partial)
    try:
        partial.mkdir(parents=True)
        passing = partial / f".{_MANIFEST}"
        passing.write_text(fingerprint)
        os.replace(passing, manifest)
    except OSError as error:
        raise DataError(f"{partial}: cannot be written ({error.strerror or error}); choose another output") from None
    return 0


def make_chunks(
    settings: Settings,
    chunks: list[Chunk],
    partial: Path,
    workers: int,
    progress: Callable[[Progress], None] | None,
) -> None:
    """Make the chunks that are not there yet, and report each as it comes."""
    files, done, clips, aside = sum(map(len, chunks)), 0, 0, 0
    todo = []
    for at, chunk in enumerate(chunks):
        if chunk_path(partial, at).is_file():
            done += len(chunk)
        else:
            todo.append(at)
    if progress and done:
        progress(Progress(done, files, clips, aside))
    for counts in _run(settings, chunks, todo, partial, min(workers, len(todo))):
        done, clips, aside = done + counts.files, clips + counts.clips, aside + counts.set_aside
        if progress:
            progress(Progress(done, files, clips, aside))


def _run(
    settings: Settings, chunks: list[Chunk], todo: list[int], partial: Path, workers: int
) -> Iterator[ChunkCounts]:
    if workers <= 1:
        for at in todo:
            yield make_chunk(settings, chunks[at], chunk_path(partial, at))
        return
    lost = (
        f"{partial}: a working process died (out of memory, or killed); finished chunks are kept: run the "
        'same command again, with fewer workers. A script must call prepare under `if __name__ == "__main__":`'
    )
    with pool(workers, lost) as processes:
        tasks = [processes.submit(make_chunk, settings, chunks[at], chunk_path(partial, at)) for at in todo]
        for task in as_completed(tasks):
            yield task.result()
