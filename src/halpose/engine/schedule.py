"""Optimizers and the learning rate as a function of the step."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from halpose.config import OptimizerConfig
from halpose.engine.lars import LARS

# Clips per step that the recipes' rates are meant for.
BASE_BATCH = 64


def build_optimizer(config: OptimizerConfig, parameters: Iterable[tuple[str, nn.Parameter]]) -> torch.optim.Optimizer:
    """SGD with momentum, AdamW or LARS over named parameters, updated many tensors at a time."""
    group = [parameter for _, parameter in parameters]
    if config.name == "sgd":
        return torch.optim.SGD(
            group,
            lr=config.learning_rate,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            foreach=True,
        )
    if config.name == "lars":
        return LARS(group, config.learning_rate, config.momentum, config.weight_decay, config.trust)
    return torch.optim.AdamW(group, lr=config.learning_rate, weight_decay=config.weight_decay, foreach=True)


def scaled_rate(config: OptimizerConfig, batch: int) -> float:
    """The rate after the warm-up: as it is set, or grown with the batch.

    Args:
        config: `learning_rate` is meant for a batch of 64.
        batch: clips per step, those of all processes together.

    Reference: linear: Goyal et al., Accurate, Large Minibatch SGD, 2017; square root: Krizhevsky, One weird trick for
    parallelizing convolutional neural networks, 2014.
    """
    grown = batch / BASE_BATCH
    return config.learning_rate * {"none": 1.0, "linear": grown, "sqrt": math.sqrt(grown)}[config.scale_rate]


def learning_rate(config: OptimizerConfig, step: int, steps: int, batch: int = BASE_BATCH) -> float:
    """Rate of one step: a linear warm-up, then constant, falling in steps, or along half a cosine to zero.

    Args:
        config: rate, schedule and warm-up.
        step: 0 for the first.
        steps: of the whole training.
        batch: clips per step, for `scale_rate`.
    """
    rate = scaled_rate(config, batch)
    if step < config.warmup:
        return rate * (step + 1) / config.warmup
    if config.schedule == "cosine":
        done = (step - config.warmup) / max(1, steps - config.warmup)
        return rate * 0.5 * (1 + math.cos(math.pi * done))
    if config.schedule == "step":
        return rate * config.gamma ** sum(step >= milestone * steps for milestone in config.milestones)
    return rate
