"""Search: which recordings move most like one, by the cosine of their embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.errors import ConfigError, DataError
from halpose.evaluate.base import Progress, silent
from halpose.evaluate.features import chosen_streams
from halpose.evaluate.knn import neighbours
from halpose.inference.embed import Embeddings, embed, embed_store, made_by
from halpose.inference.embedding_file import load_embeddings
from halpose.inference.sources import Reading, is_store, source_windows

Across = Literal["", "subject"]
Finder = Callable[[Float[np.ndarray, "q d"], int], tuple[Int[np.ndarray, "q k"], Float[np.ndarray, "q k"]]]
"""Gives the k most similar rows of an index for each query, most similar first, and the cosines."""

_SUGGESTED_AMONG = 100_000  # names that are compared with one that is not there


@dataclass(frozen=True)
class Neighbour:
    """One answer to a query.

    Attributes:
        rank: from 1.
        row: in the index.
        cosine: similarity to the query, between -1 and 1.
        name: of the recording.
        label: name of its class, "" if nobody gave one.
        subject: who moves, "" if not known.
        start: seconds from the beginning of the recording; NaN if its frame rate is not known.
        end: likewise.
        source: file or store.
    """

    rank: int
    row: int
    cosine: float
    name: str
    label: str
    subject: str
    start: float
    end: float
    source: str


def open_index(run: Run, path: Path, streams: Sequence[str] = (), progress: Progress = silent) -> Embeddings:
    """What is searched: a prepared store, embedded on the spot or from an earlier call, or a file of embeddings.

    Args:
        run: on the device where it was loaded.
        path: a store, or what `halpose embed` made with this run.
        streams: of the run; of a file, those that it was made with.
        progress: told how many clips are embedded.

    Raises:
        DataError: the file holds no embeddings, or they are of another run, step or streams.
    """
    if is_store(path):
        return embed_store(run, Store.open(path), streams, progress=progress)
    index = load_embeddings(path)
    made = tuple(map(str, index.about.get("streams", ())))
    check_maker(run, index, str(path), streams or [name for name in made if name in run.method.stream_table()])
    return index


def check_maker(run: Run, embeddings: Embeddings, what: str, streams: Sequence[str] = ()) -> None:
    """Whether embeddings are of a run as it is now: those of other weights have as many numbers and mean others.

    Args:
        run: that is to search, or to ask.
        embeddings: of `embed`, or from a file.
        what: they are, for the message.
        streams: that are compared; all of the run's when empty.

    Raises:
        DataError: they are of another run, step or streams.
    """
    wanted, about = chosen_streams(run, streams), embeddings.about
    if made_by(run, run.method, wanted)["weights"] != about.get("weights"):
        raise DataError(
            f"{what}: made by {about.get('run', 'another run')}, step {about.get('step', '?')}, streams "
            f"{', '.join(map(str, about.get('streams', ()))) or '?'}, and not by {run.path}, step {run.step}, "
            f"{', '.join(wanted)}: their vectors have nothing in common; search with that run, or embed again with "
            "this one"
        )


def find_query(run: Run, index: Embeddings, query: str, reading: Reading | None = None) -> Embeddings:
    """What is looked for: a recording's file, embedded and cut as the index was, or a recording of the index by name.

    Args:
        run: that made the index.
        index: of `open_index`.
        query: path of a file, or a name.
        reading: how a file is read; its window and stride are the index's own.

    Raises:
        DataError: it is neither, or cannot be embedded.
    """
    path = Path(query)
    if path.is_file() or (path.is_dir() and not is_store(path)):
        given = reading or Reading()
        window, stride = (float(index.about.get(key) or 0.0) for key in ("window", "stride"))
        as_index = Reading(given.layout, given.format, given.fps, window, stride)
        return Embeddings.join(list(embed(run, source_windows(path, run, as_index), index.about["streams"])))
    rows = np.flatnonzero(np.array([name == query for name in index.names]))
    if not len(rows):
        near = get_close_matches(query, index.names[:_SUGGESTED_AMONG], n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are names such as {index.names[0]}"
        raise DataError(f"{query}: neither a file nor a recording of the index; {hint}")
    return index.rows(rows)


def search(
    queries: Embeddings,
    index: Embeddings,
    k: int = 5,
    *,
    across: Across = "",
    finder: Finder | None = None,
    itself: bool = False,
) -> list[list[Neighbour]]:
    """The most similar rows of an index for each query.

    Args:
        queries: of the encoder that made the index.
        index: what is searched.
        k: at most so many for each.
        across: `subject` leaves out whoever moves in the query, and recordings that do not say who does.
        finder: how neighbours are found; all are compared if not given.
        itself: whether a recording may find itself, in other windows too.

    Raises:
        ConfigError: k is less than 1, or the dimensions differ.
        DataError: `across` is asked for and nobody says who moves in the query, or nothing is left to search.
    """
    if k < 1:
        raise ConfigError(f"k is {k}; at least 1 neighbour must be asked for")
    if queries.vectors.shape[1] != index.vectors.shape[1]:
        raise ConfigError(f"queries have {queries.vectors.shape[1]} numbers each, the index {index.vectors.shape[1]}")
    names, subjects = np.array(index.names, dtype=object), np.array(index.subjects, dtype=object)
    nobody, out = np.zeros(len(index), dtype=bool), []
    recordings: dict[tuple[str, str], np.ndarray] = {}  # windows of one are left out together
    for row in range(len(queries)):
        recording = queries.sources[row], queries.names[row]
        if not itself and recording not in recordings:
            recordings[recording] = _is_query(*recording, index, names)
        left = recordings.get(recording, nobody)
        out.append(left | _is_of_query(queries, row, subjects) if across == "subject" else left)
    # More are asked for than may be shown: what is left out is passed over.
    most = min(len(index), k + max((int(left.sum()) for left in out), default=0))
    rows, cosines = (finder or exact(index))(queries.vectors, most)
    found = []
    for left, nearest, similar in zip(out, rows, cosines, strict=True):
        kept = [place for place, row in enumerate(nearest) if row >= 0 and not left[row]][:k]
        if not kept:
            raise DataError("nothing is left to search: the index holds the query alone, or its subject alone")
        found.append(
            [_neighbour(index, rank, int(nearest[p]), float(similar[p])) for rank, p in enumerate(kept, start=1)]
        )
    return found


def exact(index: Embeddings, device: str = "cpu") -> Finder:
    """Compares with all, in blocks: memory does not grow with the index."""

    def find(queries: Float[np.ndarray, "q d"], k: int) -> tuple[Int[np.ndarray, "q k"], Float[np.ndarray, "q k"]]:
        rows, cosines = neighbours(queries, index.vectors, k, device=device)
        return rows.cpu().numpy(), cosines.cpu().numpy()

    return find


def _is_query(source: str, name: str, index: Embeddings, names: np.ndarray) -> Bool[np.ndarray, " n"]:
    """Which rows of the index are of the recording that is asked about."""
    # A store names recordings of one's own by their paths, files name them by the last part of it.
    called = _names_of(source, name)
    found: np.ndarray = np.isin(names, [*called, name.rpartition("/")[2]])
    for other in np.flatnonzero(found):
        theirs = _names_of(index.sources[other], index.names[other])
        found[other] = not called.isdisjoint(theirs) and _is_same(source, index.sources[other])
    return found


def _names_of(source: str, name: str) -> set[str]:
    """What a recording may be called: as it is, and in a store by where its file lies, from any folder above it."""
    if not _is_file(source):
        return {name}
    file = Path(source).with_suffix("")
    parts = (*file.parts[1:], *([] if name == file.name else [name]))
    return {name, *("/".join(parts[at:]) for at in range(len(parts)))}


def _is_of_query(queries: Embeddings, row: int, subjects: np.ndarray) -> Bool[np.ndarray, " n"]:
    """Which rows of the index are, or may be, of whoever moves in the query."""
    subject = queries.subjects[row]
    if not subject:
        raise DataError(f"{queries.names[row]}: it is not known who moves, so that others cannot be told apart")
    found: np.ndarray = (subjects == subject) | (subjects == "")
    return found


def _is_same(source: str, other: str) -> bool:
    """Whether recordings of one name are one: not if they are two files; a store may hold what is also a file."""
    return source == other or not (_is_file(source) and _is_file(other))


def _is_file(source: str) -> bool:
    """Whether it is a recording's file, or the folder of one that has a file for each frame."""
    path = Path(source)
    return bool(source) and path.exists() and not is_store(path)


def _neighbour(index: Embeddings, rank: int, row: int, cosine: float) -> Neighbour:
    start, end = float(index.starts[row]), float(index.ends[row])
    return Neighbour(
        rank, row, cosine, index.names[row], index.labels[row], index.subjects[row], start, end, index.sources[row]
    )
