"""Scores of features: nearest neighbours, linear probes, raw coordinates as the bar."""

from __future__ import annotations

from halpose.evaluate.base import Evaluation
from halpose.evaluate.knn import knn
from halpose.evaluate.linear import linear, linear_sgd

EVALUATIONS: dict[str, Evaluation] = {
    "knn": knn,
    "linear": linear,
    "linear-sgd": linear_sgd,
}
