"""The CPU's recurrence against torch's own GRU in float64: outputs, every gradient, and what it is asked in between."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from halpose.encoders import recurrence
from halpose.encoders.recurrence import is_ours, two_grus


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """One thread for both halves, or one each."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def halves(inputs: int, width: int) -> tuple[nn.GRU, nn.GRU]:
    torch.manual_seed(3)
    return nn.GRU(inputs, width), nn.GRU(inputs, width)


def torchs(x: Tensor, first: nn.GRU, second: nn.GRU, reverse: bool) -> Tensor:
    """What `two_grus` promises, by torch."""
    back = second(x.flip(0) if reverse else x)[0]
    return torch.cat([first(x)[0], back.flip(0) if reverse else back], dim=2)


def exact(x: Tensor, slope: Tensor, first: nn.GRU, second: nn.GRU, reverse: bool) -> list[Tensor]:
    """Outputs, and the gradients of the inputs and of all weights, in float64."""
    x = x.double().requires_grad_()
    first, second = copy.deepcopy(first).double(), copy.deepcopy(second).double()
    outputs = torchs(x, first, second, reverse)
    outputs.backward(slope.double())
    return [outputs.detach(), x.grad, *(p.grad for half in (first, second) for p in half.parameters())]  # type: ignore[list-item]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("frames", "rows", "inputs", "width"), [(1, 3, 5, 4), (2, 1, 3, 1), (17, 6, 30, 33)])
def test_outputs_and_all_gradients(
    threads: int, reverse: bool, frames: int, rows: int, inputs: int, width: int
) -> None:
    first, second = halves(inputs, width)
    x, slope = torch.randn(frames, rows, inputs), torch.randn(frames, rows, 2 * width)
    expected = exact(x, slope, first, second, reverse)
    x.requires_grad_()
    outputs = two_grus(x, first, second, reverse)
    outputs.backward(slope)
    ours = [outputs, x.grad, *(p.grad for half in (first, second) for p in half.parameters())]
    assert len(ours) == len(expected) == 10
    for mine, theirs in zip(ours, expected, strict=True):
        torch.testing.assert_close(mine, theirs.float(), atol=2e-6 * float(theirs.abs().max() + 1), rtol=1e-5)


def test_torchs_weights_in_torchs_order() -> None:
    gru = nn.GRU(3, 4)
    for name, tensor in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), recurrence.Weights.of(gru), strict=True):
        assert tensor is getattr(gru, f"{name}_l0")


def test_threads_change_no_bit() -> None:
    first, second = halves(8, 16)
    x, found, before = torch.randn(9, 5, 8), [], torch.get_num_threads()
    for count in (1, 2):
        torch.set_num_threads(count)
        ours = [half.zero_grad() or half for half in (first, second)]
        outputs = two_grus(x, *ours, reverse=True)
        outputs.square().sum().backward()
        found.append([outputs.detach(), *(p.grad.clone() for half in ours for p in half.parameters())])  # type: ignore[union-attr]
    torch.set_num_threads(before)
    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))


def test_inputs_without_gradient_and_slopes_of_any_form(threads: int) -> None:
    first, second = halves(4, 8)
    x = torch.randn(6, 5, 4)
    outputs = two_grus(x.transpose(0, 1).contiguous().transpose(0, 1), first, second, False)
    outputs.mean(1).sum().backward()  # its slope is one number, expanded
    got = [p.grad.clone() for p in first.parameters()]  # type: ignore[union-attr]
    first.zero_grad()
    torchs(x, first, second, False).mean(1).sum().backward()
    for mine, parameter in zip(got, first.parameters(), strict=True):
        torch.testing.assert_close(mine, parameter.grad)


def test_what_backward_reads_is_left_alone() -> None:
    first, second = halves(4, 8)
    loss = two_grus(torch.randn(6, 5, 4), first, second, True).square().sum()
    once = torch.autograd.grad(loss, list(second.parameters()), retain_graph=True)
    again = torch.autograd.grad(loss, list(second.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients(threads: int, mode: type) -> None:
    first, second = halves(4, 8)
    x = torch.randn(6, 5, 4)
    with mode():
        outputs = two_grus(x, first, second, True)
        expected = torchs(x, first, second, True)
    assert not outputs.requires_grad
    torch.testing.assert_close(outputs, expected)


@pytest.mark.parametrize("value", [1e4, -1e4, 1e30, float("inf"), float("nan")])
@pytest.mark.parametrize("width", [3, 40])
def test_saturated_gates_and_numbers_that_are_none(value: float, width: int) -> None:
    first, second = halves(5, width)
    x = torch.randn(4, 3, 5)
    x[1, 0, 2] = value
    outputs, expected = two_grus(x, first, second, False), torchs(x, first, second, False)
    torch.testing.assert_close(outputs, expected, equal_nan=True)
    assert outputs[:, 1:].isfinite().all()  # other clips know nothing of it


def test_only_what_is_computed_now_in_float32_on_a_cpu_is_ours() -> None:
    x = torch.randn(2, 3, 4)
    assert is_ours(x)
    assert not is_ours(x.double())
    assert not is_ours(torch.empty(2, 3, 4, device="meta"))
    with torch.autocast("cpu", torch.bfloat16):
        assert not is_ours(x)
