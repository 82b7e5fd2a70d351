"""Files, folders of them and prepared stores as clips that a run's encoder takes, and the embeddings of all of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from halpose.data.store import Store
from halpose.data.store_files import META
from halpose.engine.distributed import Launch, join
from halpose.engine.run import Run
from halpose.errors import ConfigError, DataError
from halpose.evaluate.base import Progress, silent
from halpose.evaluate.features import Precision, chosen_streams, product_type
from halpose.evaluate.transfer import as_input
from halpose.inference.clips import Window, recording_windows, store_clip, windows
from halpose.inference.embed import Embeddings, class_name, embed
from halpose.inference.embedding_file import check_ending, save_embeddings
from halpose.inference.recordings import find_recordings, read_recordings
from halpose.parts.ranks import ALONE, Ranks

SetAside = tuple[str, str]
"""What could not be embedded, and why."""

_NAMED = 3  # of what was set aside, in a message


@dataclass(frozen=True)
class Reading:
    """How recordings are read and cut.

    Attributes:
        layout: joint layout of files that do not name their joints: a name, or a `.toml` file.
        format: of the files; found out by itself if not given.
        fps: frames per second where a recording does not say.
        window: length of a window in seconds; 0 for whole recordings.
        stride: from the start of one window to that of the next; 0 for as long as a window.
    """

    layout: str | None = None
    format: str | None = None
    fps: float = 0.0
    window: float = 0.0
    stride: float = 0.0

    def __post_init__(self) -> None:
        if self.stride and not self.window:
            raise ConfigError("--stride is from one window to the next; say how long a window is: --window 2s")


@dataclass(frozen=True)
class Embedded:
    """What `embed_sources` came to.

    Attributes:
        out: the file.
        vectors: how many it holds.
        dimension: of each.
        recordings: how many recordings they are of.
        set_aside: what could not be embedded, with reasons.
        seconds: wall time.
    """

    out: str
    vectors: int
    dimension: int
    recordings: int
    set_aside: tuple[SetAside, ...]
    seconds: float


def find_sources(paths: Iterable[Path]) -> list[Path]:
    """What there is to read: stores as they are, and every recording in other folders.

    Raises:
        DataError: a path is not there, or a folder is empty.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise DataError(f"{path}: no such file or folder; give recordings, a folder of them, or a prepared store")
        found += [path] if is_store(path) else find_recordings(path)
    return list(dict.fromkeys(found))


def is_store(path: Path) -> bool:
    """Whether a path is a prepared store."""
    return (path / META).is_file()


def source_windows(
    source: Path, run: Run, reading: Reading, set_aside: Callable[[str, str], None] | None = None
) -> Iterator[Window]:
    """The clips of one source, as a run takes them, one after another.

    Args:
        source: a recording, or a prepared store.
        run: whose joints, people and coordinates are wanted.
        reading: how it is read and cut.
        set_aside: told what cannot be embedded and why, and the others go on.

    Raises:
        DataError: something cannot be embedded and nobody is to be told.
    """
    where = str(source.resolve())

    def refuse(error: DataError) -> None:
        if set_aside is None:
            raise error
        set_aside(str(source), str(error).removeprefix(f"{source}: "))

    try:
        clips = _store_clips(source, run, reading) if is_store(source) else _file_clips(source, run, reading, set_aside)
    except DataError as error:
        return refuse(error)
    for label, cut in clips:
        try:
            for window in cut():
                yield replace(window, source=where, label=label)
        except DataError as error:
            refuse(error)


def _store_clips(path: Path, run: Run, reading: Reading) -> Iterable[tuple[str, Callable[[], Iterator[Window]]]]:
    """Labels, and windows of clips that are read when they are called for."""
    store = as_input(run, Store.open(path))[0]

    def cut(clip: int) -> Iterator[Window]:
        return windows(store_clip(store, clip), run.shape.layout, reading.window, reading.stride)

    return ((class_name(store, int(store.clips.label[i])), partial(cut, i)) for i in range(len(store)))


def _file_clips(
    path: Path, run: Run, reading: Reading, set_aside: Callable[[str, str], None] | None
) -> Iterable[tuple[str, Callable[[], Iterator[Window]]]]:
    """Likewise, of a recording's file; the class is known where the file says it in words."""
    aside = None if set_aside is None else lambda file, reason: set_aside(str(file), reason)
    upright = run.upright
    for sequence in read_recordings([path], reading.layout, reading.format, reading.fps, aside):
        label = sequence.extra.get("label", "")
        yield (
            label if isinstance(label, str) else "",
            partial(recording_windows, sequence, run.shape, reading.window, reading.stride, upright),
        )


def embed_sources(
    run: Run,
    sources: Sequence[Path],
    out: Path,
    reading: Reading | None = None,
    streams: Sequence[str] = (),
    progress: Progress = silent,
    launch: Launch | None = None,
    set_aside: Callable[[str, str], None] | None = None,
    precision: Precision = "float32",
) -> Embedded:
    """Embed everything, block by block, into one file.

    Of several processes each takes every world-th source where there are as many, else every world-th block of clips;
    rank 0 writes. Blocks come in another order then than from one process, the same for the same number of processes.

    Args:
        run: on the device where it was loaded.
        sources: of `find_sources`.
        out: `.npz` or `.parquet`.
        reading: how recordings are read and cut.
        streams: of the run; all when empty.
        progress: told how many sources are done.
        launch: this process is one of several that torchrun started, and all of them call this alike.
        set_aside: told at once what cannot be embedded and why; from a thread, like `progress`.
        precision: of the encoders' products.

    Raises:
        DataError: nothing could be embedded, or the file cannot be written.
        ConfigError: the run has no such stream, or there is no such precision.
    """
    begun, reading = time.perf_counter(), reading or Reading()
    check_ending(out)
    chosen_streams(run, streams)
    product_type(precision)
    device = next(run.method.parameters()).device
    with join(launch, device, lambda: f"{out} was not written", again="") as ranks:
        work = _Work(run, sources, reading, streams, ranks, progress, set_aside, precision)
        if not ranks.is_first:
            for _ in work.blocks():
                pass
            return work.outcome(out, begun)
        try:
            save_embeddings(out, work.blocks())
        except DataError as error:
            if work.vectors or not work.aside:
                raise
            raise DataError(_nothing(work.aside)) from error
        return work.outcome(out, begun)


class _Work:
    """One process's part of the embedding, and on rank 0 what all of it came to."""

    def __init__(
        self,
        run: Run,
        sources: Sequence[Path],
        reading: Reading,
        streams: Sequence[str],
        ranks: Ranks,
        progress: Progress,
        set_aside: Callable[[str, str], None] | None,
        precision: Precision,
    ) -> None:
        self.run, self.reading, self.streams, self.ranks = run, reading, streams, ranks
        self.progress, self.told, self.precision = progress, set_aside, precision
        self.is_by_source = len(sources) >= ranks.world
        self.sources = sources[ranks.rank :: ranks.world] if self.is_by_source else sources
        self.aside: list[SetAside] = []
        self.vectors = self.dimension = 0
        self.recordings: set[tuple[str, str]] = set()

    def blocks(self) -> Iterator[Embeddings]:
        """Blocks of all processes on rank 0, round by round; none elsewhere."""
        about = {"window": self.reading.window, "stride": self.reading.stride}
        shared = ALONE if self.is_by_source else self.ranks
        own = embed(self.run, self._windows(), self.streams, about=about, ranks=shared, precision=self.precision)
        while True:
            block = next(own, None)
            if not self.ranks.ask(block is not None)():
                break
            for found in self.ranks.gather(block):
                if found is not None:
                    self._count(found)
                    yield found
        every = self.is_by_source or self.ranks.is_first  # else each has read, and set aside, the same
        self.aside = [one for told in self.ranks.gather(self.aside if every else []) for one in told]

    def outcome(self, out: Path, begun: float) -> Embedded:
        """What it came to."""
        seconds = round(time.perf_counter() - begun, 2)
        return Embedded(
            str(out), self.vectors, self.dimension, len(self.recordings), tuple(sorted(self.aside)), seconds
        )

    def _windows(self) -> Iterator[Window]:
        for done, source in enumerate(self.sources):
            self.progress("embed", done, len(self.sources))
            yield from source_windows(source, self.run, self.reading, self._set_aside)
        self.progress("embed", len(self.sources), len(self.sources))

    def _set_aside(self, source: str, reason: str) -> None:
        self.aside.append((source, reason))
        if self.told is not None and (self.is_by_source or self.ranks.is_first):
            self.told(source, reason)

    def _count(self, block: Embeddings) -> None:
        self.vectors += len(block)
        self.dimension = block.vectors.shape[1]
        self.recordings.update(zip(block.sources, block.names, strict=True))


def _nothing(aside: Sequence[SetAside]) -> str:
    named = "; ".join(f"{source}: {reason}" for source, reason in aside[:_NAMED])
    more = f"; and {len(aside) - _NAMED} more" if len(aside) > _NAMED else ""
    return f"nothing could be embedded: {named}{more}"
