"""The layout of a skeleton that a file brings along, made from its joints' names, and their parents if it has them.

Files name joints as they like (`halpose.joint_names`); names are kept as they are. What halpose needs besides is read
from them: which joints mirror each other, where the trunk is, which belong to an arm or a leg.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache

from halpose.errors import DataError
from halpose.joint_names import common_names, side_and_word
from halpose.skeleton import Layout, layout_names, load_layout

_ARM = ("clavicle", "collar", "shoulder", "elbow", "forearm", "wrist", "hand", "hand_tip", "thumb", "fingers")
_LEG = ("hip", "knee", "ankle", "foot", "toes", "heel", "big_toe", "small_toe")
_TRUNK = ("hip_center", "lower_spine", "lower_back", "spine", "chest", "shoulder_center", "lower_neck", "neck", "head")
# The joint that a joint hangs from; the first of its ancestors that is there.
_HANGS_FROM: Mapping[str, str] = {
    **{upper: lower for lower, upper in zip(_TRUNK, _TRUNK[1:], strict=False)},
    "nose": "neck",
    "clavicle": "shoulder_center",
    "collar": "shoulder_center",
    "shoulder": "clavicle",
    "elbow": "shoulder",
    "forearm": "elbow",
    "wrist": "forearm",
    "hand": "wrist",
    "hand_tip": "hand",
    "fingers": "hand",
    "thumb": "wrist",
    "hip": "hip_center",
    "knee": "hip",
    "ankle": "knee",
    "foot": "ankle",
    "toes": "foot",
    "heel": "ankle",
    "big_toe": "foot",
    "small_toe": "foot",
    "eye": "nose",
    "ear": "eye",
}
# Joints that halpose has no name for, by a word in theirs: what they hang from where the file does not say.
_BY_WORD = (
    (re.compile("finger|thumb|index|pinky|middle|ring|palm|wrist|hand"), ("wrist", "forearm", "elbow")),
    (re.compile("elbow|arm"), ("elbow", "shoulder")),
    (re.compile("toe|heel|foot|ankle|ball"), ("ankle", "knee")),
    (re.compile("knee|shin|calf|leg|thigh"), ("knee", "hip")),
    (re.compile("head|eye|ear|brow|jaw|mouth|chin"), ("head", "neck")),
)
_ROOTS = ("hip_center", "lower_spine", "spine", "chest", "shoulder_center", "neck", "nose", "head")
_UPPER = ("shoulder_center", "neck", "chest", "head", "spine")


@lru_cache(maxsize=256)
def layout_of(joints: tuple[str, ...], parents: tuple[int, ...] | None = None, kind: str = "file") -> Layout:
    """The layout of a file's own skeleton.

    Two files have the same layout, by name too, exactly if their joints have the same names and parents.

    Args:
        joints: names in the order of the arrays.
        parents: index of each joint's parent, a root being its own; found by the joints' names if not given, and
            what is not known by name hangs from the root.
        kind: the format, with which the layout's name starts.

    Raises:
        DataError: there is no joint, or two have one name.
    """
    if not joints or len(set(joints)) != len(joints):
        double = next((joint for joint in joints if joints.count(joint) > 1), None)
        raise DataError(f"two joints are called {double!r}" if double else "no joints")
    common = common_names(joints)
    at = {name: index for index, name in enumerate(common)}
    if parents is None:
        parents = _parents(joints, common, at)
    root = at.get("hip_center", next(index for index, parent in enumerate(parents) if index == parent))
    digest = hashlib.sha256(repr((joints, parents)).encode()).hexdigest()[:6]
    pairs = ((at.get(f"right_{joint}"), at.get(f"left_{joint}")) for joint in ("shoulder", "hip"))
    return Layout(
        name=f"{kind}{len(joints)}-{digest}",
        joints=joints,
        parents=parents,
        mirror=_mirror(joints, common),
        centre=root,
        spine=(root, next((at[joint] for joint in _UPPER if at.get(joint, root) != root), root)),
        sides=tuple((right, left) for right, left in pairs if right is not None and left is not None),
        parts=_parts(common, parents),
    )


def _split(common: str) -> tuple[str, str]:
    """Side and rest of a common name."""
    side, _, rest = common.partition("_")
    return (side, rest) if side in ("left", "right") else ("", common)


def _by_word(joint: str, at: Mapping[str, int], root: int) -> int:
    side, word = side_and_word(joint)
    near = next((places for known, places in _BY_WORD if known.search(word)), ())
    found = (at.get(f"{side}_{place}" if side else place) for place in near)
    return next((place for place in found if place is not None and place != at.get(joint)), root)


def _parents(joints: tuple[str, ...], common: tuple[str, ...], at: Mapping[str, int]) -> tuple[int, ...]:
    root = next((at[joint] for joint in _ROOTS if joint in at), 0)
    parents = []
    for joint, name in zip(joints, common, strict=True):
        side, word = _split(name)
        if name == joint and word not in _HANGS_FROM:
            parents.append(root if at[name] == root else _by_word(joint, at, root))
            continue
        while (word := _HANGS_FROM.get(word, "")) and f"{side}_{word}" not in at and word not in at:
            pass
        parent = at.get(f"{side}_{word}", at.get(word, root)) if word else root
        parents.append(root if at[name] == root else parent)
    return tuple(parents)


def _mirror(joints: tuple[str, ...], common: tuple[str, ...]) -> tuple[int, ...]:
    """Each joint's partner: the same word on the other side, in halpose's names or in the file's."""
    sides = [
        _split(name) if name != joint or _split(name)[0] else side_and_word(joint)
        for joint, name in zip(joints, common, strict=True)
    ]
    at = {key: index for index, key in reversed(list(enumerate(sides)))}
    other = {"left": "right", "right": "left"}
    mirror = list(range(len(joints)))
    for (side, word), index in at.items():
        partner = at.get((other.get(side, ""), word))
        if side and partner is not None:
            mirror[index] = partner
    return tuple(mirror)


def _parts(common: tuple[str, ...], parents: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Trunk, arms and legs; a joint that is not known by name belongs where its nearest known ancestor does."""
    parts: dict[str, list[int]] = {}
    for joint in range(len(common)):
        part = ""
        ancestor = joint
        for _ in common:
            side, word = _split(common[ancestor])
            part = f"{side}_arm" if side and word in _ARM else f"{side}_leg" if side and word in _LEG else part
            if part or word in _TRUNK or parents[ancestor] == ancestor:
                break
            ancestor = parents[ancestor]
        parts.setdefault(part or "trunk", []).append(joint)
    return {part: tuple(members) for part, members in sorted(parts.items())} if len(parts) > 1 else {}


def named_layout(joints: tuple[str, ...], kind: str) -> tuple[str | Layout, list[int]]:
    """The layout of joints that are named but not tied: one that comes with halpose, or the file's own.

    Args:
        joints: names in the order of the arrays.
        kind: the format, with which the name of a layout of its own starts.

    Returns:
        The name of the layout that has exactly these joints, whatever they are called, or a layout made from them;
        and where in the file each joint of the layout stands.

    Raises:
        DataError: as for `layout_of`.
    """
    own = layout_of(joints, None, kind)
    common = common_names(joints)
    for name in layout_names():
        known = load_layout(name).joints
        if len(known) == len(common) and set(known) == set(common):
            return name, [common.index(joint) for joint in known]
    return own, list(range(len(joints)))
