"""Embeddings on disk: what is read back is what was written, however it was written; or there is no file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from halpose.errors import DataError
from halpose.inference.embed import TEXTS, Embeddings
from halpose.inference.embedding_file import load_embeddings, save_embeddings

ENDINGS = (".npz", ".parquet")


def made(count: int, seed: int = 0) -> Embeddings:
    rng = np.random.default_rng(seed)
    names = tuple(f"{'long ' * seed}ä{number}" for number in range(count))
    ends = np.where(rng.random(count) < 0.5, np.nan, 2.0)
    return Embeddings(
        rng.normal(size=(count, 5)).astype(np.float32), names, np.zeros(count), ends, {"run": "r", "step": 3},
        names[::-1], ("",) * count, ("s1",) * count,
    )  # fmt: skip


def assert_same(ours: Embeddings, theirs: Embeddings) -> None:
    for name in ("vectors", "starts", "ends"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    for name in (*TEXTS, "about"):
        assert getattr(ours, name) == getattr(theirs, name)


@pytest.fixture(params=ENDINGS)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where to keep embeddings, in each form."""
    if request.param == ".parquet":
        pytest.importorskip("pyarrow")
    return tmp_path / f"kept{request.param}"


def test_blocks_make_the_file_that_all_at_once_make(file: Path) -> None:
    blocks = [made(4, 1), made(0), made(7, 3), made(1, 2)]
    assert save_embeddings(file, iter(blocks)) == 12
    assert_same(load_embeddings(file), Embeddings.join([block for block in blocks if len(block)]))
    assert save_embeddings(file, made(3)) == 3  # replaced
    assert_same(load_embeddings(file), made(3))
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_large_columns_are_mapped(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_embeddings(file, made(9))
    monkeypatch.setattr("halpose.data.store_files.MAPPED_BYTES", 250)
    found = load_embeddings(file)
    assert_same(found, made(9))
    if file.suffix == ".npz":
        assert isinstance(found.vectors.base, np.memmap)
        assert not isinstance(found.starts.base, np.memmap)


def test_nothing_is_left_of_a_file_that_was_not_finished(file: Path) -> None:
    def blocks() -> Iterator[Embeddings]:
        yield made(3)
        raise DataError("the camera fell over")

    save_embeddings(file, made(2))
    with pytest.raises(DataError, match="camera"):
        save_embeddings(file, blocks())
    with pytest.raises(DataError, match="no clip could be embedded"):
        save_embeddings(file, iter([]))
    assert_same(load_embeddings(file), made(2))
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_name_with_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\.npz or \.parquet"):
        save_embeddings(tmp_path / "a.csv", made(2))
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written(file: Path) -> None:
    (file.parent / "taken").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        save_embeddings(file.parent / "taken" / file.name, made(2))


@pytest.mark.parametrize("damage", ["missing", "other bytes", "cut", "other arrays"])
def test_what_holds_no_embeddings(file: Path, damage: str) -> None:
    if damage != "missing":
        save_embeddings(file, made(3))
        data = file.read_bytes()
        file.write_bytes(b"PK" if damage == "other bytes" else data[: len(data) // 2])
    if damage == "other arrays":
        np.savez(file.with_suffix(".npz"), vectors=np.zeros((2, 2)), names=np.array(["a"]))
        file.with_suffix(".npz").replace(file)
    with pytest.raises(DataError, match="no embeddings"):
        load_embeddings(file)


def test_columns_that_disagree_are_no_embeddings(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    save_embeddings(file, made(3))
    with np.load(file) as arrays:
        columns = dict(arrays)
    for name, wrong in (("vectors", columns["vectors"].astype(np.float64)), ("starts", np.zeros(2)), ("about", "[]")):
        np.savez(file, **{**columns, name: wrong})  # type: ignore[arg-type]
        with pytest.raises(DataError, match="no embeddings"):
            load_embeddings(file)
