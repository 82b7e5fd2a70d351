"""What each encoder costs: forward and backward of one batch, CPU time of one core.

    python benchmarks/encoders.py
    python benchmarks/encoders.py --compiled transformer

64 clips of 32 frames, 20 joints, one person; width 64, three layers. Encoders take turns. Prediction: the
transformer and the LSTM need a handful of matrix products a batch; the GRUs as many as frames; the graph
encoders carry a vector for every joint, so they cost about 20 times as much as a sequence encoder of their width.

`--compiled` times one of them against itself through `torch.compile`. Prediction: a transformer gains a tenth or two,
its passes between the products becoming one; compiling takes longer than a short training.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import nn

from bench import in_turn, machine, ratio
from halpose.config import EncoderConfig
from halpose.encoders import ENCODERS, build_encoder
from halpose.skeleton import load_layout

CLIPS, FRAMES, LAYOUT, ROUNDS = 64, 32, "kinect20", 7


def step(name: str, compiled: bool = False) -> Callable[[], None]:
    """One forward and backward pass of an encoder."""
    layout = load_layout(LAYOUT)
    encoder: nn.Module = build_encoder(EncoderConfig(name=name, width=64, layers=3), layout, people=1, channels=3)
    if compiled:
        encoder.compile()
    batch = torch.randn(CLIPS, 1, FRAMES, len(layout), 3)

    def call() -> None:
        encoder.zero_grad(set_to_none=True)
        encoder(batch).square().mean().backward()

    return call


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiled", choices=ENCODERS, help="this one with and without torch.compile, and no other")
    chosen = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    if chosen.compiled:
        compare(chosen.compiled)
        return
    seconds = in_turn({name: step(name) for name in ENCODERS}, ROUNDS, clock=time.process_time)
    print(f"{CLIPS} clips of {FRAMES} frames, {LAYOUT}; best of {ROUNDS}, CPU time; {machine()}")
    least = min(min(values) for values in seconds.values())
    for name, values in seconds.items():
        print(f"  {name:15} {1e3 * min(values):7.0f} ms {min(values) / least:7.1f}")


def compare(name: str) -> None:
    """One encoder, eager and compiled in turn; how long compiling took."""
    calls = {"eager": step(name), "compiled": step(name, compiled=True)}
    begun = time.perf_counter()
    calls["compiled"]()
    compiling = time.perf_counter() - begun
    seconds = in_turn(calls, 3 * ROUNDS, clock=time.process_time)
    print(f"{name}: compiled in {compiling:.0f} s; {machine()}")
    print(
        f"  eager / compiled {ratio(seconds, 'eager', 'compiled'):.2f}; eager {1e3 * median(seconds['eager']):.0f} ms"
    )


if __name__ == "__main__":
    main()
