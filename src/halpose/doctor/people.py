"""Two people who change places, and bodies that are nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from halpose.data.people import is_ghost, seen, undo_swaps
from halpose.doctor.body import Body
from halpose.doctor.finding import Finding, runs
from halpose.skeleton import Sequence


def find_people(sequence: Sequence, people: list[Body]) -> Iterator[Finding]:
    """Identity swaps, as `halpose.data.people` finds them, and ghosts."""
    if len(people) < 2:
        return
    rows = np.stack([body.positions for body in people])
    counted: Counter[str] = Counter()
    right = undo_swaps(rows, counted)
    if counted["people_swapped"]:
        with np.errstate(invalid="ignore"):
            changed = (rows != right) & ~(np.isnan(rows) & np.isnan(right))
        moved: np.ndarray = changed.any(axis=(0, 2, 3))
        stretches = runs(moved)
        yield Finding(
            "people", "swapped", "warning",
            f"people change places {counted['people_swapped']} times, in {int(moved.sum())} frames",
            "`halpose data prepare` puts them right, and so does --fix", frames=stretches[0], count=len(stretches),
        )  # fmt: skip
    total = int(seen(rows).any(axis=0).sum())
    for body, row in zip(people, right, strict=True):
        if is_ghost(row, total):
            frames = int(seen(row[None]).sum())
            yield Finding(
                "people", "ghost", "note", f"nobody: a body seen in {frames} of {total} frames, or wider than tall",
                "`halpose data prepare` leaves it out, and so does --fix", person=body.person,
                frames=(int(body.shown.argmax()), int(np.flatnonzero(body.shown)[-1]) + 1),
            )  # fmt: skip
