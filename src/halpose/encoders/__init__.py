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


def _gru(config: EncoderConfig, layout: Layout, people: int, channels: int, reverse: bool = False) -> Encoder:
    return GRU(
        len(layout) * channels * people,
        config.width,
        config.layers,
        reverse=reverse,
        pooling=config.pooling,
        segments=config.segments,
        input_norm=config.input_norm,
    )


def _bigru(config: EncoderConfig, layout: Layout, people: int, channels: int) -> Encoder:
    return _gru(config, layout, people, channels, reverse=True)


def _lstm(config: EncoderConfig, layout: Layout, people: int, channels: int) -> Encoder:
    return LSTM(
        len(layout) * channels * people,
        config.width,
        config.layers,
        config.dropout,
        pooling=config.pooling,
        segments=config.segments,
        input_norm=config.input_norm,
    )


def _stgcn(config: EncoderConfig, layout: Layout, people: int, channels: int) -> Encoder:
    return STGCN(
        layout,
        channels,
        config.width,
        config.layers,
        config.dropout,
        pooling=config.pooling,
        segments=config.segments,
        input_norm=config.input_norm,
    )


def _hcn(config: EncoderConfig, layout: Layout, people: int, channels: int) -> Encoder:
    return HCN(
        len(layout),
        channels,
        config.width,
        config.layers,
        config.dropout,
        pooling=config.pooling,
        segments=config.segments,
        input_norm=config.input_norm,
    )


def _transformer(config: EncoderConfig, layout: Layout, people: int, channels: int) -> Encoder:
    return Transformer(
        len(layout) * channels * people,
        config.width,
        config.layers,
        config.heads,
        config.patch,
        config.dropout,
        pooling=config.pooling,
        segments=config.segments,
        input_norm=config.input_norm,
    )


def _st_transformer(config: EncoderConfig, layout: Layout, people: int, channels: int) -> Encoder:
    return SpaceTimeTransformer(
        len(layout),
        channels,
        people,
        config.width,
        config.layers,
        config.heads,
        config.patch,
        config.dropout,
        pooling=config.pooling,
        segments=config.segments,
        input_norm=config.input_norm,
    )


ENCODERS: dict[str, Callable[[EncoderConfig, Layout, int, int], Encoder]] = {
    "gru": _gru,
    "bigru": _bigru,
    "lstm": _lstm,
    "stgcn": _stgcn,
    "hcn": _hcn,
    "transformer": _transformer,
    "st_transformer": _st_transformer,
}


def build_encoder(config: EncoderConfig, layout: Layout, people: int, channels: int) -> Encoder:
    """The encoder a configuration names; its `feature_dim` is the size of its output.

    Raises:
        ConfigError: there is no such encoder.
    """
    if config.name not in ENCODERS:
        raise ConfigError(f"encoder.name is {config.name!r}; there are: {', '.join(ENCODERS)}")
    return ENCODERS[config.name](config, layout, people, channels)
