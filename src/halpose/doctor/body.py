"""One person of a recording, with what every check asks of them."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from halpose.doctor.thresholds import FPS
from halpose.skeleton import Layout, Sequence


class Body:
    """One person: positions, which joints are there, and how large they are.

    Args:
        positions: (T, V, C); a joint with any coordinate missing is missing.
        layout: its joints.
        fps: frames per second, 0 when unknown.
        person: row in the recording.
    """

    def __init__(self, positions: Float[np.ndarray, "t v c"], layout: Layout, fps: float, person: int) -> None:
        with np.errstate(invalid="ignore", over="ignore"):
            x = positions.astype(np.float64)
        self.valid: Bool[np.ndarray, "t v"] = np.asarray(np.isfinite(x).all(axis=-1))
        if not self.valid.all():
            x = np.where(self.valid[..., None], x, np.nan)
        self.positions: Float[np.ndarray, "t v c"] = x
        self.layout = layout
        self.person = person
        self.rate = fps if fps > 0 else FPS

    @cached_property
    def shown(self) -> Bool[np.ndarray, " t"]:
        """Frames in which anything of the person is seen."""
        return np.asarray(self.valid.any(axis=1))

    @property
    def is_there(self) -> bool:
        """Whether any frame shows the person."""
        return bool(self.shown.any())

    @cached_property
    def bones(self) -> Float[np.ndarray, "t b"]:
        """Length of each bone of the layout in each frame, NaN where an end is missing."""
        child, parent = (np.array(ends, dtype=int) for ends in zip(*self.layout.bones, strict=True))
        step = self.positions[:, child] - self.positions[:, parent]
        return np.asarray(np.sqrt(np.einsum("...c,...c->...", step, step)))

    @cached_property
    def bone_lengths(self) -> Float[np.ndarray, " b"]:
        """Median length of each bone; in two dimensions what nine frames of ten stay below; 0 when never seen."""
        known = np.isfinite(self.bones)
        count = known.sum(axis=0)
        ordered = np.sort(self.bones, axis=0)  # NaN last
        share = 0.5 if self.positions.shape[-1] == 3 else 0.9
        at = (share * np.maximum(count - 1, 0)).astype(int)
        return np.where(count > 0, ordered[at, np.arange(len(count))], 0.0)

    @cached_property
    def span(self) -> float:
        """The longest way along the bones between two joints, in the recording's unit; 0 for a body without size."""
        return longest_way(self.layout, self.bone_lengths)

    @cached_property
    def steps(self) -> Float[np.ndarray, "t-1 v"]:
        """How far each joint moves from each frame to the next, NaN where it is missing in either."""
        step = np.diff(self.positions, axis=0)
        return np.asarray(np.sqrt(np.einsum("...c,...c->...", step, step)))

    @cached_property
    def neighbours(self) -> dict[int, list[int]]:
        """The joints at the other ends of each joint's bones."""
        found: dict[int, list[int]] = {joint: [] for joint in range(len(self.layout))}
        for child, parent in self.layout.bones:
            found[child].append(parent)
            found[parent].append(child)
        return found

    def frames(self, seconds: float) -> int:
        """How many frames that is."""
        return max(1, round(seconds * self.rate))


def longest_way(layout: Layout, lengths: Float[np.ndarray, " b"]) -> float:
    """The longest path in the tree of bones.

    Args:
        layout: whose bones.
        lengths: of each of its bones.
    """
    own = dict(zip((child for child, _ in layout.bones), lengths.tolist(), strict=True))
    children: dict[int, list[int]] = {}
    for child, parent in layout.bones:
        children.setdefault(parent, []).append(child)
    best = 0.0

    def below(joint: int) -> float:
        nonlocal best
        ways = sorted((own[child] + below(child) for child in children.get(joint, [])), reverse=True)
        best = max(best, sum(ways[:2]))
        return ways[0] if ways else 0.0

    for joint in range(len(layout)):
        if layout.parents[joint] == joint:
            below(joint)
    return best


def bodies(sequence: Sequence) -> list[Body]:
    """The people of a recording who are seen at all."""
    layout = sequence.skeleton
    found = [Body(row, layout, sequence.fps, person) for person, row in enumerate(sequence.positions)]
    return [body for body in found if body.is_there]
