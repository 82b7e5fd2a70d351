"""Eq. 2 itself beside its closed forms: who finds the harder positive, what it is worth, and what it costs.

The search spaces hold each other, from none to Eq. 2 as it stands:

- `anchor itself`: no search, as a bar.
- `drawn`: what training takes, a point on the way to a random P_sel, t uniform in (0, lambda t_rank).
- `one prototype`: the geodesic from the anchor to that P_sel. Its solution is t_rank, in closed form; Eq. 7's t*
  ignores every prototype but two.
- `best prototype`: the hardest of those ends.
- `between`: all directions between the anchor and the prototypes, their non-negative combinations. Solved by search.
- `sphere`: all of the unit sphere, which is Eq. 2. Its solution lies in the span of the anchor and the prototypes
  (Moreau's projection adds nothing else), so restricting the search to that span changes nothing.

What a solution is worth is asked of real keys of other clips: how near is the nearest one, and is it of the anchor's
class?
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Int

from halpose.parts.geodesic import hallucinate, limits
from halpose.parts.solver import Hardest, cell_walls, convex_solution, hardest, hull_walls

Objective: TypeAlias = Literal["anchor", "prototype"]
"""What is made least similar: the anchor (text and Fig. 3 of the paper), or P* (Eqs. 2, 5 and 6 as printed)."""

TOLERANCE = 0.01
"""As hard: a similarity within this of the least."""

_EXACT = 1e-6
_PAIRS = 20  # anchors whose every pair is solved by search


@dataclass(frozen=True)
class Keys:
    """Where positives are hallucinated: everything a trained run's queue tells.

    Attributes:
        anchors: (A, D) unit keys, the newest.
        prototypes: (N, D) unit vectors.
        anchor_clips: clip of each anchor.
        anchor_labels: class of each anchor.
        others: (K, D) unit keys of the queue.
        other_clips: clip of each.
        other_labels: class of each.
    """

    anchors: Float[np.ndarray, "a d"]
    prototypes: Float[np.ndarray, "n d"]
    anchor_clips: Int[np.ndarray, " a"]
    anchor_labels: Int[np.ndarray, " a"]
    others: Float[np.ndarray, "k d"]
    other_clips: Int[np.ndarray, " k"]
    other_labels: Int[np.ndarray, " k"]

    def nearest_real(self, points: Float[np.ndarray, "a d"]) -> tuple[Float[np.ndarray, " a"], float]:
        """Similarity of each point to the nearest key of another clip; how often that has the anchor's class."""
        similarity = points @ self.others.T
        similarity[self.other_clips[None] == self.anchor_clips[:, None]] = -np.inf
        nearest = similarity.argmax(1)
        return similarity.max(1), float((self.other_labels[nearest] == self.anchor_labels).mean())


@dataclass(frozen=True)
class Space:
    """What a search space holds.

    Attributes:
        name: of the space.
        similarity: of each anchor to its solution (to P* where that is the objective).
        as_hard: share of the anchors for which the best prototype's closed form is within `TOLERANCE` of it.
        real: median similarity of the solutions to the nearest real key of another clip.
        same_class: share of the solutions whose nearest real key has the anchor's class.
        seconds: for each anchor.
        certain: share of the anchors whose solution is known to be the least there is.
    """

    name: str
    similarity: Float[np.ndarray, " a"]
    as_hard: float
    real: float
    same_class: float
    seconds: float
    certain: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values: the similarities as quartiles."""
        low, middle, high = np.quantile(self.similarity, (0.25, 0.5, 0.75)).tolist()
        angle = float(np.degrees(np.median(np.arccos(np.clip(self.similarity, -1, 1)))))
        return {
            "space": self.name, "similarity": middle, "similarity_low": low, "similarity_high": high,
            "degrees": angle, "as_hard": self.as_hard, "real": self.real, "same_class": self.same_class,
            "milliseconds": 1e3 * self.seconds, "certain": self.certain,
        }  # fmt: skip


@dataclass(frozen=True)
class Walks:
    """The closed form of every (anchor, prototype), and what a search says of it.

    Attributes:
        ends: (A, N, D) points at t_rank.
        nearest: (A,) index of P*.
        discarded: share of the pairs whose t* lies beyond t_rank: the rank filter throws that end away.
        beyond: median of t* / t_rank over those.
        searched: pairs that were solved by search, too.
        agree: share of them where both similarities are within 1e-6.
        gap: largest difference of the two similarities.
        seconds: of the closed form, for each anchor and all prototypes together.
        search_seconds: of the search, for each pair.
    """

    ends: Float[np.ndarray, "a n d"]
    nearest: Int[np.ndarray, " a"]
    discarded: float
    beyond: float
    searched: int
    agree: float
    gap: float
    seconds: float
    search_seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        names = ("discarded", "beyond", "searched", "agree", "gap", "seconds", "search_seconds")
        return {name: getattr(self, name) for name in names}


def walk_all(keys: Keys, rounds: int = 20) -> Walks:
    """The closed forms, timed, and a search in the plane of each pair of some anchors."""
    z, p = torch.from_numpy(keys.anchors), torch.from_numpy(keys.prototypes)
    seconds = []
    for _ in range(rounds):
        begun = time.perf_counter()
        limit = limits(z @ p.T, p @ p.T)
        seconds.append(time.perf_counter() - begun)
    selected = torch.arange(len(p)).expand(len(z), -1)
    ends = hallucinate(z, p, selected, limit.rank).numpy()
    nearest = limit.nearest.numpy()
    other = np.arange(len(p)) != nearest[:, None]
    pair, rank = limit.pair.numpy()[other], limit.rank.numpy()[other]
    lost = pair > rank + 1e-9
    gaps = []
    begun = time.perf_counter()
    for anchor, end, star, chosen in zip(keys.anchors[:_PAIRS], ends, nearest, other, strict=False):
        walls = cell_walls(keys.prototypes, int(star))
        for target in np.flatnonzero(chosen):
            found = _in_plane(anchor, keys.prototypes[target], walls)
            gaps.append(abs(found.similarity - float(anchor @ end[target])) if found else 0.0)
    searching = time.perf_counter() - begun
    beyond = float(np.median(pair[lost] / np.maximum(rank[lost], 1e-9))) if lost.any() else 1.0
    return Walks(
        ends, nearest, float(lost.mean()), beyond, len(gaps), float((np.array(gaps) < _EXACT).mean()),
        float(max(gaps)), float(np.median(seconds)) / len(z), searching / max(1, len(gaps)),
    )  # fmt: skip


def _in_plane(anchor: np.ndarray, target: np.ndarray, walls: np.ndarray) -> Hardest | None:
    """Eq. 5 by search: between the anchor and one prototype. None where the two coincide."""
    try:
        cone, basis = hull_walls(np.stack([anchor, target]))
    except ValueError:
        return None
    starts = np.stack([0.99 * anchor + 0.01 * target, target]) @ basis.T
    return hardest(basis @ anchor, np.concatenate([cone, _unit(walls @ basis.T)]), starts)


def compare_spaces(
    keys: Keys,
    walks: Walks,
    objective: Objective,
    hardness: float = 0.8,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Space]:
    """The hardest positive of every anchor in every search space.

    Args:
        keys: anchors, prototypes and what real keys there are.
        walks: of these keys.
        objective: what is made least similar.
        hardness: lambda of what is drawn.
        progress: told how many anchors are done, and of how many.
    """
    count = len(keys.anchors)
    aims = keys.anchors if objective == "anchor" else keys.prototypes[walks.nearest]
    similarity = np.einsum("ad,and->an", aims, walks.ends)
    other = np.arange(len(keys.prototypes)) != walks.nearest[:, None]
    # As Eq. 5 is printed, staying at the anchor may be best; then its end is the anchor.
    stay = (aims * keys.anchors).sum(1)
    similarity = np.where(other, similarity, stay[:, None])
    best = similarity.argmin(1)
    closed, ends = similarity[np.arange(count), best], walks.ends[np.arange(count), best]
    rng = np.random.default_rng(0)
    one = (walks.nearest + rng.integers(1, other.shape[1], count)) % other.shape[1]
    drawn = _on_the_way(keys.anchors, walks.ends[np.arange(count), one], hardness * rng.random(count))
    found: dict[str, list[Hardest | None]] = {"between": [], "sphere": []}
    seconds = {"between": 0.0, "sphere": 0.0}
    for number in range(count):
        begun = time.perf_counter()
        walls = cell_walls(keys.prototypes, int(walks.nearest[number]))
        found["sphere"].append(_on_sphere(aims[number], walls, ends[number]))
        between = time.perf_counter()
        found["between"].append(_between(aims[number], keys, number, walls, walks.ends[number]))
        seconds["sphere"] += between - begun
        seconds["between"] += time.perf_counter() - between
        progress(number + 1, count)
    chosen = np.arange(count), one
    spaces = [
        _space("anchor itself", stay, keys.anchors, closed, keys, 0.0, 1.0),
        _space("drawn", (aims * drawn).sum(1), drawn, closed, keys, walks.seconds, 1.0),
        _space("one prototype", similarity[chosen], walks.ends[chosen], closed, keys, walks.seconds, 1.0),
        _space("best prototype", closed, ends, closed, keys, walks.seconds, 1.0),
    ]
    for name, solutions in found.items():
        solved = [solution for solution in solutions if solution is not None]
        if len(solved) == count:
            values = np.array([solution.similarity for solution in solved])
            points = np.stack([solution.point for solution in solved])
            certain = float(np.mean([solution.certain for solution in solved]))
            spaces.append(_space(name, values, points, closed, keys, seconds[name] / count, certain))
    return spaces


def _on_sphere(aim: np.ndarray, walls: np.ndarray, end: np.ndarray) -> Hardest:
    """Eq. 2: by descent from the closed form's end; the one projection that solves it where it is convex must agree."""
    searched = hardest(aim, walls, np.stack([end, aim]))
    exact = convex_solution(aim, walls)
    return exact if exact is not None and exact.similarity <= searched.similarity else searched


def _between(aim: np.ndarray, keys: Keys, number: int, walls: np.ndarray, ends: np.ndarray) -> Hardest | None:
    """Eq. 2 among the non-negative combinations of anchor and prototypes; None where those are dependent."""
    anchor = keys.anchors[number]
    generators = np.concatenate([anchor[None], keys.prototypes])
    try:
        cone, basis = hull_walls(generators)
    except ValueError:
        return None
    mixed = np.random.default_rng(number).dirichlet(np.ones(len(generators)), 4) @ generators
    starts = np.concatenate([ends, 0.9 * anchor[None] + 0.1 * keys.prototypes.mean(0), _unit(mixed)])
    inside = np.concatenate([cone, _unit(walls @ basis.T)])
    found = hardest(basis @ aim, inside, starts @ basis.T)
    return Hardest(found.point @ basis, found.similarity, found.steps, found.certain)


def _space(
    name: str,
    similarity: np.ndarray,
    points: np.ndarray,
    closed: np.ndarray,
    keys: Keys,
    seconds: float,
    certain: float,
) -> Space:
    real, same = keys.nearest_real(points)
    return Space(
        name, similarity, float((closed <= similarity + TOLERANCE).mean()), float(np.median(real)), same, seconds,
        certain,
    )  # fmt: skip


def _on_the_way(begin: np.ndarray, end: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Points of geodesics, a fraction t of the way."""
    angle = np.arccos(np.clip((begin * end).sum(1), -1, 1))[:, None]
    point = np.sin((1 - t[:, None]) * angle) * begin + np.sin(t[:, None] * angle) * end
    return np.where(angle > _EXACT, point / np.maximum(np.sin(angle), _EXACT), begin)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
