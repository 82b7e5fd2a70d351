"""What a recording is: `Sequence` (positions in time) and `Layout` (which joint is which).

Axes, everywhere in halpose: N batch, M people, T frames, V joints, C channels. A sequence is (M, T, V, C), the
vertical axis is y, lengths are metres where the source states its unit. A joint nobody saw is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float

from halpose.errors import ConfigError, DataError
from halpose.toml import load_toml

if TYPE_CHECKING:
    import torch

Modality = Literal["joint", "motion", "bone"]
MODALITIES: tuple[Modality, ...] = ("joint", "motion", "bone")


@dataclass(frozen=True)
class Layout:
    """Which joint is which: names, bones, mirror pairs, and the joints that define the body's frame.

    Attributes:
        name: `kinect25`, `coco17`, ...; the name of the TOML file in `halpose/layouts`.
        joints: joint names, in the order of the arrays.
        parents: index of each joint's parent; the root is its own parent, so its bone is zero.
        mirror: index of each joint's left/right partner; a central joint is its own.
        centre: the joint that is subtracted to centre a body.
        spine: (lower, upper) joint of the trunk; lower to upper is "up" in the published alignment.
        sides: (right, left) pairs, shoulders first, then hips; right to left is "across".
        parts: body parts (name -> joint indices), used to mask a whole part.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    mirror: tuple[int, ...]
    centre: int
    spine: tuple[int, int]
    sides: tuple[tuple[int, int], ...]
    parts: Mapping[str, tuple[int, ...]]

    def __len__(self) -> int:
        return len(self.joints)

    @property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(child, parent) of every bone, without the root's empty one."""
        return tuple((child, parent) for child, parent in enumerate(self.parents) if child != parent)

    def index(self, joint: str) -> int:
        """Position of a joint by name."""
        try:
            return self.joints.index(joint)
        except ValueError:
            raise ConfigError(f"layout {self.name} has no joint {joint!r}; it has {', '.join(self.joints)}") from None

    def adjacency(self) -> Float[np.ndarray, "v v"]:
        """Symmetric 0/1 matrix of the bones, with ones on the diagonal."""
        matrix = np.eye(len(self), dtype=np.float32)
        for child, parent in self.bones:
            matrix[child, parent] = matrix[parent, child] = 1.0
        return matrix

    def to_dict(self) -> dict[str, Any]:
        """The TOML form, by joint names: what a store keeps so that it can be read without the file."""
        name = self.joints
        return {
            "name": self.name,
            "joints": list(self.joints),
            "parents": [name[p] for p in self.parents],
            "mirror": [[name[i], name[j]] for i, j in enumerate(self.mirror) if i < j],
            "centre": name[self.centre],
            "spine": [name[i] for i in self.spine],
            "sides": [[name[r], name[left]] for r, left in self.sides],
            "parts": {part: [name[i] for i in members] for part, members in self.parts.items()},
        }

    @classmethod
    def from_dict(cls, table: Mapping[str, Any], where: str = "layout") -> Layout:
        """Build and check a layout from its TOML form.

        Raises:
            ConfigError: a key is missing, a name is not a joint, or the parents do not form a tree.
        """
        try:
            joints = tuple(str(joint) for joint in table["joints"])
            position = {joint: i for i, joint in enumerate(joints)}
            if len(position) != len(joints):
                raise ConfigError(f"{where}: a joint name is used twice")
            parents = tuple(position[p] for p in table["parents"])
            mirror = list(range(len(joints)))
            for left, right in table.get("mirror", []):
                mirror[position[left]], mirror[position[right]] = position[right], position[left]
            layout = cls(
                name=str(table["name"]),
                joints=joints,
                parents=parents,
                mirror=tuple(mirror),
                centre=position[table["centre"]],
                spine=(position[table["spine"][0]], position[table["spine"][1]]),
                sides=tuple((position[r], position[left]) for r, left in table["sides"]),
                parts={
                    part: tuple(position[joint] for joint in members)
                    for part, members in table.get("parts", {}).items()
                },
            )
        except KeyError as missing:
            raise ConfigError(
                f"{where}: {missing} is neither a joint nor a given key; a layout needs name, joints, parents, "
                "centre, spine and sides (mirror and parts are optional)"
            ) from None
        layout._check_tree(where)
        return layout

    def _check_tree(self, where: str) -> None:
        if len(self.parents) != len(self.joints):
            raise ConfigError(f"{where}: {len(self.joints)} joints but {len(self.parents)} parents")
        for joint in range(len(self)):
            seen = joint
            for _ in range(len(self)):
                seen = self.parents[seen]
            if self.parents[seen] != seen:
                raise ConfigError(f"{where}: the parents of {self.joints[joint]!r} run in a circle")


def layout_names() -> tuple[str, ...]:
    """Names of the layouts that come with halpose."""
    folder = resources.files("halpose") / "layouts"
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


@lru_cache(maxsize=64)
def load_layout(name: str | Path) -> Layout:
    """A layout by name, or from a TOML file of one's own.

    Args:
        name: a built-in name (`layout_names()`), or a path ending in `.toml`.

    Raises:
        ConfigError: there is no such layout, or the file does not describe one.
    """
    if str(name).endswith(".toml"):
        return Layout.from_dict(load_toml(Path(name)), where=str(name))
    if name not in layout_names():
        raise ConfigError(
            f"no layout named {name!r}; built in: {', '.join(layout_names())}; or give a .toml file of your own"
        )
    return Layout.from_dict(
        load_toml(Path(str(resources.files("halpose") / "layouts" / f"{name}.toml"))), where=str(name)
    )


# Keys of `Sequence.extra`: y is up because the picture has it so, whatever the people do, who may lie; lengths are
# those of the picture, which has no unit; the clip is one of a store, as preparing left it.
Y_IS_UP, IN_IMAGE, PREPARED = "y_is_up", "in_image", "prepared"


@dataclass
class Sequence:
    """One recording of one or more people.

    Attributes:
        positions: (M, T, V, C) float32; C is 3 (x, y up, z) or 2 (x, y up). NaN where a joint or person is missing.
        layout: name of the joint layout, or the layout itself where the file brought its own skeleton.
        name: unique within its source, usually the file's stem.
        label: class index within the source's own list (0-based), or -1.
        subject: who moves, as the source names it ("" when it does not say).
        camera: camera or view number, 0 when unknown.
        setup: recording setup number, 0 when unknown.
        people: identity of each of the M people, as the source names it.
        fps: frames per second, or 0 when unknown.
        confidence: (M, T, V) in 0..1 where the source gives one.
        extra: anything else the source says (style, label in words, trial, ...); `by_number` where the layout was
            guessed from the number of joints.
    """

    positions: Float[np.ndarray, "m t v c"]
    layout: str | Layout
    name: str
    label: int = -1
    subject: str = ""
    camera: int = 0
    setup: int = 0
    people: tuple[str, ...] = ()
    fps: float = 0.0
    confidence: Float[np.ndarray, "m t v"] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.positions.ndim != 4:
            raise DataError(
                f"{self.name}: positions have shape {self.positions.shape}, but a sequence is (people, frames, "
                "joints, channels)"
            )
        if self.positions.shape[-1] not in (2, 3):
            raise DataError(f"{self.name}: {self.positions.shape[-1]} channels per joint; halpose reads 2 or 3")

    @property
    def frames(self) -> int:
        """Number of frames T."""
        return int(self.positions.shape[1])

    @property
    def skeleton(self) -> Layout:
        """The layout itself, whether it is given or named.

        Raises:
            ConfigError: there is no layout of that name.
        """
        return self.layout if isinstance(self.layout, Layout) else load_layout(self.layout)


def motion(x: torch.Tensor) -> torch.Tensor:
    """Difference to the next frame; the last frame is zero (FACTS of the field: CMD, HaLP).

    Args:
        x: (N, M, T, V, C) positions.
    """
    import torch

    moved = torch.zeros_like(x)
    moved[:, :, :-1] = x[:, :, 1:] - x[:, :, :-1]
    return moved


def motion_confidence(sure: torch.Tensor) -> torch.Tensor:
    """How sure a difference to the next frame is: as the less sure of both; there is none after the last frame.

    Args:
        sure: (N, M, T, V, 1) of positions.
    """
    import torch

    both = torch.zeros_like(sure)
    both[:, :, :-1] = torch.minimum(sure[:, :, 1:], sure[:, :, :-1])
    return both


def bone(x: torch.Tensor, parents: torch.Tensor) -> torch.Tensor:
    """Joint minus its parent; the root's bone is zero.

    Args:
        x: (N, M, T, V, C) positions.
        parents: (V,) parent index of each joint, on the device of `x`.
    """
    return x - x.index_select(3, parents)


def bone_confidence(sure: torch.Tensor, parents: torch.Tensor) -> torch.Tensor:
    """How sure a bone is: as the less sure of joint and parent.

    Args:
        sure: (N, M, T, V, 1) of positions.
        parents: (V,) parent index of each joint, on the device of `sure`.
    """
    import torch

    return torch.minimum(sure, sure.index_select(3, parents))
