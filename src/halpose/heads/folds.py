"""Folds of labelled clips: whoever is held out was never seen, where it is known who moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from halpose.heads.labelled import LabelledClips

_FOLDS = 5


@dataclass(frozen=True)
class Folds:
    """A division of clips, each part of which is held out once.

    Attributes:
        of_clip: (N,) number of each clip's fold.
        by: `subject`, or `clip` where it is not known who moves, or a class is of one subject alone.
    """

    of_clip: Int[np.ndarray, " n"]
    by: str

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.of_clip.max()) + 1


def make_folds(clips: LabelledClips, seed: int = 0) -> Folds:
    """Folds of clips to learn from, at most five.

    By subject, if each class is shown by two of them or more: each goes, the busiest first, where the fewest clips are,
    but not so that all of a class would be in one fold. Else clips of a class are dealt out one by one, so that any
    class with two clips is in every training part.

    Args:
        clips: at least two of each class.
        seed: of the order within a class.
    """
    names, subject = np.unique(np.array(clips.subjects), return_inverse=True)
    pairs = np.unique(np.stack([clips.labels, subject]), axis=1)[0]
    if "" not in names and (np.bincount(pairs, minlength=len(clips.classes)) > 1).all():
        filled = np.zeros(min(_FOLDS, len(names)), dtype=int)
        fold = np.zeros(len(names), dtype=int)
        sizes = np.bincount(subject)
        left = np.bincount(pairs, minlength=len(clips.classes))  # subjects of each class that have no fold yet
        homes: list[set[int]] = [set() for _ in clips.classes]
        for number in np.argsort(-sizes, kind="stable"):
            own = np.unique(clips.labels[subject == number])
            # The last subject of a class does not join all its others, or none would be left to learn it from.
            full = {next(iter(homes[label])) for label in own if left[label] == 1 and len(homes[label]) == 1}
            free = [at for at in range(len(filled)) if at not in full] or list(range(len(filled)))
            fold[number] = free[int(filled[free].argmin())]
            filled[fold[number]] += sizes[number]
            left[own] -= 1
            for label in own:
                homes[label].add(int(fold[number]))
        return Folds(fold[subject], "subject")
    count = min(_FOLDS, int(np.bincount(clips.labels).max()))
    order = np.random.default_rng(seed).permutation(len(clips))
    order = order[np.argsort(clips.labels[order], kind="stable")]
    of_clip = np.empty(len(clips), dtype=int)
    # One after another through all classes: folds are equally large, and two clips of a class are in different ones.
    of_clip[order] = np.arange(len(clips)) % count
    return Folds(of_clip, "clip")
