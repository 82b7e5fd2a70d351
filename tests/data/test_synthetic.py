"""Synthetic recordings: reproducible one by one, balanced, honest about themselves, and as hard as they should be."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from halpose.data.catalog import DATASETS
from halpose.data.normalise import clean
from halpose.data.prepare import prepare
from halpose.data.spec import SYNTHETIC_MARK
from halpose.data.store import Store
from halpose.data.synthetic import SyntheticSpec, clip, data_set, iterate, write_ntu, write_store
from halpose.data.synthetic.body import PROPORTIONS
from halpose.data.synthetic.scene import record
from halpose.data.synthetic.sensor import SETUPS, camera_pose, measure
from halpose.errors import ConfigError, DataError
from halpose.io.ntu import name_fields, read
from halpose.skeleton import Sequence, load_layout

LAYOUT = load_layout("kinect25")
TRAIN_SUBJECTS = {1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38}
PERFECT = SyntheticSpec(clips=14_400, actions=60, noise=0, glitches=0, distraction=0)


def joint(sequence: Sequence, name: str, person: int = 0) -> np.ndarray:
    return sequence.positions[person, :, LAYOUT.index(name)]


def same(one: Sequence, other: Sequence) -> bool:
    return (
        np.array_equal(one.positions, other.positions, equal_nan=True)
        and np.array_equal(one.confidence, other.confidence)  # type: ignore[arg-type]
        and (one.name, one.people, one.label, one.extra) == (other.name, other.people, other.label, other.extra)
    )


def number_of(spec: SyntheticSpec, **wanted: int) -> int:
    """Number of the first clip whose take has these properties."""
    for index in range(spec.clips):
        take = spec.take(index)
        if all(getattr(take, key) == value for key, value in wanted.items()):
            return index
    raise AssertionError(f"no clip with {wanted}")


# ---- each clip on its own


def test_a_clip_depends_on_seed_and_number_only() -> None:
    spec = SyntheticSpec(clips=400, actions=60, seed=5)
    together = record(spec, range(50, 90))
    backwards = record(spec, range(89, 49, -1))[::-1]
    for index, one, other in zip(range(50, 90), together, backwards, strict=True):
        assert same(one, other)
        if index % 9 == 0:
            assert same(one, clip(spec, index))
            assert same(one, clip(replace(spec, clips=10_000), index))
            assert not same(one, clip(replace(spec, seed=6), index))


def test_iterate_gives_all_clips_in_order() -> None:
    spec = SyntheticSpec(clips=70, actions=12)
    made = list(iterate(spec))
    assert [one.name for one in made] == [spec.take(index).name for index in range(70)]
    assert same(made[69], clip(spec, 69))
    with pytest.raises(ConfigError, match="clip 70: the specification has clips 0 to 69"):
        clip(spec, 70)


def test_two_takes_of_one_person_differ_and_are_the_same_person() -> None:
    spec = replace(PERFECT, clips=60 * 40 * 3 * 2)
    takes = [number_of(spec, subject=7, action=20, camera=2, replication=r) for r in (1, 2)]
    one, other = (clip(spec, index) for index in takes)
    assert one.frames != other.frames or not np.allclose(one.positions, other.positions)
    for child, parent in LAYOUT.bones:
        lengths = [np.linalg.norm(s.positions[0, 0, child] - s.positions[0, 0, parent]) for s in (one, other)]
        assert lengths[0] == pytest.approx(lengths[1], rel=1e-3)


def test_cameras_watch_the_same_performance() -> None:
    views = []
    for camera in (1, 2, 3):
        one = clip(PERFECT, number_of(PERFECT, subject=4, action=58, camera=camera, replication=1))
        rotation, place = camera_pose(camera, one.setup)
        views.append(one.positions.astype(np.float64) @ rotation + place)
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1)
    np.testing.assert_allclose(views[1], views[0], atol=1e-5)
    np.testing.assert_allclose(views[2], views[0], atol=1e-5)
    assert -0.03 < views[0][..., 1].min() < 0.1  # the floor of the stage


# ---- numbers and names


@pytest.mark.parametrize(
    ("actions", "subjects", "cameras"), [(12, 40, 3), (60, 11, 3), (12, 9, 3), (60, 8, 2), (12, 1, 3)]
)
def test_a_round_holds_every_combination_once(actions: int, subjects: int, cameras: int) -> None:
    spec = SyntheticSpec(clips=2 * actions * subjects * cameras, actions=actions, subjects=subjects, cameras=cameras)
    takes = [spec.take(index) for index in range(spec.clips)]
    seen = Counter((take.action, take.subject, take.camera, take.replication) for take in takes)
    assert len(seen) == spec.clips


@pytest.mark.parametrize("spec", [SyntheticSpec(clips=3600), SyntheticSpec(clips=3600, actions=60, subjects=11)])
def test_any_number_of_clips_is_balanced(spec: SyntheticSpec) -> None:
    takes = [spec.take(index) for index in range(spec.clips)]
    for field, count in (("action", spec.actions), ("camera", 3), ("subject", spec.subjects)):
        seen = Counter(getattr(take, field) for take in takes)
        assert set(seen) == set(range(1, count + 1))
        assert max(seen.values()) - min(seen.values()) <= 0.1 * spec.clips / count
    assert {take.setup for take in takes} == set(range(1, 18)) if spec.subjects == 40 else True
    few = [spec.take(index) for index in range(3 * spec.actions)]
    assert set(Counter((take.action, take.camera) for take in few).values()) == {1}


def test_names_are_unique_and_ntus_as_long_as_ntu_has_names() -> None:
    spec = SyntheticSpec(clips=60 * 40 * 3 * 2 * 17, actions=60)
    takes = [spec.take(index) for index in range(0, spec.clips)]
    names = [take.name for take in takes]
    assert len(set(names)) == spec.clips
    form = DATASETS["ntu60"].forms[0].pattern
    for take, name in list(zip(takes, names, strict=True))[::997]:
        assert re.fullmatch(form, f"{name}.skeleton")
        fields = {key: getattr(take, key) for key in ("setup", "camera", "subject", "replication", "action")}
        assert name_fields(name) == fields
        assert take.replication in (1, 2) and 1 <= take.subject <= 40
    beyond = replace(spec, clips=spec.clips + 1)
    assert beyond.take(spec.clips).replication == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clips": 0}, "clips=0: must be between 1"),
        ({"subjects": 1000}, "subjects=1000: must be between 1 and 999"),
        ({"cameras": 4}, "cameras=4: must be between 1 and 3"),
        ({"noise": -1.0}, "noise=-1.0: must be"),
        ({"name": "ntu60"}, "must contain the word synthetic"),
        ({"subjects": 1, "cameras": 1, "setups": 1, "clips": 20_000}, "no more than 11988 names; raise one"),
    ],
)
def test_impossible_specifications_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(SyntheticSpec(), **change)  # type: ignore[arg-type]


# ---- what is seen


def test_actions_of_two_show_two_people_and_others_one() -> None:
    for one in record(PERFECT, range(60)):
        assert len(one.positions) == len(one.people) == (2 if one.label >= 49 else 1)
        assert one.extra["action"] == PERFECT.classes[one.label]
        assert np.isfinite(one.positions).all()


@pytest.mark.parametrize("subject", [2, 11])
def test_people_of_an_encounter_meet(subject: int) -> None:
    def both(name: str) -> Sequence:
        return clip(PERFECT, number_of(PERFECT, action=PERFECT.classes.index(name) + 1, subject=subject))

    def apart(one: Sequence, name: str) -> np.ndarray:
        return np.linalg.norm(joint(one, name, 0) - joint(one, name, 1), axis=-1)

    def facing(one: Sequence) -> float:
        first, second = (joint(one, "left_shoulder", m)[0] - joint(one, "right_shoulder", m)[0] for m in (0, 1))
        return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))

    for name in PERFECT.classes[49:]:
        assert (facing(both(name)) > 0.7) == (name == "pat the other on the back"), name
        assert (facing(both(name)) < -0.7) == (name != "pat the other on the back"), name
    shake = both("shake hands")
    hands = [np.linalg.norm(joint(shake, a, 0) - joint(shake, b, 1), axis=-1).min()
             for a in ("left_hand", "right_hand") for b in ("left_hand", "right_hand")]  # fmt: skip
    assert min(hands) < 0.25 < 0.6 < apart(shake, "hip_center").min()
    assert apart(both("hug"), "hip_center").min() < 0.5
    towards, away = (apart(both(name), "hip_center") for name in PERFECT.classes[-2:])
    assert towards[-1] < towards[0] - 1.0 and away[-1] > away[0] + 1.0


def test_cameras_make_their_own_errors() -> None:
    spec = replace(PERFECT, noise=1)
    errors = []
    for camera in (1, 2):
        index = number_of(PERFECT, subject=4, action=5, camera=camera, replication=1)
        errors.append(clip(spec, index).positions - clip(PERFECT, index).positions)
    assert abs(np.corrcoef(errors[0].ravel(), errors[1].ravel())[0, 1]) < 0.4


def test_bystanders_come_with_distraction() -> None:
    made = record(replace(PERFECT, distraction=1), range(0, 600, 5))
    alone = [one for one in made if one.label < 49]
    share = np.mean([len(one.positions) == 2 for one in alone])
    assert 0.05 < share < 0.3


def test_people_stand_where_a_kinect_sees_them() -> None:
    made = record(SyntheticSpec(clips=14_400, actions=60), range(0, 14_400, 97))
    depth = np.concatenate([one.positions[0, :, 0, 2] for one in made])
    assert np.nanpercentile(depth, 2) > 2.0 and np.nanpercentile(depth, 98) < 5.5
    assert np.median([one.frames for one in made]) == pytest.approx(120, abs=35)
    assert all(20 < one.frames <= 300 for one in made)
    heads_up = [np.nanmean(joint(one, "head")[:, 1] - joint(one, "left_ankle")[:, 1]) for one in made]
    assert np.mean(heads_up) == pytest.approx(1.23, abs=0.1)  # recorded: 1.23, seen from above


def test_left_is_at_smaller_x_when_the_subject_faces_the_camera() -> None:
    # Replication 1 faces camera 2, replication 2 faces camera 3; x runs to the left of the sensor.
    for replication, camera in ((1, 2), (2, 3)):
        one = clip(PERFECT, number_of(PERFECT, action=1, camera=camera, replication=replication, subject=9))
        assert (joint(one, "left_shoulder")[:, 0] < joint(one, "right_shoulder")[:, 0] - 0.15).all()
        assert (joint(one, "left_hip")[:, 0] < joint(one, "right_hip")[:, 0]).all()
        assert (joint(one, "left_foot")[:, 2] < joint(one, "left_ankle")[:, 2]).all()  # toes towards the camera
        assert (joint(one, "head")[:, 1] > joint(one, "hip_center")[:, 1] + 0.4).all()


@pytest.mark.data
def test_bodies_are_built_and_placed_like_recorded_ones(halpose_data: Path) -> None:
    files = sorted((halpose_data / "samples" / "ntu").glob("*C001P001R001*.skeleton"))
    if not files:
        pytest.skip("no NTU samples here")
    real = [next(iter(read(file))) for file in files]
    made = [
        clip(PERFECT, number_of(PERFECT, camera=1, replication=1, action=a, subject=s)) for a, s in ((1, 1), (2, 2))
    ]
    for one in real + made:
        across = (joint(one, "left_shoulder") - joint(one, "right_shoulder")).mean(0)
        # Camera 1 sees replication 1 from the subject's right: the right shoulder is nearer, the left at smaller x.
        assert across[0] < -0.1 and across[2] > 0.05
        assert 3 < joint(one, "hip_center")[:, 2].mean() < 4.5
    for child, parent, name in (
        ("spine", "hip_center", "lower_spine"),
        ("shoulder_center", "spine", "upper_spine"),
        ("head", "neck", "head"),
        ("left_elbow", "left_shoulder", "upper_arm"),
        ("left_wrist", "left_elbow", "forearm"),
        ("left_knee", "left_hip", "thigh"),
        ("left_ankle", "left_knee", "shin"),
    ):
        seen = np.mean([np.linalg.norm(joint(one, child) - joint(one, parent), axis=-1).mean() for one in real])
        assert PROPORTIONS[name] == pytest.approx(seen, rel=0.15)


# ---- the sensor


def test_noise_is_small_on_the_trunk_large_on_the_hands_and_grows_with_distance() -> None:
    rng = np.random.default_rng(0)
    still = np.zeros((4000, 25, 3), dtype=np.float32)
    still[..., 2] = 3.7

    def jitter(positions: np.ndarray, noise: float) -> np.ndarray:
        second = np.diff(measure(positions, 1, noise, rng).positions, 2, axis=0)
        return np.sqrt((second**2).mean(axis=(0, 2)))

    near = jitter(still, 1.0)
    # Second differences of recordings: 1 to 3 mm on the trunk, 40 to 70 mm at the tips of the hands.
    assert 0.5e-3 < near[LAYOUT.index("spine")] < 4e-3
    assert 0.03 < near[LAYOUT.index("left_hand_tip")] < 0.08
    np.testing.assert_allclose(jitter(still * 1.3, 1.0) / near, 1.69, rtol=0.1)
    np.testing.assert_allclose(jitter(still, 0.5) / near, 0.5, rtol=0.1)
    assert measure(still, 1, 0.0, rng).positions is still


def test_what_the_body_hides_is_guessed_and_noisier() -> None:
    rng = np.random.default_rng(1)
    positions = np.zeros((3000, 25, 3), dtype=np.float32)
    positions[..., 2] = 3.7
    hidden, seen = LAYOUT.index("left_hand"), LAYOUT.index("right_hand")
    positions[:, hidden, 2] += 0.2
    positions[:, seen, 2] -= 0.2
    track = measure(positions, 1, 1.0, rng)
    assert track.inferred[:, hidden].all() and not track.inferred[:, seen].any()
    spread = np.diff(track.positions, axis=0).std(axis=(0, 2))
    assert spread[hidden] > 1.5 * spread[seen]


def test_glitches_happen_as_often_as_they_are_asked_for() -> None:
    spec = SyntheticSpec(clips=14_400, actions=60, distraction=0, noise=0)
    counts = []
    for glitches in (0.0, 1.0, 4.0):
        made = record(replace(spec, glitches=glitches), range(0, 900, 3))
        more = sum(len(one.positions) > (2 if one.label >= 49 else 1) for one in made)
        nobody = sum(np.isnan(one.positions).all(axis=(0, 2, 3)).any() for one in made)
        jumps = sum(np.nanmax(np.abs(np.diff(one.positions, axis=1)), initial=0) > 0.3 for one in made)
        counts.append((more, nobody, jumps))
        for one in made:
            np.testing.assert_array_equal(one.confidence == 0, np.isnan(one.positions).any(-1))
            assert len(set(one.people)) == len(one.people) == len(one.positions)
    assert counts[0][:2] == (0, 0)
    assert 0.04 < counts[1][0] / 300 < 0.2 and 0.02 < counts[1][1] / 300 < 0.1
    for calm, usual, wild in zip(*counts, strict=True):
        assert calm < usual < wild


def test_cleaning_undoes_ghosts_and_new_numbers() -> None:
    spec = SyntheticSpec(clips=3600, actions=12, glitches=2.0, distraction=0)
    perfect = replace(spec, glitches=0.0)
    pairs = [
        (clean(a, people=2), b) for a, b in zip(record(spec, range(120)), record(perfect, range(120)), strict=True)
    ]
    right = [made.people == len(truth.positions) for made, truth in pairs]
    assert np.mean(right) > 0.95


# ---- stores and files


def test_store_is_complete_and_says_that_it_is_synthetic(tmp_path: Path) -> None:
    spec = SyntheticSpec(clips=360, actions=12, subjects=10)
    calls: list[int] = []
    store = Store.open(write_store(spec, tmp_path / "made", calls.append))
    assert calls == sorted(calls) and calls[-1] == 360
    info = store.info()
    assert info["synthetic"] is True and "synthetic" in info["name"]
    assert info["provenance"]["synthetic"] is True and info["provenance"]["spec"]["clips"] == 360
    assert (info["clips"], info["classes"], info["subjects"], info["people"]) == (360, 12, 10, 2)
    assert store.classes == spec.classes
    test = store.part("x-sub", "test")
    assert {int(s) for s in store.clips.subject[test]}.isdisjoint(TRAIN_SUBJECTS)
    official = store.part("x-sub", "official")
    assert {int(s) for s in store.clips.subject[official]} <= TRAIN_SUBJECTS
    assert len(test) + len(official) == 360 and len(store.part("x-sub", "validation"))
    assert set(store.clips.camera[store.part("x-view", "test")]) == {1}
    truth = clean(clip(spec, 100), people=2)
    np.testing.assert_array_equal(store.clip(100).positions, truth.positions)
    assert store.clip(100).name == truth.name


def test_splits_without_a_second_side_are_left_out(tmp_path: Path) -> None:
    spec = SyntheticSpec(clips=24, actions=12, subjects=1, cameras=1)
    assert Store.open(write_store(spec, tmp_path / "made")).splits == ()


def test_files_are_ntus_and_prepare_to_the_same_clips(tmp_path: Path) -> None:
    spec = SyntheticSpec(clips=72, actions=60, seed=3)
    folder = write_ntu(spec, tmp_path / "raw")
    files = sorted(folder.glob("*.skeleton"))
    assert len(files) == 72
    by_name = {one.name: one for one in iterate(spec)}
    for file in files:
        (back,) = read(file)
        truth = by_name[back.name]
        np.testing.assert_allclose(back.positions, truth.positions, atol=2e-6)
        np.testing.assert_array_equal(back.confidence, truth.confidence)
        for field in ("label", "subject", "camera", "setup", "people", "frames"):
            assert getattr(back, field) == getattr(truth, field)
        assert back.extra["replication"] == truth.extra["replication"]
    mark = json.loads((folder / SYNTHETIC_MARK).read_text())
    assert mark["synthetic"] is True and mark["classes"] == list(spec.classes)
    report = prepare(data_set(spec), folder, tmp_path / "store", workers=1)
    assert report.clips == 72 and not report.set_aside
    store = Store.open(tmp_path / "store")
    assert store.name == "synthetic" and store.info()["synthetic"] is True and store.classes == spec.classes
    assert set(store.splits) >= {"x-sub", "x-view"}


def test_pixels_and_orientations_are_the_sensors(tmp_path: Path) -> None:
    (file,) = write_ntu(SyntheticSpec(clips=1, noise=0, glitches=0), tmp_path / "raw").glob("*.skeleton")
    lines = [line.split() for line in file.read_text().splitlines()]
    body = np.array(lines[4:29], dtype=np.float64)
    # A recorded joint of NTU RGB+D: x 0.2181153, y 0.1725972, z 3.785547 was seen at these pixels.
    recorded = np.array([0.2181153, 0.1725972, 3.785547, 277.419, 191.8218, 1036.233, 519.1677])
    move = body[0, :3] / body[0, 2] - recorded[:3] / recorded[2]
    np.testing.assert_allclose(body[0, 3] - recorded[3], 366.5 * move[0], atol=0.5)
    np.testing.assert_allclose(body[0, 4] - recorded[4], -366.5 * move[1], atol=0.5)
    np.testing.assert_allclose(body[0, 5] - recorded[5], 1057 * move[0], atol=1.5)
    np.testing.assert_allclose(body[0, 6] - recorded[6], -1057 * move[1], atol=1.5)
    spine, hip = body[1, :3], body[0, :3]
    w, x, y, z = body[1, 7:11]
    turned = np.array([2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)])  # the rotated y axis
    np.testing.assert_allclose(turned, (spine - hip) / np.linalg.norm(spine - hip), atol=1e-5)
    assert (body[3, 7:11] == 0).all()


def test_interrupted_writing_goes_on_and_foreign_folders_are_left_alone(tmp_path: Path) -> None:
    spec = SyntheticSpec(clips=30, actions=12)
    folder = write_ntu(spec, tmp_path / "raw")
    first, second = sorted(folder.glob("*.skeleton"))[:2]
    before, untouched = first.read_text(), second.stat().st_mtime_ns
    first.unlink()
    write_ntu(replace(spec, clips=32), folder)
    assert first.read_text() == before and second.stat().st_mtime_ns == untouched
    assert len(list(folder.glob("*.skeleton"))) == 32
    assert not list(folder.glob(".*"))
    with pytest.raises(DataError, match="another specification; choose another folder"):
        write_ntu(replace(spec, seed=1), folder)
    (folder / SYNTHETIC_MARK).unlink()
    with pytest.raises(DataError, match="did not generate"):
        write_ntu(spec, folder)
    with pytest.raises(DataError, match="cannot be written"):
        write_ntu(spec, first / "below")


def test_two_processes_make_what_one_makes(tmp_path: Path) -> None:
    spec = SyntheticSpec(clips=260, actions=12, subjects=10)
    one = Store.open(write_store(spec, tmp_path / "one"))
    two = Store.open(write_store(spec, tmp_path / "two", workers=2))
    np.testing.assert_array_equal(one.frames, two.frames)
    assert (one.clips.name == two.clips.name).all()


# ---- difficulty


def nearest_neighbour(spec: SyntheticSpec) -> float:
    """1-NN across subjects on aligned, scaled, resampled coordinates: the raw bar."""
    features, labels, training = [], [], []
    for one in iterate(spec):
        made = clean(one, people=2)
        x = (made.positions - made.origin) @ made.torso_rotation.T / made.scale_first
        x = np.nan_to_num(x[:, np.linspace(0, x.shape[1] - 1, 24).round().astype(int)])
        parts = [x.ravel(), (x - x.mean(axis=1, keepdims=True)).ravel()]
        features.append(np.concatenate([part / np.linalg.norm(part) for part in parts]))
        labels.append(one.label)
        training.append(int(one.subject) in TRAIN_SUBJECTS)
    f, y, train = np.array(features), np.array(labels), np.array(training)
    guess = y[train][(f[~train] @ f[train].T).argmax(axis=1)]
    return float((guess == y[~train]).mean())


def test_sixty_actions_are_hard_twelve_rehearsed_ones_easy_and_neither_is_noise() -> None:
    alike = SyntheticSpec(clips=120, actions=12, setups=1, variation=0, distraction=0, noise=0, glitches=0)
    assert nearest_neighbour(alike) > 0.9  # what is left is how often it is done
    easy = nearest_neighbour(SyntheticSpec(clips=360, actions=12, distraction=0))
    hard = nearest_neighbour(SyntheticSpec(clips=720, actions=60))
    assert easy > 0.85
    assert 0.2 < hard < 0.6


def test_setups_differ() -> None:
    assert len(set(SETUPS)) == 17
