"""The tensors of a golden file, under the names that the published code gives them."""

from __future__ import annotations

import numpy as np
import torch


def golden_state(golden: dict[str, np.ndarray], prefix: str = "state.") -> dict[str, torch.Tensor]:
    """What the file holds under a prefix, as a published checkpoint's `state_dict`."""
    return {
        name.removeprefix(prefix): torch.from_numpy(np.asarray(value))
        for name, value in golden.items()
        if name.startswith(prefix)
    }
