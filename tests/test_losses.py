"""Each loss against a slow float64 twin, and the properties its equation promises."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from halpose.losses import (
    distribution_divergence,
    info_nce,
    instance_consistency,
    mined_contrast,
    redundancy_reduction,
    standardise,
    weighted_contrast,
    weighted_pull,
)


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


def test_mined_contrast_is_the_mean_log_probability_of_the_positives(similarities: tuple[Tensor, ...]) -> None:
    _, logits, _, _ = similarities
    logits[0, 2] = -math.inf
    is_positive = torch.zeros(5, 9, dtype=torch.bool)
    is_positive[:, 0] = is_positive[1, 4] = is_positive[2, 7] = is_positive[2, 8] = True
    slow = 0.0
    for row, chosen in zip(logits.tolist(), is_positive.tolist(), strict=True):
        total = sum(math.exp(value / 0.1) for value in row)
        logs = [math.log(math.exp(v / 0.1) / total) for v, yes in zip(row, chosen, strict=True) if yes]
        slow -= sum(logs) / len(logs) / 5
    assert mined_contrast(logits, is_positive, 0.1).item() == pytest.approx(slow, rel=1e-12)


def test_with_the_own_key_alone_mining_is_info_nce(similarities: tuple[Tensor, ...]) -> None:
    positive, negatives, _, _ = similarities
    logits = torch.cat([positive[:, None], negatives], dim=1)
    only = torch.zeros_like(logits, dtype=torch.bool)
    only[:, 0] = True
    torch.testing.assert_close(mined_contrast(logits, only, 0.07), info_nce(positive, negatives, 0.07))


def test_a_left_out_entry_is_no_positive(similarities: tuple[Tensor, ...]) -> None:
    _, negatives, _, _ = similarities
    logits = torch.cat([negatives, torch.full((5, 1), -math.inf, dtype=torch.float64)], dim=1).requires_grad_()
    is_positive = torch.zeros(5, 10, dtype=torch.bool)
    is_positive[:, [0, 9]] = True
    loss = mined_contrast(logits, is_positive, 0.1)
    loss.backward()
    torch.testing.assert_close(loss, mined_contrast(negatives, is_positive[:, :9], 0.1))
    assert logits.grad is not None and logits.grad.isfinite().all()


def test_divergence_is_cross_entropy_with_a_fixed_target(similarities: tuple[Tensor, ...]) -> None:
    _, query, _, _ = similarities
    query = query.requires_grad_()
    reference = query.detach().flip(0).requires_grad_()
    loss = distribution_divergence(query, reference, 0.1)
    slow = 0.0
    for q, r in zip(query.tolist(), reference.tolist(), strict=True):
        p = [math.exp(v / 0.1) for v in r]
        log_q = [v / 0.1 - math.log(sum(math.exp(w / 0.1) for w in q)) for v in q]
        slow -= sum(a / sum(p) * b for a, b in zip(p, log_q, strict=True)) / 5
    assert loss.item() == pytest.approx(slow, rel=1e-12)
    loss.backward()
    assert reference.grad is None and query.grad is not None
    # Least where both see the same.
    assert distribution_divergence(reference, reference, 0.1) < loss


def test_divergence_with_left_out_entries_is_that_of_the_others(similarities: tuple[Tensor, ...]) -> None:
    _, query, _, _ = similarities
    wide = [torch.cat([x, torch.full((5, 2), -math.inf)], dim=1) for x in (query, query.flip(0))]
    torch.testing.assert_close(distribution_divergence(*wide, 0.1), distribution_divergence(query, query.flip(0), 0.1))


def test_redundancy_is_numpys_correlation() -> None:
    generator = torch.Generator().manual_seed(3)
    first, second = torch.randn(2, 30, 6, generator=generator, dtype=torch.float64)
    correlation = np.corrcoef(first.numpy().T, second.numpy().T)[:6, 6:]
    slow = sum((1 - correlation[i, i]) ** 2 for i in range(6))
    slow += 0.1 * sum(correlation[i, j] ** 2 for i in range(6) for j in range(6) if i != j)
    assert redundancy_reduction(first, second, 0.1).item() == pytest.approx(slow / 6, rel=1e-10)
    # Neither length nor offset of a dimension matters.
    torch.testing.assert_close(
        redundancy_reduction(3 * first - 1, second, 0.1), redundancy_reduction(first, second, 0.1)
    )


def test_a_dimension_that_is_the_same_for_all_clips_is_zero_and_harms_no_gradient() -> None:
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x[:, 1] = 7
    x.requires_grad_()
    made = standardise(x)
    assert (made[:, 1] == 0).all()
    torch.testing.assert_close(made.square().mean(0), torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64))
    made.pow(3).sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()


def test_consistency_is_zero_for_equal_directions() -> None:
    assert instance_consistency(torch.ones(4)) == 0
    assert instance_consistency(torch.tensor([1.0, -1.0])) == 1
