"""Each loss against a slow float64 twin, and the properties its equation promises."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from halpose.losses import info_nce, weighted_contrast, weighted_pull


@pytest.fixture
def similarities() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    positive, negatives, hallucinated = (
        torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1 for shape in ((5,), (5, 9), (5, 4))
    )
    kept = (torch.rand(5, 4, generator=generator) < 0.6).double()
    return positive, negatives, hallucinated, kept


def test_info_nce_as_the_paper_writes_it(similarities: tuple[Tensor, ...]) -> None:
    positive, negatives, _, _ = similarities
    slow = 0.0
    for p, row in zip(positive.tolist(), negatives.tolist(), strict=True):
        numerator = math.exp(p / 0.07)
        slow -= math.log(numerator / (numerator + sum(math.exp(n / 0.07) for n in row))) / 5
    assert info_nce(positive, negatives, 0.07).item() == pytest.approx(slow, rel=1e-12)


def test_masked_negative_does_not_count(similarities: tuple[Tensor, ...]) -> None:
    positive, negatives, _, _ = similarities
    masked = torch.cat([negatives, torch.full((5, 3), -math.inf)], dim=1)
    torch.testing.assert_close(info_nce(positive, masked, 0.1), info_nce(positive, negatives, 0.1))


def test_pull_averages_over_the_kept_pairs_of_the_batch(similarities: tuple[Tensor, ...]) -> None:
    _, _, hallucinated, kept = similarities
    pairs = [s for s, k in zip(hallucinated.flatten().tolist(), kept.flatten().tolist(), strict=True) if k]
    assert weighted_pull(hallucinated, kept, 0.07).item() == pytest.approx(-sum(pairs) / len(pairs) / 0.07)


def test_contrast_is_one_info_nce_per_kept_positive(similarities: tuple[Tensor, ...]) -> None:
    _, negatives, hallucinated, kept = similarities
    each = [
        info_nce(hallucinated[i, j][None], negatives[i][None], 0.1).item()
        for i in range(5)
        for j in range(4)
        if kept[i, j]
    ]
    assert weighted_contrast(hallucinated, kept, negatives, 0.1).item() == pytest.approx(sum(each) / len(each))


@pytest.mark.parametrize("contrast", [False, True])
def test_nothing_kept_is_zero_with_a_zero_gradient(similarities: tuple[Tensor, ...], contrast: bool) -> None:
    _, negatives, hallucinated, kept = similarities
    hallucinated = hallucinated.requires_grad_()
    none = torch.zeros_like(kept)
    loss = weighted_contrast(hallucinated, none, negatives, 0.1) if contrast else weighted_pull(hallucinated, none, 0.1)
    loss.backward()
    assert loss.item() == 0
    assert hallucinated.grad is not None and hallucinated.grad.abs().max() == 0


def test_shares_weigh(similarities: tuple[Tensor, ...]) -> None:
    _, _, hallucinated, kept = similarities
    torch.testing.assert_close(weighted_pull(hallucinated, 0.25 * kept, 0.1), weighted_pull(hallucinated, kept, 0.1))
    doubled = weighted_pull(torch.cat([hallucinated, hallucinated[:, :1]], 1), torch.cat([kept, kept[:, :1]], 1), 0.1)
    twice = kept.clone()
    twice[:, 0] *= 2
    torch.testing.assert_close(weighted_pull(hallucinated, twice, 0.1), doubled)
