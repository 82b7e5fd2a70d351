"""Optimizers and the learning rate as a function of the step."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from halpose.config import OptimizerConfig
from halpose.engine.lars import LARS

# Clips per step that the recipes' rates are meant for.
BASE_BATCH = 64


def build_optimizer(
    config: OptimizerConfig, parameters: Iterable[tuple[str, nn.Parameter]], captured: bool = False
) -> torch.optim.Optimizer:
    """SGD with momentum, AdamW or LARS over named parameters, updated many tensors at a time.

    Args:
        config: which one, and its settings.
        parameters: what it moves, on its device.
        captured: for a CUDA graph. The rate is a tensor, which a replay reads anew where a number would be frozen, and
            torch's fused kernels are used, the only ones that read it on the device for SGD as for AdamW, and that
            leave a step out without asking the host (float16). Their results differ from the others' by rounding.
    """
    group = [parameter for _, parameter in parameters]
    rate: float | Tensor = config.learning_rate
    if captured:
        rate = torch.tensor(config.learning_rate, device=group[0].device)
    if config.name == "lars":
        return LARS(group, rate, config.momentum, config.weight_decay, config.trust)
    decay = config.weight_decay
    if config.name == "sgd":
        sgd = torch.optim.SGD(group, rate, config.momentum, weight_decay=decay, foreach=not captured, fused=captured)
        if captured and config.momentum:
            # Else the first step would make them unfilled, and leave them so where float16 has it left out.
            for parameter in group:
                sgd.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        return sgd
    adamw = torch.optim.AdamW(
        group, rate, weight_decay=decay, foreach=not captured, capturable=captured, fused=captured
    )
    # Steps before the capture are taken without one, and torch would warn of that.
    adamw._warned_capturable_if_run_uncaptured = captured
    return adamw


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The rate of the next step; of an optimizer that was captured it is overwritten in place."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


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
