"""An encoder that labels may change, and the clips that it may learn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int

from halpose.config import Config
from halpose.data.store import Store
from halpose.evaluate.base import Part, Progress, silent
from halpose.methods.base import Method


@dataclass(frozen=True)
class Learner:
    """What `finetune` and `semi` start from.

    Attributes:
        start: makes a method, on `device`, with the weights that tuning begins from: a trained encoder's, or those that
            it had before its first step (then tuning is supervised training from scratch).
        config: of its run: normalisation, frames, views.
        store: labelled recordings that the method can read.
        split: its name.
        streams: whose features are read, side by side.
        device: where to compute.
        progress: told of the steps.
    """

    start: Callable[[], Method]
    config: Config
    store: Store
    split: str
    streams: tuple[str, ...]
    device: torch.device | str = "cpu"
    progress: Progress = silent

    def roles(self, part: Part) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " q"]]:
        """Labelled clips that are learned from and that are scored: (train, validation) or (official, test)."""
        learned, scored = ("official", "test") if part == "test" else ("train", "validation")
        return self._labelled(learned), self._labelled(scored)

    def labels(self, clips: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """Class of each clip."""
        labels: np.ndarray = self.store.clips.label[clips].astype(np.int64)
        return labels

    def _labelled(self, part: str) -> Int[np.ndarray, " n"]:
        clips = self.store.part(self.split, part)
        labelled: np.ndarray = clips[self.store.clips.label[clips] >= 0]
        return labelled
