"""Bones that change their length."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from halpose.doctor.body import Body
from halpose.doctor.finding import Finding
from halpose.doctor.thresholds import BONE_BREAKS, BONE_LEAST, BONE_NOISE, BONE_VARIES, SHORT_FRAMES
from halpose.skeleton import Sequence


def variation(body: Body) -> Float[np.ndarray, " b"]:
    """How far each bone's length is off its median, either way, in four frames of five; as a share of the median."""
    lengths = body.bones
    off = np.zeros(lengths.shape[1])
    known = np.isfinite(lengths)
    for bone in np.flatnonzero((known.sum(axis=0) >= SHORT_FRAMES) & (body.bone_lengths > BONE_LEAST * body.span)):
        ordered = np.sort(lengths[known[:, bone], bone])
        middle = body.bone_lengths[bone]
        low, high = ordered[len(ordered) // 10], ordered[-1 - len(ordered) // 10]
        if high - low > 2 * BONE_NOISE * body.span:
            off[bone] = (high - low) / 2 / middle
    return off


def find_bones(sequence: Sequence, people: list[Body]) -> Iterator[Finding]:
    """Bones that are none. In two dimensions bones change with every turn, and nothing is said."""
    for body in people if sequence.positions.shape[-1] == 3 else ():
        varies = variation(body)
        bad = np.flatnonzero(varies > BONE_VARIES)
        if not len(bad):
            continue
        worst = int(varies.argmax())
        names = body.layout.joints
        child, parent = (names[joint] for joint in body.layout.bones[worst])
        yield Finding(
            "bones", "length varies", "warning" if varies[worst] > BONE_BREAKS else "note",
            f"{len(bad)} bones change their length; {parent} to {child} by {varies[worst]:.0%} either way",
            "the joint was guessed, or the layout is wrong: compare its order with --layout; a layout of your own can "
            "leave these joints out",
            person=body.person, joints=tuple(names[body.layout.bones[bone][0]] for bone in bad), count=len(bad),
        )  # fmt: skip
