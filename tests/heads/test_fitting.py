"""A head recognises what can be told apart, is as sure as it is right, and says when it does not know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from clusters import clusters
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from halpose.errors import DataError
from halpose.heads.calibration import calibration_error, fit_temperature, softmax
from halpose.heads.fitting import ACCEPTED, choose_thresholds, fit_head, hold_out, leave_classes_out
from halpose.heads.folds import make_folds
from halpose.heads.head import Thresholds, centres_of, distances


def test_what_can_be_told_apart_is_recognised_and_what_is_far_is_unknown() -> None:
    clips = clusters(test=3)
    head = fit_head(clips, streams=("joint",))
    assert head.about["held_out"]["accuracy"]["value"] > 0.95
    assert head.about["test"]["accuracy"]["value"] > 0.9 and head.about["test"]["clips"] == 15
    assert head.about["clips"] == 45 and head.about["by_class"] == {name: 9 for name in clips.classes}
    assert head.about["held_out"]["accepted"]["value"] >= ACCEPTED
    assert head.about["left_out"]["refused"]["value"] > 0.9
    said = head.answer(clips.vectors)
    assert (said.columns == clips.labels).all() and said.is_unknown.mean() < 0.15
    elsewhere = np.eye(24, dtype=np.float32)[10:]
    assert head.answer(elsewhere).is_unknown.all()
    assert head.answer(-5 * clips.vectors).is_unknown.all()
    # Far away in the direction of a class the classifier is sure, and the distance says that it may be.
    assert not head.answer(5 * clips.vectors).is_unknown.all()
    assert head.answer(np.zeros((1, 24), np.float32)).is_unknown.all()


def test_clips_of_classes_that_were_not_labelled_count_as_others() -> None:
    clips = clusters(test=3)
    only_test = (clips.labels == 4) & ~clips.is_test
    found = fit_head(clips.rows(~only_test))
    assert found.classes == clips.classes[:4]
    test = found.about["test"]
    assert (test["clips"], test["other_classes"]) == (12, 3)
    assert test["refused"]["value"] == 1 and test["accuracy"]["value"] == 1


def test_no_fold_chooses_its_own_temperature() -> None:
    clips = clusters(classes=3, each=12, noise=0.6, subjects=3)
    held = fit_head(clips, strengths=(0.1,)).about["held_out"]
    folds = make_folds(clips).of_clip
    (logits,) = hold_out(clips, make_folds(clips), (0.1,)).logits
    sure = np.empty(len(clips))
    for fold in range(3):
        others = fit_temperature(logits[folds != fold], clips.labels[folds != fold])
        sure[folds == fold] = softmax(logits[folds == fold], others).max(axis=1)
    wanted = calibration_error(sure, logits.argmax(axis=1) == clips.labels)
    assert held["calibration_error"] == pytest.approx(wanted, rel=1e-6)


def test_what_is_held_out_was_not_seen() -> None:
    # As many dimensions as anybody could wish: every clip that is learned from is recognised, whatever its label.
    clips = clusters(classes=4, each=16, dimension=200, noise=1.0)
    shuffled = replace(clips, labels=np.random.default_rng(1).permutation(clips.labels), subjects=("",) * len(clips))
    head = fit_head(shuffled)
    assert (head.answer(clips.vectors).columns == shuffled.labels).mean() > 0.9
    held = head.about["held_out"]
    assert held["accuracy"]["value"] < 0.45
    assert held["calibration_error"] < held["calibration_error_before"]
    assert held["calibration_error"] < 0.2


def test_the_classifier_is_scikit_learns() -> None:
    clips = clusters(noise=0.5)
    scaler = StandardScaler().fit(clips.vectors)
    head = fit_head(clips, strengths=(0.01,))
    reference = LogisticRegression(C=0.01, tol=1e-8, max_iter=2000).fit(scaler.transform(clips.vectors), clips.labels)
    logits = clips.vectors @ head.weight + head.bias
    theirs = reference.decision_function(scaler.transform(clips.vectors))
    np.testing.assert_allclose(
        logits - logits.mean(1, keepdims=True), theirs - theirs.mean(1, keepdims=True), atol=0.005
    )
    chances = np.exp(theirs / head.temperature)
    chances /= chances.sum(1, keepdims=True)
    np.testing.assert_allclose(head.answer(clips.vectors).confidence, chances.max(1), atol=0.005)


def test_a_fold_whose_class_was_never_seen_is_wrong_and_not_an_error() -> None:
    clips = clusters(classes=3, each=6, subjects=3, noise=0.01)
    who = np.array(clips.subjects)
    # Both subjects of class 2 fall into one fold.
    folds = replace(make_folds(clips), of_clip=np.where(clips.labels == 2, 0, 1 + (who == "s1")))
    held = hold_out(clips, folds, [0.1])
    assert np.isneginf(held.logits[0, clips.labels == 2, 2]).all()
    learned_enough = (clips.labels != 2) & (who == "s1")
    assert (held.logits[0].argmax(1) == clips.labels)[learned_enough].all()


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 2)), min_size=2, max_size=60))
def test_thresholds_are_the_strictest_that_accept_enough(pairs: list[tuple[float, float]]) -> None:
    confidence, distance = np.array(pairs).T
    found = choose_thresholds(confidence, distance)
    refused = found.refuse(confidence, distance)
    assert 1 - refused.mean() >= ACCEPTED
    below, beyond = confidence[confidence > found.confidence], distance[distance < found.distance]
    if len(below) and len(beyond):
        stricter = Thresholds(below.min(), beyond.max())
        # One step further on both sides would refuse too many, unless values are tied.
        ties = len(set(confidence)) < len(confidence) or len(set(distance)) < len(distance)
        assert ties or 1 - stricter.refuse(confidence, distance).mean() < ACCEPTED


def test_centres_and_distances_by_hand() -> None:
    vectors = np.array([[2.0, 0], [0, 3.0], [-1.0, 0]])
    centres = centres_of(vectors, np.array([0, 0, 1]))
    np.testing.assert_allclose(centres, [[0.5**0.5, 0.5**0.5], [-1, 0]])
    np.testing.assert_allclose(distances(np.array([[1.0, 1], [0, -1], [0, 0]]), centres), [0, 1, 1], atol=1e-12)


def test_few_classes_cannot_be_left_out() -> None:
    assert leave_classes_out(clusters(classes=3), 0.1) is None
    assert fit_head(clusters(classes=2)).about["left_out"] is None


def test_too_little_is_refused_with_a_reason() -> None:
    clips = clusters()
    with pytest.raises(DataError, match="only clips of 'class 1' to learn from; a classifier needs two"):
        fit_head(clips.rows(clips.labels == 1))
    with pytest.raises(DataError, match="no labelled clip"):
        fit_head(replace(clips, is_test=np.ones(len(clips), bool)))
    single = (clips.labels < 3) | (np.arange(len(clips)) == len(clips) - 1)
    with pytest.raises(DataError, match="a single clip of 'class 4': .*label a second"):
        fit_head(clips.rows(single))
