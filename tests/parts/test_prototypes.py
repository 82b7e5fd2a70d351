"""k-means on the sphere: planted clusters are found, and the inertia is at least as good as the published code's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from halpose.parts.prototypes import cluster_sphere, geodesic_inertia

GOLDEN = Path(__file__).parent.parent / "golden"


def planted(seed: int = 0, clusters: int = 5, each: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    centres = torch.nn.functional.normalize(torch.randn(clusters, 16, generator=generator), dim=1)
    points = centres.repeat_interleave(each, 0) + 0.05 * torch.randn(clusters * each, 16, generator=generator)
    return centres, torch.nn.functional.normalize(points, dim=1)


def test_planted_clusters_are_found() -> None:
    centres, points = planted()
    found = cluster_sphere(points, 5, torch.Generator().manual_seed(0))
    similarity = centres @ found.T
    assert similarity.amax(1).min() > 0.99
    assert sorted(similarity.argmax(1).tolist()) == list(range(5))
    torch.testing.assert_close(found.norm(dim=1), torch.ones(5))


@pytest.mark.parametrize("points", [0, 1, 2])
def test_inertia_is_within_two_percent_of_riemannian_k_means(points: int) -> None:
    golden = np.load(GOLDEN / "spherical_kmeans.npz")
    cloud = torch.from_numpy(golden[f"points_{points}"])
    ours = [
        geodesic_inertia(cloud, cluster_sphere(cloud, 20, torch.Generator().manual_seed(seed))[None]).item()
        for seed in range(5)
    ]
    published = golden[f"geomstats_inertia_{points}"]
    assert np.mean(ours) <= 1.02 * published.mean()
    assert np.mean(ours) <= 1.02 * published.min()


def test_centres_are_riemannian_means() -> None:
    _, points = planted(clusters=3)
    centres = cluster_sphere(points.double(), 3, torch.Generator().manual_seed(0), iterations=50)
    cosine = points.double() @ centres.T
    nearest, assigned = cosine.max(1)
    angle = torch.acos(nearest)
    # The sum of the logarithms at a Riemannian mean is zero.
    log = (angle / torch.sin(angle))[:, None] * (points.double() - nearest[:, None] * centres[assigned])
    for cluster in range(3):
        assert log[assigned == cluster].mean(0).norm() < 1e-6


def test_warm_start_continues_without_a_draw() -> None:
    _, points = planted()
    first = cluster_sphere(points, 5, torch.Generator().manual_seed(0))
    again = cluster_sphere(points, 5, start=first, iterations=3)
    torch.testing.assert_close(again, first, atol=1e-3, rtol=0)


def test_empty_clusters_come_back_to_life() -> None:
    centres, points = planted()
    dead = torch.nn.functional.normalize(-points.mean(0), dim=0)
    start = torch.stack([centres[0], centres[0], dead, dead, centres[1]])
    found = cluster_sphere(points, 5, start=start, iterations=20)
    member = torch.nn.functional.one_hot((points @ found.T).argmax(1), 5).sum(0)
    assert (member > 0).all()


def test_as_many_clusters_as_points_and_repeated_points() -> None:
    points = torch.eye(6)
    found = cluster_sphere(points, 6, torch.Generator().manual_seed(0))
    assert (points @ found.T).amax(1).min() > 0.999
    same = cluster_sphere(torch.eye(3)[[0] * 8], 3, torch.Generator().manual_seed(0))
    assert same.isfinite().all()


def test_fewer_points_than_clusters_is_refused() -> None:
    with pytest.raises(ValueError, match="3 points cannot form 4 clusters"):
        cluster_sphere(torch.eye(3), 4, torch.Generator())


def test_seed_decides() -> None:
    _, points = planted()
    runs = [cluster_sphere(points, 7, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
