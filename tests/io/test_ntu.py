"""NTU text: equal to the line-by-line loop, whatever bodies come and go; damage is named with its frame."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import SMALL, damaged, peak_bytes, refusal, survives

from halpose.errors import FormatError
from halpose.io import ntu
from halpose.skeleton import Sequence

Body = tuple[str, np.ndarray]


@pytest.fixture(scope="module")
def witness() -> ModuleType:
    """The benchmark, which holds a reader written line by line and files in the original style."""
    path = Path(__file__).parents[2] / "benchmarks" / "read_ntu.py"
    spec = importlib.util.spec_from_file_location("read_ntu_benchmark", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ntu_text(frames: list[list[Body]], number: str = "%.7g", tracking: str = "2") -> str:
    """A file of the given bodies per frame."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for identity, joints in bodies:
            lines += [f"{identity} 0 1 1 1 1 0 0.02764709 -0.05745083 2", "25"]
            xyz = [" ".join(number % value for value in joint) for joint in joints.tolist()]
            lines += [f"{joint} 277.419 191.8218 1036.233 519.1677 -0.2 0.05 0.9 0 {tracking}" for joint in xyz]
    return "\n".join(lines) + "\n"


def some_body(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal((0, 0, 3), 0.7, (25, 3)).astype(np.float32)


def three_frames() -> str:
    return ntu_text([[("72057594037931101", some_body(t))] for t in range(3)])


def read_text(path: Path, content: str) -> Sequence:
    path.write_text(content)
    (clip,) = ntu.read(path)
    return clip


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_equals_reading_line_by_line(witness: ModuleType, tmp_path: Path, newline: str) -> None:
    for path in witness.make_files(tmp_path, 6, newline):
        (clip,) = ntu.read(path)
        slow = witness.read_by_lines(path)
        assert np.array_equal(clip.positions, slow[: len(clip.positions)].astype(np.float32))
        assert not slow[len(clip.positions) :].any()


@pytest.mark.parametrize("number", ["%.7g", "%.9g", "%.3e", "%.17g", "%d", "%.12f"])
def test_numbers_may_be_written_anyhow(tmp_path: Path, number: str) -> None:
    joints = some_body(0) * np.array([1e-4, 1, 30])
    clip = read_text(tmp_path / "a.skeleton", ntu_text([[("1", joints)]] * 2, number))
    expected = np.array([[float(number % value) for value in joint] for joint in joints.tolist()])
    expected = np.where((expected == 0).all(axis=-1, keepdims=True), np.nan, expected).astype(np.float32)
    assert np.array_equal(clip.positions[0, 1], expected, equal_nan=True)


@pytest.mark.parametrize("spaces", [" ", "  ", "\t", " \t "])
@pytest.mark.parametrize("newline", ["\n", "\r\n", " \n", "\n\n", "\r\n\r\n", "\n "])
def test_white_space_does_not_matter(tmp_path: Path, spaces: str, newline: str) -> None:
    text = three_frames()
    plain = read_text(tmp_path / "plain.skeleton", text)
    path = tmp_path / "odd.skeleton"
    path.write_bytes(text.replace(" ", spaces).replace("\n", newline).encode())
    (odd,) = ntu.read(path)
    assert np.array_equal(odd.positions, plain.positions)
    assert odd.confidence is not None and plain.confidence is not None
    assert np.array_equal(odd.confidence, plain.confidence)
    assert odd.people == plain.people


def test_bodies_are_followed_by_identity(tmp_path: Path) -> None:
    a, b, c = (some_body(seed) for seed in range(3))
    frames: list[list[Body]] = [[], [("7", a)], [("8", b), ("7", c)], [], [("7", b), ("8", a)], [("9", c)]]
    clip = read_text(tmp_path / "a.skeleton", ntu_text(frames, "%.9g"))
    assert clip.people == ("7", "8", "9")
    expected = np.full((3, 6, 25, 3), np.nan, dtype=np.float32)
    expected[0, 1], expected[0, 2], expected[1, 2] = a, c, b
    expected[0, 4], expected[1, 4], expected[2, 5] = b, a, c
    assert np.array_equal(clip.positions, expected, equal_nan=True)
    assert clip.confidence is not None
    assert np.array_equal(clip.confidence, ~np.isnan(expected[..., 0]))


def test_one_identity_twice_in_a_frame_loses_nobody(tmp_path: Path) -> None:
    a, b, c = (some_body(seed) for seed in range(3))
    clip = read_text(tmp_path / "a.skeleton", ntu_text([[("7", a), ("7", b)], [("7", c)]], "%.9g"))
    assert clip.people == ("7", "7#2")
    assert np.array_equal(clip.positions[:, 0], [a, b])
    assert np.array_equal(clip.positions[0, 1], c)
    assert np.isnan(clip.positions[1, 1]).all()


def test_a_crowd(tmp_path: Path) -> None:
    """Ten bodies in a frame are counted with two digits."""
    frames = [[(str(100 + m), some_body(m)) for m in range(count)] for count in (10, 3, 12)]
    clip = read_text(tmp_path / "a.skeleton", ntu_text(frames, "%.9g"))
    assert clip.positions.shape == (12, 3, 25, 3)
    assert (~np.isnan(clip.positions[..., 0, 0])).sum(axis=0).tolist() == [10, 3, 12]
    assert np.array_equal(clip.positions[11, 2], some_body(11))


def test_joint_at_the_camera_is_missing(tmp_path: Path) -> None:
    joints = some_body(0)
    joints[4] = 0
    joints[5] = (0, 1, 2)
    clip = read_text(tmp_path / "a.skeleton", ntu_text([[("1", joints)]], "%.9g"))
    assert np.isnan(clip.positions[0, 0, 4]).all()
    assert np.array_equal(clip.positions[0, 0, 5], (0, 1, 2))


@pytest.mark.parametrize(("state", "confidence"), [("0", 0), ("1", 0.5), ("2", 1), ("2.0", 1), ("7", 1), ("-1", 0)])
def test_tracking_state_is_confidence(tmp_path: Path, state: str, confidence: float) -> None:
    clip = read_text(tmp_path / "a.skeleton", ntu_text([[("1", some_body(0))]], tracking=state))
    assert clip.confidence is not None
    assert (clip.confidence == confidence).all()


def test_not_a_number_is_missing_and_infinity_stays(tmp_path: Path) -> None:
    text = ntu_text([[("1", some_body(0))]]).splitlines()
    text[4] = "nan" + text[4][text[4].index(" ") :]
    text[5] = "-inf" + text[5][text[5].index(" ") :]
    text[6] = "1e60" + text[6][text[6].index(" ") :]
    clip = read_text(tmp_path / "a.skeleton", "\n".join(text))
    assert np.isnan(clip.positions[0, 0, 0, 0])
    assert clip.positions[0, 0, 1, 0] == -np.inf
    assert clip.positions[0, 0, 2, 0] == np.inf


def test_name_tells_who_where_and_what(tmp_path: Path) -> None:
    clip = read_text(tmp_path / "S012C003P045R002A117.skeleton", three_frames())
    assert (clip.setup, clip.camera, clip.subject, clip.label) == (12, 3, "45", 116)
    assert clip.extra == {"replication": 2, "action": 117}
    assert (clip.name, clip.layout, clip.fps) == ("S012C003P045R002A117", "kinect25", 30.0)


@pytest.mark.parametrize("name", ["me_walking.skeleton", "S1C1P1R1A1.skeleton", "xS012C003P045R002A117.skeleton"])
def test_other_names_are_read_too(tmp_path: Path, name: str) -> None:
    clip = read_text(tmp_path / name, three_frames())
    assert (clip.label, clip.subject, clip.camera, clip.setup, clip.extra) == (-1, "", 0, 0, {})


def line_changed(number: int, content: str | None) -> Callable[[str], str]:
    """Replace a line, counted from 1, or drop it."""

    def change(text: str) -> str:
        lines = text.splitlines()
        lines[number - 1 : number] = [] if content is None else [content]
        return "\n".join(lines) + "\n"

    return change


# Of a file of three frames with one body each: 1 + 3 (1 + 27) lines; frame 2 starts at line 30, its joints at 33.
FAULTS: dict[str, tuple[Callable[[str], str], str]] = {
    "empty": (lambda text: "", "the file is empty"),
    "blank": (lambda text: "\n\n", "the file ends"),
    "header only": (lambda text: "3\n", "the file ends in frame 1 of 3"),
    "no frames": (lambda text: "0\n", "0 frames"),
    "no bodies": (lambda text: "3\n0\n0\n0\n", "no body in any of 3 frames"),
    "not a count": (line_changed(1, "three"), "line 1 .*is not the number of frames"),
    "negative": (line_changed(30, "-1"), "line 30 .*is not the number of bodies in frame 2 of 3"),
    "fewer frames": (line_changed(1, "2"), "line 58 follows the last of 2 frames"),
    "more frames": (line_changed(1, "4"), "the file ends in frame 4 of 4"),
    "many frames": (line_changed(1, "999999999"), "the file ends in frame 4 of 999999999"),
    "too many frames": (line_changed(1, "9" * 5000), "line 1 .*is not the number of frames"),
    "many bodies": (line_changed(30, "999999999"), "in frame 2 of 3"),
    "ten bodies for one": (line_changed(30, "10"), "line 58 .*not the 10 numbers of a body in frame 2 of 3"),
    "body missing": (line_changed(30, "2"), "line 58 .*not the 10 numbers of a body in frame 2 of 3"),
    "body too many": (line_changed(30, "0"), "line 31 .*not the number of bodies in frame 3 of 3"),
    "wrong joints": (line_changed(32, "20"), "20 joints instead of 25 in frame 2 of 3"),
    "no joint count": (line_changed(32, None), "line 32 .*not the number of joints in frame 2 of 3"),
    "joint missing": (line_changed(40, None), "line 57 .*not the 12 numbers of a joint in frame 2 of 3"),
    "joint too many": (
        lambda text: line_changed(40, text.splitlines()[39] + "\n" + text.splitlines()[39])(text),
        "frame 3",
    ),
    "joint short": (line_changed(40, "0.1 0.2 0.3"), "line 40 has 3 words .*joint in frame 2 of 3"),
    "joint words": (line_changed(40, "a b c 0 0 0 0 0 0 0 0 2"), "line 40: 'a' is not a number in frame 2 of 3"),
    "joint word 3": (line_changed(57, "1 2 c 0 0 0 0 0 0 0 0 2"), "line 57: 'c' is not a number in frame 2 of 3"),
    "bad state": (line_changed(40, "1 2 3 0 0 0 0 0 0 0 0 x"), "line 40: 'x' is not a number in frame 2 of 3"),
    "bad identity": (line_changed(31, "me 0 0 0 0 0 0 0 0 2"), "'me' is not the identity of a body"),
    "joints of three digits": (line_changed(32, "250"), "250 joints instead of 25 in frame 2 of 3"),
    "body before the frames": (
        lambda text: line_changed(1, "2")(line_changed(2, None)(text)),
        "line 2 .*is not the number of bodies in frame 1 of 2",
    ),
    "joint too many at the end": (lambda text: text + text.splitlines()[-1], "line 86 follows the last of 3 frames"),
    "one line more": (lambda text: text + "1\n", "line 86 follows the last of 3 frames"),
    "cut between lines": (lambda text: "\n".join(text.splitlines()[:50]), "the file ends in frame 2 of 3"),
    "cut in a line": (lambda text: "\n".join(text.splitlines()[:50])[:-20], "the file ends in frame 2 of 3"),
    "cut in the last line": (lambda text: text[:-4], "the file ends in frame 3 of 3"),
    "garbage": (lambda text: "\x00\x01\x02" * 999, "is not the number of frames"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_damage_is_named_with_its_frame(tmp_path: Path, fault: str, newline: str) -> None:
    change, message = FAULTS[fault]
    path = tmp_path / "S001C001P001R001A001.skeleton"
    path.write_bytes(change(three_frames()).replace("\n", newline).encode())
    found = refusal(ntu.read, path)
    assert found.startswith(f"{path}: ")
    assert re.search(message, found), found
    assert "; " in found.removeprefix(str(path))


def test_truncated_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.skeleton"
    content = ntu_text([[("1", some_body(t))] for t in range(2)]).encode()
    for end in range(0, len(content) - 2, 211):
        path.write_bytes(content[:end])
        refusal(ntu.read, path)


def test_missing_file_is_a_format_error(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(ntu.read, tmp_path / "absent.skeleton")
    assert "cannot be read" in refusal(ntu.read, tmp_path)


def test_claims_cost_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.skeleton"
    path.write_text(line_changed(1, "999999999")(three_frames()))
    assert peak_bytes(ntu.read, path) < 1 << 22


def test_a_new_body_in_every_frame_is_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "a.skeleton"
    path.write_text(ntu_text([[(str(t), some_body(0))] for t in range(65)]))
    assert "65 different bodies" in refusal(ntu.read, path)
    path.write_text(ntu_text([[(str(t), some_body(0))] for t in range(64)]))
    (clip,) = ntu.read(path)
    assert len(clip.people) == 64


@SMALL
@given(data=st.data())
def test_survives_any_damage(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.skeleton"
    path.write_bytes(data.draw(damaged(ntu_text([[("1", some_body(0)), ("2", some_body(1))]] * 2).encode())))
    survives(ntu.read, path)


def two_people(rng: np.random.Generator) -> Sequence:
    positions = rng.normal(0, 1, (2, 9, 25, 3)) * 10.0 ** rng.integers(-9, 5, (2, 9, 25, 3))
    positions[1, :4] = np.nan
    positions[0, 2] = np.nan
    positions[0, 5, 3] = np.nan
    positions[0, 6, 3, 1] = np.inf
    return Sequence(positions.astype(np.float32), "kinect25", "S001C002P003R001A004", people=("11", "12"))


def test_write_then_read_is_exact(tmp_path: Path) -> None:
    clip = two_people(np.random.default_rng(1))
    path = tmp_path / "S001C002P003R001A004.skeleton"
    ntu.write(path, [clip])
    (back,) = ntu.read(path)
    assert np.array_equal(back.positions, clip.positions, equal_nan=True)
    assert back.people == clip.people
    assert (back.label, back.subject) == (3, "3")


def test_written_confidence_is_the_tracking_state(tmp_path: Path) -> None:
    clip = two_people(np.random.default_rng(2))
    clip.confidence = np.random.default_rng(3).choice(np.float32([0, 0.5, 1]), clip.positions.shape[:3])
    ntu.write(tmp_path / "a.skeleton", [clip])
    (back,) = ntu.read(tmp_path / "a.skeleton")
    seen = ~np.isnan(clip.positions).any(axis=-1)
    assert back.confidence is not None
    assert np.array_equal(back.confidence[seen], clip.confidence[seen])
    assert not back.confidence[~seen].any()


@pytest.mark.parametrize("people", [(), ("ann", "bob"), ("1", "1"), ("1",)])
def test_people_without_numbers_get_some(tmp_path: Path, people: tuple[str, ...]) -> None:
    clip = two_people(np.random.default_rng(1))
    clip.people = people
    ntu.write(tmp_path / "a.skeleton", [clip])
    (back,) = ntu.read(tmp_path / "a.skeleton")
    assert back.people == ("72057594037927936", "72057594037927937")
    assert np.array_equal(back.positions, clip.positions, equal_nan=True)


def test_what_does_not_fit_is_not_written(tmp_path: Path) -> None:
    clip = two_people(np.random.default_rng(1))
    nobody = Sequence(np.full((1, 3, 25, 3), np.nan, np.float32), "kinect25", "nobody")
    other = Sequence(np.zeros((1, 3, 20, 3), np.float32), "kinect20", "other")
    for clips, message in (
        ([], "0 clips"),
        ([clip, clip], "2 clips"),
        ([nobody], "nobody is in any frame"),
        ([other], "kinect20"),
    ):
        with pytest.raises(FormatError, match=message):
            ntu.write(tmp_path / "a.skeleton", clips)
    assert not (tmp_path / "a.skeleton").exists()


@pytest.mark.parametrize(
    ("content", "is_ntu"),
    [
        (three_frames(), True),
        ("3\n0\n0\n0\n", True),
        ("3\r\n1\r\n", True),
        ("", False),
        ("1 2 3\n", False),
        ("3\n1\n0.5 0.5\n", False),
        ("x\ny\n", False),
    ],
)
def test_sniff(tmp_path: Path, content: str, is_ntu: bool) -> None:
    path = tmp_path / "a.skeleton"
    path.write_text(content)
    assert ntu.sniff(path) is is_ntu
    assert ntu.sniff(tmp_path / "absent") is False
