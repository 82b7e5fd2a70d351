"""Arrays from strangers: no objects, no sizes that the file does not fill."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import SMALL, damaged

from halpose.errors import FormatError
from halpose.io.npy import archive_names, array_shape, open_array, read_archive

HUGE = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 1000000000), }"


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def test_open_array_is_the_array(tmp_path: Path) -> None:
    for number, array in enumerate((np.arange(24.0).reshape(2, 3, 4), np.asfortranarray(np.arange(6).reshape(2, 3)))):
        np.save(tmp_path / f"{number}.npy", array)
        opened = open_array(tmp_path / f"{number}.npy")
        assert isinstance(opened, np.memmap) and not opened.flags.writeable
        assert np.array_equal(opened, array)
        assert array_shape(tmp_path / f"{number}.npy") == array.shape


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x" * 200,
        npy(HUGE),
        npy(HUGE.replace("1000000000", "0", 1)),
        npy(HUGE.replace("(1000000000, 1000000000)", "(-1, 5)"), bytes(40)),
        npy(HUGE.replace("(1000000000, 1000000000)", "(3,)").replace("<f4", "|O"), bytes(24)),
        npy(HUGE.replace("(1000000000, 1000000000)", "(3,)"), bytes(11)),
        npy(HUGE.replace("(1000000000, 1000000000)", "(3,)"), bytes(13)),
        npy("__import__('os').system('true')"),
        npy("(" * 100),
    ],
)
def test_lies_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(FormatError, match="a.npy"):
        open_array(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", content)
    if b"'shape': (0" not in content:
        with pytest.raises(FormatError, match="a.npz"):
            read_archive(tmp_path / "a.npz", ("x",))


def test_what_is_said_and_what_is_there_are_compared(tmp_path: Path) -> None:
    content = npy(HUGE.replace("(1000000000, 1000000000)", "(3,)"), bytes(11))
    (tmp_path / "a.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", content)
    with pytest.raises(FormatError, match=r"says \(3,\) of float32 but holds 11 bytes"):
        open_array(tmp_path / "a.npy")
    with pytest.raises(FormatError, match=r"x.npy says \(3,\) but holds 11 bytes"):
        read_archive(tmp_path / "a.npz", ("x",))


def test_archive_holds_what_was_saved(tmp_path: Path) -> None:
    arrays = {"x": np.arange(6.0).reshape(2, 3).T, "names": np.array(["a", "bcd"]), "n": np.arange(3)}
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    assert archive_names(tmp_path / "a.npz") == set(arrays)
    found = read_archive(tmp_path / "a.npz", ("x", "names", "n"))
    assert all(np.array_equal(found[name], array) for name, array in arrays.items())
    with pytest.raises(FormatError, match="no array y in it; it needs x, y"):
        read_archive(tmp_path / "a.npz", ("x", "y"))


def test_objects_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.array([{}, 1], dtype=object))
    with pytest.raises(FormatError, match="objects are not read"):
        read_archive(tmp_path / "a.npz", ("x",))


def test_a_large_claim_in_an_archive_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", npy(HUGE, bytes(64)))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    at = content.rindex(b"PK\x01\x02") + 24  # the size in the directory
    content[at : at + 4] = (0xF0000000).to_bytes(4, "little")
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(FormatError, match="MiB"):
        read_archive(tmp_path / "a.npz", ("x",))


def test_not_there(tmp_path: Path) -> None:
    for read in (open_array, lambda path: read_archive(path, ("x",))):
        with pytest.raises(FormatError, match="cannot be read"):
            read(tmp_path / "absent")
    assert array_shape(tmp_path / "absent") == () and archive_names(tmp_path / "absent") == set()


@SMALL
@given(data=st.data())
def test_survives_any_damage(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed_array"
    array, archive = io.BytesIO(), io.BytesIO()
    np.save(array, np.arange(40.0).reshape(2, 20))
    np.savez_compressed(archive, x=np.arange(40.0))
    for content, read in ((array, open_array), (archive, lambda path: read_archive(path, ("x",)))):
        path.write_bytes(data.draw(damaged(content.getvalue())))
        try:
            read(path)
        except FormatError as error:
            assert str(path) in str(error)
        array_shape(path)
        archive_names(path)
