"""What every evaluation takes and gives: settings in, an outcome out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Int

from halpose.errors import ConfigError
from halpose.evaluate.featureset import FeatureSet

Part: TypeAlias = Literal["test", "validation"]
"""Where the score is taken. On `validation` the classifier sees `train` alone; on `test` it sees train + validation."""


@dataclass(frozen=True)
class Settings:
    """Settings of the evaluations on features; each uses its own.

    Attributes:
        k: neighbours that vote (`knn`).
        strengths: values of scikit-learn's C to choose from on the validation part (`linear`).
        learning_rate: of `linear-sgd`; the paper's 0.005 for NTU, 0.001 for PKU-MMD.
        batch_size: of `linear-sgd`.
        epochs: of `linear-sgd`.
        drops: epochs after which the learning rate of `linear-sgd` falls to a tenth.
        best_on_test: also report what choosing on the test part would give: the best epoch of `linear-sgd`, which is
            how the paper reports, and the best of several normalisations. It is never the score itself.
        seed: of the random order of `linear-sgd`.
        device: where the arithmetic is done, `cpu` or `cuda`.
    """

    k: int = 1
    strengths: tuple[float, ...] = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    learning_rate: float = 0.005
    batch_size: int = 64
    epochs: int = 80
    drops: tuple[int, ...] = (50, 70)
    best_on_test: bool = False
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("k", "learning_rate", "batch_size", "epochs"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be more than 0")
        if not self.strengths or not all(0 < c < float("inf") for c in self.strengths):
            raise ConfigError(f"strengths are {self.strengths}; give one or more positive numbers")


@dataclass(frozen=True)
class Outcome:
    """What an evaluation found.

    Attributes:
        predictions: class of each clip of the part that was scored.
        settings: everything that was set or chosen, as JSON-able values.
        selected_on: where settings were chosen.
        best_on_test: accuracy of the epoch that is best on the test part, only when asked for.
        notes: what a reader of the score should know.
    """

    predictions: Int[np.ndarray, " q"]
    settings: Mapping[str, Any] = field(default_factory=dict)
    selected_on: Literal["validation", "none"] = "none"
    best_on_test: float | None = None
    notes: tuple[str, ...] = ()


Evaluation: TypeAlias = Callable[[FeatureSet, Part, Settings], Outcome]
