"""Embeddings of recordings, a block of clips at a time: any number of them in memory that does not grow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from halpose.data.memory import memory_store
from halpose.engine.run import Run
from halpose.errors import DataError
from halpose.evaluate.features import extract
from halpose.inference.clips import Window

_BLOCK = 256  # clips that are held and embedded at a time


@dataclass(frozen=True)
class Embeddings:
    """Vectors of recordings, or of windows of them.

    Attributes:
        vectors: (N, D) float32.
        names: of the recordings, as they name themselves.
        starts: (N,) seconds from the beginning of its recording; NaN where the frame rate is not known.
        ends: (N,) likewise.
        about: what made them: run, step, streams.
    """

    vectors: Float[np.ndarray, "n d"]
    names: tuple[str, ...]
    starts: Float[np.ndarray, " n"]
    ends: Float[np.ndarray, " n"]
    about: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    def title(self, index: int) -> str:
        """A name for people: the recording, and where in it."""
        start, end = float(self.starts[index]), float(self.ends[index])
        return self.names[index] if np.isnan(end) else f"{self.names[index]} {start:.2f} to {end:.2f} s"

    @classmethod
    def join(cls, parts: Sequence[Embeddings]) -> Embeddings:
        """Several as one.

        Raises:
            DataError: there are none.
        """
        if not parts:
            raise DataError("no clip could be embedded: nothing was read, or nobody was seen in it")
        return cls(
            np.concatenate([part.vectors for part in parts]),
            tuple(name for part in parts for name in part.names),
            np.concatenate([part.starts for part in parts]),
            np.concatenate([part.ends for part in parts]),
            parts[0].about,
        )


def embed(
    run: Run, windows: Iterable[Window], streams: Sequence[str] = (), kind: str = "trained"
) -> Iterator[Embeddings]:
    """Embeddings of clips, in blocks.

    Args:
        run: whose query encoders are used, on the device where it was loaded.
        windows: clips that the run takes (`halpose.inference.clips`).
        streams: names of the streams whose features stand side by side; all of the run's when empty.
        kind: `trained`, or `untrained` for the same encoder before its first step.
    """
    device = next(run.method.parameters()).device
    method = run.method if kind == "trained" else run.untrained(device)
    about = {"run": str(run.path), "step": run.step, "streams": list(streams or method.stream_table())}
    waiting = iter(windows)
    while block := list(islice(waiting, _BLOCK)):
        store = memory_store([window.clip for window in block], run.shape.layout)
        vectors = extract(method, store, np.arange(len(block)), run.config.data, device, streams or None)
        yield Embeddings(
            vectors,
            tuple(window.clip.name for window in block),
            np.array([window.start for window in block]),
            np.array([window.end for window in block]),
            about,
        )


def save_embeddings(path: Path, embeddings: Embeddings) -> None:
    """Write embeddings, whole or not at all: `.npz`, or `.parquet` with a column of lists (extra `parquet`).

    Raises:
        DataError: the file has another ending, or cannot be written.
    """
    writer = {".npz": _write_npz, ".parquet": _write_parquet}.get(path.suffix.lower())
    if writer is None:
        raise DataError(f"{path}: embeddings are kept as .npz or .parquet; end the name so")
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writer(partial, embeddings)
        partial.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        partial.unlink(missing_ok=True)


def load_embeddings(path: Path) -> Embeddings:
    """The inverse of `save_embeddings`, of an `.npz`.

    Raises:
        DataError: the file is missing or holds no embeddings.
    """
    try:
        with np.load(path, allow_pickle=False) as found:
            return Embeddings(
                np.asarray(found["vectors"], np.float32),
                tuple(map(str, found["names"])),
                np.asarray(found["starts"], np.float64),
                np.asarray(found["ends"], np.float64),
                json.loads(str(found["about"])),
            )
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DataError(
            f"{path}: no embeddings ({error}); make some with `halpose embed RUN FILES -o {path}`"
        ) from None


def _write_npz(path: Path, embeddings: Embeddings) -> None:
    with path.open("wb") as file:
        np.savez(
            file,
            vectors=embeddings.vectors,
            names=np.array(embeddings.names),
            starts=embeddings.starts,
            ends=embeddings.ends,
            about=np.array(json.dumps(embeddings.about)),
        )


def _write_parquet(path: Path, embeddings: Embeddings) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise DataError("Parquet needs pyarrow: pip install 'halpose[parquet]', or write an .npz") from None
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(embeddings.vectors.ravel()), embeddings.vectors.shape[1])
    table = pa.table(
        {"name": list(embeddings.names), "start": embeddings.starts, "end": embeddings.ends, "vector": vectors}
    ).replace_schema_metadata({"halpose": json.dumps(embeddings.about)})
    pq.write_table(table, path)
