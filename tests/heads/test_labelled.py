"""Labels find their recordings by name, or it is said which do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.errors import ConfigError, DataError
from halpose.evaluate.features import extract
from halpose.heads.labelled import labelled_files, labelled_store
from halpose.inference.sources import Reading
from halpose.skeleton import Sequence


@pytest.fixture(scope="module")
def run(toy_run: Path) -> Run:
    return Run.load(toy_run)


@pytest.fixture
def folder(toy_recordings: list[Sequence], tmp_path: Path) -> Path:
    """Six recordings, two of them further down; a table beside them."""
    for number, sequence in enumerate(toy_recordings[:6]):
        file = tmp_path / ("far" if number > 3 else ".") / f"{sequence.name}.npy"
        file.parent.mkdir(exist_ok=True)
        np.save(file, sequence.positions)
    return tmp_path


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(("file,label,subject,split", *lines)) + "\n", encoding="utf-8")
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.npy"))


def test_a_store_brings_its_own_labels(run: Run, store: Store) -> None:
    clips = labelled_store(run, store)
    np.testing.assert_array_equal(clips.labels, store.clips.label)
    np.testing.assert_array_equal(np.flatnonzero(clips.is_test), store.part("x-sub", "test"))
    assert clips.subjects == tuple(store.clips.subject) and clips.classes == store.classes
    expected = extract(run.method, store, np.arange(len(store)), run.config.data)
    np.testing.assert_allclose(clips.vectors, expected, atol=1e-6)


def test_a_table_names_clips_of_a_store(run: Run, store: Store, tmp_path: Path) -> None:
    clips = [str(name) for name in store.clips.name[:4]]
    table = write(
        tmp_path / "l.csv", f"{clips[2]},up,,", f"{clips[0]},down,anna,test", f"{clips[3]},up,,", f"{clips[1]},,,"
    )
    found = labelled_store(run, store, table, ("motion",))
    assert (found.names, found.classes) == ((clips[0], clips[2], clips[3]), ("down", "up"))
    assert found.labels.tolist() == [0, 1, 1] and found.is_test.tolist() == [True, False, False]
    assert found.subjects == ("anna", str(store.clips.subject[2]), str(store.clips.subject[3]))
    assert found.vectors.shape == (3, 16)
    with pytest.raises(DataError, match=r"2 of its 3 names are not there: 'x', 'y'; .*look like 's1_take00'"):
        labelled_store(run, store, write(table, f"{clips[0]},up,,", "x,up,,", "y,down,,"))


def test_a_table_names_files_in_its_folder_or_elsewhere(run: Run, folder: Path, store: Store) -> None:
    far, near = names(folder)[0], names(folder)[-1]
    assert far.startswith("far/")
    lines = (f"{far},up,a,", f"{near.removesuffix('.npy')},down,b,test")
    beside = labelled_files(run, write(folder / "labels.csv", *lines))
    elsewhere = labelled_files(run, write(folder.parent / "labels.csv", *lines), [folder])
    for found in (beside, elsewhere):
        assert (found.classes, sorted(found.subjects)) == (("down", "up"), ["a", "b"])
        order = [found.subjects.index(who) for who in "ab"]
        assert found.labels[order].tolist() == [1, 0] and found.is_test[order].tolist() == [False, True]
        rows = [list(store.clips.name).index(Path(name).stem) for name in (far, near)]
        expected = extract(run.method, store, np.array(rows), run.config.data)
        np.testing.assert_allclose(found.vectors[order], expected, atol=1e-5)
    by_name = labelled_files(run, write(folder.parent / "l.csv", f"{Path(far).name},up,,"), [folder])
    np.testing.assert_array_equal(by_name.vectors[0], beside.vectors[beside.subjects.index("a")])


def test_what_is_not_there_is_named(run: Run, folder: Path) -> None:
    table = write(
        folder / "labels.csv", "nobody.npy,up,,", f"{names(folder)[-1]},down,,", *(f"f{i},up,," for i in range(9))
    )
    with pytest.raises(DataError, match=r"10 of its 11 names are not there: 'nobody.npy', 'f0', .* and 5 more"):
        labelled_files(run, table)
    with pytest.raises(DataError, match="no such file or folder"):
        labelled_files(run, table, [folder / "gone"])
    with pytest.raises(DataError, match="no file has a label"):
        labelled_files(run, write(folder / "l.csv", f"{names(folder)[-1]},,,"))


def test_a_name_of_two_files_is_refused(run: Run, folder: Path) -> None:
    near = names(folder)[-1]
    (folder / "far" / near).write_bytes((folder / near).read_bytes())
    table = write(folder.parent / "labels.csv", f"{near.removesuffix('.npy')},up,,")
    with pytest.raises(DataError, match=f"may be 'far/{near}', '{near}'; write which, by its path"):
        labelled_files(run, table, [folder])


def test_windows_are_not_learned_from(run: Run, folder: Path) -> None:
    table = write(folder / "l.csv", f"{names(folder)[-1]},up,,")
    with pytest.raises(ConfigError, match="labels are of whole recordings"):
        labelled_files(run, table, [folder], Reading(window=0.5))


def test_a_store_is_given_as_such(run: Run, toy_store: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="give it with --on"):
        labelled_files(run, write(tmp_path / "l.csv", "a,up,,"), [toy_store])


def test_files_that_cannot_be_read_are_set_aside(run: Run, folder: Path) -> None:
    first, second = names(folder)[-2:]
    (folder / first).write_bytes(b"\x93NUMPY nothing of it")
    told: list[str] = []
    table = write(folder / "labels.csv", f"{second},up,,")
    found = labelled_files(run, table, [folder], set_aside=lambda source, reason: told.append(source))
    assert found.names and told == [str(folder / first)]
