"""What preparing a data set came to: counts beside the published ones, and everything that deviates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from halpose.data.chunk_files import SetAside
from halpose.data.source import Source
from halpose.data.spec import DatasetSpec
from halpose.data.store_files import PART_CODES


@dataclass(frozen=True)
class PrepareReport:
    """What `prepare` did.

    Attributes:
        data_set, out, files, clips, frames: what was read and written.
        set_aside: every file or clip that is not in the store, with the reason.
        repairs: kind of repair -> how often.
        counts: "clips" and each split -> found and expected numbers.
        notes: whatever deviates from what is published of the data set.
        kept_chunks: chunks taken over from an interrupted run.
        workers, seconds: how many processes, how long.
    """

    data_set: str
    out: Path
    files: int
    clips: int
    frames: int
    set_aside: tuple[SetAside, ...]
    repairs: Mapping[str, int]
    counts: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...]
    chunks: int
    kept_chunks: int
    workers: int
    seconds: float

    def summary(self) -> list[str]:
        """The report in a few lines for people."""
        lines = [f"{self.data_set}: {self.clips} clips, {self.frames} frames from {self.files} files -> {self.out}"]
        if self.kept_chunks:
            lines.append(f"continued: {self.kept_chunks} of {self.chunks} chunks were there already")
        kinds = Counter(item.kind for item in self.set_aside)
        if kinds:
            what = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
            lines.append(f"set aside: {what}; each is named with its reason in {self.out / 'report.json'}")
        if self.repairs:
            lines.append("repaired: " + ", ".join(f"{n} {kind}" for kind, n in sorted(self.repairs.items())))
        return [*lines, *self.notes]


@dataclass(frozen=True)
class Published:
    """What is published of a data set's size.

    Attributes:
        clips: how many clips a complete copy leaves; None when not known.
        parts: split -> clips in the official training part and in the test part.
        missing_list: the published list of clips without a usable skeleton.
    """

    clips: int | None
    parts: Mapping[str, Sequence[int]]
    missing_list: str

    @classmethod
    def of(cls, spec: DatasetSpec) -> Published:
        """As the catalogue has it."""
        return cls(spec.clips, {name: list(counts) for name, counts in spec.counts.items()}, spec.missing_list)


def count(published: Published, clips: int, codes: Mapping[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """Numbers found beside the numbers that are published; `train` is the official training part."""
    counts: dict[str, dict[str, Any]] = {"clips": {"found": clips, "expected": published.clips}}
    for split, values in codes.items():
        test = int((values == PART_CODES["test"]).sum())
        train = int((values >= 0).sum()) - test
        expected = published.parts.get(split)
        counts[split] = {
            "found": {"train": train, "test": test},
            "expected": None if expected is None else dict(zip(("train", "test"), expected, strict=True)),
        }
    return counts


def in_parts(split: str, codes: np.ndarray) -> str:
    """How many clips each part of a split has, in words."""
    found = {part: int((codes == code).sum()) for part, code in PART_CODES.items()}
    said = ", ".join(f"{number} {part}" for part, number in found.items())
    empty = "" if all(found.values()) else "; a part is empty: record more, or say who is in which with --labels"
    return f"split {split}: {said}{empty}"


def deviations(
    published: Published,
    synthetic: bool,
    counts: Mapping[str, Mapping[str, Any]],
    listed: int,
    aside: Sequence[SetAside],
) -> list[str]:
    """In words, whatever differs from what is published.

    Args:
        published: the numbers to compare with.
        synthetic: whether the recordings were generated.
        counts: what `count` made.
        listed: how many clips a list of missing skeletons named.
        aside: what was set aside.
    """
    if synthetic:
        return ["these recordings are synthetic: generated, not recorded; results on them say nothing about people"]
    notes = []
    for what, pair in counts.items():
        if pair["expected"] is None or pair["found"] == pair["expected"]:
            continue
        if what == "clips":
            notes.append(f"{pair['found']} of {pair['expected']} clips")
        else:
            part = ", ".join(f"{n} {name} (published: {pair['expected'][name]})" for name, n in pair["found"].items())
            notes.append(f"split {what}: {part}")
    if listed:
        named = sum(item.kind == "listed" for item in aside)
        notes.append(f"the list of missing skeletons names {listed} clips, {named} of them here")
    elif published.missing_list and published.clips is not None and counts["clips"]["found"] > published.clips:
        notes.append(
            f"published counts leave out the clips of {published.missing_list}; give that file to leave them out"
        )
    return notes


def nothing_usable(found: Source, aside: Sequence[SetAside]) -> str:
    """The message when every file had to be set aside."""
    first = "; ".join(f"{item.file}: {item.reason}" for item in aside[:3])
    return (
        f"{found.root}: none of the {len(found.files)} files of {found.spec.title} could be used, so nothing was "
        f"written: {first}{'; ...' if len(aside) > 3 else ''}"
    )
