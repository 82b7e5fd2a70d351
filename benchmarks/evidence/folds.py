"""Cross-validation over people: a split of a store for each fold, made when it is needed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from halpose.data.store import PART_CODES, Store
from halpose.errors import DataError

SPLIT = "fold"


def fold(store: Store, folds: int, number: int) -> Store:
    """The store with the split `fold`: one group of people tests, the next one chooses, the others train.

    People are dealt to the groups by turns, those with most clips first, so that groups are about as large.

    Args:
        store: names its subjects.
        folds: how many groups; no more than there are people, and three at least.
        number: which of them tests, from 0.

    Raises:
        DataError: the store names fewer people than there are folds.
    """
    people, owner, clips = np.unique(store.clips.subject, return_inverse=True, return_counts=True)
    if len(people) < folds or folds < 3 or "" in people:
        raise DataError(f"{store.path}: {len(people)} named people make no {folds} folds")
    group = np.empty(len(people), np.int64)
    group[np.argsort(-clips, kind="stable")] = np.arange(len(people)) % folds
    of_clip = (group[owner] - number) % folds
    codes = np.full(len(store), PART_CODES["train"], np.int8)
    codes[of_clip == 0], codes[of_clip == 1] = PART_CODES["test"], PART_CODES["validation"]
    meta = {**store.meta, "splits": [*store.splits, SPLIT]}
    return replace(store, meta=meta, clips=replace(store.clips, split={**store.clips.split, SPLIT: codes}))
