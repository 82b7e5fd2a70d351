"""Embedding against training, in clips a second of one core's CPU time, in float32 and bfloat16.

    python benchmarks/embedding.py
    python benchmarks/embedding.py --clips 256 --rounds 3 --only transformer

Two encoders, on clips of two people of 25 joints: the published GRU (hidden 128, 64 frames, three layers) and the
default transformer (recipe `moco`). Each trains by MoCo and embeds as many clips in both precisions, in turn, in one
process: steps of 64 clips in two views against batches of 256 in the view of evaluation, views included on both sides.
CPU time, so that neither other programs nor the thread that makes views ahead count. How far vectors in bfloat16 lie
from those in float32, |a - b| / |b|, is printed beside; weights are those of the steps just timed.

Prediction. A step encodes a clip's query and its key and takes the query's gradient, which costs twice as much as the
query: four times one encoding. So embedding in float32 is at most four times training. In bfloat16 it is five times or
more where the processor multiplies bfloat16 natively (AMX or AVX512-BF16), and slower than float32 elsewhere. Vectors
move by less than 1 %: a number with 8 significant bits is off by 0.2 % at most, and a few layers add up.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch

from bench import in_turn, machine, random_store, ratio
from halpose.bench.card import published_sizes
from halpose.config import Config
from halpose.data.store import Store
from halpose.engine.fitted_config import fit_config
from halpose.engine.trainer import Trainer
from halpose.evaluate.features import PRECISIONS, Precision, extract
from halpose.settings import load_recipe

CPU = torch.device("cpu")
ENCODERS: dict[str, Callable[[], Config]] = {
    "gru": lambda: replace(published_sizes(), method="moco"),
    "transformer": lambda: replace(load_recipe("moco"), epochs=0.0, steps=1_000_000),
}


def compare(name: str, store: Store, rounds: int) -> None:
    """One encoder: training and embedding in turn, then the distances."""
    config = fit_config(store, ENCODERS[name]())[0]
    trainer = Trainer(store, config, Path("nowhere"), CPU)  # nothing is written
    clips = np.arange(len(store))
    steps = len(store) // config.batch_size

    def train() -> None:
        trainer.method.train()
        for _ in range(steps):
            trainer.take_step()

    def embed(precision: Precision) -> np.ndarray:
        return extract(trainer.method, store, clips, config.data, precision=precision)

    calls: dict[str, Callable[[], object]] = {"training": train}
    calls |= {precision: partial(embed, precision) for precision in PRECISIONS}
    seconds = in_turn(calls, rounds, clock=time.process_time)
    encoder = config.encoder
    print(f"{name}: {encoder.layers} x {encoder.width}, {config.data.frames} frames, batch {config.batch_size}")
    for what, values in seconds.items():
        times = "" if what == "training" else f"{ratio(seconds, 'training', what):7.2f} times training"
        print(f"  {what:9} {len(store) / median(values):7.0f} clips/s{times}")
    full, lower = (embed(precision) for precision in PRECISIONS)
    apart = 100 * np.linalg.norm(lower - full, axis=1) / np.linalg.norm(full, axis=1)
    print(f"  bfloat16 from float32: {np.median(apart):.2f} % in the median, {apart.max():.2f} % at most")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=512, help="a multiple of 256")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=ENCODERS, help="this one and no other")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{chosen.clips} clips, CPU time; {machine()}")
    with tempfile.TemporaryDirectory() as folder:
        store = random_store(Path(folder) / "store", chosen.clips)
        for name in [chosen.only] if chosen.only else ENCODERS:
            compare(name, store, chosen.rounds)


if __name__ == "__main__":
    main()
