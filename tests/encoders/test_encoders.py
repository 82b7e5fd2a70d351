"""The published GRU to the last digit; every encoder's contract; what pooling keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from golden_state import golden_state
from halpose.config import EncoderConfig
from halpose.encoders import ENCODERS, build_encoder
from halpose.encoders.gru import GRU
from halpose.encoders.pooling import POOLINGS, Pool, flatten_frames
from halpose.engine.published import encoder_names
from halpose.errors import ConfigError
from halpose.skeleton import load_layout

GOLDEN = Path(__file__).parent.parent / "golden" / "bigru.npz"
SMALL = EncoderConfig(width=16, layers=2, segments=4, heads=2, patch=2)


def golden_gru() -> tuple[GRU, dict[str, np.ndarray]]:
    golden = dict(np.load(GOLDEN))
    weights = golden_state(golden, "w.")
    encoder = GRU(30, EncoderConfig(width=16, layers=3, pooling="last", input_norm=True)).eval()
    encoder.load_state_dict({ours: weights[theirs] for theirs, ours in encoder_names(3).items()})
    return encoder, golden


def as_batch(frames: np.ndarray) -> torch.Tensor:
    """(N, T, 30) input channels as a batch of 10 joints, 3 channels, one person."""
    return torch.from_numpy(frames).view(*frames.shape[:2], 10, 3)[:, None]


def test_published_gru() -> None:
    encoder, golden = golden_gru()
    feature = encoder(as_batch(golden["input"]))
    torch.testing.assert_close(feature, torch.from_numpy(golden["feature"]), atol=1e-6, rtol=1e-5)
    embedding = feature @ torch.from_numpy(golden["w.fc.weight"]).T + torch.from_numpy(golden["w.fc.bias"])
    torch.testing.assert_close(embedding, torch.from_numpy(golden["embedding"]), atol=1e-6, rtol=1e-5)


def test_published_gru_reads_forward_only() -> None:
    encoder, golden = golden_gru()
    x = as_batch(golden["input"])
    encoder.pool = Pool("mean", 1, 32)
    early = encoder.pool
    changed = x.clone()
    changed[:, :, -1] += 1
    # With every frame's output visible, the last frame must not reach the earlier ones.
    encoder.pool = Pool("segments", x.shape[2], 32)
    before, after = encoder(x).view(5, 20, 32), encoder(changed).view(5, 20, 32)
    torch.testing.assert_close(before[:, :-1], after[:, :-1])
    assert not torch.allclose(before[:, -1], after[:, -1])
    assert early.feature_dim == 32


def test_bigru_is_torchs_bidirectional_gru() -> None:
    torch.manual_seed(0)
    ours = GRU(30, EncoderConfig(width=8, layers=2, segments=20), reverse=True)
    theirs = torch.nn.GRU(30, 8, 2, batch_first=True, bidirectional=True)
    state = {}
    for half, suffix in (("first", ""), ("second", "_reverse")):
        for layer in range(2):
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                state[f"{kind}_l{layer}{suffix}"] = ours.state_dict()[f"{half}.{layer}.{kind}_l0"]
    theirs.load_state_dict(state)
    x = torch.randn(3, 20, 30)
    outputs, states = theirs(x)
    torch.testing.assert_close(ours(x.view(3, 1, 20, 10, 3)), outputs.flatten(1))
    ours.pool = Pool("final", 1, 16)
    torch.testing.assert_close(ours(x.view(3, 1, 20, 10, 3)), torch.cat([states[-2], states[-1]], 1))


def test_flatten_orders_joint_channel_person() -> None:
    x = torch.arange(2.0 * 2 * 3 * 4 * 3).view(2, 2, 3, 4, 3)
    flat = flatten_frames(x)
    assert flat.shape == (2, 3, 24)
    for joint in range(4):
        for channel in range(3):
            for person in range(2):
                assert flat[1, 2, joint * 6 + channel * 2 + person] == x[1, person, 2, joint, channel]


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize(("people", "channels"), [(1, 3), (2, 3), (1, 2)])
def test_every_encoder(name: str, pooling: str, people: int, channels: int) -> None:
    torch.manual_seed(0)
    config = replace(SMALL, name=name, pooling=pooling)
    encoder = build_encoder(config, load_layout("kinect20"), people, channels)
    x = torch.randn(3, people, 12, 20, channels)
    feature = encoder(x)
    assert feature.shape == (3, encoder.feature_dim)
    feature.square().sum().backward()
    silent = [n for n, p in encoder.named_parameters() if p.grad is None or p.grad.abs().max() == 0]
    if (name, pooling) == ("bigru", "last"):
        # The reverse half's last output has seen one frame from a zero state: its recurrence cannot matter.
        assert silent == ["second.1.weight_hh_l0"]
    else:
        assert not silent
    torch.testing.assert_close(encoder.eval()(x)[1:2], encoder(x[1:2]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ENCODERS)
def test_segments_keep_order_that_mean_loses(name: str) -> None:
    torch.manual_seed(0)
    layout = load_layout("kinect20")
    x = torch.randn(2, 1, 16, 20, 3)
    segments = build_encoder(replace(SMALL, name=name, pooling="segments"), layout, 1, 3)
    mean = build_encoder(replace(SMALL, name=name, pooling="mean"), layout, 1, 3)
    assert segments.feature_dim == 4 * mean.feature_dim
    moved = segments(x).view(2, 4, -1) - segments(x.flip(2)).view(2, 4, -1)
    assert moved.abs().amax(2).min() > 1e-4


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("frames", [1, 3, 4])
def test_clip_shorter_than_a_segment_a_patch_or_a_kernel_still_has_a_feature(name: str, frames: int) -> None:
    layout = load_layout("coco17")
    encoder = build_encoder(replace(SMALL, name=name, segments=8, patch=4, layers=3), layout, 2, 2)
    x = torch.randn(3, 2, frames, 17, 2)
    x[:, 1] = 0  # nobody there
    feature = encoder(x)
    assert feature.shape == (3, encoder.feature_dim) and feature.isfinite().all()
    assert encoder(torch.zeros_like(x)).isfinite().all()


@pytest.mark.parametrize("name", ENCODERS)
def test_input_is_left_alone_and_normalising_it_forgets_its_unit(name: str) -> None:
    torch.manual_seed(0)
    encoder = build_encoder(replace(SMALL, name=name, input_norm=True), load_layout("kinect20"), 2, 3)
    x = torch.randn(4, 2, 12, 20, 3)
    kept = x.clone()
    feature = encoder(x)
    assert torch.equal(x, kept)
    torch.testing.assert_close(encoder(100 * x), feature, atol=1e-3, rtol=1e-3)


def test_unknown_encoder_and_indivisible_heads_are_refused() -> None:
    layout = load_layout("kinect20")
    with pytest.raises(ConfigError, match="'resnet'; there are: gru, bigru, lstm, stgcn, hcn, transformer"):
        build_encoder(replace(SMALL, name="resnet"), layout, 1, 3)
    with pytest.raises(ConfigError, match="not a multiple"):
        build_encoder(replace(SMALL, heads=3), layout, 1, 3)
