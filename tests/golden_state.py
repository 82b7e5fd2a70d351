"""The tensors of a golden file, under the names that the published code gives them; the settings they came from."""

from __future__ import annotations

import numpy as np
import torch

from halpose.config import Config, ContrastConfig, EncoderConfig, HalpConfig

# The settings that the golden objectives were computed with.
GOLDEN_CONFIG = Config(
    method="halp",
    encoder=EncoderConfig(name="gru", width=8, layers=3, pooling="last", input_norm=True),
    contrast=ContrastConfig(embedding=16, temperature=0.07, momentum=0.999, queue=96, mask_own=False),
    halp=HalpConfig(start=0.0, newest=32, prototypes=8, positives=7, estimator="sampled", interval="published"),
)


def golden_state(golden: dict[str, np.ndarray], prefix: str = "state.") -> dict[str, torch.Tensor]:
    """What the file holds under a prefix, as a published checkpoint's `state_dict`."""
    return {
        name.removeprefix(prefix): torch.from_numpy(np.asarray(value))
        for name, value in golden.items()
        if name.startswith(prefix)
    }
