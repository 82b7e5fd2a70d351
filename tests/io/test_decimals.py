"""Which words are coordinates: short decimals in metres, all at once; anything else is left to others."""

from __future__ import annotations

import numpy as np
import pytest

from halpose.io.decimals import LOADED, coordinates, decimals

USUAL = ["0.0", "5.", "-5.", "-0.0", "3.14159", "-0.12345678", "9.99999999"]
SMALL = ["0.012345678", "-0.099999999", "0.0012345678", "-0.0000000001"]
OTHERS = ["5", "-5", ".5", "12.5", "1.123456789", "0.123456789", "0.0123456789", "0.00123456789", "1.0012345678"]
NO_NUMBERS = ["-", ".", "x.5", "1,5", "1.2.3", "1.2x", "--1.0", "1.-2", "+1.5", "1e-5"]


def places(words: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A text of these words behind another one, and where they start and end."""
    text = "x" * LOADED + " " + " ".join(words) + " "
    ends = LOADED + 1 + np.cumsum([len(word) + 1 for word in words]) - 1
    return np.frombuffer(text.encode(), dtype=np.uint8), ends - [len(word) for word in words], ends


@pytest.mark.parametrize("word", USUAL + SMALL)
def test_coordinates_are_what_float_makes_of_them(word: str) -> None:
    (value,), (other,) = coordinates(*places([word]))
    assert not other
    assert value == float(word)
    assert np.signbit(value) == word.startswith("-")


@pytest.mark.parametrize("word", OTHERS + NO_NUMBERS)
def test_anything_else_is_told_apart_among_coordinates(word: str) -> None:
    values, others = coordinates(*places(["0.5", word, "-0.012345678", "1.5"]))
    assert others.tolist() == [False, True, False, False]
    assert values[~others].tolist() == [0.5, -0.012345678, 1.5]


@pytest.mark.parametrize("word", USUAL + SMALL + OTHERS)
def test_decimals_take_them_all(word: str) -> None:
    (value,), (other,) = decimals(*places([word]))
    assert not other
    assert value == float(word)


@pytest.mark.parametrize("word", NO_NUMBERS)
def test_what_is_no_number_is_no_decimal(word: str) -> None:
    assert decimals(*places([word]))[1].all()
