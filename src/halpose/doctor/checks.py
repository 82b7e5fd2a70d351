"""The checks by name: of each clip, and of the set as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from halpose.doctor.axes import find_axes
from halpose.doctor.balance import find_balance
from halpose.doctor.body import Body
from halpose.doctor.bones import find_bones
from halpose.doctor.duplicates import find_duplicates
from halpose.doctor.finding import Finding
from halpose.doctor.frozen import find_frozen
from halpose.doctor.gaps import find_gaps
from halpose.doctor.layouts import find_layouts
from halpose.doctor.leakage import find_leakage
from halpose.doctor.measure import Measures
from halpose.doctor.parts import Labelling
from halpose.doctor.people import find_people
from halpose.doctor.rates import find_lengths, find_rates
from halpose.doctor.sides import find_sides
from halpose.doctor.spikes import find_spikes
from halpose.doctor.timing import find_timing
from halpose.doctor.units import find_units
from halpose.skeleton import Sequence as Recording


@dataclass(frozen=True)
class Check:
    """One kind of fault.

    Attributes:
        about: what it looks for, in a line.
        clip: finds it in one recording and its people.
        whole: finds it by what is remembered of all clips.
    """

    about: str
    clip: Callable[[Recording, list[Body]], Iterator[Finding]] | None = None
    whole: Callable[[Sequence[Measures], Labelling], Iterator[Finding]] | None = None


CHECKS: dict[str, Check] = {
    "damaged": Check("files that cannot be read, and files in no known form"),
    "gaps": Check("missing joints and frames", clip=find_gaps),
    "spikes": Check("joints and bodies that jump away and back", clip=find_spikes),
    "frozen": Check("joints that are stuck while the body moves, bodies that do not move", clip=find_frozen),
    "sides": Check("left taken for right", clip=find_sides),
    "people": Check("people who change places, bodies that are nobody", clip=find_people),
    "bones": Check("bones that change their length", clip=find_bones),
    "timing": Check("repeated and missing frames", clip=find_timing),
    "units": Check("lengths that are not metres, or of several units", whole=find_units),
    "axes": Check("up that is not y, bodies upside down, mirror images", whole=find_axes),
    "rates": Check("frame rates that differ, stated or shown by the movement", whole=find_rates),
    "lengths": Check("clips of one frame, very short and very long ones", whole=find_lengths),
    "layouts": Check("clips of several layouts", whole=find_layouts),
    "duplicates": Check("the same recording more than once", whole=find_duplicates),
    "balance": Check("clips of each class, and by each person", whole=find_balance),
    "leakage": Check("recordings and people in both parts of a split", whole=find_leakage),
}
