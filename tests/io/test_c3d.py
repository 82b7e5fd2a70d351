"""C3D: markers of every kind of computer and number, beside what ezc3d reads and writes."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import SMALL, damaged, peak_bytes, refusal, survives

from halpose.io import c3d

LABELS = ["LASI", "RASI", "LKNE", "RKNE"]
INTEL, DEC, MIPS = 84, 85, 86


def markers(frames: int = 6, points: int = 4) -> np.ndarray:
    """(T, N, 3), millimetres."""
    return np.random.default_rng(0).uniform(-1000, 1000, (frames, points, 3)).round()


def _real(value: float, processor: int) -> bytes:
    if processor != DEC:
        return struct.pack(">f" if processor == MIPS else "<f", value)
    low, high = struct.unpack("<HH", struct.pack("<f", value * 4))
    return struct.pack("<HH", high, low)


def _parameter(name: str, group: int, value: Any, processor: int) -> bytes:
    order = ">" if processor == MIPS else "<"
    if isinstance(value, list):
        width = max(map(len, value), default=0)
        body = struct.pack("bBBB", -1, 2, width, len(value)) + b"".join(word.ljust(width).encode() for word in value)
    elif isinstance(value, float):
        body = struct.pack("bB", 4, 0) + _real(value, processor)
    else:
        body = struct.pack("bB", 2, 0) + struct.pack(f"{order}H", value)
    body += b"\x00"
    return struct.pack("bb", len(name), group) + name.encode() + struct.pack(f"{order}H", len(body) + 2) + body


def content(
    x: np.ndarray, labels: list[str] = LABELS, processor: int = INTEL, scale: float = -1.0, analog: int = 0,
    residual: np.ndarray | None = None, frames: int | None = None, **point: Any,
) -> bytes:  # fmt: skip
    """The bytes of a file; scale above zero writes whole numbers."""
    order = ">" if processor == MIPS else "<"
    rate = {"RATE": 120.0, "UNITS": ["mm"], "SCALE": scale, "LABELS": labels, **point}
    groups = struct.pack("bb", 5, -1) + b"POINT" + struct.pack(f"{order}H", 3) + b"\x00"
    section = groups + b"".join(_parameter(name, 1, value, processor) for name, value in rate.items()) + b"\x00\x00"
    blocks = -(-(len(section) + 4) // 512)
    section = (bytes([1, 0x50, blocks, processor]) + section).ljust(blocks * 512, b"\x00")
    last = len(x) if frames is None else frames
    header = bytes([2, 0x50]) + struct.pack(f"{order}5H", x.shape[1], analog, 1, last, 10)
    header += _real(scale, processor) + struct.pack(f"{order}2H", 2 + blocks, analog) + _real(120.0, processor)
    sure = np.zeros(x.shape[:2]) if residual is None else residual
    rows = []
    for positions, residuals in zip(x, sure, strict=True):
        for point_, error in zip(positions, residuals, strict=True):
            values = (*point_, error)
            if scale < 0:
                rows += [_real(value, processor) for value in values]
            else:
                rows += [
                    struct.pack(f"{order}h", round(value / (scale if i < 3 else 1))) for i, value in enumerate(values)
                ]
        rows += [_real(7.0, processor) if scale < 0 else struct.pack(f"{order}h", 7)] * analog
    return header.ljust(512, b"\x00") + section + b"".join(rows)


def make_file(path: Path, **how: Any) -> Path:
    path.write_bytes(content(how.pop("x", markers()), **how))
    return path


@pytest.mark.parametrize("processor", [INTEL, DEC, MIPS])
@pytest.mark.parametrize("scale", [-1.0, 0.5])
@pytest.mark.parametrize("analog", [0, 3])
def test_every_kind_of_number(tmp_path: Path, processor: int, scale: float, analog: int) -> None:
    path = make_file(tmp_path / "walk.c3d", processor=processor, scale=scale, analog=analog)
    assert c3d.sniff(path)
    (clip,) = c3d.read(path)
    np.testing.assert_allclose(clip.positions[0], markers() / 1000, rtol=1e-6)
    assert (clip.skeleton.joints, clip.fps, clip.name, clip.people) == (tuple(LABELS), 120.0, "walk", ("1",))
    assert clip.skeleton.name.startswith("c3d4-")


def test_as_ezc3d_has_it(tmp_path: Path) -> None:
    ezc3d = pytest.importorskip("ezc3d")
    other = ezc3d.c3d()
    other["parameters"]["POINT"]["RATE"]["value"] = [100]
    other["parameters"]["POINT"]["LABELS"]["value"] = LABELS
    other["parameters"]["POINT"]["UNITS"]["value"] = ["cm"]
    points = np.ones((4, 4, 6))
    points[:3] = markers().transpose(2, 1, 0)
    points[:3, 1, 2] = np.nan
    other["data"]["points"] = points
    residuals = np.zeros((1, 4, 6))
    residuals[0, 2, 3] = -1
    other["data"]["meta_points"]["residuals"] = residuals
    other.write(str(tmp_path / "a.c3d"))
    (clip,) = c3d.read(tmp_path / "a.c3d")
    expected = markers() / 100
    expected[2, 1] = expected[3, 2] = np.nan
    np.testing.assert_allclose(clip.positions[0], expected, rtol=1e-6)
    assert (clip.skeleton.joints, clip.fps) == (tuple(LABELS), 100.0)
    for scale in (-1.0, 0.5):
        theirs = ezc3d.c3d(str(make_file(tmp_path / "b.c3d", scale=scale, USED=4, FRAMES=6)))
        (ours,) = c3d.read(tmp_path / "b.c3d")
        np.testing.assert_allclose(theirs["data"]["points"][:3].transpose(2, 1, 0) / 1000, ours.positions[0], rtol=1e-6)


def test_a_residual_below_zero_is_missing(tmp_path: Path) -> None:
    residual = np.zeros((6, 4))
    residual[1, 2] = -1
    for scale in (-1.0, 1.0):
        (clip,) = c3d.read(make_file(tmp_path / "a.c3d", residual=residual, scale=scale))
        assert np.isnan(clip.positions[0, 1, 2]).all() and np.isnan(clip.positions).sum() == 3


@pytest.mark.parametrize(
    ("units", "metres"), [("m", 1.0), ("cm", 0.01), ("mm", 0.001), ("in", 0.0254), ("cubits", 1.0)]
)
def test_units_and_axes(tmp_path: Path, units: str, metres: float) -> None:
    (clip,) = c3d.read(make_file(tmp_path / "a.c3d", UNITS=[units], Y_SCREEN=["+Z"]))
    x, y, z = np.moveaxis(markers() * metres, -1, 0)
    np.testing.assert_allclose(clip.positions[0], np.stack((x, z, -y), axis=-1), rtol=1e-6)


def test_points_that_are_no_markers_are_left_out(tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.c3d", labels=["LASI", "*1", "LHipAngles"], ANGLES=["LHipAngles", ""])
    (clip,) = c3d.read(path)
    assert clip.skeleton.joints == ("LASI", "marker4")
    np.testing.assert_allclose(clip.positions[0], markers()[:, [0, 3]] / 1000, rtol=1e-6)
    (twice,) = c3d.read(make_file(path, labels=["LASI", "LASI", "", "LASI"]))
    assert twice.skeleton.joints == ("LASI", "LASI_2", "marker3", "LASI_3")
    assert "no labelled marker" in refusal(c3d.read, make_file(path, labels=["*1", "*2", "*3", "*4"]))


def test_people_are_told_by_their_labels(tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.c3d", labels=["Anna:LASI", "Ben:RASI", "Anna:RASI", "Ben:LASI"])
    (clip,) = c3d.read(path)
    assert (clip.people, clip.skeleton.joints) == (("Anna", "Ben"), ("LASI", "RASI"))
    np.testing.assert_allclose(clip.positions[0], markers()[:, [0, 2]] / 1000, rtol=1e-6)
    np.testing.assert_allclose(clip.positions[1], markers()[:, [3, 1]] / 1000, rtol=1e-6)
    (one,) = c3d.read(make_file(path, labels=["Anna:LASI", "Ben:RASI", "Anna:RASI", "Ben:LKNE"]))
    assert one.people == ("1",) and len(one.skeleton) == 4


def test_labels_go_on_in_further_parameters(tmp_path: Path) -> None:
    (clip,) = c3d.read(make_file(tmp_path / "a.c3d", labels=LABELS[:2], LABELS2=LABELS[2:]))
    assert clip.skeleton.joints == tuple(LABELS)


def test_long_recordings_have_more_frames_than_the_header_can_say(tmp_path: Path) -> None:
    x = np.zeros((70_000, 1, 3)) + np.arange(1, 70_001)[:, None, None]
    path = tmp_path / "a.c3d"
    head = content(x[:1], ["LASI"], frames=65_535)
    rows = np.concatenate([x[:, 0], np.zeros((len(x), 1))], axis=1).astype("<f4").tobytes()
    path.write_bytes(head[:-16] + rows)
    assert next(c3d.read(path)).frames == 65_535
    group = struct.pack("bb", 5, -2) + b"TRIAL" + struct.pack("<H", 3) + b"\x00"
    for name, frame in (("START", 1), ("END", 70_000)):
        body = struct.pack("<bBB2H", 2, 1, 2, frame % 65536, frame // 65536) + b"\x00"
        group += struct.pack("bb", 18 if name == "START" else 16, 2) + f"ACTUAL_{name}_FIELD".encode()
        group += struct.pack("<H", len(body) + 2) + body
    section = bytearray(head[512:1024])
    end = section.rstrip(b"\x00").rfind(b"LASI") + 5
    section[end : end + len(group)] = group
    path.write_bytes(head[:512] + bytes(section) + rows)
    assert next(c3d.read(path)).frames == 70_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:100], "not a C3D file"),
        (lambda data: b"\x02\x51" + data[2:], "not a C3D file"),
        (lambda data: b"\xf0" + data[1:], "its parameters are missing"),
        (lambda data: data[:-1], "it says 6 frames of 4 points, but holds 5"),
        (lambda data: data[:2] + b"\x00\x00" + data[4:], "0 points"),
        (lambda data: data[:8] + b"\xff\xff" + data[10:], "it says 65535 frames of 4 points, but holds 6"),
        (lambda data: data[:8] + b"\x00\x00" + data[10:], "it says 0 frames"),
        (lambda data: data[:1024] + b"\x00" * (len(data) - 1024), "no labelled marker in any of 6 frames"),
    ],
)
def test_damage_is_named(tmp_path: Path, change, message: str) -> None:
    path = make_file(tmp_path / "a.c3d")
    path.write_bytes(change(path.read_bytes()))
    assert message in refusal(c3d.read, path)


def test_sizes_that_are_claimed_cost_nothing(tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.c3d")
    data = bytearray(path.read_bytes())
    at = data.find(b"LABELS") + 8
    data[at + 1 : at + 9] = bytes([7, *[255] * 7])
    path.write_bytes(bytes(data))
    assert peak_bytes(c3d.read, path) < 1 << 20


@SMALL
@given(data=st.data(), processor=st.sampled_from((INTEL, DEC, MIPS)))
def test_survives_any_damage(data: st.DataObject, processor: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = make_file(tmp_path_factory.getbasetemp() / "fuzzed.c3d", processor=processor)
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    survives(c3d.read, path)
