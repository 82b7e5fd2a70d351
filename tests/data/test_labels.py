"""labels.csv: files by path or name, classes in order, and what is wrong with it said."""

from __future__ import annotations

from pathlib import Path

import pytest

from halpose.data.labels import Labels, read_labels
from halpose.errors import DataError

TEXT = """file,label,subject,camera,split
walk/a.bvh,walk,anna,1,train
walk\\b.bvh,walk,ben,2,Val
run,run,anna,,test
c.bvh,,,,
"""


def labels(path: Path, text: str = TEXT) -> Labels:
    path.write_text(text)
    return read_labels(path)


def test_files_go_by_path_or_name(tmp_path: Path) -> None:
    said = labels(tmp_path / "labels.csv")
    assert said.classes == ("run", "walk") and said.subjects() == ["anna", "ben"]
    entry = said.find("walk/a.bvh")
    assert (entry.label, entry.subject, entry.camera, entry.part) == (1, "anna", 1, "train")
    assert said.find("walk/b.bvh").part == "validation", "backslashes are slashes"
    assert said.find("deep/down/run.csv").label == 0 and said.find("clips.pkl", "run").label == 0
    assert said.find("c.bvh").label == -1 and said.find("unknown.bvh").label == -1
    assert said.unused(["walk/a.bvh", "x/run.csv"]) == ["walk/b.bvh", "c.bvh"]


def test_what_is_precise_goes_before_what_may_name_several(tmp_path: Path) -> None:
    said = labels(tmp_path / "l.csv", "file,label\nx,0\na/x,1\nb/x.bvh,2\nall,3\nc7,4\nd/all/c7,5\ne/all.npz/c7,6\n")
    found = {
        ("a/x.bvh", "x"): 1, ("b/x.bvh", "x"): 2, ("c/x.bvh", "x"): 0,  # a clip is called as its file
        ("all.npz", "c1"): 3, ("all.npz", "c7"): 4, ("d/all.npz", "c7"): 5, ("e/all.npz", "c7"): 6,
        ("f/x.npz", "c7"): 4, ("a/x", "a/x"): 1,
    }  # fmt: skip
    assert {names: said.find(*names).label for names in found} == found


def test_numbers_are_in_their_order_and_cameras_are_counted(tmp_path: Path) -> None:
    said = labels(tmp_path / "l.csv", "File;Label;Camera\na;10;left\nb;9;right\nc;1;left\n")
    assert said.classes == ("1", "9", "10")
    assert [said.find(name).camera for name in "abc"] == [1, 2, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,label\na,b\n", "no column called file"),
        ("", "empty"),
        ("file,label\na,b\na,c\n", "line 3 names a a second time"),
        ("file,split\na,exam\n", "line 2: no part called 'exam'; a split has train, validation, test"),
        ("file,label\na\n", "line 2 has 1 cells, not 2"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        labels(tmp_path / "l.csv", text)
    with pytest.raises(DataError, match="absent.csv"):
        read_labels(tmp_path / "absent.csv")
