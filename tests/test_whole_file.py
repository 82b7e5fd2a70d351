"""A file is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from halpose.errors import CheckpointError, DataError
from halpose.whole_file import whole_file, write_whole


def test_a_text_takes_its_place_in_folders_that_are_made(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b.txt"
    write_whole(file, "one\ntwo\n")
    assert file.read_bytes() == b"one\ntwo\n"
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("failure", [ValueError("no"), OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_on_the_way_leaves_the_older_one(tmp_path: Path, failure: BaseException) -> None:
    file = tmp_path / "a.txt"
    file.write_text("older")
    told = DataError if isinstance(failure, OSError) else type(failure)
    with pytest.raises(told) as caught, whole_file(file) as partial:
        partial.write_text("half")
        assert file.read_text() == "older"
        raise failure
    assert isinstance(failure, OSError) == (f"{file}: cannot be written (No space left on device)" == str(caught.value))
    assert file.read_text() == "older" and list(tmp_path.iterdir()) == [file]


def test_a_place_in_a_file_is_told_as_asked(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match=r"inside: cannot be written \(.*\); give another"):
        write_whole(tmp_path / "file" / "inside", "", CheckpointError, "give another")
