"""Scores of features: nearest neighbours, linear probes, retrieval; raw coordinates as the bar."""

from __future__ import annotations

from halpose.evaluate.base import Evaluation
from halpose.evaluate.ensemble import ensemble, ensemble_knn
from halpose.evaluate.knn import knn
from halpose.evaluate.linear import linear, linear_sgd
from halpose.evaluate.retrieval import retrieval

EVALUATIONS: dict[str, Evaluation] = {
    "knn": knn,
    "linear": linear,
    "linear-sgd": linear_sgd,
    "retrieval": retrieval,
    "ensemble": ensemble,
    "ensemble-knn": ensemble_knn,
}
"""What reads features: knows of clips as vectors with labels, and of nothing else."""
