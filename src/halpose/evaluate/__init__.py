"""Scores of features: nearest neighbours, linear probes, retrieval; of tuned encoders; raw coordinates as the bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from halpose.evaluate.base import Evaluation, Outcomes, Part, Settings
from halpose.evaluate.ensemble import ensemble, ensemble_knn
from halpose.evaluate.finetune import finetune
from halpose.evaluate.knn import knn
from halpose.evaluate.learner import Learner
from halpose.evaluate.linear import linear, linear_sgd
from halpose.evaluate.retrieval import retrieval
from halpose.evaluate.semi import semi, semi_linear

EVALUATIONS: dict[str, Evaluation] = {
    "knn": knn,
    "linear": linear,
    "linear-sgd": linear_sgd,
    "semi-linear": semi_linear,
    "retrieval": retrieval,
    "ensemble": ensemble,
    "ensemble-knn": ensemble_knn,
}
"""What reads features: clips as vectors with labels. Scores anything that gives one vector per clip."""

Tuning: TypeAlias = Callable[[Learner, Part, Settings], Outcomes]

TUNINGS: dict[str, Tuning] = {
    "finetune": finetune,
    "semi": semi,
}
"""What trains an encoder further, with labels, and so needs the encoder and the recordings themselves."""
