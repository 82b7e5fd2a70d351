"""Labelled clips in the plane of the mind: a direction for each class, people who differ a little, noise."""

from __future__ import annotations

import numpy as np

from halpose.heads.labelled import LabelledClips


def clusters(
    classes: int = 5,
    each: int = 12,
    subjects: int = 4,
    noise: float = 0.1,
    dimension: int = 24,
    test: int = 0,
    seed: int = 0,
) -> LabelledClips:
    """Classes of so many clips, of subjects by turns; the last `test` of each are kept for scoring."""
    rng = np.random.default_rng(seed)
    directions = np.eye(classes, dimension)
    people = rng.normal(0, noise / 2, (max(subjects, 1), dimension))
    labels = np.repeat(np.arange(classes), each)
    who = np.tile(np.arange(each), classes) % max(subjects, 1)
    vectors = directions[labels] + people[who] + rng.normal(0, noise, (len(labels), dimension))
    return LabelledClips(
        vectors.astype(np.float32),
        labels,
        tuple(f"class {number}" for number in range(classes)),
        tuple(f"s{number}" if subjects else "" for number in who),
        tuple(f"clip {number}" for number in range(len(labels))),
        np.tile(np.arange(each), classes) >= each - test,
    )
