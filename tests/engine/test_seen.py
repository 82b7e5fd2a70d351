"""What a run has seen: its own clips after those of the run it goes on from, none twice, in little memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from halpose.data.store import Store
from halpose.engine import seen
from halpose.engine.seen import FILE, read_lines, seen_lines, write_lines

OWN = [f"set\tsubject {n % 3}\tclip {n}" for n in range(20)]
OTHER = [f"other\t\tclip {n}" for n in range(11)]


@pytest.mark.parametrize("searched", [1, 3, 1 << 19])
@pytest.mark.parametrize(
    "former",
    [OWN, OTHER, OTHER + OWN, OWN[::-1], OWN[7:12] + OTHER, OTHER + OWN[5::2][::-1], [], None],
    ids=["resumed", "of others", "fork of a fork", "reversed", "some", "some, in another order", "nothing", "unknown"],
)
def test_lines_of_a_former_run_come_first_and_none_comes_twice(
    former: list[str] | None, searched: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen, "_SEARCHED", searched)
    if former is not None:
        write_lines(tmp_path, former)
    write_lines(tmp_path, iter(OWN), tmp_path)
    expected = list(dict.fromkeys([*(former or []), *OWN]))
    assert (tmp_path / FILE).read_bytes() == "".join(f"{line}\n" for line in expected).encode()
    assert read_lines(tmp_path) == expected
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_file_without_an_end_of_line_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("\n".join(OTHER))
    write_lines(tmp_path, OWN, tmp_path)
    assert read_lines(tmp_path) == OTHER + OWN


def test_memory_does_not_grow_with_the_clips(toy_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.open(toy_store)
    monkeypatch.setattr(seen, "BLOCK", 64)
    monkeypatch.setattr(seen, "_SEARCHED", 64)
    clips = np.tile(np.arange(100), 200)
    tracemalloc.start()
    write_lines(tmp_path, seen_lines(store, clips))
    write_lines(tmp_path, seen_lines(store, clips), tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200_000, "all lines at once are more than a megabyte"
