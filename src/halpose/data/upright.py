"""Metres, and y up: what unit and which axis recordings were made in, told by the bodies in them.

Many files state neither. A grown body measures about 1.45 m from the head down the trunk, thigh and shin to the ankle,
in whatever posture, so its length tells the unit; and people keep hips and head above their feet most of the time, also
when they bend or sit, so the mean of that direction tells the axis. Both are decided once for a folder, by a sample of
its recordings, and said in the report; what is not clear is left.

Where the reader knows that y is up, as of pictures, people may lie, crawl or do push-ups: then only bodies that hang
head down tell something, namely that y was not turned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from halpose.joint_names import common_names
from halpose.skeleton import IN_IMAGE, PREPARED, Y_IS_UP, Layout, Sequence

BODY = 1.45
# Shorter or longer than any person who walks: then the unit is not known.
SHORTEST, LONGEST = 0.7, 2.3
UNITS = {"metres": 1.0, "centimetres": 0.01, "millimetres": 0.001, "inches": 0.0254}
# How much of the mean direction has to lie along an axis for that to be up, and how long the mean of the frames' has to
# be. Recordings are turned only when it is plain.
CLEAR, STEADY = 0.85, 0.4
_FRAMES = 64
_TOPS = ("head", "neck", "nose", "shoulder_center")
# Up axis -> the axes that become x, y, z, with their signs: the smallest rotation.
_TURNS: dict[str, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    "y": ((0, 1, 2), (1, 1, 1)),
    "-y": ((0, 1, 2), (1, -1, -1)),
    "z": ((0, 2, 1), (1, 1, -1)),
    "-z": ((0, 2, 1), (1, -1, 1)),
    "x": ((1, 0, 2), (-1, 1, 1)),
    "-x": ((1, 0, 2), (1, -1, 1)),
}


@dataclass(frozen=True)
class Measured:
    """A clip's body: length in the file's unit, and mean direction from feet to hips and head; None where unknown.

    `is_told` where the reader knows that y is up, `in_image` where lengths are those of a picture.
    """

    length: float | None
    up: tuple[float, ...] | None
    is_told: bool = False
    in_image: bool = False


@dataclass(frozen=True)
class Upright:
    """What is done to every clip of a folder.

    Attributes:
        unit: what lengths were found to be in; "" where that is not known.
        up: the axis that was found to be up; "" where that is not known.
        length: the median length of the bodies in the sample, in the files' unit; 0 where it could not be measured.
        others: how many clips of the sample look to be in another unit than most.
        is_told: whether the files themselves say what is up, however people lie.
        in_image: whether lengths are those of pictures.
    """

    unit: str = ""
    up: str = ""
    length: float = 0.0
    others: int = 0
    is_told: bool = False
    in_image: bool = False

    @property
    def scale(self) -> float:
        """What lengths are multiplied by."""
        return UNITS.get(self.unit, 1.0)

    def describe(self) -> list[str]:
        """What was found and done, in words."""
        body = f"bodies are {self.length:.4g} long from head to ankle"
        lines = []
        if self.unit:
            lines.append(f"units: {self.unit}{', made metres' * (self.scale != 1)} ({body})")
        elif self.length:
            lines.append(f"units: not known ({body}): lengths are kept as they are")
        elif self.in_image:
            lines.append("units: those of the picture")
        if self.others:
            lines.append(f"units: {self.others} of the sample look to be in another unit: prepare them apart")
        if self.up:
            lines.append(f"up: {self.up}{', turned to y' * (self.up != 'y')}")
        else:
            lines.append("up: not clear from how the bodies stand: taken for y")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a store's provenance."""
        return {**asdict(self), "scale": self.scale}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Upright:
        """The inverse of `to_dict`.

        Raises:
            ValueError: there is no such unit or axis.
        """
        found = cls(**{field.name: table[field.name] for field in fields(cls) if field.name in table})
        if found.unit not in ("", *UNITS) or found.up not in ("", *_TURNS):
            raise ValueError(f"no unit {found.unit!r}, or no axis {found.up!r}")
        return found

    def apply(self, sequence: Sequence) -> Sequence:
        """A clip in metres with y up; of two channels, only the direction of y is put right."""
        x = sequence.positions
        if x.shape[-1] == 2:
            return replace(sequence, positions=x * np.array([1, -1], x.dtype)) if self.up == "-y" else sequence
        axes, signs = _TURNS[self.up or "y"]
        if self.scale == 1 and axes == (0, 1, 2) and min(signs) == 1:
            return sequence
        return replace(sequence, positions=x[..., axes] * (np.array(signs) * self.scale).astype(x.dtype))


def measure(sequence: Sequence) -> Measured:
    """Length and direction of the body in a clip, of the first person who is seen."""
    layout = sequence.skeleton
    seen = np.isfinite(sequence.positions).all(axis=-1)
    people = np.flatnonzero(seen.any(axis=(1, 2)))
    if not len(people):
        return Measured(None, None)
    frames = np.flatnonzero(seen[people[0]].any(axis=1))
    frames = frames[:: max(1, len(frames) // _FRAMES)]
    body = sequence.positions[people[0], frames].astype(np.float64)
    is_told, in_image = bool(sequence.extra.get(Y_IS_UP)), bool(sequence.extra.get(IN_IMAGE))
    length = _length(body, layout) if body.shape[-1] == 3 and not in_image else None
    up = _direction(body, layout)
    if is_told:
        hangs = up is not None and _axis(np.array(up)) == "-y"
        up = (0.0, -1.0 if hangs else 1.0, 0.0)[: body.shape[-1]]
    return Measured(length, up, is_told, in_image)


def _length(body: Float[np.ndarray, "t v c"], layout: Layout) -> float | None:
    """From head to ankle along the body, or None where those joints are not known."""
    at = {name: joint for joint, name in enumerate(common_names(layout.joints))}
    top = next((at[name] for name in _TOPS if name in at), None)
    legs = [
        [at[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle")]
        for side in ("left", "right")
        if {f"{side}_hip", f"{side}_knee", f"{side}_ankle"} <= set(at)
    ]
    if top is None or not legs:
        return None
    hips = body[:, at["hip_center"]] if "hip_center" in at else body[:, [leg[0] for leg in legs]].mean(axis=1)
    trunk = np.linalg.norm(body[:, top] - hips, axis=-1)
    limbs = [np.linalg.norm(np.diff(body[:, leg], axis=1), axis=-1).sum(axis=-1) for leg in legs]
    lengths = trunk + np.mean(limbs, axis=0)
    lengths = lengths[np.isfinite(lengths)]
    return float(np.median(lengths)) if len(lengths) and np.median(lengths) > 0 else None


def _direction(body: Float[np.ndarray, "t v c"], layout: Layout) -> tuple[float, ...] | None:
    at = {name: joint for joint, name in enumerate(common_names(layout.joints))}
    feet = [at[name] for name in ("left_ankle", "right_ankle", "left_foot", "right_foot") if name in at]
    hips = [at[name] for name in ("hip_center", "left_hip", "right_hip") if name in at]
    tops = [at[name] for name in _TOPS if name in at][:1]
    if feet and hips and tops:
        spine = (body[:, hips].mean(axis=1) + body[:, tops[0]]) / 2 - body[:, feet].mean(axis=1)
    else:
        lower, upper = layout.spine
        spine = body[:, upper] - body[:, lower]
    size = np.linalg.norm(spine, axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (spine / size)[(size > 0).all(axis=-1)]
    return tuple(mean.mean(axis=0).tolist()) if len(mean) else None


def find_upright(measured: Iterable[Measured]) -> Upright:
    """Unit and axis of a folder, by a sample of its clips."""
    bodies = list(measured)
    lengths = [body.length for body in bodies if body.length is not None]
    length = float(np.median(lengths)) if lengths else 0.0
    unit = _unit(length)
    directions = [body.up for body in bodies if body.up is not None]
    others = sum(_unit(body) != unit for body in lengths)
    return Upright(
        unit,
        _axis(np.mean(directions, axis=0)) if directions else "",
        length,
        others,
        is_told=bool(bodies) and all(body.is_told for body in bodies),
        in_image=bool(bodies) and all(body.in_image for body in bodies),
    )


def find_uprights(sequences: Iterable[Sequence]) -> dict[str, Upright]:
    """Unit and axis of the recordings of each skeleton, by its layout's name; clips of a store tell nothing of them."""
    bodies: dict[str, list[Measured]] = {}
    for sequence in sequences:
        if not sequence.extra.get(PREPARED):
            bodies.setdefault(sequence.skeleton.name, []).append(measure(sequence))
    return {name: find_upright(measured) for name, measured in bodies.items()}


def put_upright(sequence: Sequence, known: Mapping[str, Upright]) -> Sequence:
    """A recording in metres with y up, as far as that is clear.

    Args:
        sequence: as it was read; a clip of a store stays as it is.
        known: unit and axis of skeletons, by their layouts' names; of any other its own body tells.
    """
    if sequence.extra.get(PREPARED):
        return sequence
    name = sequence.skeleton.name
    return (known[name] if name in known else find_upright([measure(sequence)])).apply(sequence)


def _unit(length: float) -> str:
    """The unit in which a body of some length comes next to a grown person; "" where none does."""
    if not length:
        return ""
    nearest = min(UNITS, key=lambda name: abs(np.log(length * UNITS[name] / BODY)))
    return nearest if SHORTEST <= length * UNITS[nearest] <= LONGEST else ""


def _axis(mean: Float[np.ndarray, " c"]) -> str:
    axis = int(np.abs(mean).argmax())
    size = float(np.linalg.norm(mean))
    if axis == 1 and mean[1] > 0 and size >= STEADY:
        return "y"
    if size < STEADY or abs(mean[axis]) < CLEAR * size or (len(mean) == 2 and axis == 0):
        return ""
    return f"{'-' * bool(mean[axis] < 0)}{'xyz'[axis]}"
