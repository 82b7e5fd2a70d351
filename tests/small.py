"""Settings of milliseconds a step, for whatever must be trained; what a test is about it sets itself."""

from __future__ import annotations

from halpose.config import Config, ContrastConfig, DataConfig, EncoderConfig, HalpConfig
from halpose.settings import flatten

SMALL = Config(
    batch_size=16,
    data=DataConfig(frames=16),
    encoder=EncoderConfig(width=8, layers=1, segments=2, heads=2),
    contrast=ContrastConfig(embedding=8, queue=32),
    halp=HalpConfig(start=0.25, newest=16, prototypes=4),
)

_USUAL = dict(flatten(Config().to_dict()))
SMALL_WORDS = tuple(f"{key}={value}" for key, value in flatten(SMALL.to_dict()) if value != _USUAL[key])
"""The same as `--set` takes them."""
