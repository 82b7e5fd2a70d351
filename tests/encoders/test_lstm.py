"""The LSTM against its equations, frame by frame in float64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from halpose.config import EncoderConfig
from halpose.encoders import build_encoder
from halpose.encoders.lstm import LSTM
from halpose.encoders.pooling import flatten_frames
from halpose.skeleton import load_layout

ASCAL = EncoderConfig(name="lstm", width=6, layers=1, pooling="mean")


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def hidden_states(frames: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    """Hochreiter and Schmidhuber with a forget gate: (T, channels) to (T, width)."""
    hidden = cell = np.zeros(weights["weight_hh_l0"].shape[1])
    found = []
    for frame in frames:
        gates = weights["weight_ih_l0"] @ frame + weights["bias_ih_l0"] + weights["weight_hh_l0"] @ hidden
        enter, forget, new, leave = np.split(gates + weights["bias_hh_l0"], 4)
        cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(new)
        hidden = sigmoid(leave) * np.tanh(cell)
        found.append(hidden)
    return np.stack(found)


def test_feature_of_ascal_is_the_mean_of_the_hidden_states() -> None:
    torch.manual_seed(0)
    encoder = build_encoder(ASCAL, load_layout("kinect20"), 2, 3)
    assert isinstance(encoder, LSTM)
    x = torch.randn(2, 2, 7, 20, 3)
    weights = {name: value.double().numpy() for name, value in encoder.lstm.state_dict().items()}
    frames = flatten_frames(x).double().numpy()
    slow = np.stack([hidden_states(clip, weights) for clip in frames])
    outputs, final = encoder.outputs(x)
    torch.testing.assert_close(outputs, torch.from_numpy(slow).float())
    torch.testing.assert_close(final, torch.from_numpy(slow[:, -1]).float())
    torch.testing.assert_close(encoder(x), torch.from_numpy(slow.mean(1)).float())


def test_dropout_is_between_layers() -> None:
    layout = load_layout("kinect20")
    one = build_encoder(replace(ASCAL, dropout=0.5), layout, 1, 3)
    two = build_encoder(replace(ASCAL, dropout=0.5, layers=2), layout, 1, 3)
    x = torch.randn(2, 1, 7, 20, 3)
    assert torch.equal(one(x), one(x))
    assert not torch.equal(two(x), two(x))
    assert torch.equal(two.eval()(x), two(x))
