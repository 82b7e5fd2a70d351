"""Leakage: what the test part of a split must not share with the training part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from halpose.data.store_files import PART_CODES
from halpose.doctor.duplicates import twins
from halpose.doctor.finding import Finding, Severity, listed
from halpose.doctor.measure import Measures
from halpose.doctor.parts import Labelling

_TEST, _NONE = PART_CODES["test"], -1


def find_leakage(clips: Sequence[Measures], labelling: Labelling) -> Iterator[Finding]:
    """Of each split: recordings and people in both parts, classes that one part lacks."""
    pairs = twins(clips) if labelling.splits else []
    for split, codes in labelling.splits.items():
        train = np.flatnonzero((codes >= 0) & (codes != _TEST)).tolist()
        test = np.flatnonzero(codes == _TEST).tolist()
        if not len(train) or not len(test):
            yield _of(
                "empty part", "note", f"split {split}: {len(train)} clips train, {len(test)} test",
                "take another split with --split, or prepare the whole data set",
            )  # fmt: skip
            continue
        across = [
            pair for pair in pairs
            if _NONE not in (codes[pair.first], codes[pair.second])
            and (codes[pair.first] == _TEST) != (codes[pair.second] == _TEST)
        ]  # fmt: skip
        if across:
            names = [f"{clips[pair.second].name} = {clips[pair.first].name}" for pair in across]
            yield _of(
                "recordings in both", "error",
                f"split {split}: {len(across)} recordings are in the training part and in the test part",
                "drop them from one part: `halpose data doctor PATH --fix --out STORE` keeps each once", names,
            )  # fmt: skip
        yield from _people(split, [clips[at] for at in train], [clips[at] for at in test])
        yield from _classes(split, labelling, [clips[at] for at in train], [clips[at] for at in test])


def _people(split: str, train: Sequence[Measures], test: Sequence[Measures]) -> Iterator[Finding]:
    shared = sorted({clip.subject for clip in train if clip.subject} & {clip.subject for clip in test})
    if not shared:
        return
    cameras = {clip.camera for clip in train}, {clip.camera for clip in test}
    by_view = not cameras[0] & cameras[1]
    yield _of(
        "people in both", "note" if by_view else "error",
        f"split {split}: {len(shared)} people are in the training part and in the test part: {listed(shared, 5)}"
        + ("; the parts differ by camera, as a cross-view split means them to" if by_view else ""),
        "quote this split for new views of known people only" if by_view
        else "divide by person: scores are of people whom the encoder knows",
    )  # fmt: skip


def _classes(
    split: str, labelling: Labelling, train: Sequence[Measures], test: Sequence[Measures]
) -> Iterator[Finding]:
    learned, asked = ({clip.label for clip in part if clip.label >= 0} for part in (train, test))
    lacking: tuple[tuple[set[int], str, Severity], ...] = (
        (asked - learned, "training", "error"),
        (learned - asked, "test", "warning"),
    )
    for those, part, severity in lacking:
        if those:
            names = [labelling.name(label) for label in sorted(those)]
            yield _of(
                f"classes missing in {part}", severity,
                f"split {split}: {len(those)} classes have no clip in the {part} part: {listed(names, 5)}",
                "divide anew, or leave these classes out",
            )  # fmt: skip


def _of(kind: str, severity: Severity, what: str, remedy: str, names: Sequence[str] = ()) -> Finding:
    return Finding.of_clips("leakage", kind, severity, what, remedy, names)
