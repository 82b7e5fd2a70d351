"""Two processes embed what one does, each a part of it, and the first one writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pair import Pair
from rank_tasks import embedded

from halpose import io
from halpose.inference.embed import Embeddings
from halpose.inference.embedding_file import load_embeddings
from halpose.skeleton import Sequence

pytestmark = pytest.mark.ddp


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.close()


def table(found: Embeddings) -> dict[tuple[str, float, str], np.ndarray]:
    rows = zip(found.names, found.starts.tolist(), found.labels, found.vectors, strict=True)
    return {(name, start, label): vector for name, start, label, vector in rows}


@pytest.mark.parametrize("window", [0.0, 0.3])
def test_blocks_of_one_store_are_shared(
    pair: Pair, toy_run: Path, toy_store: Path, tmp_path: Path, window: float
) -> None:
    first, second = pair(embedded, toy_run, [toy_store], tmp_path / "two.npz", window)
    alone = embedded(None, toy_run, [toy_store], tmp_path / "one.npz", window)
    assert (first.vectors, first.recordings) == (alone.vectors, alone.recordings) and second.vectors == 0
    # Blocks are shared whole and gathered in their order: nothing differs at all.
    assert (tmp_path / "two.npz").read_bytes() == (tmp_path / "one.npz").read_bytes()


def test_files_are_shared(pair: Pair, toy_run: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"S001C001P00{number}R001A001.skeleton" for number in range(5)]
    for number, file in enumerate(files):
        positions = np.random.default_rng(number).normal(size=(1, 30, 25, 3)).astype(np.float32)
        io.write(file, [Sequence(positions, "kinect25", file.stem)], "ntu")
    for file in files[1:3]:
        file.write_text("nothing")
    first, _ = pair(embedded, toy_run, files, tmp_path / "two.npz", 0.0)
    alone = embedded(None, toy_run, files, tmp_path / "one.npz", 0.0)
    assert first.set_aside == alone.set_aside and len(alone.set_aside) == 2
    ours, theirs = (table(load_embeddings(tmp_path / name)) for name in ("two.npz", "one.npz"))
    assert ours.keys() == theirs.keys() and len(ours) == 3
    for key, vector in ours.items():
        np.testing.assert_allclose(vector, theirs[key], atol=1e-5)
