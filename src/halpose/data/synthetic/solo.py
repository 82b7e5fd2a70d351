"""The actions of one person.

Neighbours differ in one thing only (waving one hand or two, at the shoulder or overhead; a kick low or high), so that
the classes are real and easily confused.
"""

from __future__ import annotations

from halpose.data.synthetic import gestures as g
from halpose.data.synthetic.channels import REST_HAND, Beat, script
from halpose.data.synthetic.gestures import Action, both, feet, hand, hands, held

_GUARD = hands(g.GUARD)
_SEAT = {"rise": -0.30, "advance": -0.30, "bend": 0.10, **hands((0.15, -0.36, 0.26))}
_RISING = {"rise": -0.15, "advance": -0.22, "bend": 0.50, "pitch": 0.15, **hands((0.16, -0.34, 0.24))}
_HANG = (REST_HAND["hand_out"], REST_HAND["hand_up"], REST_HAND["hand_forward"])


def solo_actions() -> tuple[Action, ...]:
    """All of them, in the order of their labels."""
    return (*_to_the_body(), *_in_the_air(), *_throws_and_blows(), *_kicks(), *_up_and_down(), *_whole_body())


def _to_the_body() -> tuple[Action, ...]:
    """One hand goes somewhere on the body, and what happens there is the action."""
    bites = script(
        (0, None),
        *((at, hand(g.MOUTH if i % 2 == 0 else g.BELLY)) for i, at in enumerate((0.18, 0.36, 0.52, 0.70, 0.84))),
        (1, None),
    )
    return (
        g.touch("drink", g.MOUTH, 3.0, (0.32, 0.68), nod=-0.22),
        Action("eat", 3.4, bites),
        g.rub("brush teeth", g.MOUTH, 2.6, {"out": (0.035, 0.0, "sine")}, right_elbow=0.45),
        g.rub(
            "brush hair",
            g.CROWN,
            0.9,
            {"up": (0.09, 0.0, "sine"), "forward": (-0.06, 0.25, "sine")},
            right_elbow=0.3,
        ),
        g.touch("make a phone call", g.EAR, 3.4, (0.22, 0.84), tilt=0.10),
        g.touch("salute", g.FOREHEAD, 2.0, (0.38, 0.62), right_elbow=0.45),
        g.touch("touch the neck", g.NAPE, 2.8, (0.30, 0.72), right_elbow=0.4, nod=0.12),
        g.rub("pat the chest", g.CHEST, 1.7, {"forward": (0.06, 0.0, "sine")}),
        g.rub("rub the belly", g.BELLY, 0.9, {"out": (0.07, 0.0, "sine"), "up": (0.06, 0.25, "sine")}),
        Action(
            "check the watch",
            2.4,
            held({**hand((0.01, -0.12, 0.23), "left"), "nod": 0.35, "look": 0.15}, 0.36, 0.68),
        ),
    )


def _in_the_air() -> tuple[Action, ...]:
    """Hands that wave, point, clap and circle."""
    beside, abreast = (0.24, -0.03, 0.02), (0.56, -0.02, 0.02)
    return (
        g.wave("wave at the shoulder", g.SHOULDER_HIGH, 1),
        g.wave("wave overhead", g.OVERHEAD, 1),
        g.wave("wave both hands at the shoulders", g.SHOULDER_HIGH, 2),
        g.wave("wave both hands overhead", g.OVERHEAD, 2),
        g.point("point forward", g.FRONT),
        g.point("point sideways", g.SIDE, look=-0.5),
        g.point("point up", g.ABOVE, nod=-0.3),
        g.point("point down", g.FRONT_LOW, nod=0.3),
        g.clap("clap slowly", -0.14, 0.25, 1.1),
        g.clap("applaud", -0.14, 0.25, 2.5),
        g.clap("clap overhead", 0.38, 0.08, 1.5),
        g.circle("circle one arm forward", beside, 1, 0.38, 1.0, 0.75),
        g.circle("circle one arm backward", beside, 1, 0.38, -1.0, 0.75),
        g.circle("circle both arms", beside, 2, 0.38, 1.0, 0.75),
        g.circle("small circles of both arms", abreast, 2, 0.10, 1.0, 1.2),
    )


def _throws_and_blows() -> tuple[Action, ...]:
    over = (
        {**hand((0.33, 0.14, -0.14)), "twist": -0.40, "left_foot_forward": 0.15},
        {**hand((0.10, 0.12, 0.42)), "twist": 0.30, "bend": 0.15, "left_foot_forward": 0.25},
        {**hand((0.0, -0.25, 0.36)), "twist": 0.35, "bend": 0.2},
    )
    under = (
        {**hand((0.22, -0.38, -0.24)), "bend": 0.2, "left_foot_forward": 0.15},
        {**hand((0.14, -0.16, 0.42)), "bend": 0.1, "left_foot_forward": 0.25},
        {**hand((0.14, 0.16, 0.36)), "bend": 0.0},
    )
    with_both = (
        {**hands((0.12, 0.28, -0.02)), "bend": -0.1},
        {**hands((0.12, 0.20, 0.38)), "bend": 0.1},
        {**hands((0.13, -0.04, 0.42)), "bend": 0.15},
    )
    alternating = Beat(
        1.3,
        {
            "right_hand_forward": (0.26, 0.0, "lift"),
            "left_hand_forward": (0.26, 0.5, "lift"),
            "right_hand_out": (-0.10, 0.0, "lift"),
            "left_hand_out": (-0.10, 0.5, "lift"),
            "twist": (0.25, 0.0, "sine"),
        },
        0.15,
        0.88,
    )
    back = {**_GUARD, "twist": 0.0}
    return (
        g.fling("throw overarm", *over),
        g.fling("throw underarm", *under),
        g.fling("throw with both hands", *with_both),
        g.fling("punch", _GUARD, {**hand((0.0, 0.0, 0.46)), "twist": 0.3}, back, (1, 3)),
        Action("box", 2.8, held(_GUARD, 0.15, 0.88, alternating)),
        g.fling(
            "uppercut",
            {**_GUARD, **hand((0.12, -0.32, 0.10))},
            {**hand((0.04, 0.10, 0.32)), "twist": 0.25},
            back,
            (1, 3),
        ),
    )


def _kicks() -> tuple[Action, ...]:
    swing = {"right_foot_forward": -0.22, "right_foot_up": 0.10}
    return (
        g.kick(
            "kick low",
            swing,
            {"right_foot_forward": 0.50, "right_foot_up": 0.22, "bend": -0.05, "sway": 0.05},
        ),
        g.kick(
            "kick high",
            swing,
            {"right_foot_forward": 0.52, "right_foot_up": 0.66, "pitch": -0.2, "sway": 0.06},
        ),
        g.kick(
            "kick sideways",
            {"right_foot_up": 0.15},
            {"right_foot_out": 0.52, "right_foot_up": 0.42, "roll": -0.25, "sway": 0.06},
        ),
        g.kick(
            "kick backward",
            {"right_foot_forward": 0.08, "right_foot_up": 0.12},
            {"right_foot_forward": -0.52, "right_foot_up": 0.32, "pitch": 0.35, "sway": 0.05},
        ),
    )


def _up_and_down() -> tuple[Action, ...]:
    crouch = {"rise": -0.36, "advance": -0.10, "pitch": 0.20, "bend": 0.25, **hands(g.FRONT)}
    bounce = Beat(0.9, {"rise": (-0.20, 0.0, "swing"), "bend": (0.15, 0.0, "swing")}, 0.15, 0.88)
    level = {"left_hand_level": 0.8, "right_hand_level": 0.8}
    bowed = {"pitch": 0.45, "bend": 0.55, "advance": -0.12, "nod": 0.25, **hands((0.18, -0.60, 0.12)), **level}
    stooped = {
        **{"rise": -0.22, "advance": -0.12, "pitch": 0.6, "bend": 0.7},
        **hand((0.12, -1.02, 0.34)),
        **hand((0.18, -0.72, 0.22), "left"),
        **{"left_hand_level": 0.8, "right_hand_level": 1.0},
    }
    with_it = {**dict.fromkeys(stooped, 0.0), **hand(_HANG, "left"), **hand(g.BELLY)}
    return (
        Action("squat", 2.4, script((0, None), (0.42, crouch), (0.55, crouch), (1, None)), repeats=(1, 2)),
        Action("bounce in the knees", 3.2, held(hands(g.WAIST), 0.15, 0.88, bounce)),
        Action("sit down", 2.2, script((0, None), (0.45, _RISING), (0.85, _SEAT), (1, _SEAT))),
        Action("stand up", 2.2, script((0, _SEAT), (0.2, _SEAT), (0.55, _RISING), (1, None))),
        Action("bow", 2.2, held(bowed, 0.40, 0.60)),
        Action("pick something up", 2.6, script((0, None), (0.42, stooped), (0.52, stooped), (0.85, with_it), (1, {}))),
    )


def _whole_body() -> tuple[Action, ...]:
    jump = script(
        (0, None),
        (0.34, {"rise": -0.20, "bend": 0.40, **hands((0.24, -0.40, -0.18))}),
        (0.54, {"rise": 0.28, "bend": 0.0, **feet(0.26), **hands((0.24, 0.22, 0.22))}),
        (0.72, {"rise": -0.14, "bend": 0.25, **feet(0.0), **hands((0.28, -0.22, 0.16))}),
        (1, None),
    )
    jacks = Beat(
        1.0,
        {
            **both("hand_up", 0.86, 0.0, "swing"),
            **both("hand_out", 0.34, 0.0, "bulge"),
            **both("foot_out", 0.20, 0.0, "swing"),
            **both("foot_up", 0.07, 0.0, "bulge"),
            "rise": (0.08, 0.0, "bulge"),
        },
        0.05,
        0.95,
    )
    hops = Beat(1.8, {"rise": (0.10, 0.0, "bulge"), "left_foot_up": (0.11, 0.0, "bulge")}, 0.2, 0.85)
    one_leg = {"right_foot_up": 0.20, "right_foot_forward": -0.12, "sway": 0.05}
    deep = {"right_foot_forward": 0.55, "right_foot_up": 0.0, "advance": 0.30, "rise": -0.16}
    lunge = script(
        (0, None),
        (0.22, {"right_foot_forward": 0.3, "right_foot_up": 0.10, "advance": 0.12}),
        (0.42, deep),
        (0.60, deep),
        (0.78, {"right_foot_forward": 0.25, "right_foot_up": 0.08, "advance": 0.1, "rise": -0.03}),
        (1, None),
    )
    elbows_up = {**hands((0.24, -0.10, 0.22)), "left_elbow": 0.5, "right_elbow": 0.5}
    twists = Beat(0.6, {"twist": (0.65, 0.0, "sine"), "look": (0.2, 0.0, "sine")})
    runs = {**hands((0.20, -0.28, 0.16)), "bend": 0.1}
    return (
        Action("jump up", 1.7, jump, repeats=(1, 2)),
        Action("jumping jacks", 3.4, script((0, None), (1, None), beat=jacks)),
        Action("hop on one leg", 3.0, held(one_leg, 0.2, 0.85, hops)),
        Action("walk on the spot", 3.4, script((0, None), (1, None), beat=g.gait(0.14, 0.9, 0.12))),
        Action("run on the spot", 3.2, held(runs, 0.1, 0.92, g.gait(0.26, 1.45, 0.14))),
        Action("lunge", 2.4, lunge, repeats=(1, 2)),
        Action("twist the trunk", 3.4, held(elbows_up, 0.18, 0.85, twists)),
        Action("stretch the arms", 2.8, held({**hands(g.ABOVE), "bend": -0.15, "nod": -0.3}, 0.38, 0.68)),
    )
