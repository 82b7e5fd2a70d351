"""BVH: joint angles become positions, as a slow witness has it, and a skeleton of the file's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import SMALL, damaged, peak_bytes, refusal, survives
from scipy.spatial.transform import Rotation

from halpose.io import bvh

# name, parent, offset, channels
Skeleton = list[tuple[str, int, tuple[float, float, float], str]]
SIX = "Xposition Yposition Zposition Zrotation Xrotation Yrotation"
BODY: Skeleton = [
    ("Hips", -1, (0, 0, 0), SIX),
    ("Chest", 0, (0, 20, 1), "Zrotation Xrotation Yrotation"),
    ("Head", 1, (0, 30, -1), "Yrotation Xrotation Zrotation"),
    ("End Site", 2, (0, 12, 0), ""),
    ("LeftArm", 1, (15, 20, 0), "Xrotation Zrotation"),
    ("LeftHand", 4, (45, 0, 0), "Zrotation"),
    ("End Site", 5, (0, 0, 0), ""),
    ("LeftUpLeg", 0, (10, -5, 0), SIX),
    ("LeftLeg", 7, (0, -40, 0), ""),
    ("End Site", 8, (0, -38, 5), ""),
]


def text_of(skeleton: Skeleton, motion: np.ndarray, seconds: str = "0.0333333", frames: int | None = None) -> str:
    lines = ["HIERARCHY"]

    def put(at: int, depth: int) -> None:
        name, parent, offset, channels = skeleton[at]
        head = name if name == "End Site" else f"{'ROOT' if parent < 0 else 'JOINT'} {name}"
        pad = "  " * depth
        lines.extend((pad + head, pad + "{", f"{pad}  OFFSET {' '.join(map(str, offset))}"))
        if name != "End Site":
            lines.append(f"{pad}  CHANNELS {len(channels.split())} {channels}".rstrip())
        for child, (_, above, *_rest) in enumerate(skeleton):
            if above == at:
                put(child, depth + 1)
        lines.append(pad + "}")

    put(0, 0)
    lines.extend(("MOTION", f"Frames: {len(motion) if frames is None else frames}", f"Frame Time: {seconds}"))
    lines.extend(" ".join(f"{value:.6f}" for value in row) for row in motion)
    return "\n".join(lines) + "\n"


def motion_of(skeleton: Skeleton, frames: int = 6, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    kinds = [name for _, _, _, channels in skeleton for name in channels.split()]
    turns = np.array(["rotation" in name for name in kinds])
    return np.round(np.where(turns, rng.uniform(-180, 180, (frames, len(kinds))), rng.normal(0, 50, len(kinds))), 6)


def witness(skeleton: Skeleton, row: np.ndarray) -> np.ndarray:
    """One frame in quaternions, joint by joint from each one up to the root."""
    local = []
    at = 0
    for _, _, offset, channels in skeleton:
        values = dict(zip(channels.split(), row[at : at + len(channels.split())], strict=True))
        at += len(values)
        step = [values.get(f"{axis}position", offset[i]) for i, axis in enumerate("XYZ")]
        order = [name for name in values if name.endswith("rotation")]
        turn = Rotation.identity()
        for name in order:
            turn = turn * Rotation.from_rotvec(np.deg2rad(values[name]) * np.eye(3)["XYZ".index(name[0])])
        local.append((turn, np.array(step, dtype=np.float64)))
    places = []
    for joint in range(len(skeleton)):
        point, node = np.zeros(3), joint
        while node >= 0:
            turn, step = local[node]
            point = (turn.apply(point) if node != joint else point) + step
            node = skeleton[node][1]
        places.append(point)
    return np.array(places)


def make_file(path: Path) -> Path:
    path.write_text(text_of(BODY, motion_of(BODY)))
    return path


def test_angles_become_positions(tmp_path: Path) -> None:
    motion = motion_of(BODY)
    (clip,) = bvh.read(make_file(tmp_path / "walk_01.bvh"))
    expected = np.stack([witness(BODY, row) for row in motion])
    layout = clip.skeleton
    assert layout.joints == (
        *("Hips", "Chest", "Head", "Head_end", "LeftArm", "LeftHand", "LeftUpLeg", "LeftLeg", "LeftLeg_end"),
    ), "an end site of no length is no joint"
    np.testing.assert_allclose(clip.positions[0], np.delete(expected, 6, axis=1), atol=2e-5)
    assert layout.parents == (0, 0, 1, 2, 1, 4, 0, 6, 7) and layout.name.startswith("bvh9-")
    assert (clip.name, clip.fps, clip.people) == ("walk_01", 30.0, ("1",))


def test_bones_are_rigid_unless_a_joint_has_positions(tmp_path: Path) -> None:
    (clip,) = bvh.read(make_file(tmp_path / "a.bvh"))
    for child, parent in clip.skeleton.bones:
        length = np.linalg.norm(clip.positions[0, :, child] - clip.positions[0, :, parent], axis=-1)
        assert length.std() < 1e-4


def test_position_channels_of_zeros_leave_the_offset(tmp_path: Path) -> None:
    motion = motion_of(BODY)
    motion[:, 15:18] = 0  # the left thigh's
    (tmp_path / "a.bvh").write_text(text_of(BODY, motion))
    (clip,) = bvh.read(tmp_path / "a.bvh")
    hip, thigh = clip.positions[0, :, 0], clip.positions[0, :, 6]
    np.testing.assert_allclose(np.linalg.norm(thigh - hip, axis=-1), np.hypot(10, 5), rtol=1e-5)


def test_a_root_on_the_floor_is_no_joint(tmp_path: Path) -> None:
    floor: Skeleton = [("joint_Root", -1, (0, 0, 0), SIX), ("Hips", 0, (0, 90, 0), SIX), ("Head", 1, (0, 60, 0), "")]
    motion = motion_of(floor)
    (tmp_path / "a.bvh").write_text(text_of(floor, motion))
    (clip,) = bvh.read(tmp_path / "a.bvh")
    assert clip.skeleton.joints == ("Hips", "Head") and clip.skeleton.parents == (0, 0)
    np.testing.assert_allclose(clip.positions[0, 3], witness(floor, motion[3])[1:], atol=1e-4)
    two = [("Root", -1, (0, 0, 0), SIX), ("Hips", 0, (0, 9, 0), ""), ("Prop", 0, (1, 0, 0), "")]
    (tmp_path / "b.bvh").write_text(text_of(two, motion_of(two)))
    assert next(bvh.read(tmp_path / "b.bvh")).skeleton.joints == ("Root", "Hips", "Prop")


@pytest.mark.parametrize(
    ("seconds", "fps"), [("0.0333333", 30), ("0.008333", 120), ("0.04", 25), ("0.0172", 1 / 0.0172)]
)
def test_frame_rate(tmp_path: Path, seconds: str, fps: float) -> None:
    (tmp_path / "a.bvh").write_text(text_of(BODY, motion_of(BODY), seconds))
    assert next(bvh.read(tmp_path / "a.bvh")).fps == pytest.approx(fps)


def test_other_ways_to_write_the_same(tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.bvh")
    (clip,) = bvh.read(path)
    text = path.read_text()
    for number, other in enumerate((
        "\ufeff" + text.replace("\n", "\r\n"), text.rstrip(), text + "\n \n", text.replace("\n{", " {"),
        text.replace("  ", "\t"), "\n".join(line + " " for line in text.splitlines()) + "\n",
    )):  # fmt: skip
        (tmp_path / f"{number}.bvh").write_bytes(other.encode())
        (same,) = bvh.read(tmp_path / f"{number}.bvh")
        np.testing.assert_array_equal(same.positions, clip.positions)
        assert same.layout == clip.layout and bvh.sniff(tmp_path / f"{number}.bvh")


def test_joints_of_one_name_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "a.bvh").write_text(make_file(tmp_path / "a.bvh").read_text().replace("LeftHand", "Chest"))
    joints = next(bvh.read(tmp_path / "a.bvh")).skeleton.joints
    assert joints[1] == "Chest" and joints[5] == "Chest_2"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("HIERARCHY", "", "does not begin with HIERARCHY"),
        ("MOTION", "", "no MOTION"),
        ("Frames: 6", "Frames: 7", "says 7 frames but holds 6"),
        ("Frames: 6", "Frames: 0", "0 frames of 21 channels"),
        ("Frames: 6", "Frames: 900000000", "says 900000000 frames"),
        ("0.0333333", "0", "a frame time of 0"),
        ("0.0333333", "nan", "a frame time of nan"),
        ("0.0333333", "fast", "a frame time of fast"),
        ("CHANNELS 1 Zrotation", "CHANNELS 1 Wrotation", "channels Wrotation of LeftHand"),
        ("CHANNELS 1 Zrotation", "CHANNELS 2 Zrotation Zrotation", "channels Zrotation Zrotation"),
        ("CHANNELS 1 Zrotation", "CHANNELS 0", "21 numbers, not 20"),
        ("CHANNELS 1 Zrotation", "CHANNELS -1", "channels"),
        ("CHANNELS 1 Zrotation", "CHANNELS 1 Zrotation CHANNELS 1 Xrotation", "LeftHand has channels twice"),
        ("OFFSET 15 20 0", "OFFSET 15 nan 0", "an offset that is not three numbers"),
        ("OFFSET 15 20 0", "OFFSET 15 20", "breaks off"),
        ("JOINT Chest", "ROOT Chest", "ROOT Chest stands in the wrong place"),
        ("JOINT Chest", "JOIN Chest", "'JOIN' is no word"),
        ("}\nMOTION", "MOTION", "1 joints have no end"),
        ("}\nMOTION", "}\n}\nMOTION", "breaks off"),
        ("}\nMOTION", "}\nROOT Other\n{\nOFFSET 0 0 0\n}\nMOTION", "2 roots"),
    ],
)
def test_damage_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = make_file(tmp_path / "a.bvh")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert message in refusal(bvh.read, path)


def test_a_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.bvh")
    text = path.read_bytes()
    for end in range(1, len(text) - 12, 7):
        path.write_bytes(text[:end])
        assert refusal(bvh.read, path)


def test_words_for_numbers_and_nan(tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.bvh")
    lines = path.read_text().splitlines()
    lines[-1] = " ".join(["x1", *lines[-1].split()[1:]])
    path.write_text("\n".join(lines) + "\n")
    assert "line 6: 'x1' is not a number" in refusal(bvh.read, path)
    lines[-1] = " ".join(["nan", *lines[-1].split()[1:]])
    path.write_text("\n".join(lines) + "\n")
    (clip,) = bvh.read(path)
    assert np.isnan(clip.positions[0, 5]).any() and np.isfinite(clip.positions[0, :5]).all()


@pytest.mark.parametrize("word", ["inf", "1e999", "1e308", "-inf"])
def test_numbers_beyond_measure_are_missing(tmp_path: Path, word: str) -> None:
    path = make_file(tmp_path / "a.bvh")
    lines = path.read_text().splitlines()
    lines[-1] = " ".join([word] * len(lines[-1].split()))
    path.write_text("\n".join(lines) + "\n")
    (clip,) = bvh.read(path)
    assert np.isfinite(clip.positions[0, :5]).all() and not np.isfinite(clip.positions[0, 5]).all()


def test_depth_and_declared_sizes_cost_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.bvh"
    path.write_text(
        "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\n"
        + "JOINT a\n{\nOFFSET 0 1 0\n" * 5000
        + "MOTION\nFrames: 1\nFrame Time: 1\n1\n"
    )
    assert "more than 1000 joints" in refusal(bvh.read, path)
    path.write_text("HIERARCHY\n" + "\n" * 200_000 + "{" * 200_000)
    assert refusal(bvh.read, path)
    path.write_text("HIERARCHY\n" + "MOTION \n" * 100_000)
    assert refusal(bvh.read, path)
    text = make_file(path).read_text()
    path.write_text(text.replace("Frames: 6", "Frames: 10000000"))
    assert peak_bytes(bvh.read, path) < 1 << 20


@SMALL
@given(data=st.data())
def test_survives_any_damage(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = make_file(tmp_path_factory.getbasetemp() / "fuzzed.bvh")
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    survives(bvh.read, path)
