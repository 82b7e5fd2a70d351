"""Numbers in text are what `float` makes of them, wherever they stand and however they are written."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halpose.io.text import NotNumbers, scan, table, to_floats

finite = st.floats(allow_nan=False, allow_infinity=False)
metres = st.floats(-12, 12, allow_nan=False)
forms = st.sampled_from(("%.7g", "%.9g", "%.6f", "%.17g", "%.3e", "%.0f", "%.12f", "%g", "%+.4f"))
words = st.one_of(
    st.builds(lambda form, value: form % value, forms, metres),
    st.builds(lambda form, value: form % value, forms, finite),
    st.integers(-(10**20), 10**20).map(str),
    st.from_regex(r"-?[0-9]{0,17}\.?[0-9]{0,17}", fullmatch=True).filter(lambda word: any(map(str.isdigit, word))),
    st.sampled_from(("nan", "inf", "-inf", "1e400", "-0", "-0.0", ".5", "5.", "-.5", "0", "007", "1E-7", "1e+05")),
)


def _same(values: np.ndarray, expected: list[float]) -> bool:
    return np.array_equal(values.view(np.uint64), np.array(expected, dtype=np.float64).view(np.uint64))


def one_row(content: str) -> np.ndarray:
    """All numbers of a text of one line."""
    lines = scan(content.encode())
    (row,) = to_floats(lines, np.array([0]), int(lines.words[0]))
    return row


@settings(max_examples=300, deadline=None)
@given(st.lists(words, min_size=1, max_size=40))
def test_values_are_those_of_float(found: list[str]) -> None:
    assert _same(one_row(" ".join(found)), [float(word) for word in found])


def test_every_short_decimal_is_exact() -> None:
    rng = np.random.default_rng(0)
    mantissas = rng.integers(0, 10**15, 4000)
    found = []
    for mantissa, digits, after in zip(mantissas, rng.integers(1, 16, 4000), rng.integers(0, 16, 4000), strict=True):
        number = str(mantissa)[:digits].rjust(after + 1, "0")
        found.append(f"{'-' * int(mantissa % 2)}{number[: len(number) - after]}.{number[len(number) - after :]}")
    assert _same(one_row(" ".join(found)), [float(word) for word in found])


@pytest.mark.parametrize("exponent", range(-30, 31))
@pytest.mark.parametrize("integer", ["1", "9007199254740991", "9007199254740993", "999999999999999999", "0", "123456"])
def test_exponents_are_exact(integer: str, exponent: int) -> None:
    found = [f"{integer}e{exponent}", f"-{integer}E{exponent:+d}", f"{integer}.5e{exponent:03d}"]
    assert _same(one_row(" ".join(found)), [float(word) for word in found])


@pytest.mark.parametrize(
    "word",
    [
        "x",
        "1.2.3",
        "--1",
        "1-",
        "-",
        ".",
        "-.",
        "1_000",
        "1,5",
        "0x10",
        "1e",
        "1e+",
        "e5",
        "1e5.0",
        "1e0x",
        "+",
        "+-1",
        "٣",
        "1/2",
        "1:2",
        "x.25",
        "/.5",
        ":.5",
        "-x.5",
        "1.2x",
        "1x.25",
        "12.3456789.12",
        "1.234567.1234567",
    ],
)
@pytest.mark.parametrize("before", ["", "1.25 -3.5\n" * 4])
def test_what_is_no_number_is_named_with_its_line(word: str, before: str) -> None:
    lines = scan(f"{before}7.5 {word} 0.25\n".encode())
    with pytest.raises(NotNumbers, match=f"^line {1 + before.count(chr(10))}: .* is not a number$") as error:
        to_floats(lines, np.arange(len(lines)), 2)
    assert error.value.at == before.count("\n")


ROWS = [[1.5, -0.25, 3.0], [0.125, 10.0, -7.75]]


@pytest.mark.parametrize(
    "content",
    [
        b"1.5 -0.25 3\n0.125 10 -7.75\n",
        b"1.5 -0.25 3\r\n0.125 10 -7.75\r\n",
        b"1.5\t-0.25\t3\n0.125\t10\t-7.75\n",
        b" 1.5 -0.25 3\n 0.125 10 -7.75\n",
        b"1.5 -0.25 3 \n0.125 10 -7.75 \n",
        b"1.5   -0.25 3\r\n\r\n\r\n0.125 10  -7.75\r\n\r\n",
        b"\n1.5 -0.25 3\n\n0.125 10 -7.75\n\n",
        b"1.5 -0.25 3\r0.125 10 -7.75\r",
        b"\x0b1.5\x0c-0.25 3\n0.125 10 -7.75\n",
    ],
)
def test_white_space_does_not_matter(content: bytes) -> None:
    assert table(content, 3).tolist() == ROWS


def test_other_separators() -> None:
    assert table(b"1.5,-0.25,3\n0.125,10,-7.75\n", 3, b",").tolist() == ROWS
    assert table(b"1.5, -0.25, 3\r\n0.125, 10, -7.75\r\n", 3, b",").tolist() == ROWS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"1 2 3\n1 2\n1 2 3\n", "line 2 has 2 numbers, not 3$"),
        (b"1 2 3\n\n\n1 2 3 4\n1 2 3\n", "line 4 has 4 numbers, not 3$"),
        (b"1 2 3\n1 2", "line 2 has 2 numbers, not 3, and is the last$"),
        (b"1 2 3\n1 2 3", "line 2 has no end"),
        (b"1 2 3\n\n1 2 x\n", "line 3: 'x' is not a number"),
        (b"1 2 3\r\n\r\n1 2 x\r\n", "line 3: 'x' is not a number"),
        (b"1 2 3\r\r1 2 x\r", "line 3: 'x' is not a number"),
        (b"1 2 3\n1 2 3\0\n", r"line 2: '3\\x00' is not a number"),
    ],
)
def test_lines_are_numbered_as_in_an_editor(content: bytes, message: str) -> None:
    with pytest.raises(NotNumbers, match=message):
        table(content, 3)


@settings(max_examples=150, deadline=None)
@given(
    st.text("01.- \t\v\f\r\n,x\0", max_size=90),
    st.integers(0, 2),
    st.sampled_from((b" ", b",")),
)
def test_lines_and_words_are_those_of_python(content: str, long: int, separator: bytes) -> None:
    # The loop works on stretches of 32 KiB: some texts have words, lines and gaps across their ends.
    text = b"1 " * (long * ((1 << 14) - 20)) + content.encode()
    rows = [row.replace(separator, b" ").split() for row in text.splitlines()]
    lines = scan(text, separator)
    assert [lines[at] for at in range(len(lines))] == [row for row in rows if row]
    assert lines.numbers.tolist() == [number for number, row in enumerate(rows, start=1) if row]
    assert lines.words.tolist() == [len(row) for row in rows if row]
    assert all(text[start] not in separator + b" \r\n" for start in lines.starts)
    assert all(text[end - 1] not in separator + b" \r\n" for end in lines.ends)


def test_nothing_is_no_table() -> None:
    for content in (b"", b"\n", b" ", b"\r\n\r\n"):
        assert not len(scan(content))
    assert math.prod(table(b"\n", 3).shape) == 0
