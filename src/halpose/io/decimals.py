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
_MINUS, _POINT = b"-."
_MOST_DIGITS = 15
_NO_POINT = 16

_Bytes = UInt8[np.ndarray, " bytes"]
_Places = Int[np.ndarray, " n"]
_Values = Float64[np.ndarray, " n"]
_Flags = Bool[np.ndarray, " n"]


def _eight(byte: int) -> np.uint64:
    return np.uint64(byte * 0x0101010101010101)


_ONES, _HIGH_BITS, _ZERO_DIGITS, _NINE_TO_HIGH_BIT = _eight(0x01), _eight(0x80), _eight(ord("0")), _eight(0x76)
_POINTS, _POINT_DIGIT = _eight(_POINT ^ ord("0")), np.uint64(_POINT ^ ord("0"))  # once the digits are 0..9
_BYTES_AFTER = np.uint64(0x0706050403020100)  # times 256^i, its top byte is 7 - i: how many bytes follow byte i
_EVERY_OTHER_PAIR = np.uint64(0x000000FF000000FF)
_MILLIONS_AND_HUNDREDS = np.uint64(100 + (1_000_000 << 32))
_MYRIADS_AND_ONES = np.uint64(1 + (10_000 << 32))
_TEN, _SIGN = np.uint64(10), np.uint64(63)
_BITS_7, _BITS_8, _BITS_16, _BITS_32, _BITS_56 = (np.uint64(bits) for bits in (7, 8, 16, 32, 56))
# Row n keeps the last n of 16 bytes.
_LAST_OF_16 = np.frombuffer(b"".join(bytes(LOADED - n) + b"\xff" * n for n in range(LOADED + 1)), dtype="<u8")
_LAST_OF_16 = _LAST_OF_16.reshape(LOADED + 1, 2)
_LAST_OF_8 = _LAST_OF_16[:9, 1].copy()
# By digits after the point: ten to that power, and the weight of the digits before it. Last: no point.
_TENS = np.array([10.0**after for after in range(_NO_POINT)] + [1.0])
_WHOLES = np.array([10.0 ** (after + 1) for after in range(_NO_POINT)] + [np.inf])


def coordinates(buffer: _Bytes, start: _Places, end: _Places) -> tuple[_Values, _Flags]:
    """Decimals with one digit before the point and up to eight after it.

    So nearly all coordinates in metres are written, and it takes half the time of `decimals`.

    Args:
        buffer: a text.
        start: where each word starts.
        end: where it ends; every word but the first of the text ends after 16 bytes.

    Returns:
        The values, and which words are no such number; their values mean nothing.
    """
    minus = buffer[start] == _MINUS
    first = start + minus
    whole = buffer[first] - np.uint8(ord("0"))
    after = end - first
    after -= 2
    others = buffer.take(first + 1, mode="clip") != _POINT
    others |= whole > 9
    others |= after > 8
    digits = _bytes_before(buffer, end, 8)
    digits &= _LAST_OF_8.take(after, mode="clip")
    others |= _has_others(digits)
    _sum_digits(digits)
    tens = _TENS.take(after, mode="clip")
    value = whole * tens
    value += digits.view(np.int64)
    value /= tens
    value.view(np.uint64)[:] |= minus.astype(np.uint64) << _SIGN
    return value, others


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
    others = _has_others(digits).any(axis=1) | (early & late) | (length > _MOST_DIGITS) | (length <= pointed)
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


def _has_others(digits: UInt64[np.ndarray, "*n"]) -> Bool[np.ndarray, "*n"]:
    """Where a byte is not 0..9."""
    high = digits + _NINE_TO_HIGH_BIT
    high |= digits
    high &= _HIGH_BITS
    found: Bool[np.ndarray, "*n"] = high != 0
    return found


def _sum_digits(digits: UInt64[np.ndarray, "*n"]) -> None:
    """Eight bytes 0..9, the first the greatest, become their number, in place: pairs, then fours, then eights."""
    pairs = digits * _TEN
    digits >>= _BITS_8
    pairs += digits
    np.right_shift(pairs, _BITS_16, out=digits)
    digits &= _EVERY_OTHER_PAIR
    digits *= _MYRIADS_AND_ONES
    pairs &= _EVERY_OTHER_PAIR
    pairs *= _MILLIONS_AND_HUNDREDS
    digits += pairs
    digits >>= _BITS_32
