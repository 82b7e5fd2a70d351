"""Whole-batch views on the device against the per-sample pipeline of the published code, on one core.

    python benchmarks/views.py

The per-sample pipeline below is written from its description (crop, linear resize by `interpolate`, then shear or joint
jitter in numpy, one clip after another). Both make two views of 64 clips of two people, in turn, and CPU time is
compared. Prediction: the arithmetic is the same; what goes is the Python and the small calls of each sample, so at
least 10 times.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from bench import in_turn, machine, random_store, ratio
from halpose.config import DataConfig
from halpose.data.views import random_view
from halpose.data.window import Window
from halpose.settings import load_recipe

BATCH, FRAMES = 64, 64


def one_view(clip: np.ndarray) -> np.ndarray:
    """A published view of one clip (C, T, V, M)."""
    channels, frames, joints, people = clip.shape
    length = min(max(64, int(np.floor(frames * random.uniform(0.1, 1.0)))), frames)
    start = random.randint(0, frames - length)
    crop = torch.from_numpy(clip[:, start : start + length])
    crop = crop.permute(0, 2, 3, 1).reshape(1, channels * joints * people, length)
    crop = torch.nn.functional.interpolate(crop, size=FRAMES, mode="linear", align_corners=False)
    view = crop.reshape(channels, joints, people, FRAMES).permute(0, 3, 1, 2).numpy()
    if random.random() < 0.5:
        shear = np.array([[1.0 if i == j else random.uniform(-1, 1) for j in range(3)] for i in range(3)])
        return np.dot(view.transpose(1, 2, 3, 0), shear.T).transpose(3, 0, 1, 2)
    view = view.copy()
    touched = random.sample(range(joints), 15)
    if random.random() < 0.5:
        view[:, :, touched] = 0
    else:
        mix = np.array([[random.uniform(-1, 1) for _ in range(3)] for _ in range(3)])
        view[:, :, touched] = np.dot(view[:, :, touched].transpose(1, 2, 3, 0), mix).transpose(3, 0, 1, 2)
    return view


def keep_freed_memory() -> None:
    """Free 31 MB once, as any step of training does.

    After that, the C library keeps what is freed instead of asking the system for empty pages in every call. Without,
    what one pipeline frees decides whether the other has to wait for pages.
    """
    torch.empty(31 << 18)


def main() -> None:
    torch.set_num_threads(1)
    published_settings, composed_settings = load_recipe("halp-published").views, load_recipe("halp").views
    with tempfile.TemporaryDirectory() as folder:
        store = random_store(Path(folder) / "store")
        window = Window.load(store, np.arange(len(store)), DataConfig("", "all", "frame", "first", "none"))
        clips = [np.ascontiguousarray(store.clip(i).positions.transpose(3, 1, 2, 0)) for i in range(BATCH)]
        chosen, generator = torch.arange(BATCH).repeat(2), torch.Generator().manual_seed(0)

        def per_sample() -> torch.Tensor:
            views = [torch.from_numpy(np.ascontiguousarray(one_view(clip), np.float32)) for clip in clips + clips]
            return torch.stack(views)

        def whole_batch() -> torch.Tensor:
            return random_view(window, chosen, FRAMES, published_settings, generator)

        def composed() -> torch.Tensor:
            return random_view(window, chosen, FRAMES, composed_settings, generator)

        keep_freed_memory()
        calls = {"per sample": per_sample, "whole batch": whole_batch, "composed": composed}
        seconds = in_turn(calls, rounds=41, warm=3, clock=time.process_time)
    print(f"two views of {BATCH} clips of two people, CPU time; {machine()}")
    for name, values in seconds.items():
        print(f"  {name:12} {1e3 * sorted(values)[len(values) // 2]:7.1f} ms")
    print(f"per sample / whole batch: {ratio(seconds, 'per sample', 'whole batch'):.1f}")


if __name__ == "__main__":
    main()
