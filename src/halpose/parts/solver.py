"""Eq. 2 by Riemannian optimisation: the slow, exact witness of the closed forms in `parts.geodesic`.

Eq. 2 asks for the unit vector that is least similar to a vector c among those whose nearest prototype is still P*. In
the text and in Fig. 3 of the paper c is the anchor z_k; in print Eqs. 2, 5 and 6 say P*. The feasible vectors,
z . (P* - P_j) >= 0 for all j, are a polyhedral cone met with the unit sphere: the spherical Voronoi cell of P*. Its
rows (P* - P_j) are called walls.

The search is gradient descent on the sphere, with a retraction that keeps the walls: with f = c . z and the Riemannian
gradient g = c - f z,

    y = project(z - s g),    z <- y / |y|,    s = 1 / max(|f|, 0.1).

Since z is in the cone, the projection gives g . y <= -|z - y|^2 / s and |y| >= 1, hence

    f(new) <= f(z) - |z - y|^2 / |y| (1 / s - max(-f, 0) / 2):

every step is feasible and descends, without a line search, as long as s < 2 / max(-f, 0), which the choice keeps.
Where the least similarity is negative, the problem is convex (a linear function on the cone met with the ball), any
point at which the search stops is the global solution, and it is known without a search: it is the normalised
projection of -c onto the cone (Moreau, 1962), a non-negative least squares problem with one unknown per wall. Where it
is positive, the minima sit in corners of the cell; the search is begun from many points.

All in float64, one anchor at a time, on the CPU: this is no part of any training.

Reference: HaLP (Shah et al., CVPR 2023), Eqs. 2 to 6; Boumal, An Introduction to Optimization on Smooth Manifolds
(2023), Sec. 4.3 and 7.2; Moreau, Décomposition orthogonale d'un espace hilbertien selon deux cônes mutuellement
polaires, C. R. Acad. Sci. 255 (1962).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import nnls

# Steps are no longer than this allows; a similarity near 0 would ask for an endless one.
_LEAST = 0.1
# A direction shorter than this is rounding: the projection of a vector onto a cone that has nothing on its side.
_NOTHING = 1e-9
# The objective itself is the most similar point, and level: a search that begins there must be pushed off.
_PUSH = 1e-3


@dataclass(frozen=True)
class Hardest:
    """What a search found.

    Attributes:
        point: the unit vector.
        similarity: c . point, the least that was found.
        steps: of all searches together.
        certain: whether it is known to be the least there is; else it is the best of several local minima.
    """

    point: Float[np.ndarray, " d"]
    similarity: float
    steps: int
    certain: bool


def cell_walls(prototypes: Float[np.ndarray, "n d"], nearest: int) -> Float[np.ndarray, "m d"]:
    """Unit normals, pointing inward, of the walls between P* and every other prototype; a copy of P* has none."""
    walls = prototypes[nearest] - prototypes
    length = np.linalg.norm(walls, axis=1)
    return np.asarray(walls[length > _NOTHING] / length[length > _NOTHING, None])


def hull_walls(generators: Float[np.ndarray, "n d"]) -> tuple[Float[np.ndarray, "n r"], Float[np.ndarray, "r d"]]:
    """The vectors between given ones (their non-negative combinations) as a cone with walls.

    Args:
        generators: linearly independent.

    Returns:
        Unit normals in coordinates of the space that the generators span, and the orthonormal basis of that space.

    Raises:
        ValueError: they are not independent, so each wall would belong to several of them.
    """
    left, size, basis = np.linalg.svd(generators, full_matrices=False)
    if len(generators) > generators.shape[1] or size[-1] < 1e-6 * size[0]:
        raise ValueError(f"{len(generators)} generators in {generators.shape[1]} dimensions are not independent")
    # With X = U S V, a point with coordinates y = V p has the coefficients U S^-1 y: its rows are the walls.
    walls = left / size
    return walls / np.linalg.norm(walls, axis=1, keepdims=True), basis


def project(point: Float[np.ndarray, " d"], walls: Float[np.ndarray, "m d"]) -> Float[np.ndarray, " d"]:
    """The nearest vector z with walls . z >= 0.

    It is point + walls^T mu for the mu >= 0 that makes it shortest (Moreau: what is taken away lies in the polar cone).
    """
    if not len(walls):
        return point
    mu, _ = nnls(-walls.T, point, maxiter=100 * len(walls))
    return np.asarray(point + walls.T @ mu)


def convex_solution(objective: Float[np.ndarray, " d"], walls: Float[np.ndarray, "m d"]) -> Hardest | None:
    """The least similar point where some similarity is negative: one projection; None where all are positive."""
    point = project(-objective, walls)
    length = float(np.linalg.norm(point))
    if length < _NOTHING:
        return None
    return Hardest(point / length, float(objective @ point) / length, 0, True)


def descend(
    objective: Float[np.ndarray, " d"],
    walls: Float[np.ndarray, "m d"],
    start: Float[np.ndarray, " d"],
    steps: int = 200,
    tolerance: float = 1e-10,
) -> tuple[Float[np.ndarray, " d"], int]:
    """One search: where it ends, and after how many steps.

    Args:
        objective: c, a unit vector.
        walls: unit normals of the feasible cone.
        start: a feasible unit vector.
        steps: at most.
        tolerance: a step shorter than this is the last.
    """
    point = start
    for step in range(1, steps + 1):
        similarity = float(objective @ point)
        gradient = objective - similarity * point
        moved = project(point - gradient / max(abs(similarity), _LEAST), walls)
        moved = moved / np.linalg.norm(moved)
        short = np.linalg.norm(moved - point) < tolerance
        point = moved
        if short:
            return point, step
    return point, steps


def hardest(
    objective: Float[np.ndarray, " d"],
    walls: Float[np.ndarray, "m d"],
    starts: Float[np.ndarray, "s d"],
    steps: int = 200,
) -> Hardest:
    """The least similar feasible unit vector that searches from several points find.

    Args:
        objective: c, a unit vector.
        walls: unit normals of the feasible cone.
        starts: where searches begin, give or take a thousandth, for c is level; a start that is not feasible is
            projected, and left out if it is opposite to all that is.
        steps: of each search at most.

    Raises:
        ValueError: no start was left.
    """
    best: Hardest | None = None
    taken = 0
    for start in starts + _PUSH * np.random.default_rng(0).normal(size=starts.shape):
        feasible = project(start, walls)
        length = np.linalg.norm(feasible)
        if length < _NOTHING:
            continue
        point, used = descend(objective, walls, feasible / length, steps)
        taken += used
        similarity = float(objective @ point)
        if best is None or similarity < best.similarity:
            best = Hardest(point, similarity, taken, similarity < -_NOTHING and used < steps)
    if best is None:
        raise ValueError("a search needs a feasible point to begin at; give the anchor")
    return Hardest(best.point, best.similarity, taken, best.certain)
