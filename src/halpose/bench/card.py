"""A machine's card: what each part of the work takes here, at the published sizes, beside the paper and the floor.

Everything on it is measured unless its name says `projected`: those follow from a measured rate by multiplication.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from halpose.bench.floor import matrix_rate, step_operations
from halpose.bench.machine import hardware
from halpose.bench.overhead import Cost, overhead, to_content
from halpose.bench.timing import in_turn
from halpose.bench.workload import random_store
from halpose.config import Config
from halpose.data.store import Store
from halpose.data.views import random_view
from halpose.data.window import Window
from halpose.engine.fitted_config import fit_config
from halpose.engine.run import Shape, fresh_method
from halpose.evaluate.base import Progress, silent
from halpose.evaluate.features import PRECISIONS, Precision, extract
from halpose.evaluate.knn import neighbours
from halpose.settings import load_recipe

# NTU RGB+D 60, cross-subject: training and test clips, and the epochs of its recipe.
TRAINING, TESTING, EPOCHS = 40_320, 16_560, 450
FEATURES = 2048
_CLIPS = 256
_ROUNDS = 5


def published_sizes(hidden: int = 128, batch: int = 64) -> Config:
    """Sizes as published, but for the hidden size: 64 frames, queue 16384, three layers; HaLP as the paper has it."""
    recipe = load_recipe("halp-paper")
    encoder = replace(recipe.encoder, width=hidden)
    return replace(recipe, batch_size=batch, epochs=0.0, steps=1_000_000, encoder=encoder)


def measure_card(
    config: Config,
    device: torch.device,
    steps: int,
    knn: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure everything that is on the card.

    Args:
        config: sizes.
        device: where.
        steps: to time of each method, at least.
        knn: also search 16 560 clips among 40 320.
        progress: told what is being measured.
    """
    machine = hardware(device)  # before this work makes the machine busy
    with tempfile.TemporaryDirectory() as folder:
        progress("recordings to time on", 0, 0)
        store = random_store(Path(folder) / "store", max(_CLIPS, config.batch_size))
        config = fit_config(store, config)[0]
        progress("the machine's matrix products", 0, 0)
        rates = _rates(device)
        progress("methods", 0, 0)
        costs = overhead(store, config, device, steps, lambda done, total: progress("methods", done, total))
        progress("views", 0, 0)
        views = _views(store, config, device)
        progress("embedding", 0, 0)
        embedding = _embedding(store, config, device)
        operations = step_operations(config, Shape.of_store(store))
    card = {
        "machine": machine,
        "sizes": {
            "batch": config.batch_size,
            "frames": config.data.frames,
            "hidden": config.encoder.width,
            "layers": config.encoder.layers,
            "queue": config.contrast.queue,
            "embedding": config.contrast.embedding,
            "joints": len(store.layout),
            "people": int(store.frames.shape[1]),
        },
        "matrix_products": rates,
        "steps": _steps(costs, config.batch_size, operations, rates),
        "views": {"clips_per_second": views, "of": "two published views of each clip"},
        "embedding": {
            "clips_per_second": embedding["float32"],
            "clips_per_second_bfloat16": embedding["bfloat16"],
            "of": "evaluation views through one encoder",
        },
        "projected": _projected(costs, config.batch_size, embedding["float32"]),
    }
    if knn:
        progress("nearest neighbours", 0, 0)
        card["knn"] = _knn(device)
    return card


def _rates(device: torch.device) -> dict[str, float]:
    """Operations a second, by type of the factors; bfloat16 where a GPU multiplies it."""
    kinds = {"float32": torch.float32} | ({"bfloat16": torch.bfloat16} if device.type == "cuda" else {})
    return {name: matrix_rate(device, dtype) for name, dtype in kinds.items()}


def _steps(costs: list[Cost], batch: int, operations: int | None, rates: dict[str, float]) -> list[dict[str, Any]]:
    """Every method's step, with the share of its time that the floor's products would take at the machine's rate."""
    rows = to_content(costs)
    for row, cost in zip(rows, costs, strict=True):
        seconds = cost.milliseconds / 1e3
        row["clips_per_second"] = batch / seconds
        row["operations"] = None if operations is None else operations * cost.streams
        row["share_of_floor"] = (
            None
            if operations is None
            else {kind: operations * cost.streams / rate / seconds for kind, rate in rates.items()}
        )
    return rows


def _views(store: Store, config: Config, device: torch.device) -> float:
    """Clips a second, each in two views."""
    window = Window.load(store, np.arange(len(store)), config.data, device)
    generator = torch.Generator(device).manual_seed(0)
    chosen = torch.arange(config.batch_size, device=device)

    def draw() -> None:
        random_view(window, chosen.repeat(2), config.data.frames, config.views, generator)

    return config.batch_size / median(in_turn({"views": draw}, _ROUNDS)["views"])


def _embedding(store: Store, config: Config, device: torch.device) -> dict[Precision, float]:
    """Clips a second through the encoder, evaluation views included, in each precision."""
    method = fresh_method(replace(config, method="moco", streams=("joint",)), Shape.of_store(store)).to(device)
    clips = np.arange(len(store))

    def embed(precision: Precision) -> None:
        extract(method, store, clips, config.data, device, precision=precision)

    seconds = in_turn({precision: partial(embed, precision) for precision in PRECISIONS}, 2)
    return {precision: len(store) / min(seconds[precision]) for precision in PRECISIONS}


def _knn(device: torch.device) -> dict[str, Any]:
    """Seconds for the nearest of 40 320 features for each of 16 560."""
    generator = torch.Generator().manual_seed(0)
    gallery = torch.randn(TRAINING, FEATURES, generator=generator)
    queries = torch.randn(TESTING, FEATURES, generator=generator)
    begun = time.perf_counter()
    neighbours(queries, gallery, 1, device=device)[0].cpu()
    seconds = time.perf_counter() - begun
    operations = 2 * TRAINING * TESTING * FEATURES
    return {
        "queries": TESTING,
        "gallery": TRAINING,
        "dimensions": FEATURES,
        "seconds": seconds,
        "operations_per_second": operations / seconds,
    }


def _projected(costs: list[Cost], batch: int, embedding: float) -> dict[str, Any]:
    """Whole jobs at the rates above: nothing of this was run."""
    steps = TRAINING * EPOCHS / batch
    return {
        "ntu60_xsub_450_epochs_hours": {cost.method: steps * cost.milliseconds / 3.6e6 for cost in costs},
        "ntu60_embedding_seconds": (TRAINING + TESTING) / embedding,
    }
