"""How actions are built: a few movements with a limb, a target, a tempo and a direction."""

from __future__ import annotations

from dataclasses import dataclass

from halpose.data.synthetic.channels import Beat, Pose, Script, Shape, script

Target = tuple[float, float, float]  # a wrist: out, up and forward of the middle of the shoulders, metres
Moves = dict[str, tuple[float, float, Shape]]

MOUTH, EAR, FOREHEAD = (0.07, 0.05, 0.17), (0.17, 0.09, 0.05), (0.15, 0.19, 0.14)
CROWN, NAPE = (0.14, 0.27, 0.05), (0.13, 0.09, -0.09)
CHEST, BELLY, WAIST = (-0.02, -0.14, 0.17), (0.02, -0.33, 0.17), (0.22, -0.40, -0.03)
SHOULDER_HIGH, OVERHEAD = (0.33, 0.00, 0.22), (0.26, 0.36, 0.10)
FRONT, SIDE, ABOVE, FRONT_LOW = (0.09, -0.02, 0.44), (0.58, -0.02, 0.05), (0.17, 0.42, 0.06), (0.16, -0.36, 0.27)
GUARD = (0.12, -0.08, 0.20)


@dataclass(frozen=True)
class Action:
    """One class of movement.

    Attributes:
        name: what is done.
        seconds: how long it takes at the reference tempo, without the pauses around it.
        script: what the first person does, right-handed.
        partner: what the second person does, for actions of two.
        repeats: the least and the most often that it is done in one clip.
        gap: metres between two people.
        facing: headings of the two relative to the line from the first to the second, in half turns.
    """

    name: str
    seconds: float
    script: Script
    partner: Script | None = None
    repeats: tuple[int, int] = (1, 1)
    gap: float = 0.0
    facing: tuple[float, float] = (0.0, 1.0)


def hand(target: Target, side: str = "right") -> dict[str, float]:
    """A pose: one wrist at a target."""
    out, up, forward = target
    return {f"{side}_hand_out": out, f"{side}_hand_up": up, f"{side}_hand_forward": forward}


def hands(target: Target) -> dict[str, float]:
    """A pose: both wrists at mirrored targets."""
    return hand(target, "left") | hand(target, "right")


def feet(up: float) -> dict[str, float]:
    """A pose: both feet off the floor, toes hanging."""
    return {"left_foot_up": up, "right_foot_up": up, "left_toe": up * 2, "right_toe": up * 2}


def both(channel: str, amplitude: float, phase: float, shape: Shape, count: int = 2) -> Moves:
    """The same move of the right limb (count 1) or of both (count 2)."""
    return {f"{side}_{channel}": (amplitude, phase, shape) for side in ("right", "left")[:count]}


def held(pose: Pose, start: float, end: float, beat: Beat | None = None) -> Script:
    """From rest into a pose, held (or beating), and back."""
    return script((0, None), (start, pose), (end, pose), (1, None), beat=beat)


def touch(name: str, target: Target, seconds: float, hold: tuple[float, float], **also: float) -> Action:
    """One hand goes to a place on the body and stays there for a while."""
    return Action(name, seconds, held({**hand(target), **also}, *hold))


def rub(name: str, target: Target, hertz: float, moves: Moves, **also: float) -> Action:
    """One hand goes to a place on the body and moves there again and again."""
    beat = Beat(hertz, {f"right_hand_{axis}": move for axis, move in moves.items()})
    return Action(name, 3.2, held({**hand(target), **also}, 0.25, 0.82, beat))


def wave(name: str, target: Target, count: int) -> Action:
    """One hand or both to and fro."""
    beat = Beat(1.5, both("hand_out", 0.13, 0.0, "sine", count))
    return Action(name, 2.8, held(hand(target) if count == 1 else hands(target), 0.24, 0.82, beat))


def point(name: str, target: Target, **also: float) -> Action:
    """An arm stretched out in a direction."""
    return Action(name, 2.4, held({**hand(target), **also}, 0.35, 0.68))


def clap(name: str, up: float, forward: float, hertz: float) -> Action:
    """Both hands together and apart."""
    beat = Beat(hertz, both("hand_out", 0.10, 0.25, "sine"), 0.2, 0.85)
    return Action(name, 2.8, held(hands((0.12, up, forward)), 0.2, 0.85, beat))


def circle(name: str, middle: Target, count: int, radius: float, direction: float, hertz: float) -> Action:
    """Stretched arms draw circles beside the body; direction 1 goes up in front and down behind."""
    moves = both("hand_up", radius, 0.0, "sine", count) | both("hand_forward", radius * direction, 0.25, "sine", count)
    pose = hand(middle) if count == 1 else hands(middle)
    return Action(name, 3.2, held(pose, 0.18, 0.85, Beat(hertz, moves, 0.15, 0.88)))


def fling(name: str, cock: Pose, release: Pose, follow: Pose, repeats: tuple[int, int] = (1, 2)) -> Action:
    """Wind up, let go, follow through: throws and blows."""
    return Action(
        name, 1.9, script((0, None), (0.36, cock), (0.52, release), (0.66, follow), (1, None)), repeats=repeats
    )


def kick(name: str, wind_up: Pose, reach: Pose) -> Action:
    """One foot goes out and comes back."""
    back = {"right_foot_forward": 0.0, "right_foot_out": 0.02, "right_foot_up": 0.05}
    return Action(name, 1.7, script((0, None), (0.3, wind_up), (0.5, reach), (0.74, back), (1, None)), repeats=(1, 2))


def gait(lift: float, hertz: float, arms: float) -> Beat:
    """Stepping on the spot, arms against legs."""
    moves: Moves = {
        "right_foot_up": (lift, 0.0, "lift"),
        "left_foot_up": (lift, 0.5, "lift"),
        "right_foot_forward": (lift * 0.6, 0.0, "lift"),
        "left_foot_forward": (lift * 0.6, 0.5, "lift"),
        "right_hand_forward": (-arms, 0.0, "sine"),
        "left_hand_forward": (arms, 0.0, "sine"),
        "sway": (0.02, 0.0, "sine"),
        "rise": (lift * 0.1, 0.0, "bulge"),
    }
    return Beat(hertz, moves, 0.08, 0.92)
