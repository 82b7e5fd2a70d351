"""The CPU's recurrence in bfloat16: as near to float64 as torch's GRU under autocast, and taken where it belongs."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from halpose.config import EncoderConfig
from halpose.encoders import gru
from halpose.encoders.gru import GRU
from halpose.encoders.rounded_recurrence import _narrow, _widen, is_rounded, two_rounded_grus


def torchs(x: Tensor, first: nn.GRU, second: nn.GRU, reverse: bool) -> Tensor:
    """What `two_rounded_grus` promises, by torch."""
    back = second(x.flip(0) if reverse else x)[0]
    return torch.cat([first(x)[0], back.flip(0) if reverse else back], dim=2)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("frames", "rows", "inputs", "width"), [(1, 3, 5, 4), (2, 1, 3, 1), (17, 6, 30, 33)])
def test_nearer_to_float64_than_torch_or_as_near(
    threads: int, reverse: bool, frames: int, rows: int, inputs: int, width: int
) -> None:
    torch.manual_seed(3)
    first, second = nn.GRU(inputs, width), nn.GRU(inputs, width)
    x, before = torch.randn(frames, rows, inputs), torch.get_num_threads()
    exact = torchs(x.double(), copy.deepcopy(first).double(), copy.deepcopy(second).double(), reverse)
    torch.set_num_threads(threads)
    try:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            ours, theirs = two_rounded_grus(x, first, second, reverse), torchs(x, first, second, reverse)
    finally:
        torch.set_num_threads(before)
    assert ours.dtype == torch.bfloat16 and ours.shape == exact.shape
    apart, torch_is = ((found.double() - exact).abs().mean() for found in (ours, theirs))
    assert 0 < apart < 1.1 * torch_is + 1e-3 and (ours.double() - exact).abs().max() < 0.02


def test_numbers_are_rounded_as_torch_rounds_them() -> None:
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, 2000, dtype=np.uint32)
    bits[:400] = (bits[:400] & 0xFFFF0000) | 0x8000  # half way between two
    x = bits.view(np.float32)
    x = np.append(x[np.isfinite(x)], np.array([0, -0.0, np.inf, -np.inf], np.float32))
    rounded = torch.from_numpy(x).bfloat16()
    found = np.array([_narrow(value) for value in x])
    np.testing.assert_array_equal(found, rounded.view(torch.uint16).numpy())
    np.testing.assert_array_equal(np.array([_widen(value) for value in found]), rounded.float().numpy())
    assert np.isnan(_widen(_narrow(np.float32("nan"))))


def test_it_is_taken_under_autocast_without_gradient_alone() -> None:
    x = torch.randn(2, 3, 4)
    with torch.no_grad():
        assert not is_rounded(x)
        with torch.autocast("cpu", torch.bfloat16):
            assert is_rounded(x) and is_rounded(x.bfloat16())
            assert not is_rounded(x.double()) and not is_rounded(torch.empty(2, 3, 4, device="meta"))
        with torch.autocast("cpu", torch.float16):
            assert not is_rounded(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert not is_rounded(x)


def test_an_encoder_takes_it_but_not_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[bool] = []
    ours = gru.two_rounded_grus
    monkeypatch.setattr(gru, "two_rounded_grus", lambda *given: taken.append(True) or ours(*given))
    encoder = GRU(30, EncoderConfig(width=12, layers=2, input_norm=True))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        encoder(torch.randn(5, 1, 7, 10, 3))
        assert not taken
        encoder.eval()(torch.randn(5, 1, 7, 10, 3))
    assert taken == [True, True]
