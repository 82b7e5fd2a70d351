"""The queue loses no key; the key branch follows and gets no gradient."""

from __future__ import annotations

import pytest
import torch

from halpose.parts.stream import Branch, KeyQueue, Stream, build_projector


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


def stream(momentum: float) -> Stream:
    torch.manual_seed(0)
    branch = Branch(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(6, 5)), build_projector(5, 0, 4))
    return Stream("joint", branch, queue(8, 4), momentum)


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
    query, key = pair.encode_query(x), pair.encode_key(x)
    torch.testing.assert_close(query.norm(dim=1), torch.ones(3))
    (query * key).sum().backward()
    assert all(parameter.grad is not None for parameter in pair.query.parameters())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in pair.key.parameters())


@pytest.mark.parametrize("width", [0, 7])
def test_projector_width(width: int) -> None:
    projector = build_projector(5, width, 3)
    assert projector[0].out_features == (width or 5)
    assert projector(torch.randn(2, 5)).shape == (2, 3)
