"""What the evaluation says, as the page reads it: one `Score` per row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from halpose.errors import DataError
from halpose.report.axes import percent

PROTOCOLS = {
    "knn": "Nearest neighbours",
    "linear": "Linear probe",
    "linear-sgd": "Linear probe, as published",
    "semi-linear": "Linear probe, some labels",
    "semi": "Fine-tuned, some labels",
    "retrieval": "Retrieval",
    "finetune": "Fine-tuned",
    "ensemble": "Streams' probes added",
    "ensemble-knn": "Streams' neighbours added",
}
FEATURES = {
    "trained": "Trained encoder",
    "untrained": "Untrained encoder",
    "raw": "Raw coordinates",
    "raw-seen": "Raw coordinates, joints that were seen",
}


@dataclass(frozen=True)
class Score:
    """One row of an evaluation.

    Attributes:
        protocol: `knn`, `linear`, ...; with its variant, if it has several (`semi 5 %`).
        features: `trained`, `untrained`, `raw` or `raw-seen`.
        split: name of the split, and the part of it where that is not the test part.
        is_test: whether the test part was scored; a validation score only served to choose something.
        top1: accuracy in 0..1.
        interval: its 95 % interval (low, high), or None where none was computed.
        confusion: (K, K) counts, row = true class, column = predicted class, or None.
        classes: class names, as many as the confusion matrix has rows.
        settings: how the protocol was run, and what a reader of the score should know.
    """

    protocol: str
    features: str
    split: str
    is_test: bool
    top1: float
    interval: tuple[float, float] | None
    confusion: Int[np.ndarray, "k k"] | None
    classes: tuple[str, ...]
    settings: Mapping[str, Any]

    @property
    def protocol_title(self) -> str:
        """The protocol in words, with its variant."""
        name, _, variant = self.protocol.partition(" ")
        return " ".join(filter(None, (PROTOCOLS.get(name, name) + "," * bool(variant), variant)))

    @property
    def features_title(self) -> str:
        """The features in words."""
        return FEATURES.get(self.features, self.features)


def read_scores(rows: Iterable[Mapping[str, Any]]) -> list[Score]:
    """Rows of `halpose evaluate --json` as scores, grouped by split and protocol in the order they came.

    Raises:
        DataError: a row lacks protocol, features or top1, top1 is outside 0..1, or a confusion matrix is not
            square or does not fit its classes.
    """
    scores = [_read_score(row) for row in rows]
    groups = list(dict.fromkeys((score.split, score.protocol) for score in scores))
    return sorted(scores, key=lambda score: groups.index((score.split, score.protocol)))


def headline_score(scores: Sequence[Score]) -> Score | None:
    """The score that stands at the top: nearest neighbours before other protocols, never the best of several.

    Choosing by value would favour whichever protocol happened to come out higher.
    """
    trained = [score for score in scores if score.features == "trained" and score.is_test]
    return next((score for score in trained if score.protocol == "knn"), trained[0] if trained else None)


def _read_score(row: Mapping[str, Any]) -> Score:
    missing = [key for key in ("protocol", "features", "top1") if key not in row]
    if missing:
        raise DataError(f"report: a result lacks {', '.join(missing)}; it has {', '.join(map(str, row))}")
    where = f"report: result {row['protocol']}/{row['features']}"
    top1 = float(row["top1"])
    if not 0.0 <= top1 <= 1.0:
        raise DataError(f"{where}: top1 is {top1}; an accuracy is a share between 0 and 1")
    confusion, classes = _read_confusion(row, where)
    low, high = row.get("low"), row.get("high")
    return Score(
        protocol=f"{row['protocol']} {row.get('variant', '')}".rstrip(),
        features=str(row["features"]),
        split=_split_title(row),
        is_test=row.get("part", "test") == "test",
        top1=top1,
        interval=None if low is None or high is None or not math.isfinite(low + high) else (float(low), float(high)),
        confusion=confusion,
        classes=classes,
        settings=_settings(row),
    )


def _split_title(row: Mapping[str, Any]) -> str:
    split, part = str(row.get("split", "")), row.get("part", "test")
    return split if part == "test" else f"{split}, {part} part".lstrip(", ")


def _settings(row: Mapping[str, Any]) -> dict[str, str]:
    """What was set, where it was chosen, and the paper's protocol where somebody asked for it."""
    settings = {str(key): str(value) for key, value in (row.get("settings") or {}).items()}
    if row.get("selected_on", "none") != "none":
        settings["chosen on"] = str(row["selected_on"])
    if row.get("best_on_test") is not None:
        settings["best on the test part (the paper's protocol, not a result)"] = percent(row["best_on_test"])
    if row.get("notes"):
        settings["notes"] = "; ".join(map(str, row["notes"]))
    return settings


def _read_confusion(row: Mapping[str, Any], where: str) -> tuple[Int[np.ndarray, "k k"] | None, tuple[str, ...]]:
    classes = tuple(str(name) for name in row.get("classes") or ())
    if row.get("confusion") is None or not len(row["confusion"]):
        return None, classes
    confusion = np.asarray(row["confusion"])
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
        raise DataError(f"{where}: the confusion matrix has shape {confusion.shape}; it must be square")
    if classes and len(classes) != len(confusion):
        raise DataError(f"{where}: {len(classes)} class names for a confusion matrix of {len(confusion)} classes")
    return confusion.astype(np.int64), classes or tuple(f"class {k}" for k in range(len(confusion)))
