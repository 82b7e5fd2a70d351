"""How long a training waits for its data: clips in memory, on disk, and on disk but read ahead.

    python benchmarks/read_ahead.py --threads 1

One training in three places, in turn, in one process: `resident`, all clips in memory; `mapped`, every batch read from
disk when it is needed; `ahead`, the same with a thread that reads what comes. What is counted is the time until a step
has its batch, of the step's whole time: for the first two reading and making views, for the last what is left of it.
Every turn begins with none of the store in the system's cache (`cold`) or with all of it (`warm`).

Prediction: the thread makes a batch in a few milliseconds, so a step that takes longer never waits, but for the first
one of a turn; and `ahead` is even quicker than `resident`, whose views are made between the steps, if a core is free.
Memory grows by the views of as many batches as are read ahead.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch

from bench import machine, random_store, ratio
from halpose.config import Config
from halpose.data.store import Store
from halpose.engine.trainer import Trainer, fit_config
from halpose.settings import load_recipe

# Where the clips are: gigabytes that may be in memory, batches that are read ahead.
PLACES = {"resident": (1e6, 0), "mapped": (0.0, 0), "ahead": (0.0, 2)}


class Place:
    """One training, and how long it has waited for its batches."""

    def __init__(self, store: Store, config: Config, place: str) -> None:
        gigabytes, prefetch = PLACES[place]
        data = replace(config.data, resident_gigabytes=gigabytes, prefetch=prefetch)
        config = fit_config(store, replace(config, data=data))[0]
        self.trainer = Trainer(store, config, Path("nowhere"), torch.device("cpu"))  # nothing is written
        self.waited = 0.0
        self._take = self.trainer.batches.take
        self.trainer.batches.take = self._timed  # type: ignore[method-assign]

    def steps(self, count: int) -> tuple[float, float]:
        """Take some steps: seconds of all, and of those, waited."""
        first, self.waited, begun = self.trainer.step, 0.0, time.perf_counter()
        with self.trainer.batches.coming(first, first + count):
            for _ in range(count):
                self.trainer.take_step()
        return time.perf_counter() - begun, self.waited

    def making(self, count: int) -> float:
        """Seconds to make a batch, reading included, with nothing beside it."""
        begun = time.perf_counter()
        for step in range(count):
            self._take(self.trainer.step + step)
        return (time.perf_counter() - begun) / count

    def _timed(self, step: int) -> object:
        begun = time.perf_counter()
        batch = self._take(step)
        self.waited += time.perf_counter() - begun
        return batch


def forget(store: Store) -> None:
    """Drop a store's frames from the system's cache."""
    with (store.path / "frames.npy").open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def remember(store: Store) -> None:
    """Have all of a store's frames in the system's cache."""
    (store.path / "frames.npy").read_bytes()


def memory(kind: str) -> float:
    """Megabytes of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def settings(chosen: argparse.Namespace) -> Config:
    recipe = load_recipe("halp")
    encoder = replace(recipe.encoder, width=chosen.width)
    return replace(recipe, method="moco", steps=10**6, batch_size=chosen.batch, encoder=encoder)


def compare(store: Store, chosen: argparse.Namespace) -> None:
    """All places in turn."""
    places = {name: Place(store, settings(chosen), name) for name in PLACES}
    for state, prepare in (("warm", remember), ("cold", forget)):
        seconds: dict[str, list[float]] = {name: [] for name in places}
        shares: dict[str, list[float]] = {name: [] for name in places}
        for turn in range(1 + chosen.rounds):
            for name, place in places.items():
                prepare(store)
                took, waited = place.steps(chosen.steps)
                if turn:
                    seconds[name].append(took / chosen.steps)
                    shares[name].append(waited / took)
        prepare(store)
        alone = places["mapped"].making(chosen.steps)
        print(f"{state}: a batch alone, read and made: {1e3 * alone:.1f} ms")
        for name in places:
            print(
                f"  {name:9} {1e3 * median(seconds[name]):7.1f} ms a step, {ratio(seconds, name, 'resident'):.3f} times"
                f" resident; waits for its batch {100 * median(shares[name]):5.2f} % of the time"
            )
        print(f"  the wait, mapped / ahead: {median(shares['mapped']) / max(median(shares['ahead']), 1e-9):.0f}")


def weigh(store: Store, chosen: argparse.Namespace) -> None:
    """Memory of one place, in a process of its own."""
    before = memory("RssAnon")
    place = Place(store, settings(chosen), chosen.place)
    place.steps(chosen.steps)
    print(
        f"  {chosen.place:9} its own {memory('RssAnon') - before:+6.0f} MB with the training, "
        f"mapped {memory('RssFile'):4.0f} MB; whole process at most {memory('VmHWM'):.0f} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--width", type=int, default=64, help="of the transformer")
    parser.add_argument("--steps", type=int, default=25, help="of a turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--store", type=Path, help="a prepared store (default: random walks in NTU's shape)")
    parser.add_argument("--place", choices=PLACES, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    if chosen.place:
        weigh(Store.open(chosen.store), chosen)
        return
    with tempfile.TemporaryDirectory(dir=".") as folder:
        store = Store.open(chosen.store) if chosen.store else random_store(Path(folder) / "store", chosen.clips)
        print(machine())
        print(f"{len(store)} clips, {store.frames.nbytes / 1e6:.0f} MB of frames, batches of {chosen.batch}")
        compare(store, chosen)
        print("memory:")
        for place in PLACES:
            subprocess.run(
                [sys.executable, __file__, *sys.argv[1:], "--place", place, "--store", store.path], check=True
            )


if __name__ == "__main__":
    main()
