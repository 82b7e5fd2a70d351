from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from halpose.data.align import (
    first_rotation,
    pair_rotation,
    published_normalisation,
    smallest_rotation,
    torso_rotation,
)
from halpose.skeleton import Layout, load_layout

GOLDEN = Path(__file__).parents[1] / "golden" / "pre_normalization.npz"


@pytest.fixture
def layout() -> Layout:
    return load_layout("kinect20")


def squared(pose: np.ndarray, layout: Layout) -> np.ndarray:
    """The pose with its shoulders at right angles to its spine."""
    pose = pose.copy()
    right, left = layout.sides[0]
    spine = pose[..., layout.spine[1], :] - pose[..., layout.spine[0], :]
    across = pose[..., right, :] - pose[..., left, :]
    slant = (across * spine).sum(-1) / np.square(spine).sum(-1)
    pose[..., right, :] -= slant[..., None] * spine
    return pose


def test_the_published_arrays_come_out() -> None:
    with np.load(GOLDEN) as golden:
        result = published_normalisation(golden["input"])
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, golden["output"], atol=2e-6)


def test_published_empty_and_late_samples() -> None:
    """Nothing stays nothing; a person shown from frame 2 on is moved to the front and repeated to the end."""
    rng = np.random.default_rng(0)
    x = np.zeros((2, 3, 7, 25, 2), dtype=np.float32)
    x[1, :, [2, 3, 5], :, 0] = rng.normal(size=(3, 3, 25)) + 3
    before = x.copy()
    result = published_normalisation(x)
    np.testing.assert_array_equal(x, before)
    assert not result[0].any()
    assert not result[1, ..., 1].any()
    late = x[1:].copy()
    late[..., 0] = np.take(x[1:, ..., 0], [2, 3, 5, 2, 3, 5, 2], axis=2)
    np.testing.assert_allclose(result[1:], published_normalisation(late), atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_rotations_are_rotations(layout: Layout, seed: int) -> None:
    rng = np.random.default_rng(seed)
    clip = rng.normal(size=(6, 20, 3))
    for rotation in (first_rotation(clip[0], layout), torso_rotation(clip, layout)):
        assert rotation.dtype == np.float32
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-6)
        np.testing.assert_allclose(np.linalg.det(rotation), 1.0, atol=1e-6)


def test_smallest_rotation_agrees_with_the_axis_and_angle_form() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        a, b = rng.normal(size=(2, 3))
        b /= np.linalg.norm(b)
        angle = np.arccos(a @ b / np.linalg.norm(a))
        axis = np.cross(a, b)
        witness = Rotation.from_rotvec(angle * axis / np.linalg.norm(axis)).as_matrix()
        np.testing.assert_allclose(smallest_rotation(a, b), witness, atol=1e-9)


@pytest.mark.parametrize("a", [[0.0, 0.0, 0.0], [np.nan, 1.0, 0.0], [2.0, 0.0, 0.0], [-2.0, 0.0, 0.0]])
def test_without_a_direction_nothing_turns(a: list[float]) -> None:
    np.testing.assert_array_equal(smallest_rotation(np.array(a), np.array([1.0, 0.0, 0.0])), np.eye(3))


def test_first_rotation_puts_the_sides_along_x_and_an_upright_spine_along_z(layout: Layout) -> None:
    rng = np.random.default_rng(1)
    right, left = layout.sides[0]
    for _ in range(20):
        pose = rng.normal(size=(20, 3))
        turned = pose @ first_rotation(pose, layout).T
        across = turned[right] - turned[left]
        np.testing.assert_allclose(across, [np.linalg.norm(across), 0, 0], atol=1e-5)
        pose = squared(pose, layout)
        turned = pose @ first_rotation(pose, layout).T
        spine = turned[layout.spine[1]] - turned[layout.spine[0]]
        np.testing.assert_allclose(spine, [0, 0, np.linalg.norm(spine)], atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_first_rotation_undoes_any_rotation_of_the_recording(layout: Layout, seed: int) -> None:
    """Exactly when the shoulders are square to the spine; else up to a turn about x, as published."""
    rng = np.random.default_rng(seed)
    turn = Rotation.random(random_state=seed).as_matrix()
    clip = rng.normal(size=(4, 20, 3))
    square = squared(clip, layout)
    for x, coordinates in ((square, slice(0, 3)), (clip, slice(0, 1))):
        straight = x @ first_rotation(x[0], layout).T
        turned = x @ turn.T
        turned = turned @ first_rotation(turned[0], layout).T
        np.testing.assert_allclose(turned[..., coordinates], straight[..., coordinates], atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_torso_rotation_undoes_a_turn_about_the_vertical(layout: Layout, seed: int) -> None:
    rng = np.random.default_rng(seed)
    clip = rng.normal(size=(4, 20, 3))
    turn = Rotation.from_rotvec([0, rng.uniform(-np.pi, np.pi), 0]).as_matrix()
    straight = clip @ torso_rotation(clip, layout).T
    turned = clip @ turn.T
    np.testing.assert_allclose(turned @ torso_rotation(turned, layout).T, straight, atol=1e-5)
    np.testing.assert_allclose(straight[..., 1], clip[..., 1], atol=1e-6)


def test_torso_rotation_takes_the_mean_of_all_pairs_and_frames(layout: Layout) -> None:
    rng = np.random.default_rng(0)
    clip = rng.normal(size=(9, 20, 3))
    clip[3, layout.sides[0][0]] = np.nan
    clip[:, layout.sides[1][1], 0] += 5.0
    turned = clip @ torso_rotation(clip, layout).T
    vectors = np.concatenate([turned[:, left] - turned[:, right] for right, left in layout.sides])
    mean = np.nanmean(vectors, axis=0)
    assert mean[0] > 1.0
    assert abs(mean[2]) < 1e-6


def test_an_upright_person_is_turned_to_face_z(layout: Layout, standing: np.ndarray) -> None:
    turn = Rotation.from_rotvec([0, 2.0, 0]).as_matrix()
    person = standing[None] @ turn.T
    np.testing.assert_allclose(person @ torso_rotation(person, layout).T, standing[None], atol=1e-6)
    toes = (person @ torso_rotation(person, layout).T)[0, layout.index("left_foot")]
    assert toes[2] > 0.1


def test_two_channels_and_missing_sides_are_not_turned(layout: Layout) -> None:
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(5, 20, 2))
    without_sides = rng.normal(size=(5, 20, 3))
    without_sides[:, [joint for pair in layout.sides for joint in pair]] = np.nan
    vertical = np.zeros((5, 20, 3))
    vertical[:, :, 1] = rng.normal(size=(5, 20))
    for clip in (flat, without_sides, vertical):
        np.testing.assert_array_equal(torso_rotation(clip, layout), np.eye(3))
    np.testing.assert_array_equal(first_rotation(flat[0], layout), np.eye(3))
    np.testing.assert_array_equal(first_rotation(np.full((20, 3), np.nan), layout), np.eye(3))


def test_the_second_person_stands_in_z_whatever_the_camera(layout: Layout) -> None:
    rng = np.random.default_rng(1)
    people = rng.normal(size=(2, 9, 20, 3))
    people[1] += [1.5, 0.3, -0.7]
    people[:, 2] = np.nan
    people[1, 4, 5] = np.nan
    rotation = pair_rotation(people, layout)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-6)
    turned = people @ rotation.T.astype(np.float64)
    x, y, z = np.nanmean(turned[1] - turned[0], axis=(0, 1))
    assert abs(x) < 1e-6 < z
    np.testing.assert_allclose(y, np.nanmean((people[1] - people[0])[..., 1]))
    elsewhere = people @ Rotation.from_euler("y", 117, degrees=True).as_matrix().T + [3, 0, 1]
    np.testing.assert_allclose(
        elsewhere @ pair_rotation(elsewhere, layout).T - turned, _shift(elsewhere, layout), atol=1e-5
    )


def _shift(people: np.ndarray, layout: Layout) -> np.ndarray:
    """Where the origin of a camera that stands 3 and 1 metres away goes; NaN where nobody is seen."""
    moved = pair_rotation(people, layout) @ np.array([3.0, 0.0, 1.0])
    return np.where(np.isnan(people), np.nan, moved)


def test_who_is_alone_is_turned_by_the_torso(layout: Layout) -> None:
    people = np.random.default_rng(2).normal(size=(2, 9, 20, 3))
    people[1] = np.nan
    expected = torso_rotation(people[0], layout)
    np.testing.assert_array_equal(pair_rotation(people, layout), expected)
    np.testing.assert_array_equal(pair_rotation(people[:1], layout), expected)
    people[1] = people[0] + [0.0, 2.0, 0.0]  # above each other: that is no direction on the ground
    np.testing.assert_array_equal(pair_rotation(people, layout), expected)


def test_two_who_face_each_other_are_turned_as_the_torso_of_the_first(layout: Layout) -> None:
    """A body that is turned to +z by its torso looks there: at the second person."""
    rng = np.random.default_rng(3)
    first = rng.normal(size=(9, 20, 3)) * 0.01
    right, left = np.array(layout.sides).T
    first[:, left, 0] += 0.2
    first[:, right, 0] -= 0.2
    people = np.stack([first, first + [0.0, 0.0, 1.0]])
    people = people @ Rotation.from_euler("y", 40, degrees=True).as_matrix().T
    np.testing.assert_allclose(pair_rotation(people, layout), torso_rotation(people[0], layout), atol=0.05)
