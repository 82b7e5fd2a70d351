"""What the paper does not have: targets among the nearest prototypes, rejected points as negatives, a mu that follows.

The witness forms every point as a vector, finds limits by bisection and filters by the nearest prototype, in float64.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from golden_state import GOLDEN_CONFIG
from halpose.config import Config
from halpose.errors import ConfigError
from halpose.losses import chance_level, info_nce, soft_negatives, weighted_contrast
from halpose.methods.base import Moment, StreamOutput
from halpose.methods.halp import HaLP
from halpose.methods.pull import Pull
from halpose.parts.geodesic import limits
from halpose.parts.positives import step_size

TAU, GRID = 0.2, 3000
NOW = Moment(5, 10, 10_000, torch.Generator())


def settings(options: Mapping[str, Any]) -> Config:
    contrast = replace(GOLDEN_CONFIG.contrast, temperature=TAU)
    return replace(GOLDEN_CONFIG, contrast=contrast, halp=replace(GOLDEN_CONFIG.halp, **options))


def term(**options: Any) -> HaLP:
    return HaLP(settings(options))


def unit(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.nn.functional.normalize(torch.randn(*shape, generator=generator, dtype=torch.float64), dim=-1)


def cloud(seed: int, batch: int = 6, dim: int = 5, prototypes: int = 8) -> tuple[StreamOutput, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    centres = unit(generator, prototypes, dim)
    key = torch.nn.functional.normalize(centres[:1] + 0.8 * unit(generator, batch, dim), dim=1)
    query = torch.nn.functional.normalize(key + 0.5 * unit(generator, batch, dim), dim=1).requires_grad_()
    queue = unit(generator, 20, dim)
    own = torch.rand(batch, 20, generator=generator) < 0.2
    return StreamOutput(query, key, (query * key).sum(1), query @ queue.T, queue, own), centres


def slerp(z: np.ndarray, p: np.ndarray, t: np.ndarray) -> np.ndarray:
    omega = math.acos(float(z @ p))
    return (np.sin((1 - t) * omega)[:, None] * z + np.sin(t * omega)[:, None] * p) / math.sin(omega)


def furthest(z: np.ndarray, own: np.ndarray, p: np.ndarray) -> float:
    """t* by bisection: where the walk to p is as near to p as to the anchor's own prototype."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        nearer = float(slerp(z, p, np.array([middle]))[0] @ (own - p)) > 0
        low, high = (middle, high) if nearer else (low, middle)
    return low


def witness(output: StreamOutput, prototypes: Tensor, options: Mapping[str, Any]) -> tuple[float, float]:
    """The expected term by brute force, on a fine grid of t toward each target, and the fraction kept."""
    config = settings(options).halp
    centres = prototypes.numpy()
    total = kept_weight = drawn = 0.0
    for query, z, negatives in zip(
        output.query.detach().numpy(), output.key.numpy(), output.negatives.detach().numpy(), strict=True
    ):
        order = np.argsort(-(centres @ z))
        chosen = order[1 : 1 + config.nearest] if config.nearest else order[1:]
        against = float(np.exp(negatives / TAU).sum())
        positives = []
        for number in chosen:
            limit = furthest(z, centres[order[0]], centres[number])
            u = (np.arange(GRID) + 0.5) / GRID
            t = limit * (config.hardness * u if config.interval == "paper" else 1 - config.hardness * u)
            points = slerp(z, centres[number], np.full(1, limit) if config.hardest else t)
            near = points @ centres.T
            kept = near[:, order[0]] >= near.max(1) - 1e-9
            similarity = points @ query
            positives += [(s, 1 / len(points)) for s in similarity[kept]]
            if config.rejected == "negatives":
                against += float(np.exp(similarity[~kept] / TAU).sum()) / len(points)
        if config.select == "all":  # toward its own prototype every point is the anchor
            positives.append((float(z @ query), 1.0))
        drawn += len(chosen) + (config.select == "all")
        for s, weight in positives:
            own = math.exp(s / TAU)
            total += weight * (-s / TAU if config.placement == "beside" else -math.log(own / (own + against)))
            kept_weight += weight
    return total / kept_weight, kept_weight / drawn


@pytest.mark.parametrize("toward", ["query", "own"])
@pytest.mark.parametrize("sign", [1.0, -1.0], ids=["alike", "opposite"])
def test_a_walk_to_where_its_anchor_is_stays_there(toward: str, sign: float) -> None:
    """As of clips without motion, whose views embed alike: the angle is 0, or for opposite vectors pi."""
    key = unit(torch.Generator().manual_seed(3), 4, 5).float()
    query, prototypes = (sign * key).requires_grad_(), sign * key
    output = StreamOutput(query, key, (query * key).sum(1), query @ key.T, key)
    loss, kept = term(toward=toward, placement="beside").of_output(output, prototypes, torch.Generator())
    (gradient,) = torch.autograd.grad(loss, query)
    assert bool(loss.isfinite()) and bool(gradient.isfinite().all()) and kept == 1
    if sign > 0:
        torch.testing.assert_close(loss, torch.tensor(-1 / TAU), rtol=1e-5, atol=0)


@pytest.mark.parametrize("interval", ["paper", "published"])
@pytest.mark.parametrize(
    "options",
    [
        {"placement": "beside", "nearest": 3},
        {"placement": "beside", "nearest": 2, "select": "all"},
        {"placement": "inside", "nearest": 1},
        {"placement": "inside", "rejected": "negatives"},
        {"placement": "inside", "rejected": "negatives", "nearest": 4, "select": "all"},
        {"placement": "inside", "rejected": "negatives", "hardest": True},
    ],
    ids=str,
)
def test_expected_term_is_brute_force_on_a_grid(interval: str, options: dict[str, Any]) -> None:
    output, prototypes = cloud(1)
    options = {"estimator": "expected", "interval": interval, "hardness": 0.7, **options}
    expected, share = witness(output, prototypes, options)
    loss, kept = term(**options).of_output(output, prototypes, torch.Generator())
    assert loss.item() == pytest.approx(expected, rel=3e-4)
    assert kept.item() == pytest.approx(share, abs=1e-3)
    # On the way to the one or two nearest hardly anything comes between.
    assert share > 0.2 and (share < 0.99 or options.get("nearest", 8) <= 2), "or this tests little"


@pytest.mark.parametrize(
    "options",
    [
        {"nearest": 2},
        {"nearest": 3, "select": "all", "placement": "inside"},
        {"rejected": "negatives", "placement": "inside"},
        {"rejected": "negatives", "placement": "inside", "nearest": 3, "select": "all", "interval": "paper"},
    ],
    ids=str,
)
def test_sampled_tends_to_expected(options: dict[str, Any]) -> None:
    output, prototypes = cloud(2)
    expected, share = term(estimator="expected", **options).of_output(output, prototypes, torch.Generator())
    halp = term(positives=40_000, **options)
    sampled, kept = halp.of_output(output, prototypes, torch.Generator().manual_seed(0))
    assert sampled.item() == pytest.approx(expected.item(), rel=6e-3)
    assert kept.item() == pytest.approx(share.item(), abs=6e-3)
    gradients = [torch.autograd.grad(loss, output.query, retain_graph=True)[0] for loss in (sampled, expected)]
    torch.testing.assert_close(*gradients, atol=0.02 * gradients[1].abs().max().item(), rtol=0)


@pytest.mark.parametrize("estimator", ["sampled", "exact"])
@pytest.mark.parametrize("select", ["others", "all"])
def test_draws_are_among_the_nearest(estimator: str, select: str) -> None:
    output, prototypes = cloud(3, batch=40)
    halp = term(estimator=estimator, nearest=3, select=select, positives=400)
    limit = limits(output.key @ prototypes.T, prototypes @ prototypes.T)
    selected, _ = halp.draw(limit, torch.Generator().manual_seed(0))
    for z, chosen in zip(output.key.numpy(), selected.tolist(), strict=True):
        order = np.argsort(-(prototypes.numpy() @ z)).tolist()
        allowed = order[:4] if select == "all" else order[1:4]
        assert set(chosen) == set(allowed)
        assert all(0.5 < chosen.count(number) * len(allowed) / 400 < 1.5 for number in allowed)
    if estimator == "exact":
        assert halp.of_output(output, prototypes, torch.Generator().manual_seed(0))[1] == 1


def test_all_others_as_the_nearest_are_any() -> None:
    output, prototypes = cloud(4)
    options = {"estimator": "expected", "placement": "inside", "rejected": "negatives"}
    any_of_them, _ = term(**options).of_output(output, prototypes, torch.Generator())
    nearest, _ = term(nearest=7, **options).of_output(output, prototypes, torch.Generator())
    torch.testing.assert_close(nearest, any_of_them)


def test_each_rejected_draw_is_a_negative_of_its_own_clip() -> None:
    output, prototypes = cloud(5)
    halp = term(rejected="negatives", placement="inside", positives=9, nearest=5)
    loss, kept = halp.of_output(output, prototypes, torch.Generator().manual_seed(3))
    assert 0.2 < kept < 1
    limit = limits(output.key @ prototypes.T, prototypes @ prototypes.T)
    selected, uniform = halp.draw(limit, torch.Generator().manual_seed(3))
    t = step_size(uniform.double(), limit.pair.gather(1, selected), halp.config).numpy()
    each = []
    for i, (query, z) in enumerate(zip(output.query, output.key.numpy(), strict=True)):
        walks = [slerp(z, prototypes[p].numpy(), t[i, j : j + 1])[0] for j, p in enumerate(selected[i])]
        near = [int((prototypes.numpy() @ point).argmax()) for point in walks]
        similarity = torch.from_numpy(np.stack(walks)) @ query / TAU
        stays = torch.tensor([number == int(limit.nearest[i]) for number in near])
        against = (output.negatives[i] / TAU).exp().sum() + 5 / 9 * similarity[~stays].exp().sum()
        each += [-torch.log(s.exp() / (s.exp() + against)) for s in similarity[stays]]
    slow = torch.stack(each).mean()
    torch.testing.assert_close(loss, slow, rtol=1e-6, atol=0)
    gradients = [torch.autograd.grad(value, output.query, retain_graph=True)[0] for value in (loss, slow)]
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-9)


def test_a_negative_of_weight_two_is_two_and_of_none_is_none() -> None:
    generator = torch.Generator().manual_seed(0)
    positive, negatives, more = (torch.rand(s, generator=generator, dtype=torch.float64) for s in (4, (4, 7), (4, 3)))
    weight = torch.tensor([[2.0, 1.0, 0.0]], dtype=torch.float64).expand(4, 3)
    soft = torch.cat([negatives, soft_negatives(more, weight, TAU)], dim=1)
    plain = torch.cat([negatives, more[:, [0, 0, 1]]], dim=1)
    torch.testing.assert_close(info_nce(positive, soft, TAU), info_nce(positive, plain, TAU))
    one = torch.ones(4, 1, dtype=torch.float64)
    torch.testing.assert_close(
        weighted_contrast(positive[:, None], one, soft, TAU), weighted_contrast(positive[:, None], one, plain, TAU)
    )


@pytest.mark.parametrize("kind", [HaLP, Pull])
def test_mu_follows_the_contrast(kind: type[HaLP | Pull]) -> None:
    """Of two streams, one whose contrast is half solved and one at chance; its K leaves out a clip's own keys."""
    solved, prototypes = cloud(6)
    chance = replace(solved, positive=torch.zeros(6).double(), similarity=torch.zeros(6, 20).double())
    config = replace(settings({"estimator": "expected", "weight": 0.7}), streams=("joint", "motion"))
    following = replace(config, halp=replace(config.halp, follow="contrast"))
    halp, constant = kind(following), kind(config)
    for made in (halp, constant):
        for name, _ in list(made.named_buffers()):
            setattr(made, name, prototypes)
    factors = []
    for output in (solved, chance):
        losses, chances = [], []
        for p, row in zip(output.positive.tolist(), output.negatives.tolist(), strict=True):
            counted = [n for n in row if n > -math.inf]
            losses.append(-math.log(math.exp(p / TAU) / sum(math.exp(n / TAU) for n in [p, *counted])))
            chances.append(math.log(1 + len(counted)))
        factors.append(max(0.0, 1 - sum(losses) / sum(chances)))
    assert factors[1] == pytest.approx(0, abs=1e-12) and 0.2 < factors[0] < 0.9
    loss, metrics = halp({"joint": solved, "motion": chance}, NOW)
    alone, _ = constant({"joint": solved}, NOW)
    assert loss.item() == pytest.approx(factors[0] * alone.item(), rel=1e-6)
    assert metrics["mu"].item() == pytest.approx(0.7 * factors[0] / 2, rel=1e-6)
    assert "mu" not in constant({"joint": solved}, NOW)[1]
    # No gradient flows through mu: it is that of the term, times a number.
    ours, theirs = (torch.autograd.grad(value, solved.query, retain_graph=True)[0] for value in (loss, alone))
    torch.testing.assert_close(ours, factors[0] * theirs)


def test_mu_is_never_negative_and_near_one_where_all_is_solved() -> None:
    worse = StreamOutput(*(torch.zeros(3, 2),) * 2, -torch.ones(3), torch.ones(3, 9), torch.zeros(9, 2))
    better = replace(worse, positive=torch.ones(3), similarity=-torch.ones(3, 9))
    factors = term(follow="contrast").follow_contrast({"a": worse, "b": better}, NOW.ranks)
    assert factors["a"] == 0 and 0.99 < factors["b"] < 1
    assert chance_level(worse.negatives).item() == pytest.approx(math.log(10))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rejected": "negatives", "placement": "beside"}, "needs halp.placement = inside: Eq. 8 has no denominator"),
        (
            {"rejected": "negatives", "placement": "inside", "estimator": "exact"},
            "exact the rank filter rejects nothin",
        ),
        ({"rejected": "negatives", "placement": "inside", "toward": "query"}, "toward = query the rank filter rejects"),
        ({"nearest": 8}, "halp.nearest is 8, but of halp.prototypes 8 only 7 are others"),
        ({"nearest": 2, "toward": "query"}, "halp.toward = query walks toward no prototype; set nearest=0"),
        ({"nearest": 2, "toward": "own"}, "halp.toward = own walks toward one prototype only; set nearest=0"),
        ({"rejected": "negatives", "placement": "inside", "toward": "own"}, "toward = own the rank filter rejects"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        term(**options)
