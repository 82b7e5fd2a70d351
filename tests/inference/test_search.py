"""Search finds what a loop over all cosines finds, without the query itself and whom it is asked to leave out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.errors import ConfigError, DataError
from halpose.evaluate.features import PRECISIONS
from halpose.inference.approximate import approximate
from halpose.inference.embed import Embeddings, embed_store
from halpose.inference.embedding_file import save_embeddings
from halpose.inference.search import find_query, open_index, search
from halpose.inference.sources import Reading, embed_sources, find_sources


def some(count: int = 60, dimension: int = 6, seed: int = 0) -> Embeddings:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, dimension)).astype(np.float32)
    return Embeddings(
        vectors, tuple(f"clip{i}" for i in range(count)), np.zeros(count), np.ones(count), {},
        ("store",) * count, tuple(f"class {i % 3}" for i in range(count)), tuple(f"s{i % 4}" for i in range(count)),
    )  # fmt: skip


def cosines(query: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    query, vectors = query.astype(np.float64), vectors.astype(np.float64)
    return vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)


@pytest.mark.parametrize("across", ["", "subject"])
def test_neighbours_are_those_of_a_loop(across: str) -> None:
    index = some()
    queries = index.rows(np.array([3, 17]))
    found = search(queries, index, 7, across=across)  # type: ignore[arg-type]
    for row, neighbours in zip((3, 17), found, strict=True):
        similar = cosines(index.vectors[row], index.vectors)
        allowed = [i for i in range(60) if i != row and (not across or i % 4 != row % 4)]
        expected = sorted(allowed, key=lambda i: -similar[i])[:7]  # noqa: B023
        assert [one.row for one in neighbours] == expected
        assert [one.rank for one in neighbours] == list(range(1, 8))
        np.testing.assert_allclose([one.cosine for one in neighbours], similar[expected], atol=1e-6)
        first = neighbours[0]
        assert (first.name, first.label, first.subject) == (
            f"clip{expected[0]}", f"class {expected[0] % 3}", f"s{expected[0] % 4}",
        )  # fmt: skip


def test_whoever_may_be_the_same_person_is_left_out() -> None:
    index = replace(some(), subjects=tuple(("s0", "s1", "")[i % 3] for i in range(60)))
    (found,) = search(index.rows(np.array([3])), index, 60, across="subject")
    assert sorted(one.row for one in found) == list(range(1, 60, 3))


def test_no_window_of_the_query_is_its_neighbour() -> None:
    index = replace(some(), names=tuple(f"clip{i // 10}" for i in range(60)))
    (found,) = search(index.rows(np.array([25])), index, 100)
    assert sorted(one.row for one in found) == [i for i in range(60) if i // 10 != 2]
    (found,) = search(index.rows(np.array([25])), index, 100, itself=True)
    assert len(found) == 60 and found[0].row == 25


def test_two_files_of_one_name_are_two_recordings(tmp_path: Path) -> None:
    for name in ("a.bvh", "b.bvh"):
        (tmp_path / name).write_text("")
    index = some(3)
    index = replace(index, names=("same",) * 3, sources=(str(tmp_path / "a.bvh"), str(tmp_path / "b.bvh"), "store"))
    (found,) = search(index.rows(np.array([0])), index)
    assert [one.row for one in found] == [1]  # the clip of that name in a store may have been made of the file


def test_a_store_of_ones_own_names_recordings_by_their_paths(tmp_path: Path) -> None:
    """Neither way does a recording find itself; those of its name in other folders are others."""
    files = [tmp_path / name for name in ("walk/take1.bvh", "run/take1.bvh", "run/all.npz", "old/run/take1.bvh")]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    in_files = replace(
        some(4), names=("take1", "take1", "clip7", "take1"), sources=tuple(str(file) for file in files)
    )  # fmt: skip
    in_store = replace(in_files, names=("walk/take1", "run/take1", "run/all/clip7", "old/run/take1"),
                       sources=("store",) * 4)  # fmt: skip
    alike = [{0}, {1}, {2}, {1, 3}]  # of a store of the folder `old` alone, run/take1 would be the last
    for queries, index in ((in_files, in_store), (in_store, in_files)):
        for row, neighbours in enumerate(search(queries, index, 4)):
            same = alike[row] if queries is in_files else {at for at, those in enumerate(alike) if row in those}
            assert {one.row for one in neighbours} == set(range(4)) - same


def test_what_cannot_be_searched() -> None:
    index = some(4)
    one = index.rows(np.array([0]))
    with pytest.raises(ConfigError, match="k is 0"):
        search(one, index, 0)
    with pytest.raises(ConfigError, match="3 numbers each, the index 6"):
        search(some(1, 3), index)
    with pytest.raises(DataError, match="clip0: it is not known who moves"):
        search(replace(one, subjects=("",)), index, across="subject")
    with pytest.raises(DataError, match="nothing is left"):
        search(one, one)
    assert len(search(one, index, 99)[0]) == 3


def test_a_store_finds_what_its_embeddings_find(run: Run, toy_store: Path, tmp_path: Path) -> None:
    embed_sources(run, find_sources([toy_store]), tmp_path / "a.npz")
    answers = []
    for path in (toy_store, tmp_path / "a.npz"):
        index = open_index(run, path)
        answers.append(search(find_query(run, index, "s3_take04"), index, 3))
    for ours, theirs in zip(*(found[0] for found in answers), strict=True):
        assert (ours.row, ours.label, ours.source) == (theirs.row, theirs.label, theirs.source)
        assert ours.cosine == pytest.approx(theirs.cosine, abs=1e-5)


def test_an_index_of_another_precision_gives_the_cosines_of_its_own(run: Run, toy_store: Path, tmp_path: Path) -> None:
    found = []
    for precision in PRECISIONS:
        file = tmp_path / f"{precision}.npz"
        embed_sources(run, [toy_store], file, precision=precision)
        found.append(open_index(run, file))
    full, lower = found
    for row, ours in enumerate(search(full.rows(np.arange(10)), lower, len(full))):
        expected = {one.row: one.cosine for one in search(full.rows(np.array([row])), full, len(full))[0]}
        assert {one.row for one in ours} == set(expected)
        assert max(abs(one.cosine - expected[one.row]) for one in ours) < 0.01


def test_a_file_is_cut_as_the_index_was(run: Run, folder: Path, tmp_path: Path) -> None:
    embed_sources(run, find_sources([folder]), tmp_path / "a.npz", Reading(window=0.8, stride=0.4), ["motion"])
    index = open_index(run, tmp_path / "a.npz")
    file = folder / "second" / "S001C001P003R001A001.skeleton"
    query = find_query(run, index, str(file))
    rows = [i for i, name in enumerate(index.names) if name == file.stem]
    np.testing.assert_allclose(query.vectors, index.vectors[rows], atol=1e-5)
    np.testing.assert_array_equal(query.starts, index.starts[rows])
    for neighbours in search(query, index, 9):
        assert file.stem not in {one.name for one in neighbours}


def test_what_is_no_query(run: Run, toy_store: Path, folder: Path) -> None:
    index = open_index(run, toy_store)
    with pytest.raises(DataError, match="did you mean .*s3_take04"):
        find_query(run, index, "s3_take4")
    with pytest.raises(DataError, match=r"P001R001A001\.skeleton"):
        find_query(run, index, str(folder / "first" / "S001C001P001R001A001.skeleton"))


def test_embeddings_of_another_encoder_are_refused(run: Run, toy_store: Path, tmp_path: Path) -> None:
    store = Store.open(toy_store)
    save_embeddings(tmp_path / "other.npz", embed_store(run, store, kind="untrained"))
    save_embeddings(tmp_path / "joint.npz", embed_store(run, store, ["joint"]))
    with pytest.raises(DataError, match="nothing in common"):
        open_index(run, tmp_path / "other.npz")
    with pytest.raises(DataError, match="streams joint, and not by .* motion"):
        open_index(run, tmp_path / "joint.npz", ["motion"])
    assert open_index(run, tmp_path / "joint.npz").about["streams"] == ["joint"]


@pytest.mark.filterwarnings("ignore:builtin type:DeprecationWarning")
def test_the_approximate_search_finds_nearly_all(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    index = some(3000, 24)
    queries = index.rows(np.arange(100))
    save_embeddings(tmp_path / "a.npz", index)
    exact = search(queries, index, 10)
    near = search(queries, index, 10, finder=approximate(index, tmp_path / "a.npz"))
    pairs = [({one.row for one in a}, {one.row for one in b}) for a, b in zip(exact, near, strict=True)]
    assert np.mean([len(a & b) / 10 for a, b in pairs]) > 0.95
    for row, neighbours in enumerate(near):
        similar = cosines(index.vectors[row], index.vectors)
        np.testing.assert_allclose(
            [one.cosine for one in neighbours], similar[[one.row for one in neighbours]], atol=1e-5
        )


@pytest.mark.filterwarnings("ignore:builtin type:DeprecationWarning")
def test_the_graph_is_kept_until_the_embeddings_are_newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    index, file = some(50), tmp_path / "a.npz"
    save_embeddings(file, index)
    first = approximate(index, file)(index.vectors, 3)
    built: list[Embeddings] = []
    build = __import__("halpose.inference.approximate", fromlist=["_build"])._build
    monkeypatch.setattr("halpose.inference.approximate._build", lambda faiss, of: built.append(of) or build(faiss, of))
    again = approximate(index, file)(index.vectors, 3)
    np.testing.assert_array_equal(first[0], again[0])
    assert not built
    other = some(51)
    approximate(other, file)
    (tmp_path / "a.npz.faiss").write_bytes(b"nothing")
    approximate(index, file)
    assert [len(one) for one in built] == [51, 50]
    moved = some(50, seed=1)  # over the file, and older than the graph of those before
    approximate(moved, file)
    assert built[-1] is moved
    near = search(moved, moved, 1, finder=approximate(moved, file), itself=True)
    assert [one.row for (one,) in near] == list(range(50)) and len(built) == 3
    approximate(index, tmp_path / "absent" / "a.npz")  # where nothing can be kept
    assert built[-1] is index and not (tmp_path / "absent").exists()
    with pytest.raises(DataError, match="not finite"):
        approximate(replace(index, vectors=np.full_like(index.vectors, np.nan)))
