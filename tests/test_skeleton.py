"""Layouts are trees with honest mirrors; motion and bone are what the field means by them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from halpose.errors import ConfigError, DataError
from halpose.skeleton import Layout, Sequence, bone, layout_names, load_layout, motion

# FACTS of the field: (child, parent), counted from 1, of Kinect v2 as CMD and HaLP publish them.
PUBLISHED_BONES = (
    "1,2 2,21 3,21 4,3 5,21 6,5 7,6 8,7 9,21 10,9 11,10 12,11 13,1 14,13 15,14 16,15 17,1 18,17 19,18 20,19 "
    "21,21 22,23 23,8 24,25 25,12"
)
# Position of a few joints whose numbers everyone who uses these formats knows by heart.
KNOWN_JOINTS = {
    "coco17": {0: "nose", 5: "left_shoulder", 10: "right_wrist", 11: "left_hip", 16: "right_ankle"},
    "mediapipe33": {0: "nose", 11: "left_shoulder", 16: "right_wrist", 23: "left_hip", 32: "right_foot"},
    "openpose25": {
        1: "shoulder_center",
        4: "right_wrist",
        8: "hip_center",
        14: "left_ankle",
        19: "left_foot",
    },
    "openpose18": {1: "shoulder_center", 4: "right_wrist", 10: "right_ankle", 13: "left_ankle", 17: "left_ear"},
    "halpe26": {
        0: "nose",
        10: "right_wrist",
        17: "head",
        18: "neck",
        19: "hip_center",
        20: "left_foot",
        25: "right_heel",
    },
    "smpl24": {0: "hip_center", 4: "left_knee", 12: "neck", 15: "head", 21: "right_wrist", 23: "right_hand"},
    "h36m17": {0: "hip_center", 3: "right_ankle", 8: "shoulder_center", 10: "head", 13: "left_wrist"},
    "kinect25": {0: "hip_center", 1: "spine", 7: "left_hand", 20: "shoulder_center", 23: "right_hand_tip"},
    "kinect20": {0: "hip_center", 3: "head", 7: "left_hand", 12: "left_hip", 19: "right_foot"},
}
SIZES = {
    "coco17": 17,
    "mediapipe33": 33,
    "openpose25": 25,
    "openpose18": 18,
    "halpe26": 26,
    "smpl24": 24,
    "h36m17": 17,
    "kinect25": 25,
    "kinect20": 20,
}


@pytest.fixture(params=layout_names())
def layout(request: pytest.FixtureRequest) -> Layout:
    return load_layout(request.param)


def test_every_known_layout_is_built_in() -> None:
    assert set(SIZES) <= set(layout_names())


@pytest.mark.parametrize("name", sorted(KNOWN_JOINTS))
def test_joint_order_is_the_one_in_use(name: str) -> None:
    layout = load_layout(name)
    assert len(layout) == SIZES[name]
    assert {i: layout.joints[i] for i in KNOWN_JOINTS[name]} == KNOWN_JOINTS[name]


def test_kinect_bones_are_the_published_ones() -> None:
    pairs = [tuple(int(n) - 1 for n in pair.split(",")) for pair in PUBLISHED_BONES.split()]
    layout = load_layout("kinect25")
    assert dict(pairs) == dict(enumerate(layout.parents))
    assert len(layout.bones) == 24


def test_name_is_the_file_name(layout: Layout) -> None:
    assert load_layout(layout.name) == layout


def test_parents_form_one_tree(layout: Layout) -> None:
    roots = [joint for joint, parent in enumerate(layout.parents) if joint == parent]
    assert len(roots) == 1
    for start in range(len(layout)):
        joint, steps = start, 0
        while joint != roots[0]:
            joint, steps = layout.parents[joint], steps + 1
            assert steps < len(layout)


def _swapped(name: str) -> str:
    side, _, rest = name.partition("_")
    return {"left": f"right_{rest}", "right": f"left_{rest}"}.get(side, name)


def test_mirror_swaps_left_and_right_and_nothing_else(layout: Layout) -> None:
    for joint, partner in enumerate(layout.mirror):
        assert layout.mirror[partner] == joint
        assert layout.joints[partner] == _swapped(layout.joints[joint])


def test_mirror_maps_bones_to_bones(layout: Layout) -> None:
    assert {(layout.mirror[c], layout.mirror[p]) for c, p in layout.bones} == set(layout.bones)


def test_sides_are_right_then_left_shoulders_first(layout: Layout) -> None:
    assert layout.mirror[layout.sides[0][0]] == layout.sides[0][1]
    for (right, left), place in zip(layout.sides, ("shoulder", "hip"), strict=False):
        assert layout.joints[right] == f"right_{place}"
        assert layout.joints[left] == f"left_{place}"


def test_centre_lies_on_the_mirror_plane(layout: Layout) -> None:
    assert layout.mirror[layout.centre] == layout.centre
    assert layout.spine[0] != layout.spine[1]


def test_parts_cover_each_joint_once_and_mirror_each_other(layout: Layout) -> None:
    members = sorted(joint for part in layout.parts.values() for joint in part)
    assert members == list(range(len(layout)))
    for part, joints in layout.parts.items():
        assert sorted(layout.mirror[j] for j in joints) == sorted(layout.parts[_swapped(part)])


def test_limbs_share_names_so_that_layouts_can_be_mapped(layout: Layout) -> None:
    limbs = {f"{side}_{joint}" for side in ("left", "right") for joint in ("shoulder", "elbow", "hip", "knee")}
    assert limbs <= set(layout.joints)


def test_survives_its_dictionary(layout: Layout) -> None:
    assert Layout.from_dict(layout.to_dict()) == layout


def test_adjacency_is_the_tree(layout: Layout) -> None:
    matrix = layout.adjacency()
    assert (matrix == matrix.T).all()
    assert matrix.sum() == len(layout) + 2 * len(layout.bones)
    reachable = np.linalg.matrix_power(matrix.astype(np.float64), len(layout))
    assert (reachable > 0).all()


def test_index_names_the_joints_there_are() -> None:
    layout = load_layout("kinect20")
    assert layout.joints[layout.index("left_knee")] == "left_knee"
    with pytest.raises(ConfigError, match="kinect20 has no joint 'tail'.*left_knee"):
        layout.index("tail")


def _table() -> dict[str, object]:
    return {
        "name": "stick",
        "joints": ["hip", "left_shoulder", "right_shoulder"],
        "parents": ["hip", "hip", "hip"],
        "mirror": [["left_shoulder", "right_shoulder"]],
        "centre": "hip",
        "spine": ["hip", "left_shoulder"],
        "sides": [["right_shoulder", "left_shoulder"]],
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parents": ["left_shoulder", "right_shoulder", "left_shoulder"]}, "run in a circle"),
        ({"parents": ["hip", "hip"]}, "3 joints but 2 parents"),
        ({"joints": ["hip", "hip", "right_shoulder"]}, "used twice"),
        ({"centre": "navel"}, "'navel' is neither a joint"),
    ],
)
def test_a_wrong_layout_is_refused(change: dict[str, object], message: str) -> None:
    assert len(Layout.from_dict(_table())) == 3
    with pytest.raises(ConfigError, match=f"stick.toml: .*{message}"):
        Layout.from_dict({**_table(), **change}, where="stick.toml")


def test_a_missing_key_is_named() -> None:
    table = _table()
    del table["sides"]
    with pytest.raises(ConfigError, match="'sides'"):
        Layout.from_dict(table)


def test_a_layout_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "stick.toml"
    file.write_text(
        'name = "stick"\njoints = ["hip", "l", "r"]\nparents = ["hip", "hip", "hip"]\nmirror = [["l", "r"]]\n'
        'centre = "hip"\nspine = ["hip", "l"]\nsides = [["r", "l"]]\n'
    )
    assert load_layout(file).mirror == (0, 2, 1)
    with pytest.raises(ConfigError, match="no layout named 'stick'; built in: .*kinect25"):
        load_layout("stick")


def test_motion_is_the_step_to_the_next_frame() -> None:
    x = torch.randn(2, 2, 7, 25, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    moved = motion(x)
    assert (moved[:, :, -1] == 0).all()
    torch.testing.assert_close(x[:, :, :1] + moved.cumsum(2)[:, :, :-1], x[:, :, 1:])


def test_bones_add_up_to_the_joints(layout: Layout) -> None:
    x = torch.randn(2, 1, 3, len(layout), 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    bones = bone(x, torch.tensor(layout.parents))
    root = next(joint for joint, parent in enumerate(layout.parents) if joint == parent)
    assert (bones[:, :, :, root] == 0).all()
    for joint in range(len(layout)):
        total, here = x[:, :, :, root].clone(), joint
        while here != root:
            total += bones[:, :, :, here]
            here = layout.parents[here]
        torch.testing.assert_close(total, x[:, :, :, joint])


def test_a_sequence_says_what_is_wrong_with_its_shape() -> None:
    assert Sequence(np.zeros((1, 5, 25, 3), np.float32), "kinect25", "clip").frames == 5
    with pytest.raises(DataError, match=r"clip: positions have shape \(5, 25, 3\)"):
        Sequence(np.zeros((5, 25, 3), np.float32), "kinect25", "clip")
    with pytest.raises(DataError, match="clip: 4 channels"):
        Sequence(np.zeros((1, 5, 25, 4), np.float32), "kinect25", "clip")
