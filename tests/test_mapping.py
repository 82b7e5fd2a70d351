from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from halpose.errors import DataError
from halpose.mapping import LEAST_COMMON, map_joints
from halpose.skeleton import layout_names, load_layout


def posed(layout: str, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(2, 5, len(load_layout(layout)), 3)).astype(np.float32)


def test_a_permuted_layout_is_put_in_order_exactly() -> None:
    target = load_layout("kinect20")
    order = np.random.default_rng(1).permutation(len(target))
    back = np.argsort(order)
    source = replace(
        target,
        joints=tuple(target.joints[i] for i in order),
        parents=tuple(int(back[target.parents[i]]) for i in order),
    )
    x = posed("kinect20")
    joints = map_joints(source, target)
    np.testing.assert_array_equal(joints.apply(x[:, :, order]), x)
    assert not joints.filled and not joints.is_identity
    assert map_joints(target, target).is_identity


def test_every_joint_with_a_namesake_is_copied_to_the_bit() -> None:
    source, target = load_layout("coco17"), load_layout("kinect20")
    x = posed("coco17")
    joints = map_joints(source, target)
    mapped = joints.apply(x)
    shared = [name for name in target.joints if name in source.joints]
    assert len(shared) == 12
    for name in shared:
        np.testing.assert_array_equal(mapped[:, :, target.index(name)], x[:, :, source.index(name)])
    assert set(joints.filled) == set(target.joints) - set(shared)


def test_kinect25_holds_all_of_kinect20() -> None:
    x = posed("kinect25")
    source, target = load_layout("kinect25"), load_layout("kinect20")
    joints = map_joints(source, target)
    np.testing.assert_array_equal(joints.apply(x), x[:, :, [source.index(name) for name in target.joints]])
    assert joints.describe() == (
        "joints mapped by name from kinect25 to kinect20: 20 of 20; not used: left_hand_tip, left_thumb, neck, "
        "right_hand_tip, right_thumb"
    )


def test_what_is_missing_is_the_middle_of_what_is_around_it() -> None:
    source, target = load_layout("coco17"), load_layout("kinect20")
    x = posed("coco17")
    joints = map_joints(source, target)
    mapped = {name: joints.apply(x)[:, :, target.index(name)] for name in target.joints}

    def middle(*names: str) -> np.ndarray:
        return np.mean([x[:, :, source.index(name)] for name in names], axis=0)

    shoulders, hips = ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")
    np.testing.assert_allclose(mapped["hip_center"], middle(*hips), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(mapped["shoulder_center"], middle(*shoulders), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(mapped["spine"], middle(*shoulders, *hips), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(mapped["head"], middle("left_ear", "right_ear"), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(mapped["left_hand"], x[:, :, source.index("left_wrist")])
    np.testing.assert_array_equal(mapped["right_foot"], x[:, :, source.index("right_ankle")])
    assert "left_hand = left_wrist" in joints.describe()
    assert "hip_center = middle of left_hip and right_hip" in joints.describe()


def test_a_joint_without_stand_in_is_its_nearest_ancestor() -> None:
    source, target = load_layout("kinect20"), load_layout("kinect25")
    x = posed("kinect20")
    mapped = map_joints(source, target).apply(x)
    for tip, hand in (("left_hand_tip", "left_hand"), ("right_thumb", "right_hand")):
        np.testing.assert_array_equal(mapped[:, :, target.index(tip)], x[:, :, source.index(hand)])
    np.testing.assert_array_equal(mapped[:, :, target.index("neck")], x[:, :, source.index("shoulder_center")])


def test_what_was_not_seen_stays_missing_and_touches_nothing_else() -> None:
    source, target = load_layout("coco17"), load_layout("kinect20")
    x = posed("coco17")
    x[:, 2, source.index("left_hip")] = np.nan
    missing = np.isnan(map_joints(source, target).apply(x)).all(axis=-1)
    assert {target.joints[v] for _, _, v in np.argwhere(missing)} == {"left_hip", "hip_center", "spine"}
    assert set(np.argwhere(missing)[:, 1]) == {2}


@pytest.mark.parametrize("source", layout_names())
@pytest.mark.parametrize("target", layout_names())
def test_every_pair_of_layouts_is_mapped_or_refused(source: str, target: str) -> None:
    one, other = load_layout(source), load_layout(target)
    common = len(set(one.joints) & set(other.joints)) / len(other)
    if common < LEAST_COMMON:
        with pytest.raises(DataError, match="by name; at least 40% must be"):
            map_joints(one, other)
        return
    joints = map_joints(one, other)
    assert joints.sources.shape == joints.weights.shape
    np.testing.assert_allclose(joints.weights.sum(axis=1), 1)
    # A body that stands in one point stays there: every joint is a mean of recorded ones.
    point = np.tile(np.array([1.0, 2.0, 3.0], np.float32), (4, len(one), 1))
    np.testing.assert_allclose(joints.apply(point), 1.0 * np.tile([1, 2, 3], (4, len(other), 1)), rtol=1e-6)


@pytest.mark.parametrize("source", layout_names())
@pytest.mark.parametrize("target", layout_names())
def test_a_mirror_image_is_mapped_to_the_mirror_image(source: str, target: str) -> None:
    one, other = load_layout(source), load_layout(target)
    if len(set(one.joints) & set(other.joints)) < LEAST_COMMON * len(other):
        return
    joints, x = map_joints(one, other), posed(source)
    np.testing.assert_allclose(
        joints.apply(x[:, :, list(one.mirror)]), joints.apply(x)[:, :, list(other.mirror)], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("source", ["kinect25", "coco17", "openpose25", "openpose18", "halpe26", "mediapipe33"])
@pytest.mark.parametrize("target", ["kinect25", "coco17", "openpose25", "openpose18", "halpe26", "mediapipe33"])
def test_what_cameras_and_pose_estimators_see_is_mapped_both_ways(source: str, target: str) -> None:
    """Limbs are the recorded ones; the trunk lies where it should; nothing of one side is made of the other."""
    one, other = load_layout(source), load_layout(target)
    x = posed(source)
    mapped = map_joints(one, other).apply(x)
    at = {name: x[:, :, one.index(name)] for name in one.joints}
    found = {name: mapped[:, :, other.index(name)] for name in other.joints}
    for side in ("left", "right"):
        for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
            np.testing.assert_array_equal(found[f"{side}_{joint}"], at[f"{side}_{joint}"])
    filled = map_joints(one, other).filled
    for joint, names in filled.items():
        side = joint.partition("_")[0]
        if side in ("left", "right"):
            assert not any(name.startswith({"left": "right", "right": "left"}[side]) for name in names), joint
    if "hip_center" in other.joints and "hip_center" not in one.joints:
        np.testing.assert_allclose(found["hip_center"], (at["left_hip"] + at["right_hip"]) / 2, rtol=1e-5, atol=1e-6)


def test_hands_are_made_of_fingers_and_eyes_of_eyes() -> None:
    to_kinect = map_joints(load_layout("mediapipe33"), load_layout("kinect25")).filled
    assert to_kinect["left_hand"] == ("left_index", "left_pinky") and to_kinect["right_hand_tip"] == ("right_index",)
    from_kinect = map_joints(load_layout("kinect25"), load_layout("mediapipe33")).filled
    assert from_kinect["left_index"] == ("left_hand_tip",) and from_kinect["right_pinky"] == ("right_hand",)
    from_coco = map_joints(load_layout("coco17"), load_layout("mediapipe33")).filled
    assert from_coco["left_eye_inner"] == ("left_eye",) and from_coco["right_mouth"] == ("nose",)
    assert map_joints(load_layout("kinect20"), load_layout("smpl24")).filled["left_collar"] == (
        "shoulder_center",
        "left_shoulder",
    )


def test_layouts_of_other_names_are_refused() -> None:
    layout = load_layout("kinect20")
    strange = replace(layout, name="strange", joints=tuple(f"j{i}" for i in range(20)))
    with pytest.raises(DataError, match="only 0 of the 20 joints of kinect20 are in strange by name"):
        map_joints(strange, layout, "stores/mine")
