"""Bitmaps against Python's own integers, which have any number of bits."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from halpose.io import bits

few = settings(max_examples=80, deadline=None)
texts = st.binary(min_size=1, max_size=300).map(lambda data: bytes(b" \nab"[byte % 4] for byte in data))


def _as_integer(text: bytes) -> int:
    return sum(1 << at for at, byte in enumerate(text) if byte in b" \n")


@few
@given(texts)
def test_marks_are_where_the_bytes_are(text: bytes) -> None:
    marks, newlines = bits.mark(np.frombuffer(text, np.uint8), ord(" "), ord("\n"))
    assert sum(int(word) << (64 * at) for at, word in enumerate(marks)) == _as_integer(text)
    assert newlines.tolist() == [at for at, byte in enumerate(text) if byte == ord("\n")]


def test_blocks_join(monkeypatch) -> None:
    buffer = np.random.default_rng(0).choice(np.frombuffer(b" \nabcdef", np.uint8), 5000)
    whole = bits.mark(buffer, ord(" "), ord("\n"))
    monkeypatch.setattr(bits, "_BLOCK", 512)
    parts = bits.mark(buffer, ord(" "), ord("\n"))
    assert all(np.array_equal(one, other) for one, other in zip(whole, parts, strict=True))


@few
@given(texts)
def test_rank_window_and_neighbours(text: bytes) -> None:
    marks, _ = bits.mark(np.frombuffer(text, np.uint8), ord(" "), ord("\n"))
    integer = _as_integer(text)
    places = np.arange(len(text) + 1)
    below = [(integer & ((1 << at) - 1)).bit_count() for at in places.tolist()]
    assert bits.rank(marks, places).tolist() == below
    ahead = [(integer >> at) & ((1 << 64) - 1) for at in places.tolist()]
    assert bits.window(marks, places).tolist() == ahead
    assert bits.has_neighbours(marks) == bool(integer & (integer >> 1))


def test_neighbours_across_two_integers() -> None:
    text = b"a" * 63 + b"  " + b"a"
    assert bits.has_neighbours(bits.mark(np.frombuffer(text, np.uint8), ord(" "), ord("\n"))[0])


@few
@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20))
def test_counts_and_lowest(numbers: list[int]) -> None:
    words = np.array(numbers, dtype=np.uint64)
    assert bits.count(words).tolist() == [number.bit_count() for number in numbers]
    assert bits._count_by_table(words).tolist() == [number.bit_count() for number in numbers]
    assert bits.lowest(words).tolist() == [number & -number for number in numbers]
