"""The co-occurrence network: what each half of a branch may see, and that it sees motion."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from halpose.config import EncoderConfig
from halpose.encoders import build_encoder
from halpose.encoders.hcn import HCN
from halpose.skeleton import load_layout

CONFIG = EncoderConfig(name="hcn", width=64, layers=2, segments=2)


def build(people: int = 1, config: EncoderConfig = CONFIG) -> HCN:
    torch.manual_seed(0)
    encoder = build_encoder(config, load_layout("kinect20"), people, 3)
    assert isinstance(encoder, HCN)
    return encoder.eval()


def silence(branch: nn.Module) -> None:
    def nothing(module: nn.Module, given: tuple[Tensor, ...], found: Tensor) -> Tensor:
        return torch.zeros_like(found)

    branch.register_forward_hook(nothing)


def test_each_branch_sees_what_it_is_for() -> None:
    x = torch.randn(2, 1, 16, 20, 3)
    elsewhere = x + torch.randn(2, 1, 1, 20, 3)  # another pose, the same motion
    encoder = build()
    assert not torch.allclose(encoder(x), encoder(elsewhere), atol=1e-4)
    silence(encoder.position)
    torch.testing.assert_close(encoder(x), encoder(elsewhere), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(encoder(x), encoder(2 * x), atol=1e-4)
    silence(encoder.motion)
    assert torch.equal(encoder(x), encoder(2 * x))


def test_joints_are_apart_until_they_become_channels() -> None:
    encoder = build()
    x = torch.randn(1, 3, 12, 20)
    changed = x.clone()
    changed[:, :, 6, 4] += 1
    points = encoder.position[:6]  # two convolutions, each with BatchNorm and ReLU
    moved = (points(x) - points(changed)).abs().amax((0, 1)) > 0
    assert {int(v) for v in moved.any(0).nonzero()} == {4}
    assert {int(t) for t in moved.any(1).nonzero()} == {5, 6, 7}
    together = encoder.position(x) - encoder.position(changed)
    assert (together.abs().amax((0, 2, 3)) > 0).sum() > 1


def test_people_share_weights_and_the_largest_counts() -> None:
    pair, single = build(people=2), build(people=1)
    x = torch.randn(3, 2, 16, 20, 3)
    expected = torch.maximum(single.outputs(x[:, :1])[0], single.outputs(x[:, 1:])[0])
    torch.testing.assert_close(pair.outputs(x)[0], expected)
    torch.testing.assert_close(pair(x.flip(1)), pair(x))


def test_a_quarter_of_the_frames_is_left() -> None:
    encoder = build()
    for frames, left in ((32, 8), (30, 8), (4, 1), (1, 1)):
        assert encoder.outputs(torch.randn(2, 1, frames, 20, 3))[0].shape == (2, left, 64)
