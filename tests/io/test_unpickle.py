"""Pickles give data and call nothing: the standard library's own reading is the witness for the former."""

from __future__ import annotations

import collections
import os
import pickle
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import SMALL, damaged

from halpose.errors import FormatError
from halpose.io.unpickle import load_pickle, plain

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
ARRAYS = {
    "float16": np.linspace(-1, 1, 6, dtype=np.float16).reshape(1, 2, 3),
    "float32": np.linspace(-1, 1, 6, dtype=np.float32),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big endian": np.arange(5, dtype=">i4"),
    "view": np.arange(20)[::3],
    "bool": np.array([True, False]),
    "text": np.array(["a", "bcd"]),
    "none": np.zeros((0, 3)),
    "number": np.array(3.5),
}


def load(tmp_path: Path, content: bytes) -> Any:
    path = tmp_path / "a.pkl"
    path.write_bytes(content)
    return load_pickle(path)


def refuse(tmp_path: Path, content: bytes) -> str:
    with pytest.raises(FormatError) as error:
        load(tmp_path, content)
    assert str(tmp_path / "a.pkl") in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_containers_and_numbers(tmp_path: Path, protocol: int) -> None:
    data = {
        "list": [1, -2, 3.5, True, None, 1 << 80, "text", "ü", b"bytes", ()],
        "tuple": (1, (2, (3, 4, 5, 6))),
        1: {"x": [[], {}, [[]]]},
        "ordered": collections.OrderedDict(a=1, b=2),
        "float": np.float32(1.5),
        "int": np.int64(7),
    }
    assert load(tmp_path, pickle.dumps(data, protocol)) == data


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays(tmp_path: Path, protocol: int, kind: str) -> None:
    array = ARRAYS[kind]
    content = pickle.dumps({"array": array, "again": array}, protocol)
    found = load(tmp_path, content)
    for name in ("array", "again"):
        value = plain(found[name])
        assert value.shape == array.shape and value.dtype == array.dtype
        assert np.array_equal(value, array)


def test_older_numpy_and_python_2_names(tmp_path: Path) -> None:
    content = pickle.dumps(ARRAYS["float32"], 2)
    for old in (b"numpy.core.multiarray", b"numpy._core.multiarray"):
        changed = content.replace(b"numpy._core.multiarray", old).replace(b"numpy.core.multiarray", old)
        assert np.array_equal(plain(load(tmp_path, changed)), ARRAYS["float32"])
    assert load(tmp_path, b"\x80\x02U\x03abc.") == "abc"
    assert sorted(load(tmp_path, pickle.dumps({1, 2}, 2))) == [1, 2]


class _Runs:
    """A pickle that runs code when it is read the usual way."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_code_is_refused_by_name_and_not_run(tmp_path: Path, protocol: int) -> None:
    target = tmp_path / "written"
    content = pickle.dumps({"annotations": [_Runs(os.system, f"touch {target}")]}, protocol)
    assert f"the name {os.system.__module__}.system" in refuse(tmp_path, content).replace("os.system", "posix.system")
    assert not target.exists()
    pickle.loads(content)
    assert target.exists(), "the pickle would have run"


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (eval, ("1",)),
        (getattr, ("x", "upper")),
        (bytearray, (10**12,)),
        (np.load, ("x",)),
        (np.zeros, (10**12,)),
        (Path, ("x",)),
        (collections.Counter, ()),
        (complex, (1, 2)),
    ],
)
def test_other_names_are_refused(tmp_path: Path, protocol: int, function: Any, arguments: tuple[Any, ...]) -> None:
    message = refuse(tmp_path, pickle.dumps(_Runs(function, *arguments), protocol))
    assert function.__name__ in message and "not read" in message


def test_objects_in_arrays_are_refused(tmp_path: Path) -> None:
    refuse(tmp_path, pickle.dumps(np.array([{}, 1], dtype=object)))
    refuse(tmp_path, pickle.dumps(np.zeros(2, dtype=[("x", "f4"), ("y", "f4")])))
    refuse(tmp_path, pickle.dumps(np.zeros(2, dtype="M8[s]")))


SHORT = pickle.dumps(np.arange(4, dtype=np.uint8), 2)
HOSTILE = {
    "no array of its size": SHORT.replace(b"K\x04\x85", b"K\x05\x85"),
    "huge array": SHORT.replace(b"K\x04\x85", b"J\xff\xff\xff\x7f\x85"),
    "negative shape": SHORT.replace(b"K\x04\x85", b"J\xff\xff\xff\xff\x85"),
    "array without data": (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nJ\xff\xff\xff\x7f\x85U\x01b\x87R."
    ),
    "calls an array": b"\x80\x02cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85R.",
    "calls data": b"\x80\x02U\x01aK\x01\x85R.",
    "state of a name": b"\x80\x02cnumpy\nndarray\n}U\x01aK\x01sb.",
    "state of a list": b"\x80\x02]}U\x01aK\x01sb.",
    "another codec": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00zlib\x86R.",
    "dotted name": b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__init__\x93.",
    "name of numbers": b"\x80\x04K\x01K\x02\x93.",
    "object of a class": b"\x80\x02cnumpy\nndarray\n)\x81.",
    "old instance": b"(icollections\nOrderedDict\n.",
    "persistent": b"\x80\x02U\x01aQ.",
    "extension": b"\x80\x02\x82\x01.",
    "bytes that are not there": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 33) + b"abc.",
    "bytearray that is not there": b"\x80\x05\x96" + struct.pack("<Q", 1 << 33) + b"abc.",
    "text that is not there": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 33) + b"abc.",
    "far memo": b"\x80\x02K\x01r\xff\xff\xff\x7fj\xff\xff\xff\x7e.",
    "endless number": b"L" + b"9" * 10_000 + b"L\n.",
    "no end": b"\x80\x04]",
    "nothing": b".",
    "next protocol": b"\x80\x63.",
    "empty type": b"\x80\x02cnumpy\ndtype\nU\x02U0\x89\x88\x87R.",
}


WORDS = {
    "no array of its size": "an array of shape (5,) with 4 bytes",
    **dict.fromkeys(("object of a class", "old instance", "persistent", "extension"), "an object of a class"),
}


@pytest.mark.parametrize("trick", HOSTILE)
def test_tricks_are_refused_at_no_cost(tmp_path: Path, trick: str) -> None:
    tracemalloc.start()
    try:
        message = refuse(tmp_path, HOSTILE[trick])
        assert tracemalloc.get_traced_memory()[1] < 1 << 21
    finally:
        tracemalloc.stop()
    expected = WORDS.get(trick, "")
    assert expected in message


def test_a_far_memo_alone_costs_nothing(tmp_path: Path) -> None:
    """The machine in C makes room for two thousand million entries here."""
    tracemalloc.start()
    try:
        assert load(tmp_path, b"\x80\x02K\x01r\xff\xff\xff\x7f.") == 1
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@SMALL
@given(data=st.data(), protocol=st.sampled_from(PROTOCOLS))
def test_survives_any_damage(data: st.DataObject, protocol: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed_any.pkl"
    path.write_bytes(data.draw(damaged(pickle.dumps({"a": ARRAYS["float32"], "b": ["x", 1, 2.5, (None,)]}, protocol))))
    try:
        load_pickle(path)
    except FormatError as error:
        assert str(path) in str(error)
