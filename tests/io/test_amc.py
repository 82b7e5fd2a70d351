"""ASF/AMC: bones turned in axes of their own, as a slow witness has it, and the right skeleton for each motion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import SMALL, damaged, refusal, survives
from scipy.spatial.transform import Rotation

from halpose.io import amc
from halpose.io.asf import read_asf
from halpose.skeleton import load_layout

# name, parent, direction, length, axis, dof
Bones = list[tuple[str, str, tuple[float, float, float], float, tuple[float, float, float], str]]
BONES: Bones = [
    ("lowerback", "root", (0.1, 0.99, 0.05), 2.0, (10, -20, 30), "rx ry rz"),
    ("head", "lowerback", (0, 1, 0), 1.5, (0, 0, 0), "rx rz"),
    ("lhipjoint", "root", (0.6, -0.7, 0.2), 2.5, (0, 0, 0), ""),
    ("lfemur", "lhipjoint", (0.34, -0.94, 0), 7.5, (0, 0, 20), "rx ry rz"),
    ("ltibia", "lfemur", (0.34, -0.94, 0), 7.2, (5, 0, 20), "rx"),
    ("tail", "root", (0, 0, -1), 3.0, (45, 0, 90), "ry"),
]


def asf_text(bones: Bones = BONES, length: float = 0.45, angle: str = "deg") -> str:
    lines = [
        "# made for a test", ":version 1.10", ":units", f"  length {length}", f"  angle {angle}", ":root",
        "   order TX TY TZ RX RY RZ", "   axis XYZ", "   position 0 0 0", "   orientation 0 0 0", ":bonedata",
    ]  # fmt: skip
    for number, (name, _, direction, size, axis, freedom) in enumerate(bones):
        lines += [
            "  begin",
            f"    id {number + 1}",
            f"    name {name}",
            f"    direction {' '.join(map(str, direction))}",
        ]
        lines += [f"    length {size}", f"    axis {' '.join(map(str, axis))}  XYZ"]
        lines += [f"    dof {freedom}", "    limits (-160.0 20.0)", "           (-70.0 70.0)"] if freedom else []
        lines += ["  end"]
    lines += [":hierarchy", "  begin"]
    for parent in dict.fromkeys(bone[1] for bone in bones):
        lines.append(f"    {parent} {' '.join(bone[0] for bone in bones if bone[1] == parent)}")
    return "\n".join([*lines, "  end", ""])


def motion_of(frames: int = 5, bones: Bones = BONES) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    turning = [(name, len(freedom.split())) for name, *_, freedom in bones if freedom]
    return [
        {
            "root": np.round(rng.uniform(-180, 180, 6), 5),
            **{n: np.round(rng.uniform(-90, 90, k), 5) for n, k in turning},
        }
        for _ in range(frames)
    ]


def amc_text(motion: list[dict[str, np.ndarray]]) -> str:
    lines = ["#!OML:ASF test", ":FULLY-SPECIFIED", ":DEGREES"]
    for number, frame in enumerate(motion):
        lines.append(str(number + 1))
        lines += [f"{name} {' '.join(f'{value:.5f}' for value in values)}" for name, values in frame.items()]
    return "\n".join(lines) + "\n"


def make_file(path: Path) -> Path:
    """`02_03.amc` and `02.asf`."""
    path.with_name("02.asf").write_text(asf_text())
    path.write_text(amc_text(motion_of()))
    return path


def witness(frame: dict[str, np.ndarray], bones: Bones = BONES) -> dict[str, np.ndarray]:
    """Where each bone ends, in metres, with quaternions."""
    turns = {"root": Rotation.from_euler("xyz", frame["root"][3:], degrees=True)}
    ends = {"root": frame["root"][:3].copy()}
    for name, parent, direction, size, axis, freedom in bones:
        own = Rotation.from_euler("xyz", axis, degrees=True)
        turn = Rotation.identity()
        for kind, angle in zip(freedom.split(), frame.get(name, ()), strict=True):
            turn = Rotation.from_rotvec(np.deg2rad(angle) * np.eye(3)["xyz".index(kind[1])]) * turn
        turns[name] = turns[parent] * own * turn * own.inv()
        ends[name] = ends[parent] + turns[name].apply(np.array(direction) * size)
    return {name: end / 0.45 * 2.54 / 100 for name, end in ends.items()}


def test_angles_become_positions(tmp_path: Path) -> None:
    (clip,) = amc.read(make_file(tmp_path / "02_03.amc"))
    layout = clip.skeleton
    ends = {"root": "hip_center", "lowerback": "lower_back", "head": "head", "lhipjoint": "left_hip",
            "lfemur": "left_knee", "ltibia": "left_ankle", "tail": "tail"}  # fmt: skip
    assert set(layout.joints) == set(ends.values()) and layout.name.startswith("amc7-")
    for number, frame in enumerate(motion_of()):
        for bone, place in witness(frame).items():
            np.testing.assert_allclose(clip.positions[0, number, layout.index(ends[bone])], place, atol=1e-5)
    assert (clip.name, clip.subject, clip.fps) == ("02_03", "02", 120.0)
    for name, parent, *_ in BONES:
        assert layout.parents[layout.index(ends[name])] == layout.index(ends[parent])


def usual_bones() -> Bones:
    """The skeleton that CMU and HDM05 share, with bones of any direction."""
    layout = load_layout("hdm31")
    called = {joint: bone for bone, joint in amc._TRUNK_ENDS.items()}
    for bone, joint in amc._LIMB_ENDS.items():
        called |= {f"{side}_{joint}": f"{side[0]}{bone}" for side in ("left", "right")}
    rng = np.random.default_rng(3)
    return [
        (called[joint], called[layout.joints[parent]], tuple(np.round(rng.normal(size=3), 3)), 1.0, (0, 0, 0), "rx")
        for joint, parent in zip(layout.joints, layout.parents, strict=True)
        if joint != "hip_center"
    ]  # type: ignore[return-value]


def test_the_usual_skeleton_is_hdm31_in_whatever_order(tmp_path: Path) -> None:
    bones = usual_bones()
    bones = [*bones[10:], *bones[:10]]  # trunk and arms before the legs
    (motion,) = motion_of(1, bones)
    (tmp_path / "a.asf").write_text(asf_text(bones))
    (tmp_path / "a.amc").write_text(amc_text([motion]))
    (clip,) = amc.read(tmp_path / "a.amc")
    assert clip.layout == "hdm31"
    places = witness(motion, bones)
    for joint, bone in (("left_knee", "lfemur"), ("head", "head"), ("right_thumb", "rthumb"), ("hip_center", "root")):
        np.testing.assert_allclose(clip.positions[0, 0, load_layout("hdm31").index(joint)], places[bone], atol=1e-5)


@pytest.mark.parametrize("skeleton", ["deg", "rad"])
@pytest.mark.parametrize("motion", [":DEGREES", ":RADIANS", ""])
def test_a_motion_says_itself_how_angles_are_written(tmp_path: Path, skeleton: str, motion: str) -> None:
    """Each file by its own word; a motion without one is as its skeleton."""
    (clip,) = amc.read(make_file(tmp_path / "02_03.amc"))
    (tmp_path / "02.asf").write_text(
        asf_text(BONES if skeleton == "deg" else in_radians(BONES), angle=skeleton)
    )  # fmt: skip
    in_degrees = motion == ":DEGREES" or (not motion and skeleton == "deg")
    frames = motion_of() if in_degrees else [
        {name: np.concatenate((v[:3], np.deg2rad(v[3:]))) if name == "root" else np.deg2rad(v) for name, v in f.items()}
        for f in motion_of()
    ]  # fmt: skip
    (tmp_path / "02_03.amc").write_text(amc_text(frames).replace(":DEGREES", motion))
    (other,) = amc.read(tmp_path / "02_03.amc")
    np.testing.assert_allclose(other.positions, clip.positions, atol=1e-5)


def in_radians(bones: Bones) -> Bones:
    return [(*bone[:4], (x, y, z), bone[5]) for bone in bones for x, y, z in [np.deg2rad(bone[4]).tolist()]]


def test_units(tmp_path: Path) -> None:
    (clip,) = amc.read(make_file(tmp_path / "02_03.amc"))
    (tmp_path / "02.asf").write_text(asf_text(length=0.9))
    (half,) = amc.read(tmp_path / "02_03.amc")
    np.testing.assert_allclose(half.positions, clip.positions / 2, rtol=1e-5)


@pytest.mark.parametrize(
    ("motion", "skeletons", "chosen"),
    [
        ("02_03", ["02", "03"], "02"),
        ("HDM_mm_depositFloorR_019_120", ["HDM_bd", "HDM_mm"], "HDM_mm"),
        ("walk", ["walk", "02"], "walk"),
        ("walk", ["anything"], "anything"),
        ("12_01", ["12.ASF"], "12"),
    ],
)
def test_finding_the_skeleton(tmp_path: Path, motion: str, skeletons: list[str], chosen: str) -> None:
    for stem in skeletons:
        (tmp_path / (stem if "." in stem else f"{stem}.asf")).write_text("x")
    assert amc.find_asf(tmp_path / f"{motion}.amc").stem == chosen


def test_a_missing_skeleton_is_named(tmp_path: Path) -> None:
    (tmp_path / "02_03.amc").write_text(amc_text(motion_of()))
    message = refusal(amc.read, tmp_path / "02_03.amc")
    assert "its skeleton is missing: there is none; put its .asf file beside it, such as 02.asf" in message
    for stem in ("05", "06"):
        (tmp_path / f"{stem}.asf").write_text(asf_text())
    assert "there are 05.asf, 06.asf" in refusal(amc.read, tmp_path / "02_03.amc")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "head ",
            "neck ",
            "its first frame has no head, lfemur, ltibia, tail and stops at 'neck', not known to 02.asf",
        ),
        ("\n3\nroot", "\n4\nroot", "frame 4 follows frame 2"),
        ("lfemur", "lfemur 1", "has no ltibia, tail"),
        (":DEGREES", ":DEGREES\n0 0", "its first frame has no root"),
    ],
)
def test_damage_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = make_file(tmp_path / "02_03.amc")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert message in refusal(amc.read, path)


def test_frames_have_the_same_bones_and_numbers(tmp_path: Path) -> None:
    path = make_file(tmp_path / "02_03.amc")
    lines = path.read_text().splitlines()
    swapped = lines.copy()
    heads = [at for at, line in enumerate(lines) if line.startswith("head")]
    tails = [at for at, line in enumerate(lines) if line.startswith("tail")]
    swapped[heads[2]] = lines[heads[2]].replace("head", "tail")
    path.write_text("\n".join(swapped))
    assert "frame 3 does not have the bones of the first one" in refusal(amc.read, path)
    path.write_text("\n".join(lines[: tails[3]]))
    assert "frame 4 is not whole" in refusal(amc.read, path)
    lines[heads[1]] = "head 1.0 1.0x"
    path.write_text("\n".join(lines))
    assert "no number" in refusal(amc.read, path)
    lines[heads[1]] = f"head 1.0 {'1' * 100_000}"
    path.write_text("\n".join(lines))
    assert "a word of 100000 letters" in refusal(amc.read, path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    lowerback head\n", "", "its hierarchy and its bones differ in head"),
        ("root lowerback", "root lowerback head", "head hangs from two bones"),
        ("root lowerback lhipjoint tail", "root lhipjoint tail\n    head lowerback", "in a circle"),
        ("root lowerback lhipjoint tail", "root lhipjoint tail\n    tail root", "root hangs from two bones"),
        ("name tail", "name head", "7 bones of 6 names"),
        ("length 7.5", "length long", "not the skeleton of a motion file"),
        ("length 7.5", "length nan", "lfemur has no length"),
        ("dof ry", "dof ry ry", "degrees of freedom ry ry"),
        ("dof ry", "dof spin", "degrees of freedom spin"),
        ("90  XYZ", "90  XXZ", "axes in the order XXZ"),
        (":hierarchy", ":tree", "not the skeleton"),
        ("length 0.45", "length 0", "a unit of length of 0"),
    ],
)
def test_damaged_skeletons_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = make_file(tmp_path / "02_03.amc")
    text = asf_text()
    assert old in text
    (tmp_path / "02.asf").write_text(text.replace(old, new, 1))
    said = refusal(amc.read, path)
    assert message in said and "02.asf" in said


def test_a_chain_of_bones_as_deep_as_they_come(tmp_path: Path) -> None:
    bones: Bones = [(f"b{n}", f"b{n - 1}" if n else "root", (0, 1, 0), 1.0, (0, 0, 0), "") for n in range(999)]
    (tmp_path / "a.asf").write_text(asf_text(bones))
    assert len(read_asf(tmp_path / "a.asf").bones) == 1000
    (tmp_path / "a.asf").write_text(asf_text([*bones, ("c", "root", (0, 1, 0), 1.0, (0, 0, 0), "")]))
    (tmp_path / "a.amc").write_text("1\nroot 0 0 0 0 0 0\n")
    assert "1001 bones" in refusal(amc.read, tmp_path / "a.amc")


@SMALL
@given(data=st.data(), of_skeleton=st.booleans())
def test_survives_any_damage(data: st.DataObject, of_skeleton: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = make_file(tmp_path_factory.getbasetemp() / "02_99.amc")
    target = path.with_name("02.asf") if of_skeleton else path
    target.write_bytes(data.draw(damaged(target.read_bytes())))
    survives(amc.read, path)


def test_sniff(tmp_path: Path) -> None:
    assert amc.sniff(make_file(tmp_path / "02_03.amc"))
    assert not amc.sniff(tmp_path / "02.asf")
