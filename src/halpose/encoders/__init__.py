"""Encoders: a batch of views (N, M, T, V, C) in, a feature per clip (N, `feature_dim`) out.

To add one, write `encoders/x.py` and a line in `ENCODERS`; the contract tests find it.
"""

from __future__ import annotations

from collections.abc import Callable

from halpose.config import EncoderConfig
from halpose.encoders.base import Encoder
from halpose.encoders.gru import GRU
from halpose.encoders.hcn import HCN
from halpose.encoders.lstm import LSTM
from halpose.encoders.st_transformer import SpaceTimeTransformer
from halpose.encoders.stgcn import STGCN
from halpose.encoders.transformer import Transformer
from halpose.errors import ConfigError
from halpose.skeleton import Layout

ENCODERS: dict[str, Callable[[EncoderConfig, Layout, int, int], Encoder]] = {
    "gru": lambda config, layout, people, channels: GRU(len(layout) * channels * people, config),
    "bigru": lambda config, layout, people, channels: GRU(len(layout) * channels * people, config, reverse=True),
    "lstm": lambda config, layout, people, channels: LSTM(len(layout) * channels * people, config),
    "stgcn": lambda config, layout, people, channels: STGCN(layout, channels, config),
    "hcn": lambda config, layout, people, channels: HCN(len(layout), channels, config),
    "transformer": lambda config, layout, people, channels: Transformer(len(layout) * channels * people, config),
    "st_transformer": lambda config, layout, people, channels: SpaceTimeTransformer(
        len(layout), channels, people, config
    ),
}


def build_encoder(config: EncoderConfig, layout: Layout, people: int, channels: int) -> Encoder:
    """The encoder a configuration names; its `feature_dim` is the size of its output.

    Raises:
        ConfigError: there is no such encoder.
    """
    if config.name not in ENCODERS:
        raise ConfigError(f"encoder.name is {config.name!r}; there are: {', '.join(ENCODERS)}")
    return ENCODERS[config.name](config, layout, people, channels)
