"""One training step: ours against the frame-by-frame formulation, and HaLP against MoCo.

    python benchmarks/step.py                 # hidden 128
    python benchmarks/step.py --hidden 1024 --rounds 2 --steps 1 --only "frame by frame" moco

Both at the published sizes: batch 64, 64 frames, two people of 25 joints, queue 16384, three layers. Prediction: the
two formulations do the same multiplications, but one frame at a time they are 64 times as many calls on matrices 64
times smaller, so the gain is largest where the hidden size is small. HaLP adds products of (64 x 128) with (128 x 20),
a (64, 20, 20) table of angles and a warm clustering every fifth step: a few milliseconds at any hidden size.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from bench import in_turn, machine, random_store, ratio
from halpose.config import Config
from halpose.data.store import Store
from halpose.encoders.pooling import InputNorm, flatten_frames
from halpose.engine.trainer import Trainer, fit_config
from halpose.settings import load_recipe


class FrameByFrame(nn.Module):
    """The published encoder's way: one frame at a time through a bidirectional GRU, both states carried."""

    def __init__(self, channels: int, width: int, layers: int) -> None:
        super().__init__()
        self.norm = InputNorm(channels)
        self.gru = nn.GRU(channels, width, layers, batch_first=True, bidirectional=True)
        self.feature_dim = 2 * width

    def forward(self, x: Tensor) -> Tensor:
        """Feature of each clip; outputs are joined as they come."""
        y = self.norm(flatten_frames(x))
        state = None
        outputs = y.new_zeros(len(y), 0, self.feature_dim)
        for frame in range(y.shape[1]):
            output, state = self.gru(y[:, frame : frame + 1], state)
            outputs = torch.cat([outputs, output], dim=1)
        return outputs[:, -1]


def trainer(store: Store, config: Config, folder: Path, stepped: bool = False) -> Trainer:
    """A training at the step where HaLP is on, its prototypes made."""
    made = Trainer(store, fit_config(store, config)[0], folder, torch.device(DEVICE))
    if stepped:
        for stream in made.method.stream_table().values():
            for branch in (stream.query, stream.key):
                encoder = FrameByFrame(2 * 25 * 3, config.encoder.width, config.encoder.layers).to(DEVICE)
                branch.encoder = encoder
            stream.key.requires_grad_(False)
        named = made.method.query_parameters()
        made.names = [name for name, _ in named]
        made.optimizer = torch.optim.SGD([p for _, p in named], lr=1e-3, momentum=0.9, foreach=True)
        made.work = replace(made.work, optimizer=made.optimizer)
    made.step = config.steps // 2
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=5, help="steps a turn; five hold one clustering")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--only", nargs="*", help="alternatives to time (default: all)")
    chosen = parser.parse_args()
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    published = load_recipe("halp-published")
    config = replace(
        published,
        epochs=0.0,
        steps=1_000_000,
        encoder=replace(published.encoder, width=chosen.hidden),
        halp=replace(published.halp, start=0.4, refresh=5, warm_start=True, estimator="expected"),
    )
    sampled = replace(config, halp=replace(config.halp, estimator="sampled", warm_start=False))
    with tempfile.TemporaryDirectory() as folder:
        store = random_store(Path(folder) / "store")
        moco = replace(config, method="moco")
        made = {
            "frame by frame": lambda: trainer(store, moco, Path(folder) / "a", stepped=True),
            "moco": lambda: trainer(store, moco, Path(folder) / "b"),
            "halp, expected": lambda: trainer(store, config, Path(folder) / "c"),
            "halp, sampled, cold k-means": lambda: trainer(store, sampled, Path(folder) / "d"),
        }
        trainers = {name: make() for name, make in made.items() if not chosen.only or name in chosen.only}
        calls = {name: (lambda t=t: [t.take_step() for _ in range(chosen.steps)]) for name, t in trainers.items()}
        seconds = in_turn(calls, chosen.rounds)
    print(f"hidden {chosen.hidden}, batch 64, 64 frames, queue 16384; {machine()}")
    for name, values in seconds.items():
        print(f"  {name:28} {1e3 * median(values) / chosen.steps:8.1f} ms a step")
    for name in trainers:
        if name != "moco" and "moco" in trainers:
            print(f"{name} / moco: {ratio(seconds, name, 'moco'):.3f}")


DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

if __name__ == "__main__":
    main()
