"""What a training ended with, and that two of them ended alike."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from halpose.engine.checkpoint import load_checkpoint


def final_state(run: Path) -> dict[str, Tensor]:
    """Everything that the newest checkpoint holds."""
    checkpoint = load_checkpoint(run)
    return checkpoint.weights | checkpoint.training


def assert_same(first: Path, second: Path) -> None:
    """Whether two runs ended with the same state, to the bit."""
    ours, theirs = final_state(first), final_state(second)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name
