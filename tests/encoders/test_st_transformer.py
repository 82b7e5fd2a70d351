"""The space-time transformer: attention against torch's own, who sees whom, and what order means."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from halpose.config import EncoderConfig
from halpose.encoders import build_encoder
from halpose.encoders.st_transformer import Attention, Block, SpaceTimeTransformer
from halpose.encoders.tokens import patches
from halpose.skeleton import load_layout

CONFIG = EncoderConfig(name="st_transformer", width=16, layers=2, heads=4, patch=2, segments=4)


def build(people: int = 1) -> SpaceTimeTransformer:
    torch.manual_seed(0)
    encoder = build_encoder(CONFIG, load_layout("kinect20"), people, 3)
    assert isinstance(encoder, SpaceTimeTransformer)
    return encoder.eval()


def test_attention_is_torchs() -> None:
    torch.manual_seed(0)
    ours, theirs = Attention(16, 4), nn.MultiheadAttention(16, 4, batch_first=True)
    theirs.in_proj_weight.data.copy_(ours.mix.weight)
    theirs.out_proj.weight.data.copy_(ours.out.weight)
    theirs.out_proj.bias.data.copy_(ours.out.bias)
    x = torch.randn(3, 5, 7, 16)
    expected = torch.stack([theirs(clip, clip, clip)[0] for clip in x])
    torch.testing.assert_close(ours(x), expected)


@pytest.mark.parametrize("silent", ["space", "time"])
def test_space_is_within_a_time_step_and_time_within_a_joint(silent: str) -> None:
    torch.manual_seed(0)
    block = Block(16, 4, 0.0)
    out = getattr(block, silent).out
    nn.init.zeros_(out.weight)
    nn.init.zeros_(out.bias)
    x = torch.randn(2, 6, 9, 16)
    changed = x.clone()
    changed[:, 3, 5] += torch.randn(16)
    moved = (block(x) - block(changed)).abs().amax((0, 3)) > 0
    expected = torch.zeros(6, 9, dtype=torch.bool)
    if silent == "time":
        expected[3] = True
    else:
        expected[:, 5] = True
    assert torch.equal(moved, expected)


def test_joints_and_people_are_told_apart_by_their_codes_alone() -> None:
    encoder = build(people=2)
    x = torch.randn(3, 2, 8, 20, 3)
    expected = encoder(x)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    shuffled = x[:, :, :, order].flip(1)
    assert not torch.allclose(encoder(shuffled), expected, atol=1e-4)
    encoder.joints.data = encoder.joints[order].detach()
    torch.testing.assert_close(encoder(x[:, :, :, order]), expected, atol=1e-5, rtol=1e-4)
    encoder.people.data = encoder.people.flip(0).detach()
    torch.testing.assert_close(encoder(shuffled), expected, atol=1e-5, rtol=1e-4)


def test_time_is_told_apart() -> None:
    encoder = build()
    x = torch.randn(2, 1, 8, 20, 3)
    swapped = x.unflatten(2, (4, 2)).flip(2).flatten(2, 3)  # patches in reverse, frames within them as they were
    outputs = encoder.outputs(x)[0]
    assert outputs.shape == (2, 4, 16)
    assert not torch.allclose(encoder.outputs(swapped)[0].flip(1), outputs, atol=1e-4)


def test_patches_keep_whole_stretches_and_repeat_the_last_frame_of_a_short_clip() -> None:
    x = torch.arange(14.0).view(1, 7, 2)
    assert torch.equal(patches(x, 3), x[:, :6].view(1, 2, 3, 2))
    assert torch.equal(patches(x[:, :2], 3)[0, 0], x[0, [0, 1, 1]])
