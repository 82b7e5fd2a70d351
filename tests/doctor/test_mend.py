"""What can be mended is: a new store is near to the sound recordings, says what was done, and changes nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from faults import exchange_people, exchange_sides, freeze, spike, with_positions

from halpose import io
from halpose.data.normalise import clean
from halpose.data.store import Store, StoreWriter
from halpose.doctor.examine import examine_patients
from halpose.doctor.mend import MENDED, Treatment, mend
from halpose.doctor.mended_store import MendReport, mend_store
from halpose.doctor.patients import find_patients
from halpose.errors import DataError
from halpose.skeleton import Sequence, load_layout

LAYOUT = load_layout("kinect25")
ARM = tuple(
    map(LAYOUT.index, ("left_shoulder", "left_elbow", "left_wrist", "left_hand", "left_hand_tip", "left_thumb"))
)
NOTHING = Treatment()
Clips = list[Sequence]
Mended = tuple[Store, MendReport]


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """The largest between joints of two recordings."""
    return float(np.nanmax(np.linalg.norm(one.astype(np.float64) - other, axis=-1)))


def store_of(path: Path, clips: Clips) -> Path:
    """Recordings as a store, as they are: nothing filled, nobody followed."""
    codes = [2 if at % 4 == 3 else 0 for at in range(len(clips))]
    with StoreWriter(path, layout=LAYOUT, people=2, classes=[f"c{at}" for at in range(12)], synthetic=True) as writer:
        for clip in clips:
            whole = np.full((2, *clip.positions.shape[1:]), np.nan, np.float32)
            whole[: len(clip.positions)] = clip.positions
            kept = clean(with_positions(clip, np.nan_to_num(whole)), people=2, layout=LAYOUT)
            writer.append(replace(kept, positions=whole))
        writer.set_split("mine", np.array(codes))
        writer.provenance["data_set"] = "synthetic recordings"
        writer.provenance["default_split"] = "mine"
    return path


def mended(source: Path, out: Path, **options: object) -> Mended:
    patients = find_patients(source)
    report = mend_store(patients, examine_patients(patients, workers=1), out, workers=1, **options)  # type: ignore[arg-type]
    return Store.open(out), report


def test_sound_recordings_stay_as_they_are(sound: Clips) -> None:
    for clip in sound[:40]:
        same, done = mend(clip, NOTHING)
        assert done == {} and np.array_equal(same.positions, clip.positions, equal_nan=True)


def test_spikes_are_taken_out(alone: Clips) -> None:
    clip = alone[4]
    broken = spike(clip, LAYOUT.index("head"), 30, 2, np.array([1, 1, 0]))
    before = broken.positions.copy()
    out, done = mend(broken, NOTHING)
    assert done == {"joints_despiked": 2} and np.isnan(out.positions).all(axis=-1).sum() == 2
    assert np.array_equal(broken.positions, before)
    assert distance(clean(out, 1).positions, clip.positions) < 0.05 < distance(broken.positions, clip.positions)


def test_stuck_joints_are_taken_out(alone: Clips) -> None:
    clip = alone[4]
    x = clip.positions + np.linspace(0, 1.5, clip.frames)[None, :, None, None] * [1, 0, 0]
    walking = with_positions(clip, x)
    out, done = mend(freeze(walking, ARM[1:], 20, 45), NOTHING)
    assert done == {"joints_unfrozen": 25 * 5}
    assert np.isnan(out.positions[0, 20:45, ARM[1:]]).all() and np.isfinite(out.positions[0, :20]).all()


def test_sides_and_people_are_changed_back(alone: Clips, pairs: Clips) -> None:
    clip = alone[4]
    out, done = mend(exchange_sides(clip, ARM, 20, 40), NOTHING)
    assert done == {"sides_changed_back": 20 * 12} and np.array_equal(out.positions, clip.positions)
    two = pairs[2]
    out, done = mend(exchange_people(two, 25, 50), NOTHING)
    assert done == {"people_changed_back": 2} and np.array_equal(out.positions, two.positions, equal_nan=True)


def test_confidence_changes_back_with_its_joints_and_people(alone: Clips, pairs: Clips) -> None:
    """As if it were one more fault of the recording; where there is none, none is made."""
    for clip, start, end, damage in (
        (alone[4], 20, 40, lambda told: exchange_sides(told, ARM, 20, 40)),
        (pairs[2], 25, 50, lambda told: exchange_people(told, 25, 50)),
    ):
        sure = np.random.default_rng(0).random(clip.positions.shape[:3], np.float32)
        as_if = damage(with_positions(clip, np.repeat(sure[..., None], 3, axis=-1)))
        broken = replace(damage(clip), confidence=as_if.positions[..., 0])
        assert not np.array_equal(as_if.positions[:, start:end, :, 0], sure[:, start:end])
        np.testing.assert_array_equal(mend(broken, NOTHING)[0].confidence, sure)
        assert mend(replace(broken, confidence=None), NOTHING)[0].confidence is None


def test_a_swap_is_not_taken_for_spikes(alone: Clips) -> None:
    out, done = mend(exchange_sides(alone[4], ARM, 20, 23), NOTHING)
    assert set(done) == {"sides_changed_back"} and np.array_equal(out.positions, alone[4].positions)


def test_units_and_axes(alone: Clips) -> None:
    clip = alone[7]
    lying = np.stack([clip.positions[..., 0], -clip.positions[..., 2], clip.positions[..., 1]], axis=-1) * 100
    out, done = mend(with_positions(clip, lying), Treatment("centimetres", "z"))
    assert done == {"clips_made_metres": 1, "clips_turned": 1} and distance(out.positions, clip.positions) < 1e-5


@pytest.fixture
def broken(alone: Clips, pairs: Clips, tmp_path: Path) -> tuple[Path, Clips]:
    """A store of twelve clips with a fault of each kind, and the sound clips."""
    sound = [*alone[:10], pairs[2], alone[10]]
    turned = np.stack([alone[5].positions[..., 0], -alone[5].positions[..., 2], alone[5].positions[..., 1]], axis=-1)
    clips = [
        *sound[:3],
        spike(sound[3], LAYOUT.index("head"), 30, 2, np.ones(3)),
        exchange_sides(sound[4], ARM, 20, 40),
        with_positions(sound[5], turned),
        with_positions(sound[6], sound[6].positions * 1000),
        *sound[7:10],
        exchange_people(sound[10], 25, 50),
        sound[11],
        replace(sound[1], name="copy"),
    ]
    return store_of(tmp_path / "broken", clips), sound


def test_a_store_is_mended(broken: tuple[Path, Clips], tmp_path: Path) -> None:
    source, sound = broken
    before = {file.name: file.read_bytes() for file in source.iterdir()}
    store, report = mended(source, tmp_path / "out")
    assert {file.name: file.read_bytes() for file in source.iterdir()} == before
    assert set(report.mended) == set(MENDED) - {"joints_unfrozen"}
    assert store.clips.name.tolist() == [clip.name for clip in sound] and len(store) == report.clips == 12
    for at, clip in enumerate(sound):
        whole = clean(clip, 2).positions
        assert distance(store.clip(at).positions, whole) < 0.06, clip.name
    assert [(item.kind, item.clip) for item in report.set_aside] == [("duplicate", "copy")]


def test_the_store_says_what_was_done(broken: tuple[Path, Clips], tmp_path: Path) -> None:
    source, _ = broken
    store, report = mended(source, tmp_path / "out")
    said = store.meta["provenance"]["doctor"]
    assert said["mended"] == report.mended and said["of"] == str(source)
    assert store.meta["provenance"]["data_set"] == "synthetic recordings" and store.meta["synthetic"]
    assert store.meta["set_aside"] == 1
    kept = json.loads((tmp_path / "out" / "report.json").read_text())
    assert kept["mended_clips"][store.clips.name[3]] == {"joints_despiked": 2}
    assert set(kept["mended_clips"]) == {store.clips.name[at] for at in (3, 4, 5, 6, 10)}
    assert any("head" in line or "joints that jumped" in line for line in report.summary())


def test_a_mended_store_is_sound(broken: tuple[Path, Clips], tmp_path: Path) -> None:
    source, _ = broken
    mended(source, tmp_path / "out")
    found = examine_patients(find_patients(tmp_path / "out"), workers=1)
    mendable = {check for check, _ in MENDED.values()}
    assert [one for one in found.findings if one.check in mendable and one.severity != "note"] == []
    store = Store.open(tmp_path / "out")
    kept = [at for at in range(13) if at != 12]
    assert store.clips.split["mine"].tolist() == [2 if at % 4 == 3 else 0 for at in kept]
    assert store.classes == tuple(f"c{at}" for at in range(12))


def test_what_is_never_written_over(broken: tuple[Path, Clips], tmp_path: Path) -> None:
    source, _ = broken
    with pytest.raises(DataError, match="never changed"):
        mended(source, source, overwrite=True)
    mended(source, tmp_path / "out")
    with pytest.raises(DataError, match="there is a store already"):
        mended(source, tmp_path / "out")


def test_files_are_mended_into_a_store(
    alone: Clips, tmp_path: Path, write_files: Callable[[Path, Clips], Path]
) -> None:
    folder = write_files(tmp_path / "raw", [*alone[:5], spike(alone[5], LAYOUT.index("head"), 30, 1, np.ones(3))])
    (folder / "cut.skeleton").write_text("40\n1\n")
    store, report = mended(folder, tmp_path / "out")
    assert report.mended == {"joints_despiked": 1} and len(store) == 6
    assert (store.layout.name, store.frames.shape[1], store.clips.fps[0]) == ("kinect25", 1, 30)
    assert "damaged: damaged file" in report.left or "damaged: in no known form" in report.left


def test_files_that_name_their_classes_and_share_a_name(alone: Clips, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for clip, label in zip(alone, ("wave", "kick", "wave", ""), strict=False):
        about = {"label": label} if label else {}
        np.savez(source / f"{clip.name}.npz", positions=clip.positions, layout=LAYOUT.name, **about)
    np.save(source / f"{alone[0].name}.npy", alone[4].positions)  # called as another is, which comes first
    store, report = mended(source, tmp_path / "store")
    said = {name: label for name, label in zip(store.clips.name.tolist(), store.clips.label.tolist(), strict=True)}
    assert store.classes == ("kick", "wave") and len(store) == len(said) == 4
    assert [said[clip.name] for clip in alone[:4]] == [-1, 0, 1, -1]
    (item,) = report.set_aside
    assert (item.file, item.kind) == (f"{alone[0].name}.npz", "name") and f"{alone[0].name}.npy" in item.reason


def test_clips_that_do_not_fit_are_left_out(alone: Clips, tmp_path: Path) -> None:
    """Nobody to be seen, or another layout."""
    empty = with_positions(alone[1], np.full_like(alone[1].positions, np.nan))
    other = replace(with_positions(alone[2], alone[2].positions[:, :, :20]), layout="kinect20", name="other")
    folder = tmp_path / "raw"
    folder.mkdir()
    for clip in (alone[0], alone[3], replace(empty, name="empty"), other):
        io.write(folder / f"{clip.name}.pkl", [clip], "pyskl")
    store, report = mended(folder, tmp_path / "out")
    assert store.clips.name.tolist() == sorted([alone[0].name, alone[3].name])
    assert [(item.kind, item.clip) for item in report.set_aside] == [("no body", "empty"), ("layout", "other")]
