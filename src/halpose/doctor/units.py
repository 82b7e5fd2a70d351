"""Units: what the length of a body says of the numbers it is given in (`halpose.data.upright`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from halpose.data.upright import UNITS, Measured, find_upright
from halpose.doctor.finding import Finding, Severity, listed
from halpose.doctor.measure import Measures
from halpose.doctor.parts import Labelling
from halpose.doctor.thresholds import PICTURE, PIXELS

_FIX = "`halpose data doctor PATH --fix --out STORE` makes metres of them"
_HARMLESS = "with the transform scale=rms training does not mind, if all clips have one unit"


def unit_of(measures: Measures) -> str | None:
    """The unit that makes a person of the skeleton; "" for none, None where the body cannot be measured."""
    if not measures.length:
        return None
    return find_upright([Measured(measures.length, None)]).unit


def find_units(clips: Sequence[Measures], labelling: Labelling) -> Iterator[Finding]:
    """Clips that are not in metres, and clips of several units in one set."""
    found: dict[str, list[Measures]] = {}
    for clip in clips:
        unit = unit_of(clip)
        if unit is not None:
            found.setdefault(unit, []).append(clip)
    for unit, those in found.items():
        if unit == "metres":
            continue
        length = float(np.median([clip.length for clip in those]))
        share = "all" if len(those) == len(clips) else f"{len(those)} of {len(clips)}"
        if unit:
            metres = f"{length * UNITS[unit]:.2f} m"
            what = f"{share} clips are in {unit}: a body is {length:.4g} long from head to ankle, {metres}"
            yield _of(those, unit, "warning", what, f"{_FIX}; {_HARMLESS}")
        else:
            what = f"{share} clips have bodies of an impossible size: {length:.4g} from head to ankle"
            yield _of(those, "impossible size", "warning", what, f"find out the unit of the files; {_HARMLESS}")
    if len(found) > 1:
        ordered = sorted(found.items(), key=lambda pair: -len(pair[1]))
        words = listed((f"{len(those)} in {unit or 'no unit that fits a person'}" for unit, those in ordered), 5)
        others = [clip for _, those in ordered[1:] for clip in those]
        yield _of(others, "several units", "error", f"clips of several units: {words}", _FIX)
    yield from _flat(clips)


def _flat(clips: Sequence[Measures]) -> Iterator[Finding]:
    """In two dimensions: pixels and shares of the picture in one set."""
    flat = [clip for clip in clips if clip.channels == 2 and clip.span > 0]
    small, large = [clip for clip in flat if clip.span <= PICTURE], [clip for clip in flat if clip.span > PIXELS]
    if small and large:
        yield _of(
            min(small, large, key=len), "several units", "error",
            f"{len(small)} clips in shares of the picture, {len(large)} in pixels", "export them all in one way",
        )  # fmt: skip


def _of(those: Sequence[Measures], kind: str, severity: Severity, what: str, remedy: str) -> Finding:
    return Finding.of_clips("units", kind, severity, what, remedy, [clip.name for clip in those])
