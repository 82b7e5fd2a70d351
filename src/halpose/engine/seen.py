"""Which clips pre-training has seen: kept beside a run, so that a later evaluation can refuse to score them.

`seen.tsv` has a line for each clip: data set, subject, name. A run that was forked from another has seen what that one
had seen, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np
from jaxtyping import Int

from halpose.data.catalog import DATASETS
from halpose.data.store import Store
from halpose.data.store_columns import BLOCK
from halpose.errors import CheckpointError

if TYPE_CHECKING:
    from halpose.engine.run import Run

FILE = "seen.tsv"
_SEARCHED = 1 << 19  # lines that are looked for at a time: less than 100 MB


@dataclass(frozen=True)
class Seen:
    """What a run was pre-trained on.

    Attributes:
        clips: (data set, name) of each clip.
        subjects: (data set, subject) of each person whom the data set names.
    """

    clips: frozenset[tuple[str, str]] = frozenset()
    subjects: frozenset[tuple[str, str]] = frozenset()

    @property
    def is_known(self) -> bool:
        """Whether it was recorded at all."""
        return bool(self.clips)


def seen_lines(store: Store, clips: Int[np.ndarray, " n"]) -> Iterator[str]:
    """A line for each clip, as they are kept; of a merged store, as its own data set would have written it."""
    for row in known_as(store, clips):
        yield "\t".join(row)


def known_as(store: Store, clips: Int[np.ndarray, " n"]) -> Iterator[tuple[str, str, str]]:
    """Data set, subject and name of each clip, as a run keeps them; of a merged store those of its own data set."""
    is_merged = len({entry["data_set"] for entry in store.meta["provenance"].get("merged", ())}) > 1
    for at in range(0, len(clips), BLOCK):
        block = clips[at : at + BLOCK]
        for subject, name in zip(store.clips.subject[block].tolist(), store.clips.name[block].tolist(), strict=True):
            data_set = store.name
            if is_merged:  # names begin with their data set's
                data_set = name.partition("/")[0] or store.name
                subject, name = subject.partition("/")[2], name.partition("/")[2]
            yield " ".join(data_set.split()), " ".join(subject.split()), " ".join(name.split())


def read_lines(run: Path) -> list[str]:
    """What is kept of a run; nothing of one from before it was recorded, or from elsewhere."""
    file = run / FILE
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def write_lines(run: Path, lines: Iterable[str], former: Path | None = None) -> None:
    """Keep what a run has seen, in memory that does not grow with it.

    Args:
        run: its directory.
        lines: of its clips.
        former: the run that it goes on from, or itself where it is resumed; what that one had seen comes first.
    """
    partial = run / f".{FILE}.partial"
    with partial.open("w", encoding="utf-8") as file:
        if former is not None and (former / FILE).exists():
            with (former / FILE).open(encoding="utf-8") as known:
                file.writelines(line.rstrip("\n") + "\n" for line in known)
                lines = _new(iter(lines), known)
                file.writelines(f"{line}\n" for line in lines)
        else:
            file.writelines(f"{line}\n" for line in lines)
    partial.replace(run / FILE)


def _new(lines: Iterator[str], known: TextIO) -> Iterator[str]:
    """Those lines that a file does not hold, a block at a time.

    The search for a block begins where that for the last one ended, and goes around: lines in the order of the file,
    the common case, are found in one pass.
    """
    while wanted := dict.fromkeys(islice(lines, _SEARCHED)):
        for _ in range(2):
            while wanted and (line := known.readline()):
                wanted.pop(line.rstrip("\n"), None)
            if wanted:
                known.seek(0)
        yield from wanted


def read_seen(run: Run) -> Seen:
    """What a run has seen; of a run from before it was recorded, or from elsewhere, nothing is known.

    Raises:
        CheckpointError: the record is damaged.
    """
    try:
        rows = [line.split("\t") for line in read_lines(run.path)]
        clips = frozenset((data_set, name) for data_set, _, name in rows)
        subjects = frozenset((data_set, subject) for data_set, subject, _ in rows if subject)
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{run.path / FILE}: damaged ({error}); delete it to go on without checking what pre-training has seen"
        ) from None
    return Seen(clips, subjects)


def same_people(data_set: str) -> tuple[str, ...]:
    """Data sets whose clip names and subject numbers mean the same clips and people as this one's, itself included."""
    for family in {spec.family for spec in DATASETS.values() if spec.family}:
        members = tuple(name for name, spec in DATASETS.items() if spec.family == family)
        if data_set in members:
            return members
    return (data_set,)
