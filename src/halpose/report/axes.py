"""What every chart needs: a linear scale, round tick values and the way they are written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

MINUS = "\u2212"


@dataclass(frozen=True)
class Scale:
    """Maps [low, high] linearly onto [start, end] of the drawing."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Position of `value` in the drawing."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def domain(values: Float[np.ndarray, n], margin: float = 0.06) -> tuple[float, float]:
    """Range that shows all finite values with a margin; never empty.

    Args:
        values: any length, NaN and infinities ignored.
        margin: share of the range added at both ends.
    """
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    room = (high - low) * margin
    # A flat line still needs a range that floating point can tell apart from its value.
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        room = abs(low) * 0.1 or 1.0
    return low - room, high + room


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """About `count` round numbers (1, 2 or 5 times a power of ten apart) within [low, high], two at least."""
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    steps = [factor * power for factor in (10, 5, 2, 1, 0.5, 0.2)]
    fits = [step for step in steps if step >= raw * (1 - 1e-9)]
    found: list[float] = []
    for step in steps[len(fits) - 1 :]:
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        found = [float(index * step) for index in range(first, last + 1)]
        if len(found) >= 2:
            break
    return found


def tick_labels(values: Sequence[float]) -> list[str]:
    """Tick values written with as many digits as they need, the same for all; thousands as k, millions as M."""
    if not values:
        return []
    largest = max(abs(value) for value in values)
    step = min((b - a for a, b in zip(values, values[1:], strict=False)), default=largest or 1.0)
    unit, suffix = (1e6, "M") if largest >= 1e6 else (1e3, "k") if largest >= 1e4 else (1.0, "")
    form = "e" if 0 < largest < 1e-3 else "f"
    written: list[str] = []
    for digits in range(16):
        written = [f"{value / unit:.{digits}{form}}" for value in values]
        if all(abs(float(text) * unit - value) <= 1e-3 * step for text, value in zip(written, values, strict=True)):
            break
    return [_minus(text.replace("e-0", "e-")) + suffix if float(text) else text.split("e")[0] for text in written]


def readable(value: float) -> str:
    """A number for reading: three significant digits, thousands as k, millions as M."""
    size = abs(value)
    if not math.isfinite(value):
        return "\u2013"
    if size >= 1e6:
        return _minus(f"{value / 1e6:.4g}M")
    if size >= 1e4:
        return _minus(f"{value / 1e3:.4g}k")
    if size >= 100:
        return _minus(f"{value:.0f}")
    if size and size < 1e-3:
        return _minus(f"{value:.1e}".replace("e-0", "e-"))
    return _minus(f"{value:.3g}")


def percent(share: float, digits: int = 1) -> str:
    """0.912 as 91.2."""
    return f"{100 * share:.{digits}f}"


def _minus(text: str) -> str:
    return text.replace("-", MINUS)
