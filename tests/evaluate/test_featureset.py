from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from halpose.data.store import Store
from halpose.errors import ConfigError, DataError
from halpose.evaluate.featureset import FeatureSet, Samples, split_features

Clusters = Callable[..., FeatureSet]
CLASSES = ("a", "b", "c", "d")


def test_official_is_train_then_validation(clusters: Clusters) -> None:
    sets = clusters()
    official = sets.official
    assert len(official) == len(sets.train) + len(sets.validation)
    np.testing.assert_array_equal(official.features[len(sets.train) :], sets.validation.features)
    assert official.names == sets.train.names + sets.validation.names


def test_roles_keep_the_scored_part_out_of_what_is_learned_from(clusters: Clusters) -> None:
    sets = clusters()
    for part in ("test", "validation"):
        learned, scored = sets.roles(part)  # type: ignore[arg-type]
        assert scored is getattr(sets, part)
        assert not set(learned.names) & set(scored.names)
    assert sets.roles("test")[0].names == sets.train.names + sets.validation.names
    assert sets.roles("validation")[0] is sets.train


def test_clips_without_a_label_are_left_out_and_counted(clusters: Clusters) -> None:
    sets = clusters()
    labels = sets.test.labels.copy()
    labels[[1, 5]] = -1
    clean, notes = replace(sets, test=Samples(sets.test.features, labels, sets.test.names)).checked(CLASSES)
    assert len(clean.test) == len(sets.test) - 2
    assert not {"test1", "test5"} & set(clean.test.names)
    assert notes == ("2 of 48 clips of test have no label and are left out",)
    assert sets.checked(CLASSES)[1] == ()


def test_a_bad_feature_is_traced_to_its_clip(clusters: Clusters) -> None:
    sets = clusters(each=2000)
    sets.validation.features[5000, 3] = np.inf
    with pytest.raises(DataError, match="features of validation: clip validation5000"):
        sets.checked(CLASSES)


def test_one_class_or_none_cannot_be_evaluated(clusters: Clusters) -> None:
    sets = clusters()
    for label, found in ((1, "only clips of 'b'"), (-1, "no labelled clip")):
        alone = replace(sets, train=Samples(sets.train.features, np.full(len(sets.train), label)))
        with pytest.raises(DataError, match=found):
            alone.checked(CLASSES)


def test_a_label_beyond_the_classes_is_named(clusters: Clusters) -> None:
    with pytest.raises(DataError, match="train has label 3, but there are 3 classes"):
        clusters().checked(CLASSES[:3])


def test_parts_of_different_dimension_are_refused(clusters: Clusters) -> None:
    sets = replace(clusters(), test=clusters(dimension=5).test)
    with pytest.raises(DataError, match="features of test have 5 dimensions, those of train 16"):
        sets.checked(CLASSES)


def test_shapes_must_agree() -> None:
    with pytest.raises(DataError, match=r"must be \(clips, dimensions\)"):
        Samples(np.zeros((2, 3, 4), np.float32), np.zeros(2, np.int64))
    with pytest.raises(DataError, match="2 clips have features, but labels have shape"):
        Samples(np.zeros((2, 3), np.float32), np.zeros(3, np.int64))


def test_features_of_a_store_follow_its_split(toy_store: Path) -> None:
    store = Store.open(toy_store)
    features = np.arange(len(store), dtype=np.float32)[:, None]
    sets = split_features(store, "x-sub", features.__getitem__)
    for part in ("train", "validation", "test", "official"):
        clips = np.sort(store.part("x-sub", part))
        samples: Samples = getattr(sets, part)
        order = np.argsort(samples.features[:, 0])
        np.testing.assert_array_equal(samples.features[order, 0], clips)
        np.testing.assert_array_equal(samples.labels[order], store.clips.label[clips])
        assert [samples.names[i] for i in order] == [str(name) for name in store.clips.name[clips]]


def test_a_split_that_is_not_there_is_named(toy_store: Path) -> None:
    with pytest.raises(ConfigError, match="x-view"):
        split_features(Store.open(toy_store), "x-view", lambda clips: np.zeros((len(clips), 1)))
