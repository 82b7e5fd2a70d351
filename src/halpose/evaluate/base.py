"""What every evaluation takes and gives: settings in, an outcome out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Int

from halpose.config import OptimizerConfig
from halpose.errors import ConfigError
from halpose.evaluate.featureset import FeatureSet
from halpose.evaluate.result import Measure

Part: TypeAlias = Literal["test", "validation"]
"""Where the score is taken. On `validation` the classifier sees `train` alone; on `test` it sees train + validation."""

Progress: TypeAlias = Callable[[str, int, int], None]
"""Told what is being worked on, how much of it is done, and how much there is (0: not known)."""


def silent(what: str, done: int = 0, total: int = 0) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Settings:
    """Settings of the evaluations; each uses its own.

    Attributes:
        k: neighbours that vote (`knn`).
        strengths: values of scikit-learn's C to choose from on the validation part (`linear`, `ensemble`,
            `semi-linear`).
        learning_rate: of `linear-sgd`; the paper's 0.005 for NTU, 0.001 for PKU-MMD.
        batch_size: of `linear-sgd`.
        epochs: of `linear-sgd`.
        drops: epochs after which the learning rate of `linear-sgd` falls to a tenth.
        shares: of the training labels that `semi` and `semi-linear` learn from, one score for each.
        draws: how often those labels are drawn.
        stratified: whether every class gives the same share, at least one clip; or clips are drawn whatever their
            class, as in the published code.
        tuning: how `finetune` and `semi` train.
        best_on_test: also report what choosing on the test part would give: the best epoch of `linear-sgd`, which is
            how the paper reports, and the best of several normalisations. It is never the score itself.
        seed: of everything random: order, draws, views, new layers.
        device: where the arithmetic is done, `cpu` or `cuda`.
    """

    k: int = 1
    strengths: tuple[float, ...] = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    learning_rate: float = 0.005
    batch_size: int = 64
    epochs: int = 80
    drops: tuple[int, ...] = (50, 70)
    shares: tuple[float, ...] = (0.01, 0.05, 0.1, 0.2)
    draws: int = 5
    stratified: bool = True
    tuning: TuningSettings = field(default_factory=lambda: TuningSettings())
    best_on_test: bool = False
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("k", "learning_rate", "batch_size", "epochs", "draws"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be more than 0")
        if not self.strengths or not all(0 < c < float("inf") for c in self.strengths):
            raise ConfigError(f"strengths are {self.strengths}; give one or more positive numbers")
        if not self.shares or not all(0 < share <= 1 for share in self.shares):
            raise ConfigError(f"shares are {self.shares}; give one or more between 0 and 1")


@dataclass(frozen=True)
class TuningSettings:
    """How an encoder is trained further, with labels; the same for a trained and for an untrained one.

    Attributes:
        learning_rates: one, or several to choose from on the validation part (each costs a training).
        optimizer: the rest of the optimizer: `sgd` with rate 0.01 is the paper's.
        batch_size: clips per step, or all of them where there are fewer.
        epochs: passes over the labelled clips; 0: `steps`, or `least_epochs` where that is more.
        steps: see `epochs`.
        least_epochs: see `epochs`.
    """

    learning_rates: tuple[float, ...] = (1e-3,)
    optimizer: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(weight_decay=1e-2))
    batch_size: int = 64
    epochs: float = 0.0
    steps: int = 600
    least_epochs: int = 10

    def __post_init__(self) -> None:
        if not self.learning_rates or not all(0 < rate < float("inf") for rate in self.learning_rates):
            raise ConfigError(f"learning rates are {self.learning_rates}; give one or more positive numbers")
        for name in ("batch_size", "steps"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be more than 0")
        if self.epochs < 0:
            raise ConfigError(f"epochs is {self.epochs}; it must not be negative")


def tuning_settings(optimizer: str = "adamw", epochs: float = 0.0, rates: tuple[float, ...] = ()) -> TuningSettings:
    """What suits an optimizer: AdamW at 0.001 for short trainings, or the paper's SGD at 0.01.

    Args:
        optimizer: `adamw` or `sgd`.
        epochs: see `TuningSettings`.
        rates: learning rates instead of the one that suits.
    """
    if optimizer == "sgd":
        return TuningSettings(rates or (1e-2,), OptimizerConfig(name="sgd", weight_decay=1e-4), epochs=epochs)
    return TuningSettings(rates or (1e-3,), epochs=epochs)


@dataclass(frozen=True)
class Outcome:
    """What an evaluation found.

    Attributes:
        predictions: class of each clip of the part that was scored; (R, N) where R draws of labels predict.
        settings: everything that was set or chosen, as JSON-able values.
        selected_on: where settings were chosen.
        best_on_test: accuracy of the epoch that is best on the test part, only when asked for.
        notes: what a reader of the score should know.
        variant: which of several outcomes of one evaluation this is.
        metric: name of the number to look at first: `top1`, or one of `values`.
        values: numbers beside the accuracy.
    """

    predictions: Int[np.ndarray, "*r n"]
    settings: Mapping[str, Any] = field(default_factory=dict)
    selected_on: Literal["validation", "none"] = "none"
    best_on_test: float | None = None
    notes: tuple[str, ...] = ()
    variant: str = ""
    metric: str = "top1"
    values: Mapping[str, Measure] = field(default_factory=dict)


Outcomes: TypeAlias = Outcome | Sequence[Outcome]
"""One, or one for each variant."""

Evaluation: TypeAlias = Callable[[FeatureSet, Part, Settings], Outcomes]
