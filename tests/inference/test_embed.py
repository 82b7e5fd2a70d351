"""Recordings that come straight from files are embedded as they would be from a prepared store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from halpose import io
from halpose.data.memory import memory_store
from halpose.data.normalise import clean
from halpose.data.store import Store
from halpose.engine.run import Run, Shape
from halpose.errors import ConfigError, DataError
from halpose.evaluate.features import extract
from halpose.evaluate.transfer import as_input
from halpose.inference.clips import fit, recording_windows, seconds_of, store_clip, windows
from halpose.inference.embed import Embeddings, embed, embed_store
from halpose.inference.recordings import read_recordings
from halpose.skeleton import Sequence


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


def test_a_store_is_embedded_from_where_it_lies(run: Run, store: Store) -> None:
    found = embed_store(run, store)
    windowed = Embeddings.join(
        list(embed(run, (w for i in range(len(store)) for w in windows(store_clip(store, i), store.layout))))
    )
    np.testing.assert_array_equal(found.vectors, windowed.vectors)
    assert found.names == windowed.names == tuple(store.clips.name)
    assert found.subjects == windowed.subjects == tuple(store.clips.subject)
    np.testing.assert_allclose(found.ends, store.clips.lengths / 30)
    np.testing.assert_allclose(found.ends, windowed.ends)
    assert found.labels[:3] == tuple(store.classes[i] for i in store.clips.label[:3])


def test_confidence_goes_where_its_joints_go(run: Run, store: Store) -> None:
    sequence = store.clip(0)
    sure = np.random.default_rng(0).uniform(0.2, 1, sequence.positions.shape[:3]).astype(np.float32)
    table = store.layout.to_dict() | {"name": "shuffled"}
    order = np.random.default_rng(1).permutation(len(store.layout))
    table["joints"] = [store.layout.joints[i] for i in order]
    table["parents"] = [store.layout.joints[store.layout.parents[i]] for i in order]
    layout = type(store.layout).from_dict(table)
    shuffled = replace(sequence, positions=sequence.positions[:, :, order], layout=layout, confidence=sure[:, :, order])
    straight = fit(replace(sequence, confidence=sure), run.shape)
    clip = fit(shuffled, run.shape)
    assert straight.confidence is not None and clip.confidence is not None
    np.testing.assert_allclose(clip.confidence, straight.confidence, atol=1e-6)
    first, second = list(windows(clip, store.layout, seconds=0.3))[:2]
    assert first.clip.confidence is not None and second.clip.confidence is not None
    np.testing.assert_array_equal(second.clip.confidence, clip.confidence[:, 9:18])
    # The same of a store, which keeps bytes, and of a store in the other layout.
    kept = memory_store([clean(shuffled, people=2, layout=layout)], layout)
    again = store_clip(as_input(run, kept)[0], 0)
    assert again.confidence is not None
    np.testing.assert_allclose(again.confidence, straight.confidence, atol=1 / 255)
    (vectors,) = embed(run, windows(again, store.layout))
    np.testing.assert_allclose(vectors.vectors, whole(run, [sequence]).vectors, atol=1e-4)


def test_windows_of_a_store_are_those_of_its_clips(run: Run, store: Store) -> None:
    clip = store_clip(store, 3)
    assert np.shares_memory(clip.positions, store.frames)
    for ours, theirs in zip(
        windows(clip, store.layout, 0.5, 0.25), windows(fit(store.clip(3), run.shape), store.layout, 0.5, 0.25),
        strict=True,
    ):  # fmt: skip
        assert (ours.start, ours.end) == (theirs.start, theirs.end)
        for name in ("positions", "origin", "torso_rotation", "scale_first"):
            np.testing.assert_array_equal(getattr(ours.clip, name), getattr(theirs.clip, name))


def test_seconds_are_counted_from_where_the_recording_begins(run: Run, store: Store) -> None:
    sequence = store.clip(0)
    late = replace(
        sequence,
        confidence=None,
        positions=np.pad(sequence.positions, [(0, 0), (15, 4), (0, 0), (0, 0)], constant_values=np.nan),
    )
    (whole,) = windows(fit(late, run.shape), store.layout)
    assert (whole.start, whole.end) == (0.5, pytest.approx(0.5 + sequence.frames / 30))
    first = next(windows(fit(late, run.shape), store.layout, 0.2, 0.1))
    assert (first.start, first.end) == (0.5, pytest.approx(0.7))


@pytest.mark.parametrize(
    ("text", "seconds"), [("2s", 2.0), ("2", 2.0), ("500ms", 0.5), (".5 S", 0.5), ("1.5min", 90.0)]
)
def test_durations(text: str, seconds: float) -> None:
    assert seconds_of(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "0", "-2s", "2m3s", "1e400", "nan", "inf", "two"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ConfigError, match="write 2s, 0.5s or 500ms"):
        seconds_of(text)


def test_embeddings_say_what_made_them(run: Run, store: Store) -> None:
    trained, other = embed_store(run, store, ["joint"]).about, embed_store(run, store, ["joint"], "untrained").about
    assert trained["streams"] == ["joint"] and trained["step"] == 4
    assert trained["weights"] != other["weights"]
    assert trained["weights"] == embed_store(run, store, ["joint"]).about["weights"]
    with pytest.raises(ConfigError, match="no stream named 'bone'"):
        embed_store(run, store, ["bone"])


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


@pytest.mark.parametrize("seconds, stride", [(1.0, 0.3), (1.0, 0.0), (0.5, 2.0)])
def test_a_long_recording_is_cut_as_if_it_were_cleaned_whole(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch, seconds: float, stride: float
) -> None:
    walk = np.random.default_rng(0).normal(size=(1, 500, 20, 3)).cumsum(axis=1).astype(np.float32) / 10
    long = Sequence(walk, "kinect20", "day", fps=30.0)
    whole = list(windows(fit(long, run.shape), run.shape.layout, seconds, stride))
    cleaned: list[int] = []
    monkeypatch.setattr("halpose.inference.clips.PART", 4.0)
    monkeypatch.setattr(
        "halpose.inference.clips.fit", lambda stretch, shape: cleaned.append(stretch.frames) or fit(stretch, shape)
    )
    parts = list(recording_windows(long, run.shape, seconds, stride))
    assert len(cleaned) > 3 and max(cleaned) < 4.5 * 30 + seconds * 30
    np.testing.assert_allclose([[one.start, one.end] for one in parts], [[one.start, one.end] for one in whole])
    for ours, theirs in zip(parts, whole, strict=True):
        np.testing.assert_allclose(ours.clip.positions, theirs.clip.positions, atol=1e-6)


def test_a_long_recording_goes_on_where_somebody_comes_back(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("halpose.inference.clips.PART", 2.0)
    positions = np.random.default_rng(0).normal(size=(1, 600, 20, 3)).astype(np.float32)
    positions[:, 100:400] = np.nan  # nobody, for whole parts
    long = Sequence(positions, "kinect20", "day", fps=30.0)
    found = list(recording_windows(long, run.shape, 1.0))
    starts = np.array([one.start for one in found])
    assert (np.diff(starts) > 0).all() and starts[0] == 0 and found[-1].end == pytest.approx(20.0)
    assert not ((starts > 4) & (starts < 12)).any() and ((starts >= 13) & (starts <= 19)).sum() >= 6
    gone = replace(long, positions=np.full_like(positions, np.nan))
    with pytest.raises(DataError):
        list(recording_windows(gone, run.shape, 1.0))
