"""Runs as they would be loaded, after no training at all, of any encoders and any kind of input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

from halpose.config import DataConfig
from halpose.encoders import ENCODERS
from halpose.engine.run import Run, Shape, fresh_method
from halpose.skeleton import Layout, load_layout
from small import SMALL

EVERY_ENCODER = tuple(f"{'joint' if number % 2 else 'bone+motion'}:{name}" for number, name in enumerate(ENCODERS))
LAYOUT = load_layout("kinect20")


def untrained_run(
    streams: Sequence[str] = ("joint",),
    people: int = 2,
    channels: int = 3,
    layout: Layout = LAYOUT,
    pooling: str = "segments",
    seed: int = 0,
    **data: Any,
) -> Run:
    """A run; `data` are settings of its section of that name."""
    settings = DataConfig(centre="first", align="torso", scale="rms", frames=12)
    encoder = replace(SMALL.encoder, name="hcn", input_norm=True, pooling=cast(Literal["last"], pooling))
    config = replace(
        SMALL, seed=seed, method="moco", streams=tuple(streams), data=replace(settings, **data), encoder=encoder
    )
    shape = Shape(layout, people, channels)
    return Run(Path("nowhere/untrained"), config, shape, {}, 0, fresh_method(config, shape).eval())
