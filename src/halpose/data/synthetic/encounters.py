"""The actions of two people: what the first does, and how the second answers."""

from __future__ import annotations

from halpose.data.synthetic.channels import Beat, Pose, Script, script
from halpose.data.synthetic.gestures import BELLY, FRONT, GUARD, Action, Target, hand, hands, held

STANDING: Script = script((0, None), (1, None))
_LEVEL = {"right_hand_level": 1.0}  # a hand that meets somebody else's does not move with the chest


def encounters() -> tuple[Action, ...]:
    """The eleven actions of two, in the order of NTU RGB+D 60's."""
    return (*_blows(), *_contacts(), *_walks())


def _reaches(target: Target, start: float, end: float, beat: Beat | None = None) -> Script:
    """One hand goes to a place between two people, and back."""
    pose = {**hand(target), **_LEVEL}
    return script((0, _LEVEL), (start, pose), (end, pose), (1, None), beat=beat)


def _recoils(at: float, pose: Pose) -> Script:
    """Nothing until the blow lands; then the pose it causes, and slowly back."""
    return script((0, None), (at, None), (at + 0.14, pose), (1, None))


def _blows() -> tuple[Action, ...]:
    guard = hands(GUARD)
    blow = {**hand((0.0, 0.08, 0.46)), "twist": 0.3, "advance": 0.08}
    kicks = {"right_foot_forward": 0.55, "right_foot_up": 0.45, "sway": 0.05, "advance": 0.05}
    pushes = {**hands((0.14, -0.12, 0.44)), "bend": 0.2, "advance": 0.12, "right_foot_forward": 0.2}
    stumbles = script(
        (0, None),
        (0.42, None),
        (0.58, {"pitch": -0.22, "travel": -0.2}),
        (0.85, {"travel": -0.62}),
        (1, {"pitch": 0.0}),
    )
    return (
        Action(
            "punch the other",
            2.2,
            script((0, None), (0.28, guard), (0.42, blow), (0.6, guard), (1, None)),
            _recoils(0.38, {"nod": -0.35, "pitch": -0.18, "advance": -0.10}),
            gap=0.85,
        ),
        Action(
            "kick the other",
            2.2,
            script(
                (0, None),
                (0.26, {"right_foot_forward": -0.2, "right_foot_up": 0.1}),
                (0.44, kicks),
                (0.66, {"right_foot_forward": 0.0, "right_foot_up": 0.04}),
                (1, None),
            ),
            _recoils(0.40, {"bend": 0.45, "advance": -0.18, **hands(BELLY)}),
            gap=0.95,
        ),
        Action(
            "push the other",
            2.4,
            script((0, None), (0.26, guard), (0.44, pushes), (0.58, pushes), (1, None)),
            stumbles,
            gap=0.72,
        ),
    )


def _contacts() -> tuple[Action, ...]:
    pats = Beat(1.8, {"right_hand_forward": (-0.08, 0.0, "swing")}, 0.3, 0.8)
    shakes = Beat(2.2, {"right_hand_up": (0.04, 0.0, "sine")}, 0.38, 0.72)
    around = {**hand((-0.06, -0.02, 0.33)), **hand((-0.04, -0.20, 0.32), "left"), "travel": 0.30, "bend": 0.08}
    hugs = script((0, None), (0.34, around), (0.75, around), (0.88, hands((0.2, -0.3, 0.2))), (1, {}))
    given = (0.03, -0.22, 0.36)
    takes = script(
        (0, _LEVEL),
        (0.18, {}),
        (0.46, hand(given)),
        (0.60, {}),
        (0.86, {**hand(BELLY), "right_hand_level": 0.0}),
        (1, {}),
    )
    shakes_hands = _reaches((0.0, -0.24, 0.37), 0.34, 0.74, shakes)
    high_five = (0.06, 0.22, 0.37)
    return (
        Action(
            "pat the other on the back",
            2.8,
            _reaches((0.02, -0.10, 0.42), 0.3, 0.8, pats),
            STANDING,
            gap=0.62,
            facing=(0.0, 0.0),
        ),
        Action("point at the other", 2.4, held(hand(FRONT), 0.35, 0.68), _recoils(0.4, {"nod": 0.12}), gap=1.3),
        Action("hug", 3.4, hugs, hugs, gap=0.92),
        Action("give something", 2.8, _reaches(given, 0.32, 0.58), takes, gap=0.88),
        Action("give a high five", 2.0, _reaches(high_five, 0.42, 0.54), _reaches(high_five, 0.45, 0.55), gap=0.90),
        Action("shake hands", 2.8, shakes_hands, shakes_hands, gap=0.88),
    )


def _walks() -> tuple[Action, ...]:
    walks = script((0, None), (0.08, None), (0.92, {"travel": 0.9}), (1, {}))
    return (
        Action("walk towards each other", 2.8, walks, walks, gap=2.6),
        Action("walk apart", 2.8, walks, walks, gap=0.8, facing=(1.0, 0.0)),
    )
