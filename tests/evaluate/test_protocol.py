from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from halpose.errors import ConfigError, DataError
from halpose.evaluate import EVALUATIONS
from halpose.evaluate.base import Settings
from halpose.evaluate.featureset import FeatureSet, Samples
from halpose.evaluate.protocol import evaluate

Clusters = Callable[..., FeatureSet]
CLASSES = ("a", "b", "c", "d")
ABOUT = {"classes": CLASSES, "split": "x-sub"}
QUICK = Settings(epochs=20, learning_rate=0.1, shares=(0.5,), draws=2)


def relabelled(samples: Samples, labels: np.ndarray) -> Samples:
    return Samples(samples.features, labels, samples.names)


@pytest.mark.parametrize("protocol", EVALUATIONS)
@pytest.mark.parametrize("part", ["test", "validation"])
def test_every_protocol_reads_separable_classes(protocol: str, part: str, clusters: Clusters) -> None:
    sets = clusters(noise=0.05)
    (result,) = evaluate({"trained": sets}, [protocol], part=part, settings=QUICK, **ABOUT)  # type: ignore[arg-type]
    assert result.top1 == 1.0
    assert (result.protocol, result.features, result.split, result.part) == (protocol, "trained", "x-sub", part)
    assert result.clips == len(getattr(sets, part))
    json.dumps(result.to_dict(), allow_nan=False)


@pytest.mark.parametrize("protocol", EVALUATIONS)
def test_every_protocol_guesses_where_there_is_nothing_to_read(protocol: str, clusters: Clusters) -> None:
    sets = clusters(each=100)
    rng = np.random.default_rng(0)
    noise = FeatureSet(
        *(
            Samples(rng.normal(size=s.features.shape).astype(np.float32), s.labels)
            for s in (sets.train, sets.validation, sets.test)
        )
    )
    (result,) = evaluate({"trained": noise}, [protocol], settings=QUICK, **ABOUT)  # type: ignore[arg-type]
    assert 0.17 < result.top1 < 0.33  # 400 clips of 4 classes: 0.25 within 3.7 standard errors


def test_results_come_in_the_order_asked_for(clusters: Clusters) -> None:
    results = evaluate({"trained": clusters(), "untrained": clusters(noise=3.0)}, ["linear", "knn"], **ABOUT)  # type: ignore[arg-type]
    assert [(r.features, r.protocol) for r in results] == [
        ("trained", "linear"),
        ("trained", "knn"),
        ("untrained", "linear"),
        ("untrained", "knn"),
    ]


def candidates(clusters: Clusters) -> dict[str, FeatureSet]:
    return {name: clusters(noise=noise) for name, noise in (("bad", 4.0), ("good", 0.7), ("worse", 8.0))}


def test_permuted_test_labels_change_nothing_that_was_chosen(clusters: Clusters) -> None:
    tried = candidates(clusters)
    order = np.random.default_rng(1).permutation(len(tried["bad"].test))
    lied = {n: replace(s, test=relabelled(s.test, s.test.labels[order])) for n, s in tried.items()}
    for protocol in EVALUATIONS:
        honest, shuffled = (
            evaluate({"raw": {n: lambda s=s: s for n, s in sets.items()}}, [protocol], settings=QUICK, **ABOUT)[0]  # type: ignore[arg-type, misc]
            for sets in (tried, lied)
        )
        assert honest.settings == shuffled.settings
        assert honest.settings["normalisation"] == "good"
        assert honest.selected_on == "validation"
        assert honest.top1 > 0.9 > shuffled.top1
        # Predictions do not depend on the labels either: each class is predicted as often.
        np.testing.assert_array_equal(np.sum(honest.confusion, axis=0), np.sum(shuffled.confusion, axis=0))


def test_a_validation_score_never_looks_at_the_test_part(clusters: Clusters) -> None:
    sets = clusters(noise=1.0)
    poisoned = replace(sets, test=Samples(np.full_like(sets.test.features, np.nan), sets.test.labels + 99))
    for source in (poisoned, {"one": lambda: poisoned, "two": lambda: poisoned}):
        results = evaluate({"raw": source}, list(EVALUATIONS), part="validation", settings=QUICK, **ABOUT)  # type: ignore[arg-type, dict-item]
        plain = evaluate({"raw": sets}, list(EVALUATIONS), part="validation", settings=QUICK, **ABOUT)  # type: ignore[arg-type]
        assert [r.confusion for r in results] == [r.confusion for r in plain]


def test_a_score_on_the_clips_that_chose_says_so(clusters: Clusters) -> None:
    sets = clusters()
    several = {"one": lambda: sets, "two": lambda: sets}
    (linear, best) = (
        evaluate({"raw": source}, [protocol], part="validation", **ABOUT)[0]  # type: ignore[arg-type, dict-item]
        for source, protocol in ((sets, "linear"), (several, "knn"))
    )
    assert any("strength was chosen on the clips" in note for note in linear.notes)
    assert any("normalisation was chosen on the clips" in note for note in best.notes)
    assert not evaluate({"raw": several}, ["knn"], **ABOUT)[0].notes  # type: ignore[arg-type]


def test_best_on_test_of_several_normalisations_is_separate(clusters: Clusters) -> None:
    tried = candidates(clusters)
    # On the validation part "bad" is best: only peeking finds that "good" is better on the test part.
    tried["bad"] = replace(tried["bad"], validation=clusters(noise=4.0).train, train=clusters(noise=4.0).train)
    tried["good"] = replace(tried["good"], validation=clusters(noise=9.0, seed=0).validation)
    sets = {name: lambda s=s: s for name, s in tried.items()}  # type: ignore[misc]
    plain, peeking = (
        evaluate({"raw": sets}, ["knn"], settings=Settings(best_on_test=asked), **ABOUT)[0]  # type: ignore[arg-type]
        for asked in (False, True)
    )
    assert plain.best_on_test is None
    assert "test_by_normalisation" not in plain.settings
    assert peeking.settings["normalisation"] == plain.settings["normalisation"] == "bad"
    assert peeking.top1 == plain.top1
    assert peeking.best_on_test == max(peeking.settings["test_by_normalisation"].values()) > peeking.top1
    assert any("'good'" in note for note in peeking.notes)


def test_best_on_test_cannot_be_asked_of_a_validation_score(clusters: Clusters) -> None:
    with pytest.raises(ConfigError, match="part 'test'"):
        evaluate({"trained": clusters()}, part="validation", settings=Settings(best_on_test=True), **ABOUT)  # type: ignore[arg-type]


def test_an_unknown_protocol_names_the_nearest(clusters: Clusters) -> None:
    with pytest.raises(ConfigError, match=r"'linaer'; did you mean 'linear'\? there are knn, linear, linear-sgd"):
        evaluate({"trained": clusters()}, ["knn", "linaer"], **ABOUT)  # type: ignore[arg-type]


def test_clips_of_a_class_nobody_taught_count_as_wrong_and_are_told(clusters: Clusters) -> None:
    sets = clusters(noise=0.05)
    taught = [samples.labels != 3 for samples in (sets.train, sets.validation)]
    sets = FeatureSet(
        Samples(sets.train.features[taught[0]], sets.train.labels[taught[0]]),
        Samples(sets.validation.features[taught[1]], sets.validation.labels[taught[1]]),
        sets.test,
    )
    for result in evaluate({"trained": sets}, list(EVALUATIONS), settings=QUICK, **ABOUT):  # type: ignore[arg-type]
        assert result.top1 == pytest.approx(0.75)
        assert result.notes[0] == "12 clips are of classes without a training clip and count as wrong: d"


def test_no_class_in_common_is_an_error(clusters: Clusters) -> None:
    sets = clusters()
    sets = replace(sets, test=relabelled(sets.test, np.full(len(sets.test), 4)))
    with pytest.raises(DataError, match="nothing can be recognised"):
        evaluate({"trained": sets}, ["knn"], classes=(*CLASSES, "e"), split="x-sub")


def test_empty_parts_are_errors_that_name_the_part(clusters: Clusters) -> None:
    sets = clusters()
    none = Samples(sets.train.features[:0], sets.train.labels[:0])
    with pytest.raises(DataError, match="the test part of the split has no labelled clip to score; .*--labels"):
        evaluate({"trained": replace(sets, test=none)}, ["knn"], **ABOUT)  # type: ignore[arg-type]
    blind = replace(sets, validation=none)
    with pytest.raises(DataError, match="the validation part of the split has no labelled clip"):
        evaluate({"trained": blind}, ["knn"], part="validation", **ABOUT)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="the normalisation cannot be chosen; name one of one, two"):
        evaluate({"raw": {"one": lambda: blind, "two": lambda: blind}}, ["knn"], **ABOUT)  # type: ignore[arg-type]


def test_clips_without_a_label_are_told_in_the_result(clusters: Clusters) -> None:
    sets = clusters()
    labels = sets.test.labels.copy()
    labels[:3] = -1
    (result,) = evaluate({"trained": replace(sets, test=relabelled(sets.test, labels))}, ["knn"], **ABOUT)  # type: ignore[arg-type]
    assert result.clips == len(labels) - 3
    assert result.notes == ("3 of 48 clips of test have no label and are left out",)


@pytest.mark.parametrize(
    "wrong",
    [
        {"k": 0},
        {"learning_rate": 0.0},
        {"epochs": -1},
        {"strengths": ()},
        {"strengths": (1.0, -1.0)},
        {"draws": 0},
        {"shares": ()},
        {"shares": (1.5,)},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Settings(**wrong)  # type: ignore[arg-type]
