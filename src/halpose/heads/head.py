"""A head: from a run's embeddings to classes, with a confidence that means what it says and an answer "unknown".

An answer is given if two things hold: the class is likely enough, and the clip is near enough to what was labelled. A
linear classifier is sure far from everything it has seen; the distance is what it cannot tell by itself.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from halpose.engine.run import Run
from halpose.errors import CheckpointError, ConfigError
from halpose.evaluate.features import chosen_streams
from halpose.heads.calibration import softmax
from halpose.inference.embed import made_by

UNKNOWN = "unknown"
VERSION = 1
_TENSORS = ("weight", "bias", "centres")


@dataclass(frozen=True)
class Answers:
    """What a head says of clips.

    Attributes:
        columns: (N,) the likeliest class of each.
        confidence: (N,) its calibrated probability.
        distance: (N,) cosine distance to the nearest class's centre, 0 to 2.
        is_unknown: (N,) whether it had better not answer.
    """

    columns: Int[np.ndarray, " n"]
    confidence: Float[np.ndarray, " n"]
    distance: Float[np.ndarray, " n"]
    is_unknown: Bool[np.ndarray, " n"]


@dataclass(frozen=True)
class Thresholds:
    """From where on a head answers.

    Attributes:
        confidence: at least this.
        distance: at most this.
    """

    confidence: float
    distance: float

    def refuse(self, confidence: Float[np.ndarray, " n"], distance: Float[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Which clips are unknown."""
        refused: np.ndarray = (confidence < self.confidence) | (distance > self.distance)
        return refused


@dataclass(frozen=True)
class Head:
    """A linear classifier on embeddings.

    Attributes:
        weight: (D, K).
        bias: (K,).
        centres: (K, D) unit vectors, the mean direction of each class's labelled clips.
        classes: their names.
        temperature: that logits are divided by.
        thresholds: from where on it answers.
        streams: of the run, whose features stand side by side.
        about: what it was fitted on, and how good it was on clips that were held out.
    """

    weight: Float[np.ndarray, "d k"]
    bias: Float[np.ndarray, " k"]
    centres: Float[np.ndarray, "k d"]
    classes: tuple[str, ...]
    temperature: float
    thresholds: Thresholds
    streams: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)

    def answer(self, vectors: Float[np.ndarray, "n d"]) -> Answers:
        """The likeliest class of each clip, or that it is unknown.

        Args:
            vectors: embeddings by the run and the streams that it was fitted on.
        """
        chances = softmax(vectors @ self.weight + self.bias, self.temperature)
        columns, distance = chances.argmax(axis=1), distances(vectors, self.centres)
        confidence = chances[np.arange(len(vectors)), columns]
        return Answers(columns, confidence, distance, self.thresholds.refuse(confidence, distance))


def centres_of(vectors: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"]) -> Float[np.ndarray, "k d"]:
    """Mean direction of each class's clips, of those classes that have one; unit vectors."""
    directions = unit(vectors)
    return unit(np.stack([directions[labels == label].mean(axis=0) for label in np.unique(labels)]))


def distances(vectors: Float[np.ndarray, "n d"], centres: Float[np.ndarray, "k d"]) -> Float[np.ndarray, " n"]:
    """Cosine distance of each vector to the nearest centre."""
    found: np.ndarray = 1 - (unit(vectors) @ centres.T).max(axis=1)
    return found


def unit(vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Vectors of length one; nothing stays nothing."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions: np.ndarray = vectors / np.where(length > 0, length, 1)
    return directions


def save_head(run: Run, name: str, head: Head, overwrite: bool = False) -> Path:
    """Write a head into `RUN/heads/NAME`, whole or not at all: `head.safetensors` and `head.json`.

    Raises:
        ConfigError: the name is no name of a folder, or there is such a head already.
        CheckpointError: it cannot be written.
    """
    check_name(run, name, overwrite)
    folder = run.path / "heads" / name
    partial = folder.with_name(f".{name}.partial")
    made = made_by(run, run.method, head.streams)
    table = {
        "version": VERSION, "classes": list(head.classes), "temperature": head.temperature,
        "thresholds": asdict(head.thresholds), "streams": list(head.streams), "step": run.step,
        "weights": made["weights"], "about": dict(head.about),
    }  # fmt: skip
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        tensors = {name: np.ascontiguousarray(getattr(head, name), dtype=np.float32) for name in _TENSORS}
        save_file(tensors, partial / "head.safetensors")
        (partial / "head.json").write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(partial, folder)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{folder}: cannot be written ({error})") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def check_name(run: Run, name: str, overwrite: bool = False) -> None:
    """Whether a head can be kept under this name, before anything is computed.

    Raises:
        ConfigError: it cannot.
    """
    if not name or name != Path(name).name or name.startswith("."):
        raise ConfigError(f"{name!r} cannot be the name of a head; give a word, such as 'gestures'")
    if (run.path / "heads" / name).exists() and not overwrite:
        raise ConfigError(f"{run.path} has a head {name!r} already; give another --name, or --overwrite")


def load_head(run: Run, name: str = "") -> Head:
    """A run's head of this name; its only one when empty.

    Raises:
        ConfigError: there is none of this name, or several and none is named.
        CheckpointError: it is damaged, or was fitted on other weights than the run has now.
    """
    folder = run.path / "heads" / (name or _only(run))
    if name and name not in head_names(run):
        raise ConfigError(f"{run.path}: no head named {name!r}; it has {', '.join(head_names(run)) or 'none'}")
    try:
        table = json.loads((folder / "head.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "head.safetensors")
        if table["version"] != VERSION:
            raise ValueError(f"it is of format {table['version']}, and this halpose reads {VERSION}")
        head = Head(
            weight=tensors["weight"],
            bias=tensors["bias"],
            centres=tensors["centres"],
            classes=tuple(map(str, table["classes"])),
            temperature=float(table["temperature"]),
            thresholds=Thresholds(**{key: float(value) for key, value in table["thresholds"].items()}),
            streams=tuple(map(str, table["streams"])),
            about=dict(table["about"]),
        )
        if head.weight.shape != head.centres.shape[::-1] or head.weight.shape[1:] != head.bias.shape:
            raise ValueError("its parts do not fit together")
        if len(head.classes) != len(head.bias):
            raise ValueError("its parts do not fit together")
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise CheckpointError(f"{folder}: damaged head ({error}); fit it again with halpose fit-head") from None
    if table["weights"] != made_by(run, run.method, chosen_streams(run, head.streams))["weights"]:
        raise CheckpointError(
            f"{folder}: fitted on the weights of step {table['step']}, and the run is at step {run.step}; fit it again"
        )
    return head


def head_names(run: Run) -> Iterable[str]:
    """Names of a run's heads."""
    return sorted(path.parent.name for path in (run.path / "heads").glob("[!.]*/head.json"))


def _only(run: Run) -> str:
    names = list(head_names(run))
    if len(names) == 1:
        return names[0]
    if not names:
        raise ConfigError(f"{run.path} has no head; fit one: halpose fit-head {run.path} labels.csv")
    raise ConfigError(f"{run.path} has several heads; name one with --head: {', '.join(names)}")
