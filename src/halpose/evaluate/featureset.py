"""Features of the clips of one split, kept apart as train, validation and test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Int

from halpose.data.store import Store
from halpose.errors import ConfigError, DataError

CHECK_ROWS = 4096

Metric: TypeAlias = Literal["cosine", "euclidean", "partial cosine", "partial euclidean"]
"""How two clips are compared."""


@dataclass(frozen=True)
class Samples:
    """Features and labels of some clips.

    Attributes:
        features: (n, D).
        labels: (n,) class indices, -1 where nobody gave one.
        names: of the clips, for messages; may be empty.
    """

    features: Float[np.ndarray, "n d"]
    labels: Int[np.ndarray, " n"]
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.features.ndim != 2:
            raise DataError(f"features have shape {self.features.shape}; they must be (clips, dimensions)")
        if self.labels.shape != (len(self.features),):
            raise DataError(f"{len(self.features)} clips have features, but labels have shape {self.labels.shape}")

    def __len__(self) -> int:
        return len(self.labels)

    def __add__(self, other: Samples) -> Samples:
        return Samples(
            np.concatenate([self.features, other.features]) if len(other) else self.features,
            np.concatenate([self.labels, other.labels]),
            self.names + other.names,
        )

    def labelled(self) -> Samples:
        """The clips that have a label."""
        known = self.labels >= 0
        if known.all():
            return self
        names = tuple(name for name, keep in zip(self.names, known, strict=False) if keep)
        return Samples(self.features[known], self.labels[known], names)


@dataclass(frozen=True)
class FeatureSet:
    """The three parts of one split.

    Attributes:
        train: the official training part without validation.
        validation: where settings are chosen.
        test: where the score is read, once.
        metric: how 1-NN compares two clips; only raw coordinates in metres are compared by Euclidean distance. Of a
            partial one features may be NaN: missing, and left out of whatever they are compared with.
        columns: of the features of several streams that stand side by side, which belong to which.
    """

    train: Samples
    validation: Samples
    test: Samples
    metric: Metric = "cosine"
    columns: Mapping[str, slice] = field(default_factory=dict)

    @property
    def official(self) -> Samples:
        """The official training part: train + validation."""
        return self.train + self.validation

    def without_test(self) -> FeatureSet:
        """The same with an empty test part: what choosing may see."""
        return replace(self, test=Samples(self.test.features[:0], self.test.labels[:0]))

    def streams(self) -> dict[str, FeatureSet]:
        """The features of each stream by themselves; `all` where nothing is known of streams."""
        if not self.columns:
            return {"all": self}
        return {name: self._of(columns) for name, columns in self.columns.items()}

    def _of(self, columns: slice) -> FeatureSet:
        def cut(samples: Samples) -> Samples:
            return replace(samples, features=samples.features[:, columns])

        return FeatureSet(cut(self.train), cut(self.validation), cut(self.test), self.metric)

    def roles(self, part: Literal["test", "validation"]) -> tuple[Samples, Samples]:
        """What is learned from and what is scored: (train, validation) or (official, test)."""
        return (self.official, self.test) if part == "test" else (self.train, self.validation)

    def checked(self, classes: Sequence[str]) -> tuple[FeatureSet, tuple[str, ...]]:
        """Leave out the clips without a label and check the others.

        Returns:
            The clean set, and a sentence for each part that lost clips.

        Raises:
            DataError: a feature is not finite, a label has no class, the parts differ in dimension, or all clips of
                train are of one class.
        """
        notes = []
        parts: dict[str, Samples] = {}
        for name in ("train", "validation", "test"):
            samples: Samples = getattr(self, name)
            parts[name] = samples.labelled()
            if len(parts[name]) < len(samples):
                left_out = len(samples) - len(parts[name])
                notes.append(f"{left_out} of {len(samples)} clips of {name} have no label and are left out")
            _check(parts[name], name, classes, parts["train"].features.shape[1], self.metric)
        labels = np.unique(parts["train"].labels)
        if len(labels) < 2:
            found = f"only clips of {classes[labels[0]]!r}" if len(labels) else "no labelled clip"
            raise DataError(
                f"train has {found}; an evaluation needs at least two classes with labelled clips. Labels of your own "
                "recordings are given when they are prepared: halpose data prepare --source DIR --labels labels.csv"
            )
        return FeatureSet(parts["train"], parts["validation"], parts["test"], self.metric, self.columns), tuple(notes)


def _check(samples: Samples, part: str, classes: Sequence[str], dimension: int, metric: Metric) -> None:
    if samples.features.shape[1] != dimension:
        raise DataError(f"features of {part} have {samples.features.shape[1]} dimensions, those of train {dimension}")
    if len(samples) and samples.labels.max() >= len(classes):
        raise DataError(f"{part} has label {samples.labels.max()}, but there are {len(classes)} classes (from 0)")
    for start in range(0, len(samples), CHECK_ROWS):
        block = samples.features[start : start + CHECK_ROWS]
        bad = (np.isinf(block) if metric.startswith("partial") else ~np.isfinite(block)).any(axis=1)
        if bad.any():
            first = start + int(bad.argmax())
            name = samples.names[first] if samples.names else f"number {first}"
            raise DataError(
                f"features of {part}: clip {name} has a value that is not finite; look at that recording "
                "(halpose data info), or train with a lower learning rate if many clips are like this"
            )


def side_by_side(sets: Mapping[str, FeatureSet]) -> FeatureSet:
    """Features of the same clips from several streams as one, which remembers whose columns are whose.

    Args:
        sets: of the same split, by the stream's name.
    """
    widths = [found.train.features.shape[1] for found in sets.values()]
    ends = np.cumsum(widths)
    columns = {name: slice(int(end - width), int(end)) for name, end, width in zip(sets, ends, widths, strict=True)}

    def joined(part: str) -> Samples:
        first, *others = (getattr(found, part) for found in sets.values())
        if not others:
            return Samples(first.features, first.labels, first.names)
        features = np.concatenate([samples.features for samples in (first, *others)], axis=1)
        return Samples(features, first.labels, first.names)

    metric = next(iter(sets.values())).metric
    return FeatureSet(joined("train"), joined("validation"), joined("test"), metric, columns)


def split_features(
    store: Store,
    split: str,
    extract: Callable[[Int[np.ndarray, " n"]], Float[np.ndarray, "n d"]],
    metric: Metric = "cosine",
) -> FeatureSet:
    """Features of each part of a split of a store.

    Args:
        store: where labels, names and the split come from.
        split: its name.
        extract: clip indices -> (n, D) features; with all features at hand, `features.__getitem__`.
        metric: how 1-NN compares these features.

    Raises:
        ConfigError: there is no such split, or its test or training part is empty.
    """
    parts = {}
    for part in ("train", "validation", "test"):
        clips = store.part(split, part)
        if part != "validation" and not len(clips):
            raise ConfigError(f"{store.path}: split {split} has no clip in its {part} part")
        features = np.asarray(extract(clips), dtype=np.float32)
        names = tuple(str(name) for name in store.clips.name[clips])
        parts[part] = Samples(features, store.clips.label[clips].astype(np.int64), names)
    return FeatureSet(parts["train"], parts["validation"], parts["test"], metric)
