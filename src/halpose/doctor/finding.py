"""What the doctor says: one thing that is wrong, where, and what would help."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool

from halpose.skeleton import Layout

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

MOST_PLACES = 64
MOST_CLIPS = 1000


@dataclass(frozen=True)
class Place:
    """A stretch of a recording.

    Attributes:
        joints: indices of the joints concerned, ascending.
        start: first frame.
        end: the one after the last.
    """

    joints: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        check: name in `halpose.doctor.CHECKS`.
        kind: which of the check's faults, a word or two; findings of one kind are counted together.
        severity: error (results would be wrong), warning (look at it), note (good to know).
        what: the fault, in words.
        remedy: what would help: a command or a setting.
        file: where it is; empty when it concerns several files.
        clip: the clip's name, where a file holds several.
        person: row of the person, 0 the first.
        joints: names of the joints concerned.
        frames: first frame concerned, and the one after the last.
        count: how many times.
        places: each of them, the first `MOST_PLACES`.
        clips: names of the clips concerned, when there are several, the first `MOST_CLIPS`.
        at: number of the clip among all that were examined; -1 when it concerns several.
    """

    check: str
    kind: str
    severity: Severity
    what: str
    remedy: str
    file: str = ""
    clip: str = ""
    person: int | None = None
    joints: tuple[str, ...] = ()
    frames: tuple[int, int] | None = None
    count: int = 1
    places: tuple[Place, ...] = ()
    clips: tuple[str, ...] = ()
    at: int = -1

    @classmethod
    def of_clips(
        cls, check: str, kind: str, severity: Severity, what: str, remedy: str, names: Sequence[str], count: int = 1
    ) -> Finding:
        """A finding about several clips of a set; `count` where it is not the number of clips."""
        return cls(check, kind, severity, what, remedy, count=max(count, len(names)), clips=tuple(names[:MOST_CLIPS]))

    @property
    def where(self) -> str:
        """File, clip, person, joints and frames in one line."""
        parts = [self.file]
        if self.clip and self.clip != (self.file and str(PurePosixPath(self.file).with_suffix(""))):
            parts.append(self.clip)
        if self.person is not None:
            parts.append(f"person {self.person + 1}")
        if self.joints:
            parts.append(listed(self.joints, 3))
        if self.frames is not None:
            first, end = self.frames
            parts.append(f"frame {first}" if end == first + 1 else f"frames {first}-{end - 1}")
        if self.clips:
            parts.append(listed(self.clips, 3))
        return ", ".join(part for part in parts if part)

    def to_dict(self, layout: Layout | None = None) -> dict[str, Any]:
        """As `--json` gives it; places by joint names where the layout is known."""
        return {
            "check": self.check,
            "kind": self.kind,
            "severity": self.severity,
            "what": self.what,
            "remedy": self.remedy,
            "file": self.file,
            "clip": self.clip,
            "person": self.person,
            "joints": list(self.joints),
            "frames": None if self.frames is None else list(self.frames),
            "count": self.count,
            "clips": list(self.clips),
            "places": [
                {
                    "joints": [layout.joints[joint] if layout else joint for joint in place.joints],
                    "frames": [place.start, place.end],
                }
                for place in self.places
            ],
        }


def listed(names: Iterable[str], most: int) -> str:
    """The first few of several names, and how many more there are."""
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def runs(flags: Bool[np.ndarray, " t"]) -> list[tuple[int, int]]:
    """Stretches of True: (first, one after the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def places_of(mask: Bool[np.ndarray, "t v"]) -> list[Place]:
    """Stretches of True of a (frames, joints) mask; joints that begin and end together are one place."""
    together: dict[tuple[int, int], list[int]] = {}
    for joint in np.flatnonzero(mask.any(axis=0)):
        for stretch in runs(mask[:, joint]):
            together.setdefault(stretch, []).append(int(joint))
    return [Place(tuple(joints), *stretch) for stretch, joints in sorted(together.items())]


def located(places: Sequence[Place], layout: Layout) -> dict[str, Any]:
    """The fields of a finding that say where: joints, frames, count, places."""
    joints = sorted({joint for place in places for joint in place.joints})
    return {
        "joints": tuple(layout.joints[joint] for joint in joints),
        "frames": (places[0].start, places[0].end) if places else None,
        "count": len(places),
        "places": tuple(places[:MOST_PLACES]),
    }
