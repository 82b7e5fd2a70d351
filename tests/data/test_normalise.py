from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from halpose.data.normalise import CleanClip, clean, normalise
from halpose.data.store import Store
from halpose.errors import DataError
from halpose.skeleton import Layout, Sequence, load_layout

GOLDEN = Path(__file__).parents[1] / "golden" / "pre_normalization.npz"
Walk = Callable[..., np.ndarray]


@pytest.fixture
def layout() -> Layout:
    return load_layout("kinect20")


def recording(*rows: np.ndarray, layout: str = "kinect20") -> Sequence:
    return Sequence(np.stack(rows).astype(np.float32), layout=layout, name="clip")


def everything(clip: CleanClip) -> list[np.ndarray]:
    return [
        clip.positions,
        clip.origin,
        clip.first_rotation,
        clip.torso_rotation,
        np.array([clip.scale_first, clip.scale_frame]),
    ]


# --- cleaning


def test_a_clean_recording_is_left_alone(walk: Walk) -> None:
    sequence = recording(walk(50, speed=0.03), walk(50, x=1.0, speed=0.01, seed=1))
    clip = clean(sequence, people=2)
    np.testing.assert_array_equal(clip.positions, sequence.positions)
    assert not clip.repairs
    assert clip.people == 2


def test_what_is_known_of_the_recording_is_kept(walk: Walk) -> None:
    known = {"label": 3, "subject": "s7", "camera": 2, "setup": 5, "fps": 30.0, "name": "x"}
    clip = clean(replace(recording(walk(5)), **known), people=1)  # type: ignore[arg-type]
    assert {key: getattr(clip, key) for key in known} == known
    assert clip.layout == "kinect20"


def test_cleaning_twice_is_cleaning_once(walk: Walk) -> None:
    rng = np.random.default_rng(0)
    rows = [walk(80, speed=0.04), walk(80, x=1.0, speed=0.01, seed=1)]
    for row in rows:
        row[rng.random(row.shape[:2]) < 0.3] = np.nan
    rows[0][:5] = rows[0][70:] = np.nan
    rows[1][:20] = rows[1][75:] = np.nan
    once = clean(recording(*rows), people=2)
    assert once.repairs
    twice = clean(recording(*once.positions), people=2)
    assert not twice.repairs
    for a, b in zip(everything(once), everything(twice), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_recording_is_not_changed(walk: Walk) -> None:
    sequence = recording(walk(30), walk(30, x=1.0, seed=1))
    sequence.positions[0, 3, 4] = np.inf
    sequence.positions[:, 10:] = sequence.positions[::-1, 10:].copy()
    before = sequence.positions.copy()
    clean(sequence, people=2)
    np.testing.assert_array_equal(sequence.positions, before)


@pytest.mark.parametrize("seed", range(4))
def test_gaps_are_filled_as_numpy_interpolates(walk: Walk, seed: int) -> None:
    rng = np.random.default_rng(seed)
    row = walk(60, seed=seed)
    hidden = rng.random((60, 20)) < 0.6
    hidden[[0, -1], 0] = False  # nothing to trim
    row[hidden] = np.nan
    clip = clean(recording(row), people=1)
    for joint in range(20):
        known = np.flatnonzero(~hidden[:, joint])
        for channel in range(3):
            witness = np.interp(np.arange(60), known, row[known, joint, channel].astype(np.float64))
            np.testing.assert_allclose(clip.positions[0, :, joint, channel], witness, atol=1e-6)
    assert sum(clip.repairs.values()) >= hidden[~hidden.all(axis=1)].sum()


def test_repairs_are_counted(walk: Walk) -> None:
    row = walk(30)
    row[4, 3, 1] = np.nan
    row[5, 3] = np.inf
    row[6, 7, 2] = -np.inf
    row[8, 1, 0] = 1e30
    row[10:12] = np.nan
    row[:, 19] = np.nan
    row[:2] = row[27:] = np.nan
    clip = clean(recording(row), people=1)
    assert clip.repairs == {
        "infinite": 3,
        "joints_filled": 4,
        "frames_filled": 2,
        "joints_missing": 1,
        "frames_trimmed": 5,
    }
    assert clip.positions.shape == (1, 25, 20, 3)
    assert np.isfinite(clip.positions[:, :, :19]).all()
    assert np.isnan(clip.positions[:, :, 19]).all()


def test_values_beyond_float32_are_damage_not_a_crash(walk: Walk) -> None:
    row = walk(10).astype(np.float64)
    row[3, 2] = 1e300
    sequence = Sequence(row[None], layout="kinect20", name="clip")
    clip = clean(sequence, people=1)
    assert clip.positions.dtype == np.float32
    assert clip.repairs == {"infinite": 1, "joints_filled": 1}


def test_the_main_actor_is_whole_and_the_other_only_while_there(walk: Walk) -> None:
    actor, other = walk(60, speed=0.05), walk(60, x=1.5, speed=0.01, seed=1)
    actor[:10] = actor[30:35] = np.nan
    other[:5] = other[20:25] = other[50:] = np.nan
    actor[58:] = np.nan
    clip = clean(recording(other, actor), people=3)
    assert clip.positions.shape == (3, 53, 20, 3)  # frames 5 to 57
    assert clip.people == 2
    assert np.isfinite(clip.positions[0]).all()
    np.testing.assert_array_equal(clip.positions[0, 0], actor[10])
    np.testing.assert_array_equal(clip.positions[0, 5:25], actor[10:30])
    np.testing.assert_allclose(clip.positions[0, 26], actor[29] + (actor[35] - actor[29]) / 3, atol=1e-5)
    assert np.isfinite(clip.positions[1, :45]).all()
    assert np.isnan(clip.positions[1, 45:]).all()
    assert np.isnan(clip.positions[2]).all()


def test_swapped_numbers_give_the_same_clip(walk: Walk) -> None:
    a, b = walk(50, speed=0.04), walk(50, x=1.0, seed=1)
    whole = clean(recording(a, b), people=2)
    one, two = a.copy(), b.copy()
    one[23:], two[23:] = b[23:], a[23:]
    mended = clean(recording(two, one), people=2)
    assert mended.repairs == {"people_swapped": 1}
    for x, y in zip(everything(whole), everything(mended), strict=True):
        np.testing.assert_array_equal(x, y)


def test_ghosts_and_lost_numbers_are_told(walk: Walk) -> None:
    a = walk(60, speed=0.01)
    first, second, ghost = a.copy(), a.copy(), np.full_like(a, np.nan)
    first[30:] = second[:32] = np.nan
    ghost[50:55] = walk(5, x=3.0)
    clip = clean(recording(first, ghost, second), people=2)
    assert clip.people == 1
    assert clip.repairs == {"people_merged": 1, "ghosts_dropped": 1, "frames_filled": 2}


def test_one_frame_is_a_clip(walk: Walk) -> None:
    clip = clean(recording(walk(1)), people=2)
    assert clip.positions.shape == (2, 1, 20, 3)
    assert not clip.repairs
    assert np.isfinite(np.concatenate([x.ravel() for x in everything(clip)[1:]])).all()


def test_one_joint_in_one_frame_has_a_scale_that_may_divide() -> None:
    row = np.full((3, 20, 3), np.nan)
    row[1, 5] = 2.0
    clip = clean(recording(row), people=1)
    assert clip.positions.shape == (1, 1, 20, 3)
    assert clip.scale_first == clip.scale_frame == 1.0
    np.testing.assert_array_equal(clip.first_rotation, np.eye(3))


@pytest.mark.parametrize("shape", [(2, 5, 20, 3), (0, 5, 20, 3), (1, 0, 20, 3)])
def test_nobody_at_all_is_an_error(shape: tuple[int, ...]) -> None:
    sequence = Sequence(np.full(shape, np.nan, dtype=np.float32), layout="kinect20", name="empty_clip")
    with pytest.raises(DataError, match="empty_clip: no body in any frame"):
        clean(sequence, people=2)


def test_another_number_of_joints_is_an_error() -> None:
    sequence = Sequence(np.zeros((1, 5, 17, 3), dtype=np.float32), layout="kinect25", name="clip_07")
    with pytest.raises(DataError, match="clip_07: 17 joints, but layout kinect25 has 25"):
        clean(sequence, people=2)


def test_ten_thousand_frames_are_no_trouble(walk: Walk) -> None:
    rng = np.random.default_rng(0)
    rows = [walk(10_000, x=1.5 * i, speed=0.0001, seed=i) for i in range(3)]
    for row in rows:
        row[rng.random(row.shape[:2]) < 0.1] = np.nan
    begin = time.perf_counter()
    clip = clean(recording(*rows), people=2)
    assert time.perf_counter() - begin < 3.0  # a loop over frames in Python takes several times that
    assert clip.positions.shape == (2, 10_000, 20, 3)


# --- transforms


def test_whole_clips_come_out_as_published() -> None:
    """Of the golden samples, two show one person only; the second of them starts with five empty frames."""
    layout = load_layout("kinect25")
    with np.load(GOLDEN) as golden:
        samples, expected = golden["input"], golden["output"]
    for sample, frames in ((0, 40), (2, 35)):
        x = samples[sample].transpose(3, 1, 2, 0)
        x = np.where((x == 0).all(axis=(2, 3), keepdims=True), np.nan, x)
        clip = clean(recording(*x, layout="kinect25"), people=2)
        result = normalise(clip, layout, centre="frame", align="first", scale="none")
        witness = expected[sample].transpose(3, 1, 2, 0)[0, :frames]
        np.testing.assert_allclose(result[0], witness, atol=2e-6)


def test_the_first_frame_that_shows_the_actor_decides(walk: Walk) -> None:
    row = walk(20)
    late = np.concatenate([np.full((6, 20, 3), np.nan), row])
    a, b = clean(recording(row), people=1), clean(recording(late), people=1)
    for x, y in zip(everything(a), everything(b), strict=True):
        np.testing.assert_array_equal(x, y)
    np.testing.assert_array_equal(a.origin, row[0, 0])


def test_each_switch_does_what_it_says(walk: Walk, layout: Layout) -> None:
    clip = clean(recording(walk(40, speed=0.05), walk(40, x=1.0, seed=1)), people=2)
    x = clip.positions.astype(np.float64)
    np.testing.assert_array_equal(normalise(clip, layout, "none", "none", "none"), clip.positions)
    first = normalise(clip, layout, "first", "none", "none")
    np.testing.assert_allclose(first, x - x[0, 0, 0], atol=1e-6)
    frame = normalise(clip, layout, "frame", "none", "none")
    np.testing.assert_allclose(frame, x - x[0, :, 0][:, None], atol=1e-6)
    for centre, centred in (("first", first), ("frame", frame)):
        scaled = normalise(clip, layout, centre, "none", "rms")  # type: ignore[arg-type]
        np.testing.assert_allclose(scaled, centred / np.sqrt(np.square(centred[0]).mean()), rtol=1e-4)
        for align, rotation in (("first", clip.first_rotation), ("torso", clip.torso_rotation)):
            turned = normalise(clip, layout, centre, align, "none")  # type: ignore[arg-type]
            witness = np.einsum("ij,mtvj->mtvi", rotation, centred)
            np.testing.assert_allclose(turned, witness, atol=1e-5)


def test_place_direction_and_unit_of_the_room_do_not_matter(walk: Walk, layout: Layout) -> None:
    rng = np.random.default_rng(3)
    rows = np.stack([walk(40, speed=0.05), walk(40, x=1.0, seed=1)])
    reference = normalise(clean(recording(*rows), people=2), layout, "first", "torso", "rms")
    turn = Rotation.from_rotvec([0, 1.9, 0]).as_matrix()
    for unit in (1.0, 1000.0, 0.01):
        moved = (rows @ turn.T + rng.uniform(-2, 2, 3)) * unit
        result = normalise(clean(recording(*moved), people=2), layout, "first", "torso", "rms")
        np.testing.assert_allclose(result, reference, atol=2e-5)


def test_two_channels_have_no_rotation_and_no_depth(walk: Walk, layout: Layout) -> None:
    flat = walk(30)[..., :2]
    clip = clean(recording(flat), people=1)
    np.testing.assert_array_equal(clip.first_rotation, np.eye(3))
    np.testing.assert_array_equal(clip.torso_rotation, np.eye(3))
    np.testing.assert_array_equal(clip.origin, [*flat[0, 0], 0])
    x = normalise(clip, layout, "first", "torso", "rms")
    assert x.shape == (1, 30, 20, 2)
    np.testing.assert_allclose(np.square(x).mean(), 1.0, rtol=1e-5)


def test_a_clip_that_never_shows_its_centre_is_centred_on_the_rest(walk: Walk, layout: Layout) -> None:
    row = walk(30)
    row[:, layout.centre] = np.nan
    clip = clean(recording(row), people=1)
    np.testing.assert_allclose(clip.origin, np.delete(row[0], layout.centre, axis=0).mean(axis=0), atol=1e-5)
    x = normalise(clip, layout, "frame", "torso", "rms")
    np.testing.assert_allclose(np.nanmean(x, axis=2), 0.0, atol=1e-5)
    np.testing.assert_allclose(np.nanmean(np.square(x)), 1.0, rtol=1e-4)


def test_the_toy_classes_can_be_told_apart(toy_store: Path) -> None:
    """The premise of every test that trains on the toy store: 1-NN over subjects, normalised, far above chance."""
    store = Store.open(toy_store)
    rows = []
    for sequence in store:
        x = np.nan_to_num(normalise(clean(sequence, people=2), store.layout))
        x = x[:, np.linspace(0, x.shape[1] - 1, 16).round().astype(int)].ravel()
        rows.append(x / np.linalg.norm(x))
    x, label = np.stack(rows), store.clips.label
    train, test = store.part("x-sub", "official"), store.part("x-sub", "test")
    assert (label[train][(x[test] @ x[train].T).argmax(axis=1)] == label[test]).mean() > 0.9
    assert set(np.unique(store.clips.subject[train])).isdisjoint(store.clips.subject[test])
    assert set(store.clips.people) == {1, 2}
