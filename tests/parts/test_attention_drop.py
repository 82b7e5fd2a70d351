"""What stands out from its channel is dropped, and nothing else."""

from __future__ import annotations

import math

import torch

from halpose.parts.attention_drop import attention_drop


def test_equal_outputs_are_kept() -> None:
    outputs = torch.full((2, 5, 3), 1.7)
    torch.testing.assert_close(attention_drop(outputs, 0.7), outputs)


def test_a_position_that_stands_out_is_dropped_and_the_rest_scaled_up() -> None:
    outputs = torch.zeros(1, 8, 4)
    outputs[0, :, :] = torch.tensor([1.0, -1.0]).repeat(4)[:, None]
    outputs[0, 3] = 9.0
    dropped = attention_drop(outputs, 0.7)
    assert (dropped[0, 3] == 0).all()
    kept = [0, 1, 2, 4, 5, 6, 7]
    torch.testing.assert_close(dropped[0, kept], outputs[0, kept] * 8 / 7)


def test_attention_as_the_paper_writes_it() -> None:
    outputs = torch.randn(3, 10, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    dropped = attention_drop(outputs, 0.7)
    for n in range(3):
        attention = []
        for d in range(4):
            x = outputs[n, :, d].tolist()
            mean = sum(x) / 10
            variance = sum((v - mean) ** 2 for v in x) / 9
            attention.append([1 / (1 + math.exp(-((v - mean) ** 2 / (4 * (variance + 1e-4)) + 0.5))) for v in x])
        for s in range(10):
            gone = sum(attention[d][s] for d in range(4)) / 4 >= 0.7
            for d in range(4):
                assert (dropped[n, s, d] == 0) == (gone or attention[d][s] >= 0.7)


def test_the_mask_carries_no_gradient() -> None:
    outputs = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(1), requires_grad=True)
    dropped = attention_drop(outputs, 0.7)
    (gradient,) = torch.autograd.grad(dropped.sum(), outputs)
    torch.testing.assert_close(gradient * outputs, dropped)
