"""Optimizers and the learning rate as a function of the step."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from halpose.config import OptimizerConfig


def build_optimizer(config: OptimizerConfig, parameters: Iterable[tuple[str, nn.Parameter]]) -> torch.optim.Optimizer:
    """SGD with momentum or AdamW over named parameters, updated many tensors at a time."""
    group = [parameter for _, parameter in parameters]
    if config.name == "sgd":
        return torch.optim.SGD(
            group,
            lr=config.learning_rate,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            foreach=True,
        )
    return torch.optim.AdamW(group, lr=config.learning_rate, weight_decay=config.weight_decay, foreach=True)


def learning_rate(config: OptimizerConfig, step: int, steps: int) -> float:
    """Rate of one step: a linear warm-up, then constant, falling in steps, or along half a cosine to zero.

    Args:
        config: rate, schedule and warm-up.
        step: 0 for the first.
        steps: of the whole training.
    """
    rate = config.learning_rate
    if step < config.warmup:
        return rate * (step + 1) / config.warmup
    if config.schedule == "cosine":
        done = (step - config.warmup) / max(1, steps - config.warmup)
        return rate * 0.5 * (1 + math.cos(math.pi * done))
    if config.schedule == "step":
        return rate * config.gamma ** sum(step >= milestone * steps for milestone in config.milestones)
    return rate
