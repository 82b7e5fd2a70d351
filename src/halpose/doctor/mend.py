"""What can be put right in one recording; what cannot is left, and said."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from halpose.data.people import unswapped
from halpose.data.upright import Upright
from halpose.doctor.body import Body, bodies
from halpose.doctor.frozen import frozen
from halpose.doctor.sides import swapped
from halpose.doctor.spikes import spiking
from halpose.skeleton import Sequence

MENDED = {
    "joints_despiked": ("spikes", "joints that jumped away, taken out and filled in time"),
    "joints_unfrozen": ("frozen", "joints that were stuck, taken out and filled in time"),
    "sides_changed_back": ("sides", "joints whose left and right were changed back, counted by frames"),
    "people_changed_back": ("people", "times that people who had changed places were changed back"),
    "clips_made_metres": ("units", "clips whose lengths were made metres"),
    "clips_turned": ("axes", "clips that were turned so that y is up"),
    "clips_dropped": ("duplicates", "clips that were there already and were left out"),
}
"""What is counted -> the check that found it, and what was done."""


@dataclass(frozen=True)
class Treatment:
    """What the set as a whole says is to be done with a clip.

    Attributes:
        unit: its unit, as `halpose.data.upright` names it; "" to leave lengths as they are.
        up: its axis that is up; "" to leave it as it is.
        twin: name of the earlier clip that is the same; "" where there is none.
    """

    unit: str = ""
    up: str = ""
    twin: str = ""


def mend(sequence: Sequence, treatment: Treatment) -> tuple[Sequence, dict[str, int]]:
    """A recording put right, and how often what was done; keys are those of `MENDED`.

    Joints that spike or are stuck become missing; `halpose.data.normalise.clean` fills them. The order matters: people
    first, because the joints of two bodies in one row would all spike; then sides, because a joint that changed sides
    spikes, too.

    Args:
        sequence: the recording; it is not changed.
        treatment: unit and axis.
    """
    done: Counter[str] = Counter()
    upright = Upright(treatment.unit, treatment.up)
    turned = upright.apply(sequence)
    done["clips_made_metres"] += int(upright.scale != 1 and sequence.positions.shape[-1] == 3)
    done["clips_turned"] += int(treatment.up not in ("", "y"))
    positions = np.array(turned.positions, dtype=np.float32)
    sure = np.ones(positions.shape[:3]) if turned.confidence is None else np.array(turned.confidence)
    if len(positions) > 1:
        told: Counter[str] = Counter()
        whole = np.where(np.isfinite(positions).all(axis=-1, keepdims=True), positions, np.nan)
        owner, frames = unswapped(whole, told), np.arange(whole.shape[1])
        positions, sure = whole[owner, frames], sure[owner, frames]
        done["people_changed_back"] += told["people_swapped"]
    for body in bodies(replace(turned, positions=positions)):
        _mend_body(body, positions[body.person], sure[body.person], done)
    mended = replace(turned, positions=positions, confidence=None if turned.confidence is None else sure)
    return mended, {what: count for what, count in done.items() if count}


def _mend_body(body: Body, row: np.ndarray, sure: np.ndarray, done: Counter[str]) -> None:
    """Mend one person, and how sure the source is of each joint, in place."""
    mirror = np.array(body.layout.mirror)
    wrong = swapped(body)
    if wrong.any():
        row[:] = np.where(wrong[..., None], row[:, mirror], row)
        sure[:] = np.where(wrong, sure[:, mirror], sure)
        done["sides_changed_back"] += int(wrong.sum())
        body = Body(row, body.layout, body.rate, body.person)
    stuck = frozen(body)
    row[stuck] = np.nan
    done["joints_unfrozen"] += int(stuck.sum())
    away = spiking(Body(row, body.layout, body.rate, body.person))
    row[away] = np.nan
    done["joints_despiked"] += int(away.sum())
