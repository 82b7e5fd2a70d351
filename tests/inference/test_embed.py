"""Recordings that come straight from files are embedded as they would be from a prepared store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from halpose import io
from halpose.data.store import Store
from halpose.engine.run import Run, Shape
from halpose.errors import DataError
from halpose.evaluate.features import extract
from halpose.inference.clips import fit, windows
from halpose.inference.embed import Embeddings, embed, load_embeddings, save_embeddings
from halpose.inference.recordings import read_recordings
from halpose.skeleton import Sequence


@pytest.fixture(scope="module")
def run(toy_run: Path) -> Run:
    return Run.load(toy_run)


def kinect25() -> Sequence:
    positions = np.random.default_rng(0).normal(size=(2, 8, 25, 3)).astype(np.float32)
    return Sequence(positions, "kinect25", "anything")


def whole(run: Run, sequences: list[Sequence]) -> Embeddings:
    clips = [fit(sequence, run.shape) for sequence in sequences]
    return Embeddings.join(list(embed(run, (w for clip in clips for w in windows(clip, run.shape.layout)))))


def test_equals_a_prepared_store(run: Run, store: Store, toy_recordings: list[Sequence]) -> None:
    found = whole(run, toy_recordings)
    expected = extract(run.method, store, np.arange(len(store)), run.config.data)
    assert found.names == tuple(store.clips.name)
    np.testing.assert_array_equal(found.vectors, expected)


def test_blocks_do_not_matter(run: Run, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    sequences = list(store)[:7]
    at_once = whole(run, sequences)
    monkeypatch.setattr("halpose.inference.embed._BLOCK", 3)
    np.testing.assert_allclose(whole(run, sequences).vectors, at_once.vectors, atol=1e-5)


def test_windows_cover_a_recording(store: Store) -> None:
    clip = replace(fit(store.clip(0), Shape.of_store(store)), fps=10.0)
    frames = clip.positions.shape[1]
    found = list(windows(clip, store.layout, seconds=1.0, stride=0.4))
    starts = [round(window.start * 10) for window in found]
    assert starts == [*range(0, frames - 10, 4), frames - 10]
    assert {window.clip.positions.shape[1] for window in found} == {10}
    for start, window in zip(starts, found, strict=True):
        np.testing.assert_array_equal(window.clip.positions, clip.positions[:, start : start + 10])
        np.testing.assert_array_equal(window.clip.origin, clip.positions[0, start, store.layout.centre])
    assert found[-1].end == pytest.approx(frames / 10)


def test_a_recording_shorter_than_a_window_is_one(store: Store) -> None:
    clip = replace(fit(store.clip(0), Shape.of_store(store)), fps=10.0)
    (window,) = windows(clip, store.layout, seconds=1000.0)
    np.testing.assert_array_equal(window.clip.positions, clip.positions)


def test_windows_need_a_frame_rate(store: Store) -> None:
    clip = replace(fit(store.clip(0), Shape.of_store(store)), fps=0.0)
    with pytest.raises(DataError, match="--fps"):
        list(windows(clip, store.layout, seconds=1.0))


def test_other_layouts_are_mapped_by_name(run: Run, store: Store) -> None:
    sequence = store.clip(0)
    order = np.random.default_rng(0).permutation(len(store.layout))
    table = store.layout.to_dict() | {"name": "shuffled"}
    table["joints"] = [store.layout.joints[i] for i in order]
    table["parents"] = [store.layout.joints[store.layout.parents[i]] for i in order]
    shuffled = replace(sequence, positions=sequence.positions[:, :, order], layout=type(store.layout).from_dict(table))
    np.testing.assert_allclose(whole(run, [shuffled]).vectors, whole(run, [sequence]).vectors, atol=1e-5)


def test_a_run_of_3d_refuses_2d(run: Run, store: Store) -> None:
    sequence = store.clip(0)
    with pytest.raises(DataError, match="2-D, but the run was trained on 3-D"):
        fit(replace(sequence, positions=sequence.positions[..., :2]), run.shape)


def test_arrays_and_files_are_recordings(tmp_path: Path) -> None:
    sequence = kinect25()
    file = tmp_path / "nested" / "S001C001P001R001A001.skeleton"
    file.parent.mkdir()
    io.write(file, [sequence], "ntu")
    array, many, from_file, from_folder = read_recordings(
        [sequence.positions[0], sequence.positions, file, tmp_path], fps=24.0
    )
    assert array.positions.shape == (1, *sequence.positions.shape[1:]) and array.fps == 24.0
    np.testing.assert_array_equal(many.positions, sequence.positions)
    np.testing.assert_array_equal(from_file.positions, sequence.positions)
    assert from_file.fps == 30.0
    assert from_folder.name == from_file.name


def test_what_is_no_recording_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="recording 0: an array of"):
        list(read_recordings([np.zeros((3, 4))]))
    with pytest.raises(DataError, match="7 joints, and no layout"):
        list(read_recordings([np.zeros((3, 7, 3))]))
    with pytest.raises(DataError, match="the folder is empty"):
        list(read_recordings([tmp_path]))
    (tmp_path / "a.skeleton").write_text("nothing of it")
    io.write(tmp_path / "b.skeleton", [kinect25()], "ntu")
    told: list[tuple[str, str]] = []
    (found,) = read_recordings([tmp_path], set_aside=lambda file, reason: told.append((file.name, reason)))
    assert found.name == "b"
    assert [name for name, _ in told] == ["a.skeleton"] and "a.skeleton" not in told[0][1]


def test_kept_embeddings_are_the_same(run: Run, store: Store, tmp_path: Path) -> None:
    found = whole(run, list(store)[:3])
    save_embeddings(tmp_path / "a.npz", found)
    again = load_embeddings(tmp_path / "a.npz")
    np.testing.assert_array_equal(again.vectors, found.vectors)
    assert (again.names, again.about) == (found.names, found.about)
    with pytest.raises(DataError, match=r"\.npz or \.parquet"):
        save_embeddings(tmp_path / "a.csv", found)
    (tmp_path / "b.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match="no embeddings"):
        load_embeddings(tmp_path / "b.npz")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def test_parquet_holds_what_npz_does(run: Run, store: Store, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    found = whole(run, list(store)[:3])
    save_embeddings(tmp_path / "a.parquet", found)
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table["name"].to_pylist() == list(found.names)
    np.testing.assert_array_equal(np.array(table["vector"].to_pylist(), np.float32), found.vectors)
