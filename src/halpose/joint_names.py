"""What joints are called elsewhere: `LeftUpLeg`, `Shoulder_L`, `mixamorig:RightHand`, `ElbowRight`, `LKNE`.

A name is taken apart into a side and a word. Which joint a word means depends on the words around it: `LeftFoot` is
the ankle where the file has toes but no ankle, and the foot where it has both. So names are always read together.
The names that halpose's own layouts use are taken as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from halpose.skeleton import layout_names, load_layout

_SIDES = {"left": "left", "l": "left", "lft": "left", "right": "right", "r": "right", "rt": "right", "rgt": "right"}
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# What programs put before every name, and what says nothing about a joint.
_PREFIX = re.compile(r"(?:mixamorig\d*|bip\d*|valvebiped|def|jnt|joint|bone|bn|j|b)[_ .:-]+", re.IGNORECASE)
_EMPTY = frozenset(("joint", "jnt", "bone", "pos", "position"))

# Joint -> what it is called, best first. A word that an earlier joint took is not given twice.
_OF_A_SIDE: Mapping[str, tuple[str, ...]] = {
    "hip": ("upleg", "upperleg", "thigh", "hip", "asi", "hips"),
    "knee": ("knee", "lowleg", "lowerleg", "calf", "shin", "leg", "kne"),
    "ankle": ("ankle", "foot", "ank"),
    "foot": ("foot", "toebase", "toe", "toes", "ball", "footend", "ankleend", "footindex"),
    "shoulder": ("upperarm", "uparm", "shldr", "arm", "shoulder", "sho"),
    "elbow": ("elbow", "forearm", "lowerarm", "lowarm", "elb"),
    "wrist": ("wrist", "hand", "wra"),
    "hand": ("hand", "handend", "wristend", "fin"),
    "clavicle": ("clavicle", "clav", "collar", "shoulder"),
    "hand_tip": ("handtip", "fingers"),
    "thumb": ("thumb",),
    "eye": ("eye",),
    "ear": ("ear",),
    "heel": ("heel", "hee"),
}
_CENTRAL: Mapping[str, tuple[str, ...]] = {
    "hip_center": ("hips", "pelvis", "hip", "hipcenter", "hipcentre", "spinebase", "midhip", "root"),
    "shoulder_center": ("shouldercenter", "shouldercentre", "spineshoulder", "midshoulder", "thorax"),
    "neck": ("neck", "upperneck"),
    "head": ("head", "skull"),
    "nose": ("nose",),
}
_TRUNK = re.compile(
    r"lowerback|lowerspine|upperspine|upperback|spine\d*|spinemid|spinenavel|spinechest|abdomen|torso|waist|"
    r"chest\d*|upperchest"
)
# The words that may follow an `l` or `r` without anything between.
_GLUED = frozenset(word for words in _OF_A_SIDE.values() for word in words)


@lru_cache(maxsize=1)
def own_names() -> frozenset[str]:
    """The joint names of the layouts that come with halpose."""
    return frozenset(joint for layout in layout_names() for joint in load_layout(layout).joints)


def side_and_word(name: str) -> tuple[str, str]:
    """A joint's name taken apart: `LeftUpLeg` is ("left", "upleg"), `mixamorig:Spine1` is ("", "spine1")."""
    text = re.split(r"[:|]", name)[-1].strip()
    while (shorter := _PREFIX.sub("", text, count=1) if _PREFIX.match(text) else text) != text and shorter:
        text = shorter
    words = [word.lower() for word in _WORDS.findall(text)]
    sides = [at for at, word in enumerate(words) if word in _SIDES]
    side = ""
    if sides and len(words) > 1:
        side = _SIDES[words.pop(sides[0])]
    word = ("".join(word for word in words if word not in _EMPTY) or "".join(words)).removesuffix("0")
    if not side and word[:1] in ("l", "r") and word[1:] in _GLUED:
        side, word = _SIDES[word[0]], word[1:]
    return side, word


def common_names(joints: Iterable[str]) -> tuple[str, ...]:
    """The joints of one skeleton by the names of halpose's layouts, where they are known; else as they are.

    Args:
        joints: names as a file or a layout has them, in the order of its hierarchy; no two alike.

    Returns:
        As many names, no two alike.
    """
    joints = tuple(joints)
    named = {joint: joint for joint in joints if joint in own_names()}
    taken = set(named)
    words: dict[str, dict[str, str]] = {"left": {}, "right": {}, "": {}}
    for joint in joints:
        if joint not in named:
            side, word = side_and_word(joint)
            words[side].setdefault(word, joint)

    def name(common: str, joint: str) -> None:
        if common not in taken and joint not in named:
            named[joint] = common
            taken.add(common)

    for side, meanings in (("left", _OF_A_SIDE), ("right", _OF_A_SIDE), ("", _CENTRAL)):
        here = words[side]
        for meaning, calls in meanings.items():
            common = f"{side}_{meaning}" if side else meaning
            called = next((here[call] for call in calls if call in here and here[call] not in named), None)
            if called is not None:
                name(common, called)
    trunk = [joint for word, joint in words[""].items() if _TRUNK.fullmatch(word) and joint not in named]
    # From the hips up: one joint is the spine, the uppermost of several the chest.
    for common, joint in zip(_trunk_names(len(trunk)), trunk, strict=False):
        if common:
            name(common, joint)
    given = set(joints)
    return tuple(named.get(joint, joint) if named.get(joint) not in given - {joint} else joint for joint in joints)


def _trunk_names(count: int) -> tuple[str, ...]:
    if count < 3:
        return ("spine", "chest")[:count]
    return ("lower_spine", "spine", *("",) * (count - 3), "chest")
