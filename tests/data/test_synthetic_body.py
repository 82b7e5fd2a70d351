"""The body: bones keep their length, feet stand on the floor, left is left, and scripts are what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from halpose.data.synthetic import SyntheticSpec
from halpose.data.synthetic.actions import actions
from halpose.data.synthetic.body import PROPORTIONS, SEGMENTS, joints, rotation, two_bones
from halpose.data.synthetic.channels import AT, CHANNELS, HANDS, REST, Beat, K, Script, minimum_jerk, script
from halpose.data.synthetic.distraction import distract
from halpose.data.synthetic.encounters import STANDING
from halpose.data.synthetic.performance import HABITS, Clock, Performer, draw_performer, perform
from halpose.data.synthetic.scene import Body, stage
from halpose.data.synthetic.spec import Take
from halpose.errors import ConfigError
from halpose.skeleton import load_layout

LAYOUT = load_layout("kinect25")
AT_JOINT = {joint: i for i, joint in enumerate(LAYOUT.joints)}
# How a body is held together (the published bone list ties the tips to the thumbs; here the hand is rigid).
BONES = [(c, p) for c, p in LAYOUT.bones] + [(21, 7), (23, 11)]
IN_THE_AIR = ("jump up", "jumping jacks", "hop on one leg")
SPEC = SyntheticSpec(actions=60, clips=60 * 3 * 40, noise=0, glitches=0)


def performance(label: int, subject: int = 3, spec: SyntheticSpec = SPEC) -> list[tuple[Body, np.ndarray]]:
    """Bodies of a performance and their joints, each in its own frame: x left, y up from the floor, z forward."""
    bodies = stage(spec, Take(setup=1, camera=1, subject=subject, replication=1, action=label + 1))
    return [(body, move(body.channels, body.segments, body.stride)) for body in bodies]


def move(channels: np.ndarray, segments: np.ndarray, stride: float = 1.0) -> np.ndarray:
    frames = len(channels)
    return joints(
        channels.astype(np.float32),
        np.tile(segments.astype(np.float32), (frames, 1)),
        np.full(frames, stride, dtype=np.float32),
    )


def at_rest(frames: int = 1, **changes: float) -> np.ndarray:
    channels = np.tile(REST, (frames, 1))
    for channel, value in changes.items():
        channels[:, AT[channel]] = value
    return move(channels, np.array(list(PROPORTIONS.values())))


@pytest.mark.parametrize("label", range(60))
def test_bones_keep_their_length_and_are_as_long_left_as_right(label: int) -> None:
    for body, positions in performance(label):
        lengths = np.stack([np.linalg.norm(positions[:, c] - positions[:, p], axis=-1) for c, p in BONES])
        np.testing.assert_allclose(lengths, lengths.mean(1, keepdims=True).repeat(len(positions), 1), rtol=2e-4)
        mean = {(c, p): length for (c, p), length in zip(BONES, lengths.mean(1), strict=True)}
        for (c, p), length in mean.items():
            assert mean[LAYOUT.mirror[c], LAYOUT.mirror[p]] == pytest.approx(length, rel=1e-3)
        segment = dict(zip(SEGMENTS, body.segments, strict=True))
        named = {(LAYOUT.joints[c], LAYOUT.joints[p]): length for (c, p), length in mean.items()}
        for child, parent, name in (
            ("hip_center", "spine", "lower_spine"),
            ("spine", "shoulder_center", "upper_spine"),
            ("head", "neck", "head"),
            ("left_elbow", "left_shoulder", "upper_arm"),
            ("right_wrist", "right_elbow", "forearm"),
            ("right_knee", "right_hip", "thigh"),
            ("left_ankle", "left_knee", "shin"),
            ("left_foot", "left_ankle", "foot"),
        ):
            assert named[child, parent] == pytest.approx(segment[name], rel=1e-3)


@pytest.mark.parametrize("label", range(60))
def test_feet_stay_on_the_floor_and_above_it(label: int) -> None:
    name = actions(60)[label].name
    for _, positions in performance(label):
        ankles = positions[:, [AT_JOINT["left_ankle"], AT_JOINT["right_ankle"]], 1]
        assert ankles.min() > 0.04
        if name not in IN_THE_AIR:
            assert ankles.min(axis=1).max() < 0.16
        assert positions[..., 1].min() > -0.03
        assert positions[..., 1].max() < 2.5


@pytest.mark.parametrize("name", IN_THE_AIR)
def test_who_jumps_leaves_the_floor(name: str) -> None:
    label = [action.name for action in actions(60)].index(name)
    _, positions = performance(label)[0]
    ankles = positions[:, [AT_JOINT["left_ankle"], AT_JOINT["right_ankle"]], 1]
    assert ankles.min(axis=1).max() > ankles.min() + 0.03


@pytest.mark.parametrize("distance", [0.9, -0.6, 0.2])
def test_walking_moves_one_foot_at_a_time_and_ends_with_both_together(distance: float) -> None:
    frames = 240
    channels = np.tile(REST, (frames, 1))
    channels[:, AT["travel"]] = distance * minimum_jerk(np.linspace(-0.1, 1.1, frames))
    stride = abs(distance) / max(1, round(abs(distance) / 0.7))
    positions = move(channels, np.array(list(PROPORTIONS.values())), stride)
    ankles = positions[:, [AT_JOINT["left_ankle"], AT_JOINT["right_ankle"]]].astype(np.float64)
    speed = np.linalg.norm(np.diff(ankles, axis=0), axis=-1)
    assert speed.min(axis=1).max() < 0.004
    np.testing.assert_allclose((ankles[-1] - ankles[0])[:, 2], distance, atol=5e-3)
    np.testing.assert_allclose(ankles[-1, :, 1], ankles[0, :, 1], atol=5e-3)
    np.testing.assert_allclose((positions[-1] - positions[0])[AT_JOINT["hip_center"], 2], distance, atol=1e-4)


def test_a_body_at_rest_is_built_like_a_person() -> None:
    pose = {joint: at_rest()[0, i] for joint, i in AT_JOINT.items()}
    heights = [
        pose[j][1] for j in ("head", "neck", "shoulder_center", "spine", "hip_center", "left_knee", "left_ankle")
    ]
    assert heights == sorted(heights, reverse=True)
    for joint in ("shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "foot"):
        assert pose[f"left_{joint}"][0] > 0.02 > -0.02 > pose[f"right_{joint}"][0]
        np.testing.assert_allclose(pose[f"left_{joint}"], pose[f"right_{joint}"] * [-1, 1, 1], atol=1e-5)
    assert pose["left_foot"][2] > pose["left_ankle"][2] + 0.05  # toes ahead
    assert pose["left_thumb"][2] > pose["left_hand_tip"][2]  # thumbs ahead when hands hang
    assert pose["left_elbow"][2] < pose["left_wrist"][2]  # elbows bend forward, so they point back
    assert pose["left_knee"][2] > pose["left_ankle"][2]  # knees bend backward, so they point ahead


@pytest.mark.parametrize(
    ("channel", "joint", "axis", "sign"),
    [
        ("bend", "head", 2, 1), ("pitch", "head", 2, 1), ("nod", "head", 2, 1), ("lean", "head", 0, -1),
        ("roll", "head", 0, -1), ("tilt", "head", 0, -1), ("twist", "right_shoulder", 2, 1),
        ("turn", "right_hip", 2, 1), ("sway", "hip_center", 0, 1), ("rise", "head", 1, 1),
        ("advance", "hip_center", 2, 1), ("left_elbow", "left_elbow", 0, 1), ("right_elbow", "right_elbow", 0, -1),
        ("left_foot_out", "left_ankle", 0, 1), ("right_foot_out", "right_ankle", 0, -1),
        ("right_foot_up", "right_ankle", 1, 1), ("left_toe", "left_foot", 1, -1),
    ],
)  # fmt: skip
def test_channels_move_what_they_say(channel: str, joint: str, axis: int, sign: int) -> None:
    amount = -0.1 if channel == "rise" else 0.1
    moved = (at_rest(**{channel: amount}) - at_rest())[0, AT_JOINT[joint], axis]
    assert moved * sign * np.sign(amount) > 0.005


def test_hands_meet_what_they_reach_for_wherever_the_trunk_goes() -> None:
    place = {"right_hand_out": 0.1, "right_hand_up": -0.2, "right_hand_forward": 0.3}
    upright = at_rest(**place)[0, AT_JOINT["right_wrist"]] - at_rest()[0, AT_JOINT["shoulder_center"]]
    np.testing.assert_allclose(upright, [-0.1, -0.2, 0.3], atol=1e-5)
    level = at_rest(**place, right_hand_level=1.0, bend=0.2, twist=0.3)[0, AT_JOINT["right_wrist"]]
    np.testing.assert_allclose(level - at_rest()[0, AT_JOINT["shoulder_center"]], [-0.1, -0.2, 0.3], atol=1e-5)


def test_mirrored_script_is_the_mirror_image() -> None:
    for action in actions(60):
        for one in filter(None, (action.script, action.partner)):
            other, again = one.mirrored, one.mirrored.mirrored
            np.testing.assert_array_equal(again.poses, one.poses)
            np.testing.assert_array_equal(again.beat, one.beat)
            np.testing.assert_array_equal(again.amplitude, one.amplitude)
            segments = np.array(list(PROPORTIONS.values()))
            here, there = one.poses.copy(), other.poses.copy()
            here[:, AT["travel"]] = there[:, AT["travel"]] = 0.0  # everybody steps off with the left foot
            image = move(here, segments)[:, LAYOUT.mirror] * np.float32([-1, 1, 1])
            np.testing.assert_allclose(move(there, segments), image, atol=2e-5)


angles = st.floats(-3.0, 3.0)


@given(angles, angles, angles)
@settings(max_examples=50, deadline=None)
def test_rotation_is_roll_then_pitch_then_yaw(yaw: float, pitch: float, roll: float) -> None:
    matrix = rotation(*(np.array([angle]) for angle in (yaw, pitch, roll)))[..., 0]
    np.testing.assert_allclose(matrix, Rotation.from_euler("YXZ", [yaw, pitch, roll]).as_matrix(), atol=1e-12)


lengths = st.floats(0.1, 0.5)
place = st.lists(st.floats(-1, 1), min_size=3, max_size=3).map(np.array)


@given(place, lengths, lengths, place, angles)
@settings(max_examples=100, deadline=None)
def test_two_bones_reach_their_goal_or_stretch_towards_it(
    goal: np.ndarray, upper: float, lower: float, pole: np.ndarray, swivel: float
) -> None:
    pair = np.zeros((3, 2, 1))
    distance = float(np.linalg.norm(goal))
    if distance < 0.05 or np.linalg.norm(np.cross(goal / distance, pole)) < 0.05:
        return
    middle, end, normal = two_bones(
        pair + 0.3, goal[:, None, None] + 0.3 + pair, np.array([upper]), np.array([lower]),
        pole[:, None, None] + pair, np.full((2, 1), swivel),
    )  # fmt: skip
    middle, end, normal = middle[:, 0, 0] - 0.3, end[:, 0, 0] - 0.3, normal[:, 0, 0]
    assert np.linalg.norm(middle) == pytest.approx(upper, rel=1e-6)
    assert np.linalg.norm(end - middle) == pytest.approx(lower, rel=1e-6)
    assert np.linalg.norm(normal) == pytest.approx(1.0)
    assert abs(normal @ middle) < 1e-6 and abs(normal @ end) < 1e-6
    np.testing.assert_allclose(np.cross(end, goal), 0, atol=1e-6)
    if abs(upper - lower) + 0.02 < distance < 0.998 * (upper + lower):
        np.testing.assert_allclose(end, goal, atol=1e-6)


def test_minimum_jerk_starts_and_ends_at_rest() -> None:
    x = np.linspace(-0.5, 1.5, 2001)
    y = minimum_jerk(x)
    assert (y[x <= 0] == 0).all() and (y[x >= 1] == 1).all()
    assert (np.diff(y) >= 0).all()
    np.testing.assert_allclose(y + y[::-1], 1, atol=1e-12)
    assert np.abs(np.gradient(y, x))[[500, 1500]].max() < 1e-4


def test_scripts_keep_what_they_do_not_change() -> None:
    made = script(
        (0, None), (0.5, {"bend": 0.3, "left_hand_up": 0.1}), (0.7, {"bend": 0.1}), (1, None),
        beat=Beat(2.0, {"right_hand_out": (0.1, 0.0, "sine")}),
    )  # fmt: skip
    assert made.poses.shape == (4, K) == (4, len(CHANNELS))
    assert made.poses[:, AT["bend"]].tolist() == [0, 0.3, 0.1, 0]
    assert made.poses[2, AT["left_hand_up"]] == 0.1
    assert made.poses[3, AT["left_hand_up"]] == REST[AT["left_hand_up"]]
    assert made.hanging[:, 0].tolist() == [True, False, False, True]
    assert made.free_hands == (False, False)  # the left hand moves to a pose, the right one beats
    assert made.is_standing
    assert not script((0, None), (1, {"rise": -0.1})).is_standing


@pytest.mark.parametrize(("count", "of_two"), [(12, 2), (60, 11)])
def test_vocabulary(count: int, of_two: int) -> None:
    vocabulary = actions(count)
    assert len({action.name for action in vocabulary}) == count
    assert [action.partner is not None for action in vocabulary] == [False] * (count - of_two) + [True] * of_two
    for action in vocabulary:
        for one in filter(None, (action.script, action.partner)):
            assert one.at[0] == 0 and one.at[-1] == 1 and (np.diff(one.at) > 0).all()
        assert (action.partner is None) == (action.gap == 0)
        if action.repeats[1] > 1:  # what is done again must end where it begins
            np.testing.assert_array_equal(action.script.poses[0], action.script.poses[-1])


def test_no_two_actions_are_the_same_movement() -> None:
    def key(action):  # type: ignore[no-untyped-def]
        parts = []
        for one in (action.script, action.partner):
            if one is not None:
                beat = [array.tolist() for array in (one.beat, one.amplitude, one.phase, one.shape)]
                parts.append((one.at.tolist(), one.poses.tolist(), beat, one.hertz))
        return repr((parts, action.gap, action.facing))

    assert len({key(action) for action in actions(60)}) == 60


def test_other_vocabularies_are_refused() -> None:
    with pytest.raises(ConfigError, match="actions=13: there are 12 distinct actions, or 60"):
        SyntheticSpec(actions=13)


def ideal(left_handed: bool = False) -> Performer:
    person = draw_performer(np.random.default_rng(0), variation=0)
    return replace(person, left_handed=left_handed)


def acted(script: Script, left_handed: bool = False) -> np.ndarray:
    clock = Clock(frames=120, start=0.5, seconds=3.0, repeats=1)
    return perform(script, ideal(left_handed), np.zeros(HABITS), clock, np.random.default_rng(1), 0, 0)


def test_a_performance_goes_through_the_poses_of_its_script() -> None:
    made = script((0, {"bend": 0.2}), (0.4, {"bend": 0.7, "right_hand_up": 0.3, "nod": -0.2}), (0.6, {}), (1, None))
    posture = acted(STANDING)[0] - REST
    frames = 30 * (0.5 + 3.0 * np.array([0.0, 0.5, 1.1]))  # before, in the held pose, after
    np.testing.assert_allclose(acted(made)[frames.astype(int)], made.poses[[0, 1, 3]] + posture, atol=1e-9)
    assert (acted(STANDING) == acted(STANDING)[0]).all()
    mirrored = acted(made, left_handed=True)
    assert mirrored[60, AT["left_hand_up"]] == pytest.approx(0.3)
    assert mirrored[60, AT["right_hand_up"]] == pytest.approx(REST[AT["right_hand_up"]])


def test_a_beat_repeats_at_its_rate_within_its_window() -> None:
    beat = Beat(2.0, {"twist": (0.5, 0.0, "sine"), "rise": (-0.2, 0.0, "swing"), "left_foot_up": (0.1, 0.5, "lift")})
    made = script((0, None), (1, None), beat=beat)
    moved = acted(made) - acted(STANDING)
    time = np.arange(120) / 30 - 0.5
    inside = (time > 0.25 * 3 + 0.35) & (time < 0.85 * 3 - 0.35)
    outside = (time < 0.25 * 3) | (time > 0.85 * 3)
    phase = 2 * np.pi * 2.0 * (time - 0.25 * 3)
    for channel, expected in (
        ("twist", 0.5 * np.sin(phase)),
        ("rise", -0.2 * (1 - np.cos(phase)) / 2),
        ("left_foot_up", 0.1 * np.maximum(-np.sin(phase), 0)),
    ):
        np.testing.assert_allclose(moved[inside, AT[channel]], expected[inside], atol=1e-9)
        assert (moved[outside, AT[channel]] == 0).all()
    other = acted(made, left_handed=True) - acted(STANDING)
    np.testing.assert_allclose(other[:, AT["twist"]], -moved[:, AT["twist"]], atol=1e-12)
    np.testing.assert_allclose(other[:, AT["right_foot_up"]], moved[:, AT["left_foot_up"]], atol=1e-12)


def test_distraction_moves_what_is_free_and_nothing_else() -> None:
    both_busy = next(action.script for action in actions(60) if action.name == "box")
    walking = next(action.script for action in actions(60) if action.name == "walk on the spot")
    hands_moved, seated = [], []
    for seed in range(80):
        channels = np.tile(REST, (120, 1))
        distract(channels, STANDING, 4.0, 1.0, np.random.default_rng(seed))
        seated.append(channels[0, AT["rise"]] < -0.2)
        hands_moved.append([np.ptp(channels[:, hand], axis=0).max() > 0.05 for hand in HANDS])
        for one, kept in ((both_busy, [c for hand in HANDS for c in range(hand.start, hand.stop)]),
                          (walking, [AT["rise"], AT["travel"], AT["left_foot_up"], AT["advance"]])):  # fmt: skip
            channels = np.tile(REST, (120, 1))
            distract(channels, one, 4.0, 1.0, np.random.default_rng(seed))
            np.testing.assert_array_equal(channels[:, kept], np.tile(REST[kept], (120, 1)))
    assert np.mean(hands_moved, axis=0).min() > 0.4 and np.mean(hands_moved) < 0.95
    assert 0.08 < np.mean(seated) < 0.35
