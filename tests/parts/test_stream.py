"""The queue loses no key; the key branch follows and gets no gradient."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from halpose.config import EncoderConfig
from halpose.encoders.base import Encoder
from halpose.errors import ConfigError
from halpose.losses import info_nce
from halpose.parts.queue import KeyQueue
from halpose.parts.stream import Branch, MomentumStream, SiameseStream, build_projector, parse_stream


def queue(size: int, dim: int = 12) -> KeyQueue:
    return KeyQueue(size, dim, torch.Generator().manual_seed(0))


def test_wraparound_loses_no_key() -> None:
    ring = queue(10)
    for start, batch in zip(range(0, 12, 3), torch.eye(12).split(3), strict=True):
        ring.push(batch, torch.arange(start, start + 3))
    assert ring.keys.sum(0).tolist() == [0, 0] + [1] * 10
    assert sorted(ring.clips.tolist()) == list(range(2, 12))
    assert ring.seen == 12


def test_newest_come_first_across_the_wrap() -> None:
    ring = queue(5)
    for i in range(7):
        ring.push(torch.eye(12)[[i]], torch.tensor([i]))
    assert ring.newest(3).argmax(1).tolist() == [6, 5, 4]
    assert ring.newest(99).argmax(1).tolist() == [6, 5, 4, 3, 2]


def test_queue_smaller_than_a_batch_keeps_the_newest() -> None:
    ring = queue(4)
    ring.push(torch.eye(12)[:7], torch.arange(7))
    assert sorted(ring.keys.argmax(1).tolist()) == [3, 4, 5, 6]
    assert ring.seen == 7


def test_starts_with_unit_keys_of_no_clip() -> None:
    ring = queue(8)
    torch.testing.assert_close(ring.keys.norm(dim=1), torch.ones(8))
    assert (ring.clips == -1).all()
    assert set(ring.state_dict()) == {"keys", "clips", "cursor", "seen"}


class Flat(Encoder):
    """The smallest encoder: a linear map of everything."""

    def __init__(self) -> None:
        super().__init__(6, 5, EncoderConfig(pooling="mean"))
        self.linear = torch.nn.Linear(6, 5)

    def outputs(self, x: torch.Tensor) -> tuple[torch.Tensor, None]:
        return self.linear(x.flatten(1))[:, None], None


def branch() -> Branch:
    torch.manual_seed(0)
    return Branch(Flat(), build_projector(5, 0, 4))


def stream(momentum: float) -> MomentumStream:
    return MomentumStream("joint", branch(), queue(8, 4), momentum)


def test_key_moves_toward_query_by_the_momentum() -> None:
    pair = stream(0.75)
    with torch.no_grad():
        for parameter in pair.query.parameters():
            parameter.add_(1.0)
    before = [parameter.clone() for parameter in pair.key.parameters()]
    pair.move_key()
    for old, key, query in zip(before, pair.key.parameters(), pair.query.parameters(), strict=True):
        torch.testing.assert_close(key, 0.75 * old + 0.25 * query)


def test_only_the_query_gets_a_gradient() -> None:
    pair = stream(0.9)
    x = torch.randn(3, 1, 1, 2, 3)
    query, key = pair.query(x), pair.encode_key(x)
    torch.testing.assert_close(query.norm(dim=1), torch.ones(3))
    (query * key).sum().backward()
    assert all(parameter.grad is not None for parameter in pair.query.parameters())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in pair.key.parameters())


@pytest.mark.parametrize("width", [0, 7])
def test_projector_width(width: int) -> None:
    projector = build_projector(5, width, 3)
    assert projector[0].out_features == (width or 5)
    assert projector(torch.randn(2, 5)).shape == (2, 3)


def test_siamese_with_info_nce_is_nt_xent() -> None:
    pair = SiameseStream("joint", branch(), queue(8, 4)).double()
    x, y = torch.randn(2, 3, 1, 1, 2, 3, dtype=torch.float64)
    output = pair(x, y, torch.arange(3))
    loss = info_nce(output.positive, output.negatives, 0.5)
    z = torch.cat([pair.query(x), pair.query(y)]).tolist()
    slow = 0.0
    for i in range(6):
        products = [math.exp(sum(a * b for a, b in zip(z[i], z[j], strict=True)) / 0.5) for j in range(6)]
        slow -= math.log(products[(i + 3) % 6] / sum(p for j, p in enumerate(products) if j != i)) / 6
    assert loss.item() == pytest.approx(slow, rel=1e-12)


def test_both_siamese_views_get_a_gradient_and_the_queue_takes_both() -> None:
    pair = SiameseStream("joint", branch(), queue(8, 4))
    assert not any(name.startswith("key.") for name, _ in pair.named_parameters())
    x, y = torch.randn(2, 3, 1, 1, 2, 3)
    y.requires_grad_()
    output = pair(x, y, torch.arange(3))
    output.positive.sum().backward()
    assert y.grad is not None and y.grad.abs().min() > 0
    pair.after_step(output.key.detach(), torch.arange(3))
    assert sorted(pair.queue.clips.tolist()) == [-1, -1, 0, 0, 1, 1, 2, 2]
    torch.testing.assert_close(pair.queue.newest(3).flip(0), output.key[3:].detach())


def test_standardised_embeddings_know_neither_origin_nor_length_of_a_dimension() -> None:
    pair = SiameseStream("joint", branch(), queue(8, 4), standardised=True).double()
    x, y = torch.randn(2, 6, 1, 1, 2, 3, dtype=torch.float64)
    output = pair(x, y, torch.arange(6))
    projections = np.stack([pair.query.project(view).detach().numpy() for view in (x, y)])
    slow = (projections - projections.mean(1, keepdims=True)) / projections.std(1, keepdims=True)
    slow /= np.linalg.norm(slow, axis=2, keepdims=True)
    np.testing.assert_allclose(output.query.detach().numpy(), np.concatenate(slow), rtol=1e-9)
    np.testing.assert_allclose(output.projections.detach().numpy(), projections)
    last = pair.query.projector[-1]
    with torch.no_grad():
        last.weight.mul_(torch.tensor([[1.0], [2.0], [3.0], [0.1]]))
        last.bias.add_(100.0)
    torch.testing.assert_close(pair(x, y, torch.arange(6)).query, output.query)


def test_two_views_of_one_clip_in_a_batch_are_no_negatives_of_each_other() -> None:
    pair = SiameseStream("joint", branch(), queue(8, 4))
    output = pair(*torch.randn(2, 3, 1, 1, 2, 3), torch.tensor([4, 5, 4]))
    assert output.own is not None
    assert output.own[0].tolist() == [True, False, True, True, False, True]


def test_stream_names() -> None:
    assert parse_stream("bone") == (("bone",), "")
    assert parse_stream("joint+motion:stgcn") == (("joint", "motion"), "stgcn")
    with pytest.raises(ConfigError, match="'angle' is no modality"):
        parse_stream("angle:gru")
