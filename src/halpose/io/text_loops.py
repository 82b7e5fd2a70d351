"""The two loops over the bytes of a text: where its lines are, and what numbers stand in some of them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int, UInt8

from halpose.compiled import compiled

_Places = Int[np.ndarray, " lines"]

_TAB, _NEWLINE, _RETURN, _SPACE, _PLUS, _MINUS, _POINT, _ZERO, _EXPONENT = b"\t\n\r +-.0e"
_BLOCK = 1 << 15  # bytes looked at a time: what is found out of each stays in the nearest cache
# An integer whose bit 8 j alone is set, times this, has j in its highest byte.
_BYTE_OF_BIT, _HIGHEST_BYTE = np.uint64(0x0001020304050607), np.uint64(56)
_ONE = np.uint64(1)
_MOST_DIGITS = 18  # that an integer of 64 bits surely holds
_EXACT = 1 << 53  # integers up to here are doubles, and so are the powers of ten below
_TENS = np.array([10.0**power for power in range(23)])
_MOST_EXPONENT = len(_TENS) - 1


@compiled
def find_lines(
    text: UInt8[np.ndarray, " bytes"], separator: int
) -> tuple[_Places, _Places, Int[np.ndarray, " lines"], Int[np.ndarray, " lines"]]:
    r"""Find the lines that hold words.

    Lines end with \n, \r\n or \r; words with white space or the separator, however much of it.

    Returns:
        Of each line: where its first word starts, where its last one ends, how many words it has, and its number,
        counted from 1 as an editor does.
    """
    most = 1
    for byte in text:
        most += (byte == _NEWLINE) | (byte == _RETURN)
    starts, ends = np.empty(most, np.int64), np.empty(most, np.int64)
    words, numbers = np.empty(most, np.int64), np.empty(most, np.int64)
    found, number, count, after = 0, 1, 0, 0  # after: the byte behind the last gap
    gaps = np.empty(_BLOCK, np.uint8)
    eights = gaps.view(np.uint64)
    for first in range(0, len(text), _BLOCK):
        block = text[first : first + _BLOCK]
        size = len(block)
        for i in range(size):  # without branches, and from zero, so that it is done for many bytes at once
            byte = block[i]
            gaps[i] = (byte == _SPACE) | ((byte >= _TAB) & (byte <= _RETURN)) | (byte == separator)
        whole = (size + 7) // 8
        for i in range(size, 8 * whole):
            gaps[i] = 0
        for eight in range(whole):
            left = eights[eight]
            while left:
                lowest = left & (~left + _ONE)
                at = first + 8 * eight + int((lowest * _BYTE_OF_BIT) >> _HIGHEST_BYTE)
                left ^= lowest
                if at > after:
                    if count == 0:
                        starts[found] = after
                    count += 1
                    ends[found] = at
                after = at + 1
                byte = text[at]
                if byte in (_NEWLINE, _RETURN):
                    if count:
                        words[found], numbers[found] = count, number
                        found, count = found + 1, 0
                    number += byte == _NEWLINE or after == len(text) or text[after] != _NEWLINE
    if after < len(text):
        if count == 0:
            starts[found] = after
        ends[found] = len(text)
        count += 1
    if count:
        words[found], numbers[found] = count, number
        found += 1
    return starts[:found], ends[:found], words[:found], numbers[:found]


@compiled
def parse(
    text: UInt8[np.ndarray, " bytes"],
    separator: int,
    starts: _Places,
    ends: _Places,
    values: Float64[np.ndarray, "lines columns"],
    unusual: Bool[np.ndarray, " lines"],
) -> int:
    """Convert the first words of lines to numbers, exactly as `float` does.

    Up to 18 digits whose integer fits a double, times or by a power of ten up to 22, are rounded once and correctly
    (Clinger, How to read floating point numbers accurately, PLDI 1990).

    Args:
        text: the text.
        separator: what parts words beside white space.
        starts: where each line's first word starts.
        ends: where its last one ends.
        values: takes the numbers.
        unusual: takes which lines hold a word that is no such number; their values mean nothing.

    Returns:
        How many lines are unusual.
    """
    others = 0
    for line in range(len(starts)):
        at, end = starts[line], ends[line]
        usual = True
        for column in range(values.shape[1]):
            while at < end and _is_gap(text[at], separator):
                at += 1
            is_negative = at < end and text[at] == _MINUS
            if at < end and (text[at] == _MINUS or text[at] == _PLUS):
                at += 1
            first = at
            integer, at = _digits(text, at, end, 0)
            digits, exponent = at - first, 0
            if at < end and text[at] == _POINT:
                first = at + 1
                integer, at = _digits(text, first, end, integer)
                digits += at - first
                exponent = first - at
            is_number = digits > 0
            if at < end and (text[at] | 32) == _EXPONENT:  # e, or E
                is_small = at + 1 < end and text[at + 1] == _MINUS
                first = at + 1 + (at + 1 < end and (text[at + 1] == _MINUS or text[at + 1] == _PLUS))
                power, at = _digits(text, first, end, 0)
                is_number &= 0 < at - first <= 3
                exponent += -power if is_small else power
            is_number &= at == end or _is_gap(text[at], separator)
            if not is_number or digits > _MOST_DIGITS or integer > _EXACT or abs(exponent) > _MOST_EXPONENT:
                usual = False
                break
            value = integer / _TENS[-exponent] if exponent < 0 else integer * _TENS[exponent]
            values[line, column] = -value if is_negative else value
        unusual[line] = not usual
        others += not usual
    return others


@compiled
def _is_gap(byte: int, separator: int) -> bool:
    return byte in (_SPACE, separator) or _TAB <= byte <= _RETURN


@compiled
def _digits(text: UInt8[np.ndarray, " bytes"], at: int, end: int, integer: int) -> tuple[int, int]:
    """Append digits to an integer; also where they end. It wraps around when there are more than it can hold."""
    while at < end:
        digit = np.uint8(text[at] - _ZERO)
        if digit > 9:
            break
        integer = 10 * integer + int(digit)
        at += 1
    return integer, at
