"""The skeleton as a graph: who is whose neighbour, and which neighbours are nearer to the body's centre."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from halpose.skeleton import Layout


def distance_to_centre(layout: Layout) -> Int[np.ndarray, " v"]:
    """Bones between each joint and the layout's centre.

    A joint that no chain of bones joins to the centre is measured from the root of its own piece.
    """
    joined = layout.adjacency() > 0
    distance = np.full(len(layout), -1)
    roots = [joint for joint, parent in enumerate(layout.parents) if joint == parent]
    for start in (layout.centre, *roots):
        reached = {start}
        steps = 0
        while new := {joint for joint in reached if distance[joint] < 0}:
            distance[list(new)] = steps
            reached = {int(joint) for near in new for joint in np.flatnonzero(joined[near])}
            steps += 1
    return distance


def spatial_partition(layout: Layout) -> Float[np.ndarray, "3 v v"]:
    """The spatial configuration partition of the normalised graph, D^-1/2 (A + I) D^-1/2.

    Entry [part, from, to] is what joint `to` takes from joint `from`. Parts: the joint itself; centripetal, from a
    neighbour nearer to the centre; centrifugal, from a neighbour further away. They add up to the whole.

    Deviation: the paper normalises each part by its own degrees (after Eq. 10); here the whole is normalised (Eq. 9)
    and then divided, so that no part needs a small number in its denominator.

    Reference: Yan et al., Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action Recognition, AAAI
    2018, Sec. 3.4 and Eqs. 9, 10.
    """
    matrix = layout.adjacency()
    degree = matrix.sum(axis=0)
    matrix /= np.sqrt(degree[:, None] * degree[None, :])
    distance = distance_to_centre(layout)
    # Two joints of one bone are never equally far from the centre, since bones form no circle.
    nearer = distance[:, None] - distance[None, :]
    return np.stack([matrix * (nearer == 0), matrix * (nearer < 0), matrix * (nearer > 0)])
