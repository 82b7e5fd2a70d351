"""Walks on the sphere: properties, a float64 witness on vectors, and the published numbers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from halpose.parts.geodesic import angle, hallucinate, keeps_rank, limits, mean_walk, walk

GOLDEN = Path(__file__).parent.parent / "golden"


def unit(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.nn.functional.normalize(torch.randn(*shape, generator=generator, dtype=torch.float64), dim=-1)


@pytest.fixture(params=[3, 8, 128], ids=lambda d: f"dim{d}")
def cloud(request: pytest.FixtureRequest) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(request.param)
    return unit(generator, 200, request.param), unit(generator, 12, request.param)


def every_pair(anchors: Tensor, prototypes: Tensor) -> Tensor:
    return torch.arange(len(prototypes)).expand(len(anchors), -1)


def test_walk_begins_at_the_anchor_and_ends_at_the_prototype(cloud: tuple[Tensor, Tensor]) -> None:
    anchors, prototypes = cloud
    selected = every_pair(anchors, prototypes)
    begin = hallucinate(anchors, prototypes, selected, torch.zeros(selected.shape, dtype=torch.float64))
    end = hallucinate(anchors, prototypes, selected, torch.ones(selected.shape, dtype=torch.float64))
    torch.testing.assert_close(begin, anchors[:, None].expand_as(begin), atol=1e-9, rtol=0)
    torch.testing.assert_close(end, prototypes[selected], atol=1e-9, rtol=0)


def test_walk_stays_on_the_sphere_and_covers_equal_angles(cloud: tuple[Tensor, Tensor]) -> None:
    anchors, prototypes = cloud
    omega = angle(anchors @ prototypes.T)
    alpha, beta = walk(torch.full_like(omega, 0.3), omega)
    point = alpha[..., None] * anchors[:, None] + beta[..., None] * prototypes
    torch.testing.assert_close(point.norm(dim=-1), torch.ones_like(omega))
    travelled = torch.acos((point * anchors[:, None]).sum(-1).clamp(-1, 1))
    torch.testing.assert_close(travelled, 0.3 * omega)


def test_at_the_pair_limit_both_prototypes_are_equally_near(cloud: tuple[Tensor, Tensor]) -> None:
    anchors, prototypes = cloud
    limit = limits(anchors @ prototypes.T, prototypes @ prototypes.T)
    selected = every_pair(anchors, prototypes)
    points = hallucinate(anchors, prototypes, selected, limit.pair)
    to_nearest = (points * prototypes[limit.nearest][:, None]).sum(-1)
    to_selected = (points * prototypes).sum(-1)
    other = selected != limit.nearest[:, None]
    torch.testing.assert_close(to_nearest[other], to_selected[other], atol=1e-9, rtol=0)


def test_limits_are_ordered_and_within_the_walk(cloud: tuple[Tensor, Tensor]) -> None:
    anchors, prototypes = cloud
    limit = limits(anchors @ prototypes.T, prototypes @ prototypes.T)
    assert (limit.rank <= limit.pair).all()
    assert (limit.pair <= 1).all() and (limit.rank >= 0).all()
    assert (limit.rank < limit.pair - 1e-6).any(), "some third prototype must come first, or this tests nothing"


def test_rank_limit_is_the_argmax_filter(cloud: tuple[Tensor, Tensor]) -> None:
    anchors, prototypes = cloud
    generator = torch.Generator().manual_seed(1)
    limit = limits(anchors @ prototypes.T, prototypes @ prototypes.T)
    selected = torch.randint(len(prototypes), (len(anchors), 300), generator=generator)
    t = torch.rand(selected.shape, generator=generator, dtype=torch.float64)
    t = t * 1.2 * limit.pair.gather(1, selected)  # beyond t* too
    t = t.clamp_max(1.0)
    filtered = keeps_rank(hallucinate(anchors, prototypes, selected, t), prototypes, limit.nearest)
    ours = t <= limit.rank.gather(1, selected)
    undecided = (t - limit.rank.gather(1, selected)).abs() < 1e-9
    assert torch.equal(filtered[~undecided], ours[~undecided])
    assert 0.2 < ours.double().mean() < 0.98


def test_walking_toward_the_nearest_goes_nowhere(cloud: tuple[Tensor, Tensor]) -> None:
    anchors, prototypes = cloud
    limit = limits(anchors @ prototypes.T, prototypes @ prototypes.T)
    assert limit.pair.gather(1, limit.nearest[:, None]).eq(0).all()
    assert limit.rank.gather(1, limit.nearest[:, None]).eq(0).all()


def test_printed_arctan_is_negative_where_atan2_is_not() -> None:
    golden = np.load(GOLDEN / "positives_dim3.npz")
    anchors, prototypes = (torch.from_numpy(golden[name]).double() for name in ("key", "prototypes"))
    limit = limits(anchors @ prototypes.T, prototypes @ prototypes.T)
    cosine = anchors @ prototypes.T
    nearest = prototypes[limit.nearest]
    kappa = (1 - nearest @ prototypes.T) / ((anchors * nearest).sum(1, keepdim=True) - cosine)
    omega = torch.acos(cosine)
    printed = torch.atan(torch.sin(omega) / (kappa + cosine)) / omega
    other = torch.arange(len(prototypes)) != limit.nearest[:, None]
    negative = other & (printed < 0)
    assert negative.any()
    torch.testing.assert_close(limit.pair[other & ~negative], printed[other & ~negative], atol=1e-5, rtol=0)
    torch.testing.assert_close(limit.pair[negative], printed[negative] + math.pi / omega[negative], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["dim3", "dim8", "dim16_lambda02", "dim128", "dim128_hardest"])
def test_published_positives(name: str) -> None:
    golden = np.load(GOLDEN / f"positives_{name}.npz")
    anchors, prototypes = (torch.from_numpy(golden[key]).double() for key in ("key", "prototypes"))
    selected, uniform = torch.from_numpy(golden["selected"]), torch.from_numpy(golden["uniform"]).double()
    limit = limits(anchors @ prototypes.T, prototypes @ prototypes.T)
    assert torch.equal(limit.nearest, torch.from_numpy(golden["nearest"]))
    furthest = limit.pair.gather(1, selected)
    t = furthest - 0.01 if name.endswith("hardest") else (1 - uniform) * furthest
    points = hallucinate(anchors, prototypes, selected, t)
    error = (points - torch.from_numpy(golden["hallucinated"])).norm(dim=-1)
    agrees = error < 1e-5
    kept = t <= limit.rank.gather(1, selected)
    assert torch.equal(kept[agrees], torch.from_numpy(golden["kept"])[agrees])
    # Only the 16 rows of dim3 in which the printed arctan goes negative may differ.
    assert (~agrees).sum() == (16 if name == "dim3" else 0)
    if agrees.all():
        query = torch.from_numpy(golden["query"]).double()
        pull = -((points * query[:, None]).sum(-1) * kept).sum() / kept.sum() / float(golden["temperature"])
        assert pull.item() == pytest.approx(float(golden["loss"]), abs=1e-5)


def test_mean_walk_is_the_mean_of_the_arc(cloud: tuple[Tensor, Tensor]) -> None:
    anchors, prototypes = cloud
    omega = angle(anchors @ prototypes.T)
    low, high = torch.full_like(omega, 0.1), torch.full_like(omega, 0.7)
    alpha, beta = mean_walk(low, high, omega)
    # Witness: the antiderivatives as the derivation prints them.
    scale = (high - low) * omega * torch.sin(omega)
    torch.testing.assert_close(alpha, (torch.cos((1 - high) * omega) - torch.cos((1 - low) * omega)) / scale)
    torch.testing.assert_close(beta, (torch.cos(low * omega) - torch.cos(high * omega)) / scale)


@pytest.mark.parametrize("cosine", [1.0, -1.0, 1.0 + 1e-6, 0.9999999])
def test_no_angle_breaks_the_formulas(cosine: float) -> None:
    omega = angle(torch.tensor([cosine]))
    for values in (walk(torch.tensor([0.4]), omega), mean_walk(torch.tensor([0.0]), torch.tensor([0.4]), omega)):
        assert all(value.isfinite().all() for value in values)


def test_coinciding_prototypes_and_anchor_on_a_prototype_stay_finite() -> None:
    prototypes = torch.eye(4)[[0, 0, 1, 2]]
    anchors = torch.nn.functional.normalize(torch.tensor([[1.0, 0, 0, 0], [1.0, 1.0, 0, 0], [-1.0, 0, 0, 0]]), dim=1)
    limit = limits(anchors @ prototypes.T, prototypes @ prototypes.T)
    for value in (limit.pair, limit.rank, limit.omega):
        assert value.isfinite().all()
    # The first anchor sits on two equal prototypes; the copy does not stop its walk toward the third.
    assert limit.rank[0, 2] == pytest.approx(0.5, abs=1e-3)
