"""No step asks the device for a number: on a GPU the program would wait there until everything before is done."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from halpose.config import OptimizerConfig
from halpose.data.store import Store
from halpose.engine.trainer import Trainer, fit_config
from halpose.methods import METHODS
from small import SMALL

# Operations whose result a CUDA program has to wait for: a value, or a shape that depends on values.
WAITS = {
    "_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select", "_unique2", "unique_dim",
    "unique_consecutive", "repeat_interleave", "bincount", "multinomial",
}  # fmt: skip


class Watch(TorchDispatchMode):
    """Counts the operations that would wait."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = operation.overloadpacket.__name__
        by_mask = name.startswith("index") and any(
            isinstance(value, torch.Tensor) and value.dtype == torch.bool
            for argument in args
            if isinstance(argument, list | tuple)
            for value in argument
        )
        if name in WAITS or by_mask:
            self.found[name] += 1
        return operation(*args, **(kwargs or {}))


def test_the_watch_sees_what_waits() -> None:
    x = torch.arange(4.0)
    with Watch() as watch:
        _ = float(x.sum()), x[x > 1], bool((x > 1).any()), torch.nonzero(x), x.repeat_interleave(torch.tensor([1] * 4))
    assert watch.found == {"_local_scalar_dense": 2, "index": 1, "nonzero": 1, "repeat_interleave": 1}


@pytest.mark.parametrize("method", METHODS)
def test_steps_wait_for_nothing(method: str, store: Store, tmp_path: Path) -> None:
    streams = ("joint", "joint:stgcn") if method == "isc" else ("joint", "motion")
    # AdamW counts its steps in tensors on the host, which nobody waits for but the watch cannot tell.
    settings = replace(SMALL, method=method, streams=streams, steps=12, optimizer=OptimizerConfig(name="sgd"))
    config, _ = fit_config(store, settings)
    trainer = Trainer(store, config, tmp_path, torch.device("cpu"))
    with trainer.batches.coming(0, 8):
        for _ in range(6):  # HaLP has begun, and clusters at the fifth step
            trainer.take_step()
        with Watch() as watch:
            trainer.take_step()
            trainer.take_step()
    assert not watch.found
