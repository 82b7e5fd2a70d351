"""How long a training waits for its data: clips in memory, on disk, and on disk but read ahead.

    python benchmarks/read_ahead.py --threads 1

One training in three places, in turn, in one process: `resident`, all clips in memory; `mapped`, every batch read from
disk when it is needed; `ahead`, the same with a thread that reads what comes. What is counted is the time until a step
has its batch, of the step's whole time: for the first two reading and making views, for the last what is left of it.
Every turn begins with none of the store in the system's cache (`cold`) or with all of it (`warm`), and with a step that
is not counted: a training waits for its first batch once. Then the steps of a device that computes while the host
sleeps, for so many milliseconds, as a GPU would.

Prediction: the thread makes a batch in some milliseconds, so a step that takes longer hardly ever waits. All together
it is the same work; the loop's own thread has less of it than with clips in memory, whose views it makes itself. So the
steps are quicker where a core is free for the thread, and not where other programs have it: there the CPU time of the
loop's thread is what to look at. Memory grows by the views of as many batches as are read ahead.
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

    def steps(self, count: int, device: float = 0.0) -> tuple[float, float, float]:
        """Take some steps after one that does not count.

        Args:
            count: how many.
            device: seconds that a device is busy with a step, none of which the host computes; 0: train here.

        Returns:
            Seconds a step, those of them waited, and those of the loop's own thread on a core.
        """
        first = self.trainer.step
        with self.trainer.batches.coming(first, first + 1 + count):
            for step in range(first, first + 1 + count):
                if step == first + 1:
                    self.waited, begun, busy = 0.0, time.perf_counter(), time.thread_time()
                if device:
                    self.trainer.batches.take(step)
                    time.sleep(device)
                    self.trainer.step += 1
                else:
                    self.trainer.take_step()
            took, busy = time.perf_counter() - begun, time.thread_time() - busy
        return took / count, self.waited / count, busy / count

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
        for device in (0.0, *(milliseconds / 1e3 for milliseconds in chosen.device)):
            found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in places}
            for turn in range(1 + chosen.rounds):
                for name, place in places.items():
                    prepare(store)
                    measured = place.steps(chosen.steps, device)
                    if turn:
                        found[name].append(measured)
            print(f"{state}, " + (f"a device busy for {1e3 * device:g} ms a step" if device else "training here"))
            own = {name: [busy for _, _, busy in turns] for name, turns in found.items()}
            for name, turns in found.items():
                took, waited, busy = (1e3 * median(values) for values in zip(*turns, strict=True))
                share = 100 * median(waited / took for took, waited, _ in turns)
                print(
                    f"  {name:9} {took:6.1f} ms a step; waits {waited:6.2f} ms, {share:5.2f} %; its thread computes "
                    f"{busy:5.1f} ms, {ratio(own, name, 'resident'):.2f} times resident"
                )


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
    parser.add_argument("--device", type=float, nargs="*", default=[10, 20, 40], help="its milliseconds a step")
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
