"""Recordings of one joint layout read as another, by joint names.

A joint is found by its name, or by what its name is known to mean (`halpose.joint_names`). One that is not there is put
together from those that are: the middle of a pair stands for what lies between (`STAND_INS`), else the nearest joint up
the target's tree that could be found stands in its place. No coordinate is invented: each is a mean of coordinates that
were recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from halpose.errors import DataError
from halpose.joint_names import common_names
from halpose.skeleton import Layout

LEAST_COMMON = 0.4
"""Share of a layout's joints that must be found by name; below it an encoder would look at something else."""

# Of one side; names that begin with _ are of the same side.
_SIDED: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "_collar": (("_clavicle",), ("neck", "_shoulder"), ("shoulder_center", "_shoulder"), ("_shoulder",)),
    "_clavicle": (("_collar",), ("neck", "_shoulder"), ("shoulder_center", "_shoulder"), ("_shoulder",)),
    "_elbow": (("_upper_arm_target", "_forearm_target"),),
    "_knee": (("_thigh_target", "_shin_target"),),
    "_hand": (("_index", "_pinky"), ("_wrist",)),
    "_wrist": (("_hand",),),
    "_hand_tip": (("_index",),),
    "_index": (("_hand_tip",), ("_hand",)),
    "_pinky": (("_hand",),),
    "_foot": (("_ankle",),),
    "_ankle": (("_foot",),),
    "_eye_inner": (("_eye",),),
    "_eye_outer": (("_eye",),),
}

STAND_INS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "hip_center": (("left_hip", "right_hip"),),
    "shoulder_center": (("left_shoulder", "right_shoulder"), ("neck",)),
    "neck": (("shoulder_center",), ("left_shoulder", "right_shoulder")),
    "spine": (("hip_center", "shoulder_center"), ("left_hip", "right_hip", "left_shoulder", "right_shoulder")),
    "chest": (("spine", "shoulder_center"), ("spine", "neck")),
    "head": (("left_ear", "right_ear"), ("nose",)),
    "nose": (("head",),),
    **{
        side + joint: tuple(tuple(f"{side}{name}" if name[0] == "_" else name for name in names) for names in found)
        for side in ("left", "right")
        for joint, found in _SIDED.items()
    },
}
"""Joint -> what stands for it: the middle of the first of these sets that is recorded whole."""


@dataclass(frozen=True)
class JointMap:
    """How each joint of a target layout is made from those of a source.

    Attributes:
        source: the layout that was recorded.
        target: the layout that is wanted.
        sources: (V, K) joints of the source whose mean each target joint is, one of them repeated to fill a row.
        weights: (V, K) their shares; a row sums to one.
        filled: names of the target's joints that the source lacks, with what stands for each.
    """

    source: Layout
    target: Layout
    sources: Int[np.ndarray, "v k"]
    weights: Float[np.ndarray, "v k"]
    filled: Mapping[str, tuple[str, ...]]

    @property
    def is_identity(self) -> bool:
        """Whether both layouts have the same joints in the same order."""
        return self.source.joints == self.target.joints

    def apply(self, frames: Float[np.ndarray, "*n w c"]) -> Float[np.ndarray, "*n v c"]:
        """Frames in the target layout; where a joint that is needed is missing (NaN), so is what is made from it.

        Args:
            frames: (..., W, C) of the source layout.
        """
        if self.sources.shape[1] == 1:
            picked: np.ndarray = frames[..., self.sources[:, 0], :]
            return picked
        mean = (frames[..., self.sources, :] * self.weights[..., None].astype(frames.dtype)).sum(axis=-2)
        # A joint that was recorded stays as it was, to the last bit.
        copied = (self.weights[:, :1] == 1)[:, :1]
        mixed: np.ndarray = np.where(copied, frames[..., self.sources[:, 0], :], mean)
        return mixed

    def describe(self) -> str:
        """One sentence for a reader of a score."""
        common = len(self.target) - len(self.filled)
        said = f"joints mapped by name from {self.source.name} to {self.target.name}: {common} of {len(self.target)}"
        if self.filled:
            said += "; " + ", ".join(f"{joint} = {_middle(found)}" for joint, found in self.filled.items())
        # A joint that another one was copied from is used, whatever it is called here.
        copied = {
            self.source.joints[row[0]] for row, share in zip(self.sources, self.weights, strict=True) if share[0] == 1
        }
        stands = {name for names in self.filled.values() if len(names) == 1 for name in names}
        unused = sorted(set(self.source.joints) - (copied - stands) - set(self.target.joints))
        return said + (f"; not used: {', '.join(unused)}" if unused else "")


def map_joints(source: Layout, target: Layout, where: str = "") -> JointMap:
    """The way from one layout to another.

    Args:
        source: the layout that was recorded.
        target: the layout that is wanted.
        where: for the error message.

    Raises:
        DataError: too few joints of the target have a namesake in the source.
    """
    known = {**dict(zip(common_names(source.joints), source.joints, strict=True)), **{j: j for j in source.joints}}
    wanted = common_names(target.joints)
    common = sum(joint in known for joint in wanted)
    if common < LEAST_COMMON * len(target):
        raise DataError(
            f"{where or source.name}: only {common} of the {len(target)} joints of {target.name} are in "
            f"{source.name} by name; at least {LEAST_COMMON:.0%} must be: give joints that are the same the same name "
            "in the layout file"
        )
    found = [
        tuple(known[name] for name in _stand_in(joint, target, wanted, known.keys())) for joint in range(len(target))
    ]
    width = max(map(len, found))
    sources = np.array(
        [[source.index(name) for name in (*names, *names[:1] * (width - len(names)))] for names in found]
    )
    weights = np.array([[1 / len(names)] * len(names) + [0.0] * (width - len(names)) for names in found])
    filled = {
        joint: names for joint, name, names in zip(target.joints, wanted, found, strict=True) if name not in known
    }
    return JointMap(source, target, sources, weights, filled)


def _stand_in(joint: int, target: Layout, wanted: tuple[str, ...], known: Set[str]) -> tuple[str, ...]:
    """The recorded joints whose middle is, or is nearest to, a joint of the target."""
    for _ in range(len(target)):
        name = wanted[joint]
        for names in ((name,), *STAND_INS.get(name, ())):
            if known >= set(names):
                return names
        joint = target.parents[joint]
    # Up the tree there is nothing: the root itself is missing, and the middle of what is there comes next to it.
    return tuple(name for name in wanted if name in known)


def _middle(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"middle of {' and '.join(names)}"
