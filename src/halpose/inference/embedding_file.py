"""Embeddings in a file, written block by block: `.npz`, or `.parquet` for other programs.

`vectors`, `names`, `starts`, `ends`, `sources`, `labels` and `subjects` are arrays with one row an embedding, and
`about` is the JSON of what made them. An `.npz` says how many rows it has before the first of them: so its columns are
spooled into nameless files beside it, and put together at the end. No more than a block is ever held.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from halpose.data.store_columns import write_member
from halpose.data.store_files import DAMAGE, read_member
from halpose.errors import DataError
from halpose.inference.embed import TEXTS, Embeddings
from halpose.whole_file import whole_file

_NUMBERS = ("vectors", "starts", "ends")


def save_embeddings(path: Path, embeddings: Embeddings | Iterable[Embeddings]) -> int:
    """Write embeddings, whole or not at all.

    Args:
        path: ends in `.npz`, or in `.parquet` (extra `parquet`).
        embeddings: at once, or in blocks as they are made.

    Returns:
        How many there were.

    Raises:
        DataError: the file has another ending or cannot be written, or there is nothing to write.
    """
    writer = check_ending(path)
    blocks = (embeddings,) if isinstance(embeddings, Embeddings) else embeddings
    with whole_file(path) as partial:
        written = writer(partial, (block for block in blocks if len(block)))
        if not written:
            Embeddings.join([])
    return written


def check_ending(path: Path) -> Callable[[Path, Iterator[Embeddings]], int]:
    """Whether embeddings can be kept under this name, before anything is computed.

    Returns:
        What writes them there.

    Raises:
        DataError: they cannot.
    """
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        raise DataError(f"{path}: embeddings are kept as .npz or .parquet; end the name so")
    if writer is _write_parquet:
        _pyarrow()
    return writer


def load_embeddings(path: Path) -> Embeddings:
    """The inverse of `save_embeddings`; many vectors of an `.npz` are mapped and not read.

    Raises:
        DataError: the file is missing or holds no embeddings.
    """
    try:
        found = (_read_parquet if path.suffix.lower() == ".parquet" else _read_npz)(path)
        count = len(found["names"])
        sizes = {len(found[name]) for name in (*TEXTS, *_NUMBERS)}
        if sizes != {count} or found["vectors"].ndim != 2 or found["vectors"].dtype != np.float32:
            raise ValueError(f"vectors are {found['vectors'].dtype} {found['vectors'].shape} for {count} names")
        about = json.loads(found.pop("about"))
        if not isinstance(about, dict):
            raise ValueError("it does not say what made them")
        return Embeddings(about=about, **found)
    except DataError:
        raise
    except DAMAGE as error:
        raise DataError(
            f"{path}: no embeddings ({error}); make some with `halpose embed RUN FILES -o {path}`"
        ) from None


class _Column:
    """One column on its way into an archive."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._blocks: list[tuple[int, tuple[int, ...], np.dtype[Any]]] = []

    def append(self, block: np.ndarray) -> None:
        self._blocks.append((len(block), block.shape[1:], block.dtype))
        self._file.write(np.ascontiguousarray(block).tobytes())

    def write(self, archive: zipfile.ZipFile, name: str) -> int:
        """The blocks as one array; texts as wide as the longest. Returns its length."""
        dtype = np.result_type(*(kind for _, _, kind in self._blocks))
        length = sum(count for count, _, _ in self._blocks)
        write_member(archive, name, dtype, (length, *self._blocks[0][1]), self._read(dtype))
        return length

    def _read(self, dtype: np.dtype[Any]) -> Iterator[np.ndarray]:
        self._file.seek(0)
        for count, row, kind in self._blocks:
            data = self._file.read(count * int(np.prod(row, dtype=int)) * kind.itemsize)
            yield np.frombuffer(data, kind).reshape(count, *row).astype(dtype, copy=False)


def _write_npz(path: Path, blocks: Iterator[Embeddings]) -> int:
    with contextlib.ExitStack() as stack:
        spools = {name: stack.enter_context(tempfile.TemporaryFile(dir=path.parent)) for name in (*_NUMBERS, *TEXTS)}
        columns = {name: _Column(spool) for name, spool in spools.items()}
        about = None
        for block in blocks:
            about = json.dumps(dict(block.about)) if about is None else about
            for name, column in columns.items():
                column.append(np.asarray(getattr(block, name)))
        if about is None:
            return 0
        with zipfile.ZipFile(path, "w") as archive:
            lengths = [column.write(archive, name) for name, column in columns.items()]
            write_member(archive, "about", (text := np.array(about)).dtype, (), [text])
    return lengths[0]


def _read_npz(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream, np.lib.npyio.NpzFile(stream, allow_pickle=False) as arrays:
        found: dict[str, Any] = {name: read_member(path, stream, arrays, name) for name in _NUMBERS}
        texts = {name: tuple(map(str, arrays[name].tolist())) for name in TEXTS}
        return {**found, **texts, "about": str(arrays["about"])}


def _write_parquet(path: Path, blocks: Iterator[Embeddings]) -> int:
    pa, pq = _pyarrow()
    written = 0
    with contextlib.ExitStack() as stack:
        writer = None
        for block in blocks:
            width = block.vectors.shape[1]
            if writer is None:
                schema = pa.schema(
                    [
                        ("name", pa.string()), ("start", pa.float64()), ("end", pa.float64()), ("source", pa.string()),
                        ("label", pa.string()), ("subject", pa.string()), ("vector", pa.list_(pa.float32(), width)),
                    ],
                    metadata={"halpose": json.dumps(dict(block.about))},
                )  # fmt: skip
                writer = stack.enter_context(pq.ParquetWriter(path, schema))
            columns = [
                list(block.names), block.starts, block.ends, list(block.sources), list(block.labels),
                list(block.subjects), pa.FixedSizeListArray.from_arrays(pa.array(block.vectors.ravel()), width),
            ]  # fmt: skip
            writer.write_table(pa.table(columns, schema=schema))
            written += len(block)
    return written


def _read_parquet(path: Path) -> dict[str, Any]:
    pa, pq = _pyarrow()
    try:
        table = pq.read_table(path, memory_map=True)
        vectors = table["vector"].combine_chunks()
        values = vectors.flatten().to_numpy(zero_copy_only=False)
        names = {"names": "name", "sources": "source", "labels": "label", "subjects": "subject"}
        return {
            "vectors": values.reshape(len(table), vectors.type.list_size),
            "starts": table["start"].to_numpy(),
            "ends": table["end"].to_numpy(),
            **{name: tuple(table[column].to_pylist()) for name, column in names.items()},
            "about": (table.schema.metadata or {})[b"halpose"].decode(),
        }
    except (pa.ArrowException, AttributeError) as error:
        raise ValueError(error) from None


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DataError("Parquet needs pyarrow: pip install 'halpose[parquet]', or write an .npz") from None
    return pyarrow, pyarrow.parquet


_WRITERS: dict[str, Callable[[Path, Iterator[Embeddings]], int]] = {".npz": _write_npz, ".parquet": _write_parquet}
