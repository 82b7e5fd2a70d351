"""All formats together: the table, telling them apart, and errors that a newcomer can act on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import test_agcn
import test_alphapose
import test_amc
import test_archive
import test_arrays
import test_blazepose
import test_bvh
import test_c3d
import test_coco
import test_joint_csv
import test_keraal
import test_mmpose
import test_msr
import test_ntu
import test_openpose
import test_pkummd
import test_posed_text
import test_pyskl
import test_sbu
import test_ucla
import test_utd

from halpose import io
from halpose.errors import ConfigError, FormatError
from halpose.skeleton import Sequence


def make_all(root: Path) -> dict[str, Path]:
    """A small file of every format."""
    (root / "a.skeleton").write_text(test_ntu.three_frames())
    return {
        "ntu": root / "a.skeleton",
        "pkummd": test_pkummd.make_video(root, "0002-L", test_pkummd.frames_of(6), "1,0,4,1\n"),
        "utd": test_utd.make_file(root / "a.mat"),
        "ucla": test_ucla.make_file(root / "a.json"),
        "msr": test_msr.make_file(root / "msr.txt"),
        "sbu": test_sbu.make_file(root / "sbu.txt"),
        "hdm05-npz": test_archive.hdm05(root / "hdm.npz"),
        "bandai-npz": test_archive.bandai(root / "bandai.npz"),
        "pyskl": test_pyskl.make_file(root / "a.pkl", test_pyskl.annotation()),
        "agcn": test_agcn.make_files(root),
        "openpose": test_openpose.make_file(root / "openpose.json"),
        "alphapose": test_alphapose.make_file(root / "alphapose.json"),
        "blazepose": test_blazepose.make_file(root / "blazepose.json"),
        "coco": test_coco.make_file(root / "coco.json"),
        "mmpose": test_mmpose.make_file(root / "mmpose.json"),
        "keraal": test_keraal.make_file(root / "keraal.json"),
        "bvh": test_bvh.make_file(root / "a.bvh"),
        "amc": test_amc.make_file(root / "02_03.amc"),
        "c3d": test_c3d.make_file(root / "a.c3d"),
        "arrays": test_arrays.make_file(root / "mine.npz"),
        "csv": test_joint_csv.make_file(root / "joints.csv"),
        "kinect-txt": test_posed_text.make_file(root / "kinect.txt"),
        "vicon-txt": test_posed_text.make_file(root / "vicon.txt", 17),
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_all(tmp_path_factory.mktemp("formats"))


def test_table_is_whole(files: dict[str, Path]) -> None:
    assert list(io.FORMATS) == list(files)
    for name, format in io.FORMATS.items():
        assert format.name == name and format.description
        assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in format.suffixes)


@pytest.mark.parametrize("name", list(io.FORMATS))
def test_every_file_is_told_apart_and_read(files: dict[str, Path], name: str) -> None:
    assert io.sniff(files[name]) == name
    assert [other for other in io.FORMATS if io.FORMATS[other].sniff(files[name])] == [name]
    clips = list(io.read(files[name]))
    assert clips
    for clip, named in zip(clips, io.read(str(files[name]), name), strict=True):
        assert np.array_equal(clip.positions, named.positions, equal_nan=True)
        assert clip.positions.dtype == np.float32
        assert clip.positions.shape[2] == len(clip.skeleton)
        assert len(clip.people) == len(clip.positions)
        assert clip.confidence is None or clip.confidence.dtype == np.float32


@pytest.mark.parametrize("name", list(io.FORMATS))
@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\x00" * 100, b"\x80\x04", b"{}", b"1 2 3\n", b"\x93NUMPY", b"PK\x03\x04"]
)
def test_every_reader_and_sniffer_survives_strangers(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / f"x{io.FORMATS[name].suffixes[0]}"
    path.write_bytes(content)
    assert io.FORMATS[name].sniff(path) in (True, False)
    with pytest.raises(FormatError, match="; "):
        list(io.read(path, name))


@pytest.mark.parametrize("name", list(io.FORMATS))
def test_what_is_not_a_file_is_refused(tmp_path: Path, name: str) -> None:
    for path in (tmp_path / "absent", tmp_path):
        assert io.FORMATS[name].sniff(path) is False
        with pytest.raises(FormatError):
            list(io.read(path, name))


def test_upper_case_endings(files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "A.SKELETON").write_bytes(files["ntu"].read_bytes())
    assert io.sniff(tmp_path / "A.SKELETON") == "ntu"


def test_unknown_files_are_described(tmp_path: Path) -> None:
    (tmp_path / "a.fbx").write_text("Kaydara")
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(FormatError, match=r"a.fbx: no format ends in '.fbx'; known endings: .*.json, .mat, "):
        io.sniff(tmp_path / "a.fbx")
    with pytest.raises(FormatError, match="does not look like ntu .*, pkummd .*, msr .*, sbu .*, vicon-txt "):
        io.read(tmp_path / "a.txt")
    with pytest.raises(FormatError, match="no such file"):
        io.sniff(tmp_path / "absent.skeleton")


def test_unknown_formats_name_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no format named 'pskl'; .*did you mean pyskl"):
        io.read(tmp_path / "a", "pskl")
    with pytest.raises(ConfigError, match="does not write utd; it writes ntu, pyskl"):
        io.write(tmp_path / "a", [], "utd")


@pytest.mark.parametrize("name", [name for name, format in io.FORMATS.items() if format.write])
def test_what_is_written_is_recognised(tmp_path: Path, name: str) -> None:
    positions = np.random.default_rng(0).normal(0, 1, (2, 4, 25, 3)).astype(np.float32)
    path = tmp_path / f"x{io.FORMATS[name].suffixes[0]}"
    io.write(path, [Sequence(positions, "kinect25", "x", people=("1", "2"))], name)
    assert io.sniff(path) == name
    (clip,) = io.read(path)
    assert np.array_equal(clip.positions, positions)


def test_no_torch_is_loaded() -> None:
    code = "import sys, halpose.io; sys.exit('torch' in sys.modules or 'scipy.io' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
