"""Files that would run code when they are loaded: refused, and the code does not run."""

from __future__ import annotations

import io as streams
import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from terminal import halpose

from halpose import io
from halpose.data.store import Store
from halpose.errors import HalposeError


class Touches:
    """Unpickled by a careless reader, makes a folder."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.mark),))


def annotations(payload: Any) -> dict[str, Any]:
    """A sound pyskl pickle but for one entry."""
    keypoint = np.ones((1, 4, 25, 3), dtype=np.float32)
    sound = {"frame_dir": "S001C001P001R001A001", "label": 0, "keypoint": keypoint, "total_frames": 4}
    return {"split": {}, "annotations": [sound, {**sound, "frame_dir": "S001C001P002R001A001", "img_shape": payload}]}


def of_protocol(number: int) -> Callable[[Path], bytes]:
    return lambda mark: pickle.dumps(annotations(Touches(mark)), protocol=number)


def instruction(template: bytes) -> Callable[[Path], bytes]:
    """Pickles that no `dumps` writes, as an attacker would by hand."""
    return lambda mark: template % str(mark).encode()


def dotted(mark: Path) -> bytes:
    """Calls `shutil`'s own `os.mkdir`: the name of a module that is no danger, and a way out of it."""
    words = [bytes([len(word)]) + word for word in (b"shutil", b"os.mkdir", str(mark).encode())]
    return b"\x80\x04\x8c%b\x8c%b\x93\x8c%b\x85R." % tuple(words)


ATTACKS: dict[str, Callable[[Path], bytes]] = {
    **{f"protocol {number}": of_protocol(number) for number in range(6)},
    "INST": instruction(b"(S'%s'\nios\nmkdir\n."),
    "OBJ": instruction(b"(cos\nmkdir\nS'%s'\no."),
    "eval": instruction(b'cbuiltins\neval\n(S\'__import__("os").mkdir("%s")\'\ntR.'),
    "a name behind a dot": dotted,
    "object array": lambda mark: pickle.dumps(annotations(np.array([Touches(mark)], dtype=object)), protocol=4),
    "before the data": lambda mark: pickle.dumps([Touches(mark), annotations(0)], protocol=4),
}


def test_the_attacks_are_real(tmp_path: Path) -> None:
    marks = {}
    for number, (name, attack) in enumerate(ATTACKS.items()):
        marks[name] = tmp_path / f"mark-{number}"
        (tmp_path / f"{number}.pkl").write_bytes(attack(marks[name]))
    script = "import pathlib, pickle, contextlib\n" + "".join(
        f"with contextlib.suppress(Exception): pickle.loads(pathlib.Path({str(tmp_path)!r}, '{n}.pkl').read_bytes())\n"
        for n in range(len(ATTACKS))
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
    ran = {name for name, mark in marks.items() if mark.exists()}
    assert ran == set(ATTACKS)


@pytest.mark.parametrize("name", ATTACKS)
def test_a_pickle_that_runs_code_is_refused_and_does_not_run(name: str, tmp_path: Path) -> None:
    mark, source = tmp_path / "mark", tmp_path / "source"
    source.mkdir()
    file = source / "ntu60_3danno.pkl"
    file.write_bytes(ATTACKS[name](mark))
    with pytest.raises(HalposeError) as caught:
        list(io.read(file, "pyskl"))
    assert str(file) in str(caught.value)
    assert "more than data" in str(caught.value) or "not readable as a pickle" in str(caught.value)
    outcome = halpose("data", "prepare", "ntu60", "--source", source, "--out", tmp_path / "store")
    outcome.fails("ntu60_3danno.pkl")
    assert not mark.exists()
    assert not (tmp_path / "store").exists()


def test_an_array_file_that_runs_code_is_refused(tmp_path: Path) -> None:
    mark, file = tmp_path / "mark", tmp_path / "train_data_joint.npy"
    np.save(file, np.array([Touches(mark)], dtype=object), allow_pickle=True)
    (tmp_path / "train_label.pkl").write_bytes(pickle.dumps((["a"], [0])))
    with pytest.raises(HalposeError, match=r"train_data_joint\.npy"):
        list(io.read(file, "agcn"))
    assert not mark.exists()


def test_labels_that_run_code_are_refused(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    np.save(tmp_path / "train_data_joint.npy", np.ones((1, 3, 4, 25, 2), dtype=np.float32))
    (tmp_path / "train_label.pkl").write_bytes(pickle.dumps((["S001C001P001R001A001"], Touches(mark))))
    with pytest.raises(HalposeError, match=r"train_label\.pkl"):
        list(io.read(tmp_path / "train_data_joint.npy", "agcn"))
    assert not mark.exists()


def test_a_store_that_runs_code_is_refused(toy_store: Path, tmp_path: Path) -> None:
    mark, store = tmp_path / "mark", tmp_path / "store"
    store.mkdir()
    for file in toy_store.iterdir():
        (store / file.name).write_bytes(file.read_bytes())
    buffer = streams.BytesIO()
    np.save(buffer, np.array([Touches(mark)] * 120, dtype=object), allow_pickle=True)
    with zipfile.ZipFile(toy_store / "clips.npz") as old, zipfile.ZipFile(store / "clips.npz", "w") as new:
        for member in old.namelist():
            new.writestr(member, buffer.getvalue() if member == "name.npy" else old.read(member))
    with np.load(store / "clips.npz", allow_pickle=True) as columns:
        assert len(columns["name"]) == 120  # a careless reader would have run it
    assert mark.exists()
    mark.rmdir()
    halpose("data", "info", store).fails("clips.npz", "prepare the data set again")
    assert not mark.exists()


def test_a_sound_pickle_is_read(tmp_path: Path) -> None:
    (tmp_path / "ntu60_3danno.pkl").write_bytes(pickle.dumps(annotations((480, 640)), protocol=4))
    outcome = halpose("data", "prepare", "ntu60", "--source", tmp_path, "--out", tmp_path / "store", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.json["clips"] == len(Store.open(tmp_path / "store")) == 2
    assert json.loads((tmp_path / "store" / "report.json").read_text())["set_aside"] == []
