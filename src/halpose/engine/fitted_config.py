"""Settings as data and processes let them be: the split, the number of steps, a batch that can be shared out."""

from __future__ import annotations

import math
from dataclasses import replace

from halpose.config import Config
from halpose.data.store import Store
from halpose.data.window import resolve_data
from halpose.errors import ConfigError, DataError


def fit_config(store: Store, config: Config, world: int = 1) -> tuple[Config, tuple[str, ...]]:
    """Resolve what depends on the data: the split, steps from epochs, a batch no larger than the data.

    Args:
        store: the recordings.
        config: as asked for.
        world: processes that share a batch.

    Returns:
        The settings as they will be used, and a sentence for each that had to change.

    Raises:
        ConfigError: the batch cannot be shared out evenly.
        DataError: there are too few clips.
    """
    notes = []
    data = resolve_data(store, config.data)
    config = replace(config, data=data)
    clips = len(store.part(data.split, data.part))
    shares = world * config.optimizer.accumulate
    least = max(2, shares)
    if clips < least:
        raise DataError(
            f"{store.path}: {clips} clips in part {data.part!r} of split {data.split!r}; contrast needs at least 2"
            + (f", and {world} processes x {config.optimizer.accumulate} parts need {least}" if shares > 1 else "")
        )
    if config.batch_size > clips:
        whole = clips - clips % shares
        what = "the number of clips" + (f", shared out in {shares} equal parts" if whole < clips else "")
        notes.append(f"batch_size lowered from {config.batch_size} to {whole}, {what}")
        config = replace(config, batch_size=whole)
    if config.batch_size % shares:
        below = config.batch_size - config.batch_size % shares
        raise ConfigError(
            f"batch_size is {config.batch_size}, which {world} processes x {config.optimizer.accumulate} parts "
            f"(optimizer.accumulate) cannot share evenly; try {f'{below} or ' if below else ''}{below + shares}"
        )
    if config.epochs:
        steps = max(1, math.ceil(config.epochs * (clips // config.batch_size)))
        config = replace(config, steps=steps, epochs=0.0)
    return config, tuple(notes)
