"""What each encoder costs: forward and backward of one batch, CPU time of one core.

    python benchmarks/encoders.py

64 clips of 32 frames, 20 joints, one person; width 64, three layers. Encoders take turns. Prediction: the
transformer and the LSTM need a handful of matrix products a batch; the GRUs as many as frames; the graph
encoders carry a vector for every joint, so they cost about 20 times as much as a sequence encoder of their width.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from bench import in_turn, machine
from halpose.config import EncoderConfig
from halpose.encoders import ENCODERS, build_encoder
from halpose.skeleton import load_layout

CLIPS, FRAMES, LAYOUT, ROUNDS = 64, 32, "kinect20", 7


def step(name: str) -> Callable[[], None]:
    """One forward and backward pass of an encoder."""
    layout = load_layout(LAYOUT)
    encoder = build_encoder(EncoderConfig(name=name, width=64, layers=3), layout, people=1, channels=3)
    batch = torch.randn(CLIPS, 1, FRAMES, len(layout), 3)

    def call() -> None:
        encoder.zero_grad(set_to_none=True)
        encoder(batch).square().mean().backward()

    return call


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    seconds = in_turn({name: step(name) for name in ENCODERS}, ROUNDS, clock=time.process_time)
    print(f"{CLIPS} clips of {FRAMES} frames, {LAYOUT}; best of {ROUNDS}, CPU time; {machine()}")
    least = min(min(values) for values in seconds.values())
    for name, values in seconds.items():
        print(f"  {name:15} {1e3 * min(values):7.0f} ms {min(values) / least:7.1f}")


if __name__ == "__main__":
    main()
