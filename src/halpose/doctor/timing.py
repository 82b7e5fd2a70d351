"""Frames that are there twice, and frames that are not there at all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from halpose.doctor.body import Body
from halpose.doctor.finding import Finding
from halpose.doctor.frozen import standing_still, unmoved
from halpose.doctor.thresholds import DROP_GAIN, DROP_STEP, REPEAT_SHARE, SHORT_FRAMES
from halpose.skeleton import Sequence

_AROUND = 3
_ALONG = 0.7  # cosine


def repeated(body: Body) -> np.ndarray:
    """Frames that repeat the one before, but for stretches in which the body stands still altogether."""
    still = np.concatenate([[False], unmoved(body)])
    for start, end in standing_still(body):
        still[start:end] = False
    return np.flatnonzero(still)


def dropped(body: Body) -> np.ndarray:
    """Frames before which others are missing: everything that moves goes on as far in one step as in several.

    A step is compared with the mean of those around it, of all joints together: in length, and in direction, because a
    body that jumps elsewhere does not go on the way it went.
    """
    steps = np.diff(body.positions, axis=0)
    known = np.isfinite(body.steps).all(axis=1)
    count = len(steps)
    if count < 2 * _AROUND + 1 or body.span == 0:
        return np.zeros(0, dtype=np.int64)
    far = np.where(known, np.where(known[:, None], body.steps, 0.0).mean(axis=1), 0.0)
    found = []
    for at in np.flatnonzero(far > DROP_STEP * body.span).tolist():
        around = [i for i in range(at - _AROUND, at + _AROUND + 1) if 0 <= i < count and i != at and known[i]]
        if min(at, count - 1 - at) < _AROUND or len(around) < 2 * _AROUND:
            continue
        if far[at] > DROP_GAIN * far[around].max():
            here, usual = steps[at].ravel(), steps[around].mean(axis=0).ravel()
            if here @ usual > _ALONG * np.linalg.norm(here) * np.linalg.norm(usual):
                found.append(at + 1)
    return np.array(found, dtype=np.int64)


def find_timing(sequence: Sequence, people: list[Body]) -> Iterator[Finding]:
    """Repeated and missing frames of the person who is seen most."""
    if not people or sequence.frames < SHORT_FRAMES:
        return
    body = max(people, key=lambda one: int(one.shown.sum()))
    again = repeated(body)
    if len(again):
        share = len(again) / sequence.frames
        gaps = np.diff(again)
        regular = len(gaps) > 2 and np.ptp(gaps) == 0 and gaps[0] > 1
        every = f", every {int(gaps[0])} frames: it was recorded at a lower rate" if regular else ""
        yield Finding(
            "timing", "repeated frames", "warning" if share > REPEAT_SHARE else "note",
            f"{len(again)} frames ({share:.0%}) repeat the one before exactly{every}",
            "export at the rate at which it was recorded, or leave the repeated frames out",
            person=body.person, frames=(int(again[0]), int(again[0]) + 1), count=len(again),
        )  # fmt: skip
    lost = dropped(body)
    if len(lost):
        yield Finding(
            "timing", "missing frames", "warning",
            f"{len(lost)} times everything goes on as far in one frame as in {DROP_GAIN:g} or more: frames are missing",
            "export again with all frames; `halpose data prepare` cannot know how many are missing",
            person=body.person, frames=(int(lost[0]) - 1, int(lost[0]) + 1), count=len(lost),
        )  # fmt: skip
