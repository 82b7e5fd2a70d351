"""A store of ten million clips: how long it takes to open, to begin a training, and to take steps, and in what memory.

    python benchmarks/many_clips.py --clips 10000000 --folder stores

The store is sparse: what is known of its clips is real and takes a gigabyte or two, its frames are a hole in a file and
take no disk. Prediction: opening reads the archive's index and one column of offsets, so it takes well under a second
and memory for those; a training reads the frames of its batches. What grows with the number of clips is 8 bytes a clip
for each of offsets, lengths and the epoch's order, and whatever somebody computes of all clips at once: that is what
this script is for.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from halpose.data.frame_file import FrameFile
from halpose.data.store import Store, StoreWriter
from halpose.data.store_files import write_header
from halpose.skeleton import load_layout

LENGTH = 64
BLOCK = 1 << 16
BATCHES = 10


def tables(clips: int) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Columns of that many clips, a block at a time."""
    turn = np.tile(np.eye(3, dtype=np.float32), (BLOCK, 1, 1))
    for start in range(0, clips, BLOCK):
        number = np.arange(start, min(start + BLOCK, clips))
        count = len(number)
        yield (
            np.full(count, LENGTH),
            {
                "label": (number % 60).astype(np.int32),
                "subject": np.char.add("P", (number % 4000).astype(str)),
                "name": np.char.add("clip", number.astype(str)),
                "camera": (number % 3).astype(np.int16),
                "setup": np.zeros(count, np.int16),
                "fps": np.full(count, 30, np.float32),
                "people": np.ones(count, np.int8),
                "origin": np.zeros((count, 3), np.float32),
                "first_rotation": turn[:count],
                "torso_rotation": turn[:count],
                "scale_first": np.ones(count, np.float32),
                "scale_frame": np.ones(count, np.float32),
            },
        )


def build(path: Path, clips: int) -> None:
    """Make the sparse store."""
    layout = load_layout("kinect25")
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = path.with_name(path.name + "-frames.npy")
    with frames.open("wb") as file:
        write_header(file, np.dtype(np.float32), (0, 2, len(layout), 3))
        file.truncate(file.tell() + clips * LENGTH * 2 * len(layout) * 3 * 4)
    classes = [f"class {number}" for number in range(60)]
    with StoreWriter(path, layout=layout, people=2, name="many", classes=classes, synthetic=True) as writer:
        writer.adopt(frames, tables(clips), {})
        writer.set_split("x-sub", np.where(np.arange(clips) % 5, 0, 2))
    frames.unlink(missing_ok=True)


def memory(kind: str = "RssAnon") -> float:
    """Megabytes of this process that are its own, and not pages of a mapped file."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1]) / 1024
    return float("nan")


class Report:
    """Seconds and memory of one piece of work after another."""

    def __init__(self) -> None:
        self.at, self.own = time.perf_counter(), memory()

    def __call__(self, what: str) -> None:
        """It is done."""
        seconds, own = time.perf_counter() - self.at, memory()
        mapped = memory("RssFile")
        print(f"  {what:34} {seconds:8.2f} s {own - self.own:+7.0f} MB  (own {own:.0f} MB, mapped {mapped:.0f} MB)")
        self.at, self.own = time.perf_counter(), memory()


def reading(store: Store, clips: np.ndarray, report: Report) -> None:
    """The frames of batches of 64 clips, two crops of each: through the map, and by stretches of the file."""
    rng, file = np.random.default_rng(0), FrameFile(store)
    chosen = rng.choice(len(clips), (2 * BATCHES, 64), replace=False)
    for number, batch in enumerate(chosen):
        crops = store.clips.offsets[clips[batch]][:, None] + rng.integers(0, LENGTH, (64, 2 * 32))
        rows = np.unique([crops, np.minimum(crops + 1, len(store.frames) - 1)])
        if number < BATCHES:
            store.frames[rows]
        else:
            file.read(rows)
        if number + 1 in (BATCHES, 2 * BATCHES):
            report(f"{BATCHES} batches {'through the map' if number < BATCHES else 'from the file'}")


def measure(path: Path, steps: int) -> None:
    """Open and train."""
    import torch

    from halpose.config import DataConfig
    from halpose.data.window import Window, resolve_data
    from halpose.engine.seen import seen_lines, write_lines
    from halpose.engine.trainer import Trainer, fit_config
    from halpose.settings import load_recipe, override_text

    report = Report()
    store = Store.open(path)
    report("open")
    store.clip(len(store) - 1)
    report("one clip")
    store.info()
    report("halpose data info")
    data = resolve_data(store, DataConfig())
    clips = store.part(data.split, data.part)
    report(f"the training part: {len(clips)} clips")
    Window.load(store, clips, data)
    report("a window, mapped")
    reading(store, clips, report)
    recipe = override_text(load_recipe("halp"), ("encoder.width=32", "batch_size=64", "steps=100000"))
    config = fit_config(store, replace(recipe, method="moco"))[0]
    report("settings")
    trainer = Trainer(store, config, path.with_name("run"), torch.device("cpu"))
    report("a trainer")
    with trainer.batches.coming(0, 1 + steps):
        trainer.take_step()
        report("the first step, and the epoch's order")
        for _ in range(steps):
            trainer.take_step()
        report(f"{steps} more steps")
    with tempfile.TemporaryDirectory(dir=path.parent) as run:
        write_lines(Path(run), seen_lines(store, clips))
    report("keep what was seen")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="keep the store here (default: a temporary folder)")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        measure(chosen.measure, chosen.steps)
        return
    folder = chosen.folder or Path(tempfile.mkdtemp())
    try:
        path = folder / f"many-{chosen.clips}"
        begun = time.perf_counter()
        if not path.exists():
            build(path, chosen.clips)
            peak = memory("VmHWM")
            print(f"made {chosen.clips} clips in {time.perf_counter() - begun:.1f} s, at most {peak:.0f} MB")
        # In a process of its own, so that its memory is its own.
        subprocess.run([sys.executable, __file__, "--measure", path, "--steps", str(chosen.steps)], check=True)
    finally:
        if not chosen.folder:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
