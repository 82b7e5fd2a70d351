"""Eq. 2 solved by descent on the sphere: feasibility, descent, and minima found in other ways."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from halpose.parts.geodesic import hallucinate, limits
from halpose.parts.solver import cell_walls, convex_solution, descend, hardest, hull_walls, project

Case = tuple[np.ndarray, np.ndarray, int]


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    vectors = rng.normal(size=shape)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def concentrated(rng: np.random.Generator, dimensions: int, prototypes: int, spread: float) -> Case:
    """An anchor and prototypes around one direction, as embeddings are: all similarities positive."""
    centre = unit(rng, dimensions)
    cloud = centre + spread * unit(rng, prototypes + 1, dimensions)
    cloud /= np.linalg.norm(cloud, axis=1, keepdims=True)
    return cloud[0], cloud[1:], int((cloud[1:] @ cloud[0]).argmax())


def grid(count: int) -> np.ndarray:
    """Points spread evenly over the sphere in 3-D (a Fibonacci lattice)."""
    height = 1 - 2 * (np.arange(count) + 0.5) / count
    turn = np.arange(count) * np.pi * (3 - np.sqrt(5))
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=1)


def least_on_the_sphere(objective: np.ndarray, walls: np.ndarray) -> float:
    """In 3-D by enumeration: the antipode, the lowest point of each wall's great circle, the corners."""
    candidates = [-objective, *(-objective + (objective @ wall) * wall for wall in walls)]
    for one, other in itertools.combinations(walls, 2):
        candidates += [np.cross(one, other), np.cross(other, one)]
    found = [ray / np.linalg.norm(ray) for ray in candidates if np.linalg.norm(ray) > 1e-9]
    return float(min(objective @ ray for ray in found if (walls @ ray).min() > -1e-9))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("spread", [0.4, 3.0])
def test_in_three_dimensions_no_point_of_a_dense_grid_is_harder(seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    anchor, prototypes, nearest = concentrated(rng, 3, 6, spread)
    walls = cell_walls(prototypes, nearest)
    found = hardest(anchor, walls, np.concatenate([anchor[None], prototypes, unit(rng, 12, 3)]))
    points = grid(100_000)
    inside = points[(points @ prototypes.T).argmax(1) == nearest]
    assert (walls @ found.point).min() > -1e-9 and np.linalg.norm(found.point) == pytest.approx(1)
    assert found.similarity == pytest.approx(found.point @ anchor)
    assert found.similarity <= (inside @ anchor).min() + 1e-9
    assert found.similarity == pytest.approx(least_on_the_sphere(anchor, walls), abs=1e-8)


@pytest.mark.parametrize("seed", range(6))
def test_between_the_prototypes_the_hardest_is_a_corner(seed: int) -> None:
    """Where all similarities are positive no minimum lies elsewhere, and none is certain."""
    rng = np.random.default_rng(seed)
    _, prototypes, nearest = concentrated(rng, 3, 3, 0.4)
    cone, basis = hull_walls(prototypes)
    walls = np.concatenate([cone @ basis, cell_walls(prototypes, nearest)])
    starts = np.concatenate([prototypes[nearest][None], prototypes, unit(rng, 10, 3)])
    found = hardest(prototypes[nearest], walls, starts)
    assert found.similarity > 0 and not found.certain
    assert found.similarity == pytest.approx(least_on_the_sphere(prototypes[nearest], walls), abs=1e-8)


@pytest.mark.parametrize("seed", range(4))
def test_in_many_dimensions_search_and_projection_agree(seed: int) -> None:
    rng = np.random.default_rng(seed)
    anchor, prototypes, nearest = concentrated(rng, 64, 20, 1.0)
    walls = cell_walls(prototypes, nearest)
    exact = convex_solution(anchor, walls)
    assert exact is not None and exact.similarity < 0
    for start in (anchor, prototypes[nearest], unit(rng, 64)):
        found = hardest(anchor, walls, start[None])
        assert found.certain
        np.testing.assert_allclose(found.point, exact.point, atol=1e-6)
    # Optimality, told without either: -c = lambda z - walls^T mu with mu >= 0 on walls that z touches.
    pull = -anchor + (anchor @ exact.point) * exact.point
    touched = walls[np.abs(walls @ exact.point) < 1e-9]
    mu = np.linalg.lstsq(-touched.T, pull, rcond=None)[0]
    np.testing.assert_allclose(-touched.T @ mu, pull, atol=1e-8)
    assert (mu > -1e-9).all()


def test_every_step_descends_and_keeps_the_walls() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        anchor, prototypes, nearest = concentrated(rng, 12, 8, float(rng.uniform(0.3, 3)))
        walls = cell_walls(prototypes, nearest)
        start = prototypes[nearest]
        before = float(anchor @ start)
        for steps in range(1, 12):
            point, _ = descend(anchor, walls, start, steps)
            assert anchor @ point <= before + 1e-12
            assert (walls @ point).min() > -1e-9
            before = float(anchor @ point)
        assert before < anchor @ start - 0.05


def test_in_the_plane_of_one_prototype_the_closed_form_is_the_solution() -> None:
    """Eq. 5, solved here as Eq. 2 between z and P_sel: the same point as the limit t_rank."""
    rng = np.random.default_rng(3)
    for _ in range(5):
        anchor, prototypes, nearest = concentrated(rng, 16, 7, 0.8)
        z, p = torch.from_numpy(anchor)[None], torch.from_numpy(prototypes)
        limit = limits(z @ p.T, p @ p.T)
        ends = hallucinate(z, p, torch.arange(7)[None], limit.rank)[0].numpy()
        for selected in set(range(7)) - {nearest}:
            cone, basis = hull_walls(np.stack([anchor, prototypes[selected]]))
            inside = cell_walls(prototypes, nearest) @ basis.T
            walls = np.concatenate([cone, inside / np.linalg.norm(inside, axis=1, keepdims=True)])
            starts = np.stack([0.99 * anchor + 0.01 * prototypes[selected], prototypes[selected]]) @ basis.T
            found = hardest(basis @ anchor, walls, starts)
            np.testing.assert_allclose(found.point @ basis, ends[selected], atol=1e-7)


def test_projection_is_the_nearest_feasible_vector() -> None:
    rng = np.random.default_rng(0)
    walls, point = unit(rng, 6, 4), rng.normal(size=4)
    found = project(point, walls)
    inside = rng.normal(size=(200_000, 4))
    inside = inside[(inside @ walls.T).min(1) >= 0]
    assert (walls @ found).min() > -1e-9
    assert (point - found) @ found == pytest.approx(0, abs=1e-9)
    assert ((inside - found) @ (point - found)).max() <= 1e-9
    np.testing.assert_array_equal(project(point, walls[:0]), point)


def test_between_vectors_are_their_non_negative_combinations() -> None:
    rng = np.random.default_rng(1)
    generators = unit(rng, 4, 9)
    walls, basis = hull_walls(generators)
    weight = rng.uniform(-1, 1, (500, 4))
    assert np.array_equal((weight @ generators @ basis.T @ walls.T).min(1) >= 0, weight.min(1) >= 0)
    for dependent in (unit(rng, 4, 3), generators[[0, 0, 1]]):
        with pytest.raises(ValueError, match="not independent"):
            hull_walls(dependent)


def test_a_copy_of_the_nearest_prototype_is_no_wall() -> None:
    rng = np.random.default_rng(2)
    prototypes = unit(rng, 5, 8)[[0, 1, 1, 2, 3]]
    assert len(cell_walls(prototypes, 1)) == 3
    assert hardest(prototypes[0], cell_walls(prototypes[:1], 0), unit(rng, 1, 8)).similarity == pytest.approx(-1)


def test_nothing_to_begin_with_is_refused() -> None:
    walls = np.eye(3)
    for starts in (np.empty((0, 3)), -np.ones((2, 3)) / np.sqrt(3)):
        with pytest.raises(ValueError, match="needs a feasible point"):
            hardest(np.ones(3) / np.sqrt(3), walls, starts)
    assert convex_solution(np.ones(3) / np.sqrt(3), walls) is None
