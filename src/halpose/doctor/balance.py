"""Balance: how many clips of each class and by each person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from halpose.doctor.finding import Finding, Severity, listed
from halpose.doctor.measure import Measures
from halpose.doctor.parts import Labelling
from halpose.doctor.thresholds import FEW_CLIPS, FEW_SUBJECTS, IMBALANCE


def find_balance(clips: Sequence[Measures], labelling: Labelling) -> Iterator[Finding]:
    """Classes that are rare, missing, or performed by one person only; a person who is nearly all."""
    labels = Counter(clip.label for clip in clips if clip.label >= 0)
    if not labels or len(clips) < 2:
        return
    unlabelled = sum(clip.label < 0 for clip in clips)
    if unlabelled:
        names = [clip.name for clip in clips if clip.label < 0]
        what = f"{unlabelled} of {len(clips)} clips have no label"
        yield _of("unlabelled", "note", what, "give them one in labels.csv", names)
    absent = [name for number, name in enumerate(labelling.classes) if not labels[number]]
    if absent:
        yield _of("no clip", "note", f"{len(absent)} classes have no clip: {listed(absent, 5)}",
                  "record them, or leave them out of the classes", count=len(absent))  # fmt: skip
    rare = [labelling.name(number) for number, count in labels.items() if count < FEW_CLIPS]
    if rare:
        yield _of("few clips", "warning", f"{len(rare)} classes have fewer than {FEW_CLIPS} clips: {listed(rare, 5)}",
                  "record more of them: no part of a split can do without", count=len(rare))  # fmt: skip
    (most, largest), (least, smallest) = labels.most_common()[0], labels.most_common()[-1]
    if largest > IMBALANCE * smallest:
        yield _of(
            "imbalance", "warning",
            f"{labelling.name(most)} has {largest} clips, {labelling.name(least)} {smallest}",
            "quote mean accuracy over classes beside accuracy; record more of what is rare",
        )  # fmt: skip
    yield from _subjects(clips, labelling)


def _subjects(clips: Sequence[Measures], labelling: Labelling) -> Iterator[Finding]:
    people = {clip.subject for clip in clips if clip.subject}
    if not people:
        return
    if len(people) == 1:
        yield _of("one subject", "note", f"all clips are of one person, {next(iter(people))}",
                  "what is learned may hold for this person only; record others to know")  # fmt: skip
        return
    by_class: dict[int, set[str]] = {}
    for clip in clips:
        if clip.label >= 0 and clip.subject:
            by_class.setdefault(clip.label, set()).add(clip.subject)
    lonely = [labelling.name(number) for number, those in by_class.items() if len(those) < FEW_SUBJECTS]
    if lonely:
        yield _of(
            "one performer", "warning",
            f"{len(lonely)} classes were performed by one person only: {listed(lonely, 5)}",
            "no split can tell the class from the person: record others, too", count=len(lonely),
        )  # fmt: skip


def _of(kind: str, severity: Severity, what: str, remedy: str, clips: Sequence[str] = (), count: int = 1) -> Finding:
    return Finding.of_clips("balance", kind, severity, what, remedy, clips, count)
