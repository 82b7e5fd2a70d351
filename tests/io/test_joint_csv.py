"""CSV: wide, long and without names; whatever divides the columns; back again as written."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import SMALL, damaged, peak_bytes, refusal, survives

from halpose.errors import FormatError
from halpose.io import joint_csv
from halpose.skeleton import Layout, Sequence, load_layout

JOINTS = ("Hips", "Spine", "Head", "LeftHand", "RightHand", "LeftFoot", "RightFoot")


def positions_of(frames: int = 5, joints: int = len(JOINTS)) -> np.ndarray:
    return np.round(np.random.default_rng(0).normal(0, 50, (frames, joints, 3)), 5)


def wide(x: np.ndarray, name: str = "{}.{}", separator: str = ",", time: float | None = 1 / 120) -> str:
    head = [name.format(joint, axis) for joint in JOINTS for axis in "xyz"[: x.shape[-1]]]
    rows = [[f"{value:.5f}" for value in row.ravel()] for row in x]
    if time is not None:
        head, rows = ["time", *head], [[f"{t * time:.6f}", *row] for t, row in enumerate(rows)]
    return "\n".join(separator.join(row) for row in [head, *rows]) + "\n"


def make_file(path: Path) -> Path:
    path.write_text(wide(positions_of()))
    return path


def read_text(path: Path, text: str) -> Sequence:
    path.write_text(text)
    assert joint_csv.sniff(path)
    (clip,) = joint_csv.read(path)
    return clip


def test_wide_with_names(tmp_path: Path) -> None:
    (clip,) = joint_csv.read(make_file(tmp_path / "walk.csv"))
    np.testing.assert_allclose(clip.positions[0], positions_of(), rtol=1e-6)
    assert (clip.skeleton.joints, clip.name, clip.fps) == (JOINTS, "walk", 120.0)
    assert clip.skeleton.parents == (0, 0, 1, 1, 1, 0, 0)


@pytest.mark.parametrize("name", ["{}_{}", "{} {}", "{}:{}", "{}{}", "{}_pos_{}", "{}.{} (mm)", '"{}.{}"'])
@pytest.mark.parametrize("separator", [",", ";", "\t", " , "])
def test_other_names_and_separators(tmp_path: Path, name: str, separator: str) -> None:
    clip = read_text(tmp_path / "a.csv", wide(positions_of(), name, separator))
    assert clip.skeleton.joints == JOINTS
    np.testing.assert_allclose(clip.positions[0], positions_of(), rtol=1e-6)


def test_axes_before_joints_upper_case_and_remarks(tmp_path: Path) -> None:
    text = wide(positions_of()).replace("\n", "\r\n")
    for joint in JOINTS:
        for axis in "xyz":
            text = text.replace(f"{joint}.{axis}", f"{axis.upper()}_{joint}")
    clip = read_text(tmp_path / "a.csv", "# exported\r\n\r\n" + text.rstrip())
    assert clip.skeleton.joints == JOINTS and clip.frames == 5


def test_decimal_commas(tmp_path: Path) -> None:
    clip = read_text(tmp_path / "a.csv", wide(positions_of(), "{}_{}", ";", time=None).replace(".", ","))
    assert "Hips" in clip.skeleton.joints
    np.testing.assert_allclose(clip.positions[0], positions_of(), rtol=1e-6)


def test_flat_recordings_and_columns_that_are_something_else(tmp_path: Path) -> None:
    lines = wide(positions_of()[..., :2]).splitlines()
    lines = [f"{line},{'mood' if number == 0 else ''}" for number, line in enumerate(lines)]
    clip = read_text(tmp_path / "a.csv", "\n".join(lines))
    assert clip.positions.shape == (1, 5, 7, 2)


def test_empty_cells_are_missing_and_confidence_is_kept(tmp_path: Path) -> None:
    lines = wide(positions_of(3)).splitlines()
    lines = [f"{line},{'Head_confidence' if number == 0 else f'0.{number}'}" for number, line in enumerate(lines)]
    cells = lines[2].split(",")
    cells[4], cells[7] = "", "NaN"
    clip = read_text(tmp_path / "a.csv", "\n".join([*lines[:2], ",".join(cells), lines[3]]))
    assert np.isnan(clip.positions[0, 1, 1, 0]) and np.isnan(clip.positions[0, 1, 2, 0])
    assert np.isnan(clip.positions).sum() == 2
    assert clip.confidence is not None
    np.testing.assert_allclose(clip.confidence[0, :, 2], [0.1, 0.2, 0.3])
    assert (clip.confidence[0, :, 0] == 1).all()


def test_names_of_a_known_layout_are_that_layout(tmp_path: Path) -> None:
    known = load_layout("kinect25")
    called = [
        "".join(word.title() for word in (*joint.split("_")[1:], joint.split("_")[0]))
        if joint.startswith(("left", "right")) else joint.title().replace("_", "") for joint in known.joints
    ]  # fmt: skip
    called = called[::-1]
    x = np.random.default_rng(0).normal(size=(4, 25, 3)).round(5)
    head = ",".join(f"{joint}.{axis}" for joint in called for axis in "xyz")
    clip = read_text(tmp_path / "a.csv", head + "\n" + "\n".join(",".join(map(str, row.ravel())) for row in x) + "\n")
    assert clip.layout == "kinect25"
    np.testing.assert_allclose(clip.positions[0, :, ::-1], x, rtol=1e-6)


def test_msrc12(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(4, 20, 3)).round(6)
    x[0] = 0
    x[2, 5] = 0
    rows = [
        " ".join([str(642926216 + 33_000 * t), *(f"{c:.6f}" for joint in frame for c in (*joint, 1.0))])
        for t, frame in enumerate(x)
    ]
    clip = read_text(tmp_path / "P1_1_1_p06.csv", "\n".join(rows) + "\n")
    assert (clip.layout, clip.fps, clip.positions.shape) == ("kinect20", 30.0, (1, 4, 20, 3))
    assert np.isnan(clip.positions[0, 0]).all() and np.isnan(clip.positions[0, 2, 5]).all()
    np.testing.assert_allclose(clip.positions[0, 3], x[3], rtol=1e-6)


@pytest.mark.parametrize(
    ("step", "fps"), [(1 / 30, 30), (33.33, 30), (8.333, 120), (33_333, 30), (1, 0), (0.017, 60), (1 / 12.5, 12.5)]
)
def test_times_in_any_unit(tmp_path: Path, step: float, fps: float) -> None:
    assert read_text(tmp_path / "a.csv", wide(positions_of(), time=step)).fps == pytest.approx(fps, rel=0.03)


@pytest.mark.parametrize("form", ["wide", "long"])
def test_frames_that_are_left_out_do_not_change_the_rate(tmp_path: Path, form: str) -> None:
    """Every second frame of 60 a second: frames 0, 2, 4 ... lie 1/30 s apart, and the odd ones are missing."""
    x = positions_of(4, 2)
    if form == "wide":
        head = ["frame,time,a.x,a.y,a.z,b.x,b.y,b.z"]
        rows = [f"{2 * t},{t / 30:.6f}," + ",".join(map(str, pose.ravel())) for t, pose in enumerate(x)]
    else:
        head = ["frame,time,joint,x,y,z"]
        rows = [
            f"{2 * t},{t / 30:.6f},{'ab'[joint]}," + ",".join(map(str, place))
            for t, pose in enumerate(x) for joint, place in enumerate(pose)
        ]  # fmt: skip
    clip = read_text(tmp_path / "a.csv", "\n".join(head + rows))
    assert clip.positions.shape == (1, 7, 2, 3) and np.isnan(clip.positions[0, 1::2]).all()
    assert clip.fps == 60.0


def test_the_number_that_pandas_gives_each_line_is_no_frame(tmp_path: Path) -> None:
    rows = ["0,0,left,1,2,3", "1,0,right,4,5,6", "2,1,left,1,2,4", "3,1,right,4,5,7"]
    for name in ("", "index", "frame_id"):
        clip = read_text(tmp_path / "a.csv", "\n".join([f"{name},frame,joint,x,y,z", *rows]))
        np.testing.assert_array_equal(clip.positions[0, 1], [[1, 2, 4], [4, 5, 7]])


def test_names_without_end_cost_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("_" * 60_000 + "q,b.x,b.y\n1,2,3\n")
    started = time.perf_counter()
    assert not joint_csv.sniff(tmp_path / "a.csv")
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("name", ["left,hand", 'the "head"', "two\nlines", " hips"])
def test_names_that_are_no_cell_are_not_written(tmp_path: Path, name: str) -> None:
    layout = Layout.from_dict({"name": "own", "joints": ["a", name], "parents": ["a", "a"], "centre": "a",
                               "spine": ["a", "a"], "sides": []})  # fmt: skip
    x = np.zeros((1, 1, 2, 3), np.float32)
    for clip in (Sequence(x, layout, "a"), Sequence(x, replace(layout, joints=("a", "b")), "a", people=(name,))):
        with pytest.raises(FormatError, match="would not be one cell"):
            joint_csv.write(tmp_path / "a.csv", [clip])
    assert not (tmp_path / "a.csv").exists()


def test_long_with_people_and_gaps(tmp_path: Path) -> None:
    rows = ["frame,person,joint,x,y,z,confidence"]
    for frame in (3, 4, 7):
        for person in ("b", "a"):
            for at, joint in enumerate(JOINTS):
                if (frame, person, joint) != (4, "a", "Head"):
                    rows.append(f"{frame},{person},{joint},{at},{frame},{'ab'.index(person)},0.5")
    order = [0, *np.random.default_rng(0).permutation(np.arange(1, len(rows)))]
    clip = read_text(tmp_path / "a.csv", "\n".join(rows[at] for at in order))
    layout = clip.skeleton
    assert clip.positions.shape == (2, 5, 7, 3) and set(layout.joints) == set(JOINTS)
    first = int(clip.positions[0, 0, 0, 2])
    for person, z in enumerate((first, 1 - first)):
        for frame in (0, 1, 4):
            for at, joint in enumerate(JOINTS):
                found = clip.positions[person, frame, layout.index(joint)]
                if (frame, z, joint) == (1, 0, "Head"):
                    assert np.isnan(found).all()
                else:
                    assert found.tolist() == [at, frame + 3, z]
    assert np.isnan(clip.positions[:, 2:4]).all()
    assert clip.confidence is not None and clip.confidence[0, 0, 0] == 0.5 and clip.confidence[0, 2, 0] == 0


@pytest.mark.parametrize("channels", [2, 3])
@pytest.mark.parametrize("layout", ["kinect25", "coco17"])
def test_what_is_written_is_read(tmp_path: Path, layout: str, channels: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 6, len(load_layout(layout)), channels)).astype(np.float32)
    x[1, :2] = np.nan
    x[0, 3, 4] = np.nan
    confidence = rng.random(x.shape[:3]).astype(np.float32)
    joint_csv.write(tmp_path / "a.csv", [Sequence(x, layout, "a", fps=30.0, confidence=confidence)])
    (clip,) = joint_csv.read(tmp_path / "a.csv")
    assert (clip.layout, clip.fps) == (layout, 30.0)
    np.testing.assert_array_equal(clip.positions, x)
    assert clip.confidence is not None
    np.testing.assert_array_equal(clip.confidence, confidence)


def test_one_clip_a_file(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="2 clips"):
        joint_csv.write(tmp_path / "a.csv", [Sequence(np.zeros((1, 1, 25, 3)), "kinect25", "a")] * 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\na.bvh,walk\n", "no columns of joints"),
        ("1,2,3\n4,5,6\n", "3 columns without names"),
        ("a.x,a.y,a.z\n", "no line of numbers"),
        ("a.x,a.y,a.z\n1,2,3\n4,5\n", "line 3 has 2 cells, not 3"),
        ("a.x,a.y,a.z\n1,2,3\n4,5,six\n", "line 3: 'six' is not a number"),
        ("frame,joint,x,y\n0,a,1,2\n0,a,3,4\n", "a joint stands twice in one frame"),
        ("frame,joint,x,y\n0,,1,2\n", "joints without a name"),
        ("frame,joint,x,y\n,a,1,2\n", "a line without its frame"),
        ("frame,joint,x,y\n", "no line below its names"),
        ("a.x,a.y\nnan,nan\n", "nobody in any of 1 frames"),
        (",".join("0" * 60) + "\n", "nobody in any of 1 frames"),
        ("# only a remark", "no columns of joints"),
    ],
)
def test_damage_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    assert message in refusal(joint_csv.read, tmp_path / "a.csv")


def test_numbers_of_frames_cost_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("frame,joint,x,y,z\n0,a,1,2,3\n1000000000,a,1,2,3\n1e300,a,1,2,3\n")
    assert next(joint_csv.read(path)).frames == 3
    assert peak_bytes(joint_csv.read, path) < 1 << 20
    rows = "\n".join(f"{n},{n % 90},j{n},1,2,3" for n in range(900))
    path.write_text(f"frame,person,joint,x,y,z\n{rows}\n")
    assert "of which it has" in refusal(joint_csv.read, path)
    path.write_text("frame,person,joint,x,y,z\n" + "\n".join(f"0,{n},a,1,2,3" for n in range(101)))
    assert "101 people" in refusal(joint_csv.read, path)


@SMALL
@given(data=st.data(), long=st.booleans())
def test_survives_any_damage(data: st.DataObject, long: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = make_file(tmp_path_factory.getbasetemp() / "fuzzed_joints.csv")
    if long:
        joint_csv.write(path, list(joint_csv.read(path)))
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    survives(joint_csv.read, path)
    assert joint_csv.sniff(path) in (True, False)
