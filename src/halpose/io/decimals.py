"""Short decimal numbers from bytes, many at a time.

The last bytes of each number are loaded as 64-bit integers, and eight digits an integer are summed with three
multiplications. The result is exact: up to 15 digits fit a double as an integer, and one correctly rounded
division by a power of ten makes of it what `float` does. What is not such a number is reported, not guessed.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int, UInt8, UInt64

from halpose.io.bits import lowest

LOADED = 16  # bytes loaded per number; a text must be twice as long
_MINUS, _POINT, _ZERO = b"-.0"
_MOST_DIGITS = 15
_NO_POINT = 16

_Bytes = UInt8[np.ndarray, " bytes"]
_Places = Int[np.ndarray, " n"]
_Values = Float64[np.ndarray, " n"]
_Flags = Bool[np.ndarray, " n"]


def _eight(byte: int) -> np.uint64:
    return np.uint64(byte * 0x0101010101010101)


_ONES, _HIGH_BITS, _ZERO_DIGITS, _NINE_TO_HIGH_BIT = _eight(0x01), _eight(0x80), _eight(_ZERO), _eight(0x76)
_POINTS, _POINT_DIGIT = _eight(_POINT ^ _ZERO), np.uint64(_POINT ^ _ZERO)  # once the digits are 0..9
_BYTES_AFTER = np.uint64(0x0706050403020100)  # times 256^i, its top byte is 7 - i: how many bytes follow byte i
_PAIRS, _FOURS = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)
_TENS_AND_ONES, _HUNDREDS_AND_ONES, _MYRIADS_AND_ONES = (
    np.uint64(1 + (10**digits << 8 * digits)) for digits in (1, 2, 4)
)
_SIGN = np.uint64(63)
_BITS_7, _BITS_8, _BITS_16, _BITS_32, _BITS_56 = (np.uint64(bits) for bits in (7, 8, 16, 32, 56))
# Row n keeps the last n of 16 bytes.
_LAST_OF_16 = np.frombuffer(b"".join(bytes(LOADED - n) + b"\xff" * n for n in range(LOADED + 1)), dtype="<u8")
_LAST_OF_16 = _LAST_OF_16.reshape(LOADED + 1, 2)
# By bytes from the first digit on, the point among them: what is kept, the digits after the point and at most eight;
# and ten to the power of how many digits follow the point.
_SHORT, _LONGEST = 10, 12
_KEPT = _LAST_OF_16[[max(0, min(behind, _SHORT) - 2) for behind in range(_LONGEST + 1)], 1]
_SCALE = np.array([10.0 ** max(0, behind - 2) for behind in range(_LONGEST + 1)])
# By digits after the point: ten to that power, and the weight of the digits before it. Last: no point.
_TENS = np.array([10.0**after for after in range(_NO_POINT)] + [1.0])
_WHOLES = np.array([10.0 ** (after + 1) for after in range(_NO_POINT)] + [np.inf])


def coordinates(buffer: _Bytes, start: _Places, end: _Places) -> tuple[_Values, _Flags]:
    """Decimals with one digit before the point and up to eight after it, or nine after 0.0 and ten after 0.00.

    So nearly all coordinates in metres are written that have seven or eight significant digits, and it takes half the
    time of `decimals`.

    Args:
        buffer: a text.
        start: where each word starts.
        end: where it ends; every word but the first of the text ends after 16 bytes.

    Returns:
        The values, and which words are no such number; their values mean nothing.
    """
    minus = buffer.take(start) == _MINUS
    first = start + minus
    whole = buffer.take(first, mode="clip")
    whole -= np.uint8(_ZERO)
    others = buffer[1:].take(first, mode="clip") != _POINT
    others |= whole > 9
    behind = end - first
    long = (behind > _SHORT).nonzero()[0]
    if len(long):
        others[long] |= (whole[long] != 0) | ~_led_by_zeros(buffer, first[long] + 2, behind[long] - _SHORT)
    digits = _bytes_before(buffer, end, 8)
    digits &= _KEPT.take(behind, mode="clip")
    found = _not_digits(digits)
    if np.bitwise_or.reduce(found) & _HIGH_BITS:  # seldom, and looking for which takes as long as for whether
        others |= (found & _HIGH_BITS) != 0
    _sum_digits(digits)
    scale = _SCALE.take(behind, mode="clip")
    value = whole * scale
    value += digits.view(np.int64)
    value /= scale
    value.view(np.uint64)[:] |= minus.astype(np.uint64) << _SIGN
    return value, others


def _led_by_zeros(buffer: _Bytes, at: _Places, count: _Places) -> _Flags:
    """Whether one zero, or two, stand somewhere; no if more are asked for."""
    second = (count == 1) | (buffer.take(at + 1, mode="clip") == _ZERO)
    led: _Flags = (buffer.take(at, mode="clip") == _ZERO) & second & (count <= _LONGEST - _SHORT)
    return led


def decimals(buffer: _Bytes, start: _Places, end: _Places) -> tuple[_Values, _Flags]:
    """Decimals of up to 15 digits, with or without a point; arguments and results as of `coordinates`."""
    minus = buffer[start] == _MINUS
    length = end - start - minus
    digits = _bytes_before(buffer, end, LOADED).reshape(-1, 2)
    digits &= _LAST_OF_16.take(length, axis=0, mode="clip")
    # Bytes that are the point become zero; the first zero byte is found by a borrow, and marked in its lowest bit.
    scratch = digits ^ _POINTS
    marked: UInt64[np.ndarray, "n 2"] = (scratch - _ONES) & ~scratch & _HIGH_BITS
    point = lowest(marked) >> _BITS_7
    digits ^= point * _POINT_DIGIT  # the point becomes a zero digit
    early, late = (point != 0).T
    pointed = early | late
    others = (
        (_not_digits(digits) & _HIGH_BITS).any(axis=1) | (early & late) | (length > _MOST_DIGITS) | (length <= pointed)
    )
    after = ((point * _BYTES_AFTER) >> _BITS_56).sum(axis=1, dtype=np.int64) + 8 * early
    after[~pointed] = _NO_POINT
    _sum_digits(digits)
    eights = digits.view(np.int64)
    value = (eights[:, 0] * 100_000_000 + eights[:, 1]).astype(np.float64)
    # The point took a place as a zero digit, so digits before it weigh ten times too much: take nine tenths off.
    tens = _TENS.take(after, mode="clip")
    value -= 9.0 * tens * np.floor(value / _WHOLES.take(after, mode="clip"))
    value /= tens
    value.view(np.uint64)[:] |= minus.astype(np.uint64) << _SIGN
    return value, others


def _bytes_before(buffer: _Bytes, end: _Places, size: int) -> UInt64[np.ndarray, " n"]:
    """The last bytes of each word as little-endian integers, digits as 0..9."""
    every = np.ndarray((len(buffer) - size + 1,), dtype=f"V{size}", buffer=buffer, strides=(1,))  # a view
    digits: UInt64[np.ndarray, " n"] = every[end - size].view("<u8")
    digits ^= _ZERO_DIGITS
    return digits


def _not_digits(digits: UInt64[np.ndarray, "*n"]) -> UInt64[np.ndarray, "*n"]:
    """The high bit of each byte tells that it is not 0..9; other bits mean nothing."""
    high = digits + _NINE_TO_HIGH_BIT
    high |= digits
    return high


def _sum_digits(digits: UInt64[np.ndarray, "*n"]) -> None:
    """Eight bytes 0..9, the first the greatest, become their number, in place: pairs, then fours, then eights.

    Each multiplication adds to every number ten (a hundred, ten thousand) times the one in the bytes below it.
    """
    digits *= _TENS_AND_ONES
    digits >>= _BITS_8
    digits &= _PAIRS
    digits *= _HUNDREDS_AND_ONES
    digits >>= _BITS_16
    digits &= _FOURS
    digits *= _MYRIADS_AND_ONES
    digits >>= _BITS_32
