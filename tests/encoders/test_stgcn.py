"""The skeleton's graph on trees small enough to check by eye; what a graph network may and may not see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from halpose.config import EncoderConfig
from halpose.encoders import build_encoder
from halpose.encoders.graph import distance_to_centre, spatial_partition
from halpose.encoders.stgcn import STGCN, Block
from halpose.skeleton import Layout, layout_names, load_layout

CONFIG = EncoderConfig(name="stgcn", width=32, layers=3, segments=2)


def tree(parents: tuple[int, ...], centre: int) -> Layout:
    joints = tuple(f"joint{i}" for i in range(len(parents)))
    return Layout("tree", joints, parents, tuple(range(len(parents))), centre, (0, 1), ((0, 1),), {})


def reordered(layout: Layout, order: list[int]) -> Layout:
    """The same body, its joints listed in another order."""
    where = {old: new for new, old in enumerate(order)}
    parents = tuple(where[layout.parents[old]] for old in order)
    return replace(tree(parents, where[layout.centre]), name=layout.name)


def build(layout: Layout, people: int = 1, channels: int = 3, config: EncoderConfig = CONFIG) -> STGCN:
    torch.manual_seed(0)
    encoder = build_encoder(config, layout, people, channels)
    assert isinstance(encoder, STGCN)
    return encoder.eval()


def test_partition_of_a_chain() -> None:
    # 0 - 1 - 2 - 3, centred at 1; degrees with the joint itself: 2 3 3 2.
    own, toward, away = spatial_partition(tree((0, 0, 1, 2), centre=1))
    end, middle = 1 / 6**0.5, 1 / 3
    np.testing.assert_allclose(own, np.diag([1 / 2, 1 / 3, 1 / 3, 1 / 2]), rtol=1e-6)
    centripetal, centrifugal = np.zeros((4, 4)), np.zeros((4, 4))
    centripetal[1, 0] = centripetal[2, 3] = end
    centripetal[1, 2] = middle
    centrifugal[0, 1] = centrifugal[3, 2] = end
    centrifugal[2, 1] = middle
    np.testing.assert_allclose(toward, centripetal, rtol=1e-6)
    np.testing.assert_allclose(away, centrifugal, rtol=1e-6)


@pytest.mark.parametrize("name", layout_names())
def test_parts_add_up_to_the_normalised_graph(name: str) -> None:
    layout = load_layout(name)
    parts = spatial_partition(layout)
    whole = np.eye(len(layout))
    for child, parent in layout.bones:
        whole[child, parent] = whole[parent, child] = 1
    root = np.diag(whole.sum(1) ** -0.5)
    np.testing.assert_allclose(parts.sum(0), root @ whole @ root, rtol=1e-5)
    assert ((parts > 0).sum(0) <= 1).all()
    np.testing.assert_allclose(parts[1], parts[2].T)
    assert (np.count_nonzero(parts, axis=(1, 2)) == [len(layout), len(layout.bones), len(layout.bones)]).all()


def test_pieces_are_measured_from_their_own_root() -> None:
    layout = tree((0, 0, 1, 3, 3), centre=2)
    assert distance_to_centre(layout).tolist() == [2, 1, 0, 0, 1]
    assert build(layout)(torch.randn(2, 1, 8, 5, 3)).isfinite().all()


def test_order_of_the_joints_does_not_matter() -> None:
    layout = load_layout("kinect20")
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1)).tolist()
    ours, theirs = build(layout), build(reordered(layout, order))
    for mine, other in zip(ours.blocks, theirs.blocks, strict=True):
        assert isinstance(mine, Block) and isinstance(other, Block)
        mine.importance.data.uniform_(0.5, 1.5)
        other.importance.data.copy_(mine.importance[:, order][:, :, order])
    x = torch.randn(3, 1, 16, 20, 3)
    expected = ours(x)
    torch.testing.assert_close(theirs(x[:, :, :, order]), expected, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(ours(x[:, :, :, order]), expected, atol=1e-3)


def test_one_block_sees_neighbours_and_four_frames_to_each_side() -> None:
    layout = load_layout("kinect20")
    torch.manual_seed(0)
    block = Block(3, 8, 1, 20, 0.0, shortcut=False).eval()
    graph = torch.from_numpy(spatial_partition(layout))
    x = torch.randn(1, 3, 20, 20)
    changed = x.clone()
    joint = layout.index("left_elbow")
    changed[:, :, 10, joint] += 1
    moved = (block(x, graph) - block(changed, graph)).abs().amax((0, 1)) > 0
    near = {joint, layout.parents[joint], *(child for child, parent in layout.bones if parent == joint)}
    assert {int(v) for v in moved.any(0).nonzero()} == near
    assert {int(t) for t in moved.any(1).nonzero()} == set(range(6, 15))


def test_people_are_encoded_alike_and_averaged() -> None:
    layout = load_layout("kinect20")
    pair, single = build(layout, people=2), build(layout, people=1)
    x = torch.randn(3, 2, 16, 20, 3)
    expected = (single.outputs(x[:, :1])[0] + single.outputs(x[:, 1:])[0]) / 2
    torch.testing.assert_close(pair.outputs(x)[0], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("layers", "widths"),
    [(1, [32]), (2, [16, 32]), (3, [8, 16, 32]), (4, [8, 8, 16, 32]), (9, [8] * 3 + [16] * 3 + [32] * 3)],
)
def test_channels_double_where_frames_halve(layers: int, widths: list[int]) -> None:
    encoder = build(load_layout("kinect20"), config=replace(CONFIG, layers=layers))
    assert [block.temporal.out_channels for block in encoder.blocks] == widths  # type: ignore[union-attr]
    halvings = len(set(widths)) - 1
    assert encoder.outputs(torch.randn(2, 1, 32, 20, 3))[0].shape == (2, 32 >> halvings, 32)
    assert encoder.outputs(torch.randn(2, 1, 1, 20, 3))[0].shape == (2, 1, 32)


def test_input_norm_is_over_a_persons_channels() -> None:
    encoder = build(load_layout("kinect20"), people=2, config=replace(CONFIG, input_norm=True)).train()
    x = torch.randn(4, 2, 8, 20, 3)
    encoder(x * 7 + 3)
    first = encoder.norm.norm.running_mean.view(20, 3)  # type: ignore[union-attr]
    torch.testing.assert_close(first, (x * 7 + 3).mean((0, 1, 2)) * 0.1, atol=1e-4, rtol=1e-4)
