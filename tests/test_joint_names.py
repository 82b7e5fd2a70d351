"""Names of many programs mean the joints that they should, and skeletons made from names are sound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halpose.errors import DataError
from halpose.file_layout import layout_of
from halpose.joint_names import common_names, side_and_word
from halpose.mapping import map_joints
from halpose.skeleton import Layout, Sequence, layout_names, load_layout

BANDAI = (
    "joint_Root Hips Spine Chest Neck Head Shoulder_L UpperArm_L LowerArm_L Hand_L Shoulder_R UpperArm_R LowerArm_R "
    "Hand_R UpperLeg_L LowerLeg_L Foot_L Toes_L UpperLeg_R LowerLeg_R Foot_R Toes_R"
)
LIMBS = "left_shoulder left_elbow left_wrist left_hip left_knee left_ankle left_foot"
PROGRAMS = {
    "mixamo": "mixamorig:LeftArm mixamorig:LeftForeArm mixamorig:LeftHand mixamorig:LeftUpLeg mixamorig:LeftLeg "
    "mixamorig:LeftFoot mixamorig:LeftToeBase",
    "poser": "lShldr lForeArm lHand lThigh lShin lFoot lToe",
    "kinect": "ShoulderLeft ElbowLeft WristLeft HipLeft KneeLeft AnkleLeft FootLeft",
    "bandai": "UpperArm_L LowerArm_L Hand_L UpperLeg_L LowerLeg_L Foot_L Toes_L",
    "plug-in gait": "LSHO LELB LWRA LASI LKNE LANK LTOE",
    "snake": "l_shoulder l_elbow l_wrist l_hip l_knee l_ankle l_foot",
    "end site": "LeftArm LeftForeArm LeftHand LeftUpLeg LeftLeg LeftFoot LeftFoot_end",
}


@pytest.mark.parametrize("name", layout_names())
def test_halposes_own_names_are_taken_as_they_are(name: str) -> None:
    assert common_names(load_layout(name).joints) == load_layout(name).joints


@pytest.mark.parametrize("program", PROGRAMS)
def test_limbs_of_many_programs(program: str) -> None:
    assert " ".join(common_names(PROGRAMS[program].split())) == LIMBS


def test_a_word_means_what_the_words_around_it_leave() -> None:
    assert common_names(("LeftFoot", "LeftToeBase")) == ("left_ankle", "left_foot")
    assert common_names(("AnkleLeft", "FootLeft")) == ("left_ankle", "left_foot")
    assert common_names(("LeftShoulder", "LeftArm")) == ("left_clavicle", "left_shoulder")
    assert common_names(("LeftShoulder", "LeftElbow")) == ("left_shoulder", "left_elbow")
    assert common_names(("LeftHand", "LeftWrist")) == ("left_hand", "left_wrist")
    assert common_names(("Hips", "Spine", "Neck")) == ("hip_center", "spine", "neck")
    assert common_names(("Hips", "Spine", "Spine1", "Head")) == ("hip_center", "spine", "chest", "head")
    trunk = ("pelvis", "spine1", "spine2", "spine3", "spine4")
    assert common_names(trunk) == ("hip_center", "lower_spine", "spine", "spine3", "chest")


def test_what_is_not_known_stays() -> None:
    assert common_names(("M01", "LeftHandIndex2", "Hips")) == ("M01", "LeftHandIndex2", "hip_center")
    assert side_and_word("LeftHandIndex2") == ("left", "handindex2")
    assert side_and_word("L") == ("", "l"), "a letter alone is a name, not a side"


@given(st.lists(st.text(max_size=12), max_size=12, unique=True))
@settings(max_examples=200, deadline=None)
def test_no_two_joints_get_one_name(joints: list[str]) -> None:
    named = common_names(joints)
    assert len(set(named)) == len(joints)


@given(st.lists(st.sampled_from(f"{BANDAI} {' '.join(PROGRAMS.values())} left_knee nose".split()), unique=True))
@settings(max_examples=200, deadline=None)
def test_any_names_give_a_sound_layout(joints: list[str]) -> None:
    if not joints:
        return
    layout = layout_of(tuple(joints))
    assert Layout.from_dict(layout.to_dict()) == layout
    assert sum(parent == joint for joint, parent in enumerate(layout.parents)) == 1, "one root"
    assert all(layout.mirror[layout.mirror[joint]] == joint for joint in range(len(layout)))
    if layout.parts:
        assert sorted(j for part in layout.parts.values() for j in part) == list(range(len(layout)))


def test_a_files_own_skeleton() -> None:
    layout = layout_of(tuple(BANDAI.split()), kind="bvh")
    assert layout.name.startswith("bvh22-") and layout.joints[layout.centre] == "Hips"
    assert [layout.joints[j] for j in layout.spine] == ["Hips", "Neck"]
    pairs = [(layout.joints[right], layout.joints[left]) for right, left in layout.sides]
    assert pairs == [("UpperArm_R", "UpperArm_L"), ("UpperLeg_R", "UpperLeg_L")]
    assert layout.joints[layout.mirror[layout.index("Toes_L")]] == "Toes_R"
    assert layout.mirror[layout.index("Head")] == layout.index("Head")
    assert [layout.joints[j] for j in layout.parts["right_arm"]] == ["Shoulder_R", "UpperArm_R", "LowerArm_R", "Hand_R"]
    parent = {joint: layout.joints[p] for joint, p in zip(layout.joints, layout.parents, strict=True)}
    assert parent["LowerLeg_R"] == "UpperLeg_R" and parent["UpperLeg_R"] == "Hips" and parent["Shoulder_L"] == "Chest"


def test_fingers_belong_to_their_arm_and_mirror_each_other() -> None:
    joints = ("Hips", "LeftHand", "LeftIndex1", "RightHand", "RightIndex1")
    layout = layout_of(joints, parents=(0, 0, 1, 0, 3))
    assert layout.parts == {"left_arm": (1, 2), "right_arm": (3, 4), "trunk": (0,)}
    assert layout.mirror == (0, 3, 4, 1, 2)


def test_markers_without_meaning_make_a_star() -> None:
    layout = layout_of(("M1", "M2", "M3"))
    assert layout.parents == (0, 0, 0) and layout.parts == {} and layout.sides == () and layout.spine == (0, 0)


def test_names_of_layouts_tell_skeletons_apart() -> None:
    joints = ("Hips", "Spine", "Head")
    assert layout_of(joints, (0, 0, 1)).name == layout_of(joints, (0, 0, 1)).name
    assert layout_of(joints, (0, 0, 1)).name != layout_of(joints, (0, 0, 0)).name
    assert layout_of(joints, (0, 0, 1)).name != layout_of(("Hips", "Spine", "Neck"), (0, 0, 1)).name
    with pytest.raises(DataError, match="two joints are called 'a'"):
        layout_of(("a", "b", "a"))
    with pytest.raises(DataError, match="no joints"):
        layout_of(())


def test_foreign_names_are_mapped() -> None:
    source, target = layout_of(tuple(BANDAI.split())), load_layout("bandai21")
    x = np.random.default_rng(0).normal(size=(1, 4, 22, 3)).astype(np.float32)
    joints = map_joints(source, target)
    np.testing.assert_array_equal(joints.apply(x), x[:, :, 1:])
    assert not joints.filled
    assert joints.describe().endswith("21 of 21; not used: joint_Root")
    back = map_joints(target, layout_of(tuple(BANDAI.split()[1:])))
    np.testing.assert_array_equal(back.apply(x[:, :, 1:]), x[:, :, 1:])


def test_a_sequence_knows_its_skeleton() -> None:
    layout = layout_of(("Hips", "Head"))
    x = np.zeros((1, 2, 2, 3), np.float32)
    assert Sequence(x, layout, "a").skeleton is layout
    assert Sequence(x, "kinect25", "a").skeleton == load_layout("kinect25")
