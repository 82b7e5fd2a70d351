"""Features of the clips of one split, kept apart as train, validation and test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from halpose.data.store import Store
from halpose.errors import ConfigError, DataError

CHECK_ROWS = 4096


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
        metric: how 1-NN compares two clips; only raw coordinates in metres are compared by Euclidean distance.
    """

    train: Samples
    validation: Samples
    test: Samples
    metric: Literal["cosine", "euclidean"] = "cosine"

    @property
    def official(self) -> Samples:
        """The official training part: train + validation."""
        return self.train + self.validation

    def without_test(self) -> FeatureSet:
        """The same with an empty test part: what choosing may see."""
        return replace(self, test=Samples(self.test.features[:0], self.test.labels[:0]))

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
            _check(parts[name], name, classes, parts["train"].features.shape[1])
        labels = np.unique(parts["train"].labels)
        if len(labels) < 2:
            found = f"only clips of {classes[labels[0]]!r}" if len(labels) else "no labelled clip"
            raise DataError(f"train has {found}; an evaluation needs at least two classes with labelled clips")
        return FeatureSet(parts["train"], parts["validation"], parts["test"], self.metric), tuple(notes)


def _check(samples: Samples, part: str, classes: Sequence[str], dimension: int) -> None:
    if samples.features.shape[1] != dimension:
        raise DataError(f"features of {part} have {samples.features.shape[1]} dimensions, those of train {dimension}")
    if len(samples) and samples.labels.max() >= len(classes):
        raise DataError(f"{part} has label {samples.labels.max()}, but there are {len(classes)} classes (from 0)")
    for start in range(0, len(samples), CHECK_ROWS):
        bad = ~np.isfinite(samples.features[start : start + CHECK_ROWS]).all(axis=1)
        if bad.any():
            first = start + int(bad.argmax())
            name = samples.names[first] if samples.names else f"number {first}"
            raise DataError(
                f"features of {part}: clip {name} has a value that is not finite; look at that recording "
                "(halpose data info), or train with a lower learning rate if many clips are like this"
            )


def split_features(
    store: Store,
    split: str,
    extract: Callable[[Int[np.ndarray, " n"]], Float[np.ndarray, "n d"]],
    metric: Literal["cosine", "euclidean"] = "cosine",
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
