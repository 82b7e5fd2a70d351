"""Optimizers and rates: LARS against its paper's formula, rates that grow with the batch, a batch in parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from halpose.config import Config, OptimizerConfig
from halpose.data.store import Store
from halpose.engine.batches import Batch
from halpose.engine.lars import LARS
from halpose.engine.schedule import build_optimizer, learning_rate
from halpose.engine.step import Step
from halpose.engine.trainer import Trainer, fit_config
from small import SMALL

MOCO = replace(SMALL, method="moco", steps=8, optimizer=OptimizerConfig(name="sgd", learning_rate=0.1, warmup=0))


def test_lars_is_its_papers_algorithm() -> None:
    torch.manual_seed(0)
    parameters = [nn.Parameter(torch.randn(shape)) for shape in ((5, 3), (4,), (2, 3, 2))]
    parameters.append(nn.Parameter(torch.zeros(2, 2)))  # for which the paper's ratio says nothing
    decay, momentum, trust = 0.01, 0.9, 0.02
    optimizer = LARS(parameters, 1.0, momentum, decay, trust)
    weights = [parameter.detach().double().numpy().copy() for parameter in parameters]
    velocity = [np.zeros_like(weight) for weight in weights]
    for step in range(5):
        rate = 1.0 / (step + 1)
        optimizer.param_groups[0]["lr"] = rate
        for number, parameter in enumerate(parameters):
            gradient = np.random.default_rng((step, number)).normal(size=weights[number].shape)
            parameter.grad = torch.from_numpy(gradient).float()
            size, steepness = np.linalg.norm(weights[number]), np.linalg.norm(gradient)
            if gradient.ndim == 1:
                update = gradient
            else:
                local = trust * size / (steepness + decay * size) if size else 1.0
                update = local * (gradient + decay * weights[number])
            velocity[number] = momentum * velocity[number] + rate * update
            weights[number] = weights[number] - velocity[number]
        optimizer.step()
    for parameter, weight in zip(parameters, weights, strict=True):
        np.testing.assert_allclose(parameter.detach().numpy(), weight, rtol=1e-5, atol=1e-6)


def test_lars_moves_a_layer_by_a_share_of_its_size_whatever_the_gradient() -> None:
    for steepness in (1e-6, 1e6):
        layer = nn.Parameter(torch.full((10, 10), 2.0))
        before = layer.detach().clone()
        optimizer = LARS([layer], 1.0, 0.9, 0.0, 0.01)
        layer.grad = torch.full((10, 10), steepness)
        optimizer.step()
        moved = (layer.detach() - before).norm() / before.norm()
        assert moved.item() == pytest.approx(0.01, rel=1e-4)


def test_rates_grow_with_the_batch() -> None:
    config = OptimizerConfig(learning_rate=0.1, warmup=10, schedule="constant")
    assert [learning_rate(config, 20, 100, batch) for batch in (64, 1024)] == [0.1, 0.1]
    linear, root = replace(config, scale_rate="linear"), replace(config, scale_rate="sqrt")
    assert learning_rate(linear, 20, 100, 1024) == pytest.approx(1.6) and learning_rate(linear, 20, 100, 64) == 0.1
    assert learning_rate(root, 20, 100, 1024) == pytest.approx(0.4)
    assert learning_rate(linear, 4, 100, 1024) == pytest.approx(0.8)  # the warm-up ends there, too


def test_lars_is_built_with_its_settings() -> None:
    config = OptimizerConfig(name="lars", learning_rate=0.5, momentum=0.8, weight_decay=0.1, trust=0.02)
    built = build_optimizer(config, [("w", nn.Parameter(torch.ones(2, 2)))])
    assert isinstance(built, LARS)
    group = built.param_groups[0]
    assert [group[key] for key in ("lr", "momentum", "weight_decay", "trust")] == [0.5, 0.8, 0.1, 0.02]


def trainer(toy_store: Path, config: Config) -> Trainer:
    store = Store.open(toy_store)
    return Trainer(store, fit_config(store, config)[0], Path("nowhere"), torch.device("cpu"))


def in_parts(config: Config, parts: int) -> Config:
    return replace(config, optimizer=replace(config.optimizer, accumulate=parts))


def test_a_batch_in_parts_is_the_batch_where_negatives_come_from_the_queue(toy_store: Path) -> None:
    whole, parts = trainer(toy_store, MOCO), trainer(toy_store, in_parts(MOCO, 4))
    for _ in range(6):
        expected, found = whole.take_step(), parts.take_step()
        torch.testing.assert_close(found["loss"], expected["loss"], rtol=1e-4, atol=1e-5)
    states = [made.method.state_dict() for made in (whole, parts)]
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, rtol=1e-3, atol=1e-4, msg=name)
    assert torch.equal(states[0]["streams.joint.queue.clips"], states[1]["streams.joint.queue.clips"])


def test_parts_of_a_siamese_batch_are_contrasted_each_in_itself(toy_store: Path) -> None:
    made = trainer(toy_store, in_parts(replace(MOCO, method="simclr"), 2))
    moment, chosen = made._moment(), made.batches.clips(0)
    x = torch.randn(2, 16, 2, 16, 20, 3, generator=torch.Generator().manual_seed(0))
    views = {"query": x[0], "key": x[1]}
    made.optimizer.zero_grad()
    assert isinstance(made.work, Step)
    output = made.work.differentiate(Batch(chosen, views), moment)
    found = [parameter.grad.clone() for _, parameter in made.method.query_parameters()]
    made.optimizer.zero_grad()
    halves = [made.method({k: v[i : i + 8] for k, v in views.items()}, chosen[i : i + 8], moment) for i in (0, 8)]
    (sum(half.loss for half in halves) / 2).backward()
    for mine, (name, parameter) in zip(found, made.method.query_parameters(), strict=True):
        torch.testing.assert_close(mine, parameter.grad, rtol=1e-4, atol=1e-6, msg=name)
    whole = made.method(views, chosen, moment)
    assert whole.loss > output.loss + 0.1  # against 30 others, not 14
    torch.testing.assert_close(output.keys["joint"], whole.keys["joint"])  # queued in the order of one batch
