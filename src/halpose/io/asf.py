"""ASF: the skeleton that Acclaim motion files (AMC) move. Bones with a direction, a length and axes of their own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from halpose.io.base import read_bytes, refused
from halpose.io.rotation import euler_rotation

MOST_BONES = 1000
_REMEDY = "copy the .asf file again"
_DEGREES_OF_FREEDOM = frozenset(("tx", "ty", "tz", "rx", "ry", "rz", "l"))


@dataclass(frozen=True)
class Bone:
    """A bone, or the root, which has no length.

    Attributes:
        name: as the file has it; `root` is the root.
        parent: index of the bone that it starts from; the root is its own.
        step: from its start to its end, unturned, in the file's unit.
        axes: its own axes, in which its angles turn it.
        freedom: the numbers that each frame has for it, such as ("rx", "rz").
    """

    name: str
    parent: int
    step: Float64[np.ndarray, " 3"]
    axes: Float64[np.ndarray, "3 3"]
    freedom: tuple[str, ...]


@dataclass(frozen=True)
class AsfSkeleton:
    """The bones of a file, parents first, and what its numbers mean.

    Attributes:
        bones: the root first.
        is_degrees: of angles, in this file and in those that move it, unless they say it themselves.
        length: as the file states it under `units`; lengths divided by it are inches.
    """

    bones: tuple[Bone, ...]
    is_degrees: bool
    length: float


def read_asf(path: Path) -> AsfSkeleton:
    """The skeleton of an `.asf`.

    Raises:
        FormatError: the file is missing, damaged, or its bones do not make a tree.
    """
    text = read_bytes(path, limit=1 << 22).decode("latin-1")
    sections: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words and words[0].startswith(":"):
            rows = sections.setdefault(words[0][1:].lower(), [])
            rows.append(words[1:])
        elif words:
            rows.append(words)
    try:
        return _skeleton(path, sections)
    except (ValueError, IndexError, KeyError) as error:
        raise refused(path, f"not the skeleton of a motion file ({str(error)[:80]})", _REMEDY) from None


def _skeleton(path: Path, sections: dict[str, list[list[str]]]) -> AsfSkeleton:
    units = {row[0].lower(): row[1] for row in sections.get("units", []) if len(row) > 1}
    length, is_degrees = float(units.get("length", 1)), not units.get("angle", "deg").lower().startswith("rad")
    if not 1e-6 < length < 1e6:
        raise refused(path, f"a unit of length of {length:g}", _REMEDY)
    described = [_root(sections["root"], is_degrees), *_bones(sections["bonedata"], is_degrees)]
    found = {bone.name: bone for bone in described}
    if len(found) < len(described) or len(described) > MOST_BONES:
        raise refused(path, f"{len(described)} bones of {len(found)} names", _REMEDY)
    above: dict[str, str] = {}
    for row in sections["hierarchy"]:
        for child in row[1:]:
            if child in above or child == "root":
                raise refused(path, f"{child} hangs from two bones", _REMEDY)
            above[child] = row[0]
    if set(above) | {"root"} != set(found):
        odd = sorted(set(above) ^ (set(found) - {"root"}))
        raise refused(path, f"its hierarchy and its bones differ in {', '.join(odd[:5])}", _REMEDY)
    order = _parents_first(found.keys(), above)
    if len(order) < len(found):
        raise refused(path, "its hierarchy runs in a circle", _REMEDY)
    place = {name: at for at, name in enumerate(order)}
    bones = (found[name] for name in order)
    return AsfSkeleton(
        tuple(
            Bone(bone.name, place[above.get(bone.name, "root")], bone.step, bone.axes, bone.freedom) for bone in bones
        ),
        is_degrees,
        length,
    )


def _parents_first(names: object, above: dict[str, str]) -> list[str]:
    """The root and all that hangs from it, bones in the file's order below each other."""
    children: dict[str, list[str]] = {}
    for child, parent in above.items():
        children.setdefault(parent, []).append(child)
    order, waiting = [], ["root"]
    while waiting:
        name = waiting.pop()
        order.append(name)
        waiting.extend(reversed(children.get(name, [])))
    return order


def _root(rows: list[list[str]], is_degrees: bool) -> Bone:
    said = {row[0].lower(): row[1:] for row in rows if row}
    order = tuple(word.lower() for word in said["order"])
    turn = said.get("axis", ["XYZ"])[0]
    step = _numbers(said.get("position", ["0", "0", "0"]))
    return Bone("root", 0, step, _axes(said.get("orientation", ["0", "0", "0"]), turn, is_degrees), _freedom(order))


def _bones(rows: list[list[str]], is_degrees: bool) -> list[Bone]:
    bones = []
    said: dict[str, list[str]] = {}
    for row in rows:
        if row and row[0].lower() == "begin":
            said = {}
        elif row and row[0].lower() == "end":
            step = _numbers(said["direction"]) * float(said["length"][0])
            if not np.isfinite(step).all():
                raise ValueError(f"{said['name'][0]} has no length")
            axis = said["axis"]
            freedom = _freedom(tuple(word.lower() for word in said.get("dof", [])))
            bones.append(Bone(said["name"][0], 0, step, _axes(axis, axis[3], is_degrees), freedom))
        elif row:
            said.setdefault(row[0].lower(), row[1:])
    return bones


def _numbers(words: list[str]) -> Float64[np.ndarray, " 3"]:
    values = np.array([float(word) for word in words[:3]])
    if values.shape != (3,) or not np.isfinite(values).all():
        raise ValueError(f"{' '.join(words)[:40]} are not three numbers")
    return values


def _axes(words: list[str], order: str, is_degrees: bool) -> Float64[np.ndarray, "3 3"]:
    """Rotations about fixed axes, the first letter's first: `XYZ` is Rz Ry Rx."""
    angles = _numbers(words)
    if is_degrees:
        angles = np.deg2rad(angles)
    if sorted(order.upper()) != ["X", "Y", "Z"]:
        raise ValueError(f"axes in the order {order[:10]}")
    axes: np.ndarray = euler_rotation(order.upper()[::-1], list(angles[::-1]))
    return axes


def _freedom(words: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(words)) < len(words) or not _DEGREES_OF_FREEDOM.issuperset(words):
        raise ValueError(f"degrees of freedom {' '.join(words)[:40]}")
    return words
