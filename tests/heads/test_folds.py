"""Whoever is held out is not learned from; any class can be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from clusters import clusters

from halpose.heads.curve import learning_curve
from halpose.heads.folds import make_folds


@pytest.mark.parametrize("subjects", [2, 3, 5, 12])
def test_nobody_is_in_two_folds(subjects: int) -> None:
    clips = clusters(subjects=subjects, each=24)
    folds = make_folds(clips)
    assert folds.by == "subject" and folds.count == min(5, subjects)
    who = np.array(clips.subjects)
    for name in set(clips.subjects):
        assert len(set(folds.of_clip[who == name])) == 1
    sizes = np.bincount(folds.of_clip)
    assert sizes.max() - sizes.min() <= np.unique(who, return_counts=True)[1].max()


@pytest.mark.parametrize("each", [2, 3, 7, 30])
def test_without_subjects_a_class_is_in_every_training_part(each: int) -> None:
    clips = clusters(subjects=0, each=each)
    folds = make_folds(clips)
    assert folds.by == "clip" and folds.count == min(5, each)
    for fold in range(folds.count):
        assert set(clips.labels[folds.of_clip != fold]) == set(range(5))
    sizes = np.bincount(folds.of_clip)
    assert sizes.max() - sizes.min() <= 1


def test_all_who_show_a_class_are_not_held_out_at_once() -> None:
    """Six people, five folds: the two who show class 1 have the fewest clips, and would share the last fold."""
    counts = {"a": 9, "b": 8, "c": 7, "d": 6, "e": 3, "f": 2}
    subjects = tuple(name for name, count in counts.items() for _ in range(count))
    labels = np.array([int(name in "ef") for name in subjects])
    some = clusters(classes=2, each=20)
    clips = replace(some.rows(np.arange(len(labels))), labels=labels, subjects=subjects)
    folds = make_folds(clips)
    assert folds.by == "subject" and folds.count == 5
    for fold in range(5):
        assert set(labels[folds.of_clip != fold]) == {0, 1}
    assert len(learning_curve(clips)) > 1


def test_a_class_of_one_subject_is_divided_by_clip() -> None:
    clips = clusters(subjects=3)
    subjects = tuple("s0" if label == 2 else name for label, name in zip(clips.labels, clips.subjects, strict=True))
    assert make_folds(replace(clips, subjects=subjects)).by == "clip"
    assert make_folds(replace(clips, subjects=("", *clips.subjects[1:]))).by == "clip"
    assert make_folds(replace(clips, subjects=("s0",) * len(clips))).by == "clip"


def test_the_same_seed_gives_the_same_folds() -> None:
    clips = clusters(subjects=0)
    np.testing.assert_array_equal(make_folds(clips, 3).of_clip, make_folds(clips, 3).of_clip)
    assert (make_folds(clips, 3).of_clip != make_folds(clips, 4).of_clip).any()
