"""What both processes of a pair do, and one process alone beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from halpose.config import Config
from halpose.data.store import Store
from halpose.engine.averaging import GradientMean
from halpose.engine.distributed import Launch, join, own_copy
from halpose.engine.run import Run, Shape, fresh_method
from halpose.engine.trainer import Summary, Trainer, fit_config, train
from halpose.inference.sources import Embedded, Reading, embed_sources
from halpose.methods.base import Moment, Output
from halpose.settings import override
from halpose.skeleton import load_layout

CPU = torch.device("cpu")
BATCH, STEPS = 8, 4
Arrays = dict[str, np.ndarray]


def steps_on_given_views(launch: Launch | None, settings: dict[str, Any]) -> tuple[list[Arrays], Arrays]:
    """A few steps in float64 on views that depend on the step alone: loss and gradients of each, the final state."""
    config = override(Config(), settings, "test")
    with join(launch, CPU, str) as ranks:
        method = own_copy(fresh_method(config, Shape(load_layout("kinect20"), 1, 3)).double(), ranks, CPU)
        averaging = GradientMean(method.query_parameters(), ranks, bucket_bytes=2048)
        taken = []
        for number in range(STEPS):
            generator = torch.Generator().manual_seed(number)
            names = ("query", "key", *method.further_views())
            x = torch.randn(len(names), BATCH, 1, 12, 20, 3, generator=generator).double()
            views = {name: ranks.own(view) for name, view in zip(names, x, strict=True)}
            clips = ranks.own(torch.arange(BATCH) + BATCH * (number % 2))
            moment = Moment(number, 100, number * BATCH, generator, ranks)
            output: Output = method(views, clips, moment)
            method.zero_grad()
            output.loss.backward()
            averaging.finish()
            values = {name: ranks.mean(value).numpy() for name, value in output.values.items()}
            taken.append(values | {name: p.grad.numpy().copy() for name, p in method.query_parameters()})
            with torch.no_grad():
                for _, parameter in method.query_parameters():
                    parameter.sub_(0.1 * parameter.grad)
            method.after_step(output, clips, moment)
        return taken, {name: value.numpy().copy() for name, value in method.state_dict().items()}


def trained(launch: Launch | None, store: Path, config: Config, out: Path, **options: Any) -> Summary:
    return train(Store.open(store), config, out, device="cpu", launch=launch, **options)


def trained_in_parts(launch: Launch, store: Path, config: Config, out: Path, stops: list[int | None]) -> list[Summary]:
    """Begun with --resume already, as torchrun's restarts would be."""
    return [trained(launch, store, config, out, resume=True, stop_at=stop) for stop in stops]


def drawn(launch: Launch, store: Path, config: Config) -> dict[str, list[float]]:
    """What a rank gets to see, and what it draws, before its first two steps."""
    opened = Store.open(store)
    with join(launch, CPU, str) as ranks:
        trainer = Trainer(opened, fit_config(opened, config, ranks.world)[0], Path("nowhere"), CPU, ranks)
        found: dict[str, list[float]] = {"clips": [], "views": [], "method": []}
        for step in range(2):
            trainer.step = step
            trainer._follow_step()
            found["clips"] += trainer.batches.take(step).clips.tolist()
            found["views"] += torch.rand(1, generator=trainer.batches.generator).tolist()
            found["method"] += torch.rand(1, generator=trainer.method_generator).tolist()
        return found


def trained_apart(launch: Launch, store: Path, config: Config, folder: Path) -> Summary:
    """As if no disk were shared: what a rank writes shows in its own folder."""
    return trained(launch, store, config, folder / f"of-rank-{launch.rank}")


def embedded(launch: Launch | None, run: Path, sources: list[Path], out: Path, window: float) -> Embedded:
    """What `halpose embed` does on a rank."""
    return embed_sources(Run.load(run), sources, out, Reading(window=window), launch=launch)
