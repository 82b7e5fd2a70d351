"""Milliseconds from two seconds of movement to their embedding, on one CPU core: PyTorch and onnxruntime.

    python benchmarks/latency.py [--run RUN] [--rounds 30]

One window of 60 frames (two seconds at 30 a second) at a time, raw, with gaps, as it comes from a camera. Three ways,
in turn, which give the same numbers, as is checked first: `halpose.inference` (cleans in numpy, makes a store in
memory, then a view); the network that `halpose export` writes, called as a torch module; the same in ONNX by
onnxruntime. CPU time of one thread, so that other programs count less. Weights do not matter for time: runs are
untrained, unless one is given. Prediction: with a large GRU all time goes into its products, and the ways differ
little; with a small transformer most of it is Python and small calls, which onnxruntime is without.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path
from statistics import quantiles

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch

from bench import in_turn, machine, ratio
from halpose.config import Config, EncoderConfig
from halpose.engine.run import Run, Shape, fresh_method
from halpose.export.check import padded, random_cases
from halpose.export.network import Network
from halpose.export.onnx_graph import infer_onnx, to_onnx
from halpose.export.program import capture
from halpose.inference.clips import fit, windows
from halpose.inference.embed import Embeddings, embed
from halpose.settings import load_recipe
from halpose.skeleton import Sequence, load_layout

FRAMES, FPS = 60, 30.0


def untrained(config: Config, layout: str, people: int) -> Run:
    """A run of a recipe before its first step."""
    data = replace(
        config.data, **{key: value for key, value in RESOLVED.items() if getattr(config.data, key) == "store"}
    )
    config = replace(config, data=data, contrast=replace(config.contrast, queue=256))
    shape = Shape(load_layout(layout), people, 3)
    return Run(Path("untrained"), config, shape, {}, 0, fresh_method(config, shape).eval())


RESOLVED = {"centre": "first", "align": "torso", "scale": "rms"}


def runs(given: Path | None) -> dict[str, Run]:
    """What is timed, by a description."""
    if given is not None:
        return {str(given): Run.load(given)}
    paper, halp = load_recipe("halp-published"), load_recipe("halp")
    small = replace(paper, encoder=replace(paper.encoder, width=128))
    stgcn = replace(halp, encoder=EncoderConfig(name="stgcn", width=128, layers=6, pooling="mean"))
    return {
        "halp-published: GRU 3 x 1024, 64 frames, 2 x kinect25": untrained(paper, "kinect25", 2),
        "the same, width 128": untrained(small, "kinect25", 2),
        "halp: transformer 2 x 128, 32 frames, 1 x kinect20": untrained(halp, "kinect20", 1),
        "the same, joint, motion and bone": untrained(
            replace(halp, streams=("joint", "motion", "bone")), "kinect20", 1
        ),
        "st-gcn 6 x 128, 32 frames, 1 x kinect20": untrained(stgcn, "kinect20", 1),
    }


def window(run: Run) -> tuple[Sequence, np.ndarray]:
    """Two seconds with gaps, as a recording and as a batch of one."""
    positions = max((case.inputs[0] for case in random_cases(run)), key=lambda x: x.shape[1])
    positions = np.ascontiguousarray(positions[:, :FRAMES])
    return Sequence(positions, run.shape.layout, "window", fps=FPS), padded([positions])


def measure(run: Run, rounds: int) -> tuple[dict[str, list[float]], float, int]:
    """Seconds of each way, the largest difference between them, and the size of the ONNX file in bytes."""
    recording, batch = window(run)
    network = Network.of(run)
    model = to_onnx(capture(network, run), {})
    infer = infer_onnx(model)

    def by_halpose() -> np.ndarray:
        clip = fit(recording, run.shape)
        return Embeddings.join(list(embed(run, windows(clip, run.shape.layout)))).vectors

    @torch.no_grad()
    def by_torch() -> np.ndarray:
        return network(torch.from_numpy(batch)).numpy()

    def by_onnx() -> np.ndarray:
        return infer(batch)

    expected = by_halpose()
    unit = np.sqrt(np.mean(expected**2))
    apart = max(float(np.abs(way() - expected).max() / unit) for way in (by_torch, by_onnx))
    calls = {"halpose": by_halpose, "torch": by_torch, "onnx": by_onnx}
    return in_turn(calls, rounds=rounds, warm=3, clock=time.process_time), apart, len(model)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=None)
    parser.add_argument("--rounds", type=int, default=30)
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(f"CPU ms for a window of {FRAMES} frames: median (quartiles); {machine()}")
    for name, run in runs(given.run).items():
        seconds, apart, size = measure(run, given.rounds)
        print(f"{name}: {size / 1e6:.1f} MB, largest difference {apart:.0e}")
        for way, values in seconds.items():
            low, middle, high = (1e3 * value for value in quantiles(values, n=4))
            print(f"  {way:8} {middle:8.2f} ({low:.2f} to {high:.2f})")
        gains = (f"{way} / onnx {ratio(seconds, way, 'onnx'):.1f}" for way in ("halpose", "torch"))
        print(f"  {', '.join(gains)}")


if __name__ == "__main__":
    main()
