"""Who performs an action, and how this time: proportions, tempo, style, habits, and what no two takes share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from halpose.data.synthetic.body import REFERENCE, SEGMENTS
from halpose.data.synthetic.channels import AT, CHANNELS, HANDS, REST, SHAPES, K, Script, minimum_jerk
from halpose.data.synthetic.distraction import distract

FPS = 30.0
LONGEST = 300  # frames; NTU RGB+D's longest clips are about as long
_ROWS = 64  # of a matrix product at a time: larger ones start BLAS threads, which cost more than they save
HABITS = K + 3  # an offset for every channel, then log seconds, log hertz, log size of the beat

_HANDS = [channel for hand in HANDS for channel in range(hand.start, hand.stop)]
_LEVELS = [AT["left_hand_level"], AT["right_hand_level"]]
# Channels that move together in time. Legs and trunk are one: a foot must not leave the floor before the pelvis does.
_HEAD = np.isin(CHANNELS, ("nod", "look", "tilt"))
_LEFT_ARM, _RIGHT_ARM = (
    np.array([channel.startswith((f"{side}_hand", f"{side}_elbow")) for channel in CHANNELS])
    for side in ("left", "right")
)
_GROUPS = np.stack([~(_HEAD | _LEFT_ARM | _RIGHT_ARM), _HEAD, _LEFT_ARM, _RIGHT_ARM]).astype(np.float64)


def _table(**values: float) -> Float[np.ndarray, " k"]:
    """A value per channel; a limb's channel named without side applies to both."""
    return np.array([values.get(name, values.get(name.partition("_")[2], 0.0)) for name in CHANNELS])


# Standard deviations, metres and radians. How bodies differ from one another all day long ...
_POSTURE_MEAN = _table(bend=0.04, nod=0.05, foot_out=0.05)
_POSTURE = _table(bend=0.05, nod=0.08, tilt=0.03, lean=0.02, twist=0.03, elbow=0.15, foot_out=0.025, toe=0.04)
_CARRY = _table(hand_out=0.03, hand_up=0.02, hand_forward=0.03)
# ... how one person's way of doing one thing differs from another's ...
_HABIT = _table(
    bend=0.05, nod=0.08, lean=0.04, twist=0.06, look=0.08, pitch=0.03, rise=0.012, advance=0.02, elbow=0.15,
    hand_out=0.045, hand_up=0.045, hand_forward=0.045, foot_forward=0.03, foot_out=0.015,
)  # fmt: skip
# ... how a pose is missed from one time to the next ...
_KEY = _table(
    bend=0.03, nod=0.05, lean=0.025, twist=0.04, look=0.06, elbow=0.08, rise=0.008,
    hand_out=0.028, hand_up=0.028, hand_forward=0.028,
)  # fmt: skip
# ... and how a body drifts while it stands there.
_DRIFT = _table(
    sway=0.012, advance=0.010, turn=0.05, roll=0.012, bend=0.025, lean=0.02, twist=0.035, nod=0.06, look=0.14,
    tilt=0.04, elbow=0.06, hand_out=0.012, hand_up=0.010, hand_forward=0.014,
)  # fmt: skip
_DRIFT_HERTZ = (0.15, 1.1)
# Where a hand that has nothing to do may be instead of hanging: on the hip, behind the back, in front, in a pocket.
_IDLE_HANDS = np.array([[0.24, -0.36, -0.04], [0.06, -0.40, -0.15], [0.04, -0.34, 0.17], [0.20, -0.41, 0.07]])


@dataclass(frozen=True)
class Performer:
    """A virtual subject.

    Attributes:
        segments: (12,) bone lengths in metres, see `body.SEGMENTS`.
        tempo: how fast, 1 is the reference.
        vigour: how large the movements are.
        left_handed: whether the left hand leads.
        posture: (K,) what is added to every pose.
        carry: (K,) what is added where a hand hangs.
        lag: (4,) seconds by which trunk and legs, head, left and right arm come late.
        stride: metres of a double step.
    """

    segments: Float[np.ndarray, " segments"]
    tempo: float
    vigour: float
    left_handed: bool
    posture: Float[np.ndarray, " k"]
    carry: Float[np.ndarray, " k"]
    lag: Float[np.ndarray, " 4"]
    stride: float


def draw_performer(rng: np.random.Generator, variation: float) -> Performer:
    """A body, a temperament and a posture.

    Args:
        rng: where the randomness comes from.
        variation: 0 makes everybody alike, 1 is the usual spread.
    """
    normal = rng.standard_normal(len(SEGMENTS) + 3 * K + 8) * variation
    size = np.exp(0.06 * normal[0])
    return Performer(
        segments=REFERENCE * size * np.exp(0.05 * normal[8 : 8 + len(SEGMENTS)]),
        tempo=float(np.exp(0.16 * normal[1])),
        vigour=float(np.exp(0.12 * normal[2])),
        left_handed=bool(rng.random() < 0.12 * min(variation, 1.0)),
        posture=_POSTURE_MEAN + _POSTURE * normal[-K:],
        carry=_CARRY * normal[-2 * K : -K],
        lag=0.035 * np.abs(normal[4:8]),
        stride=float(0.72 * size * np.exp(0.08 * normal[3])),
    )


def draw_habit(rng: np.random.Generator, variation: float) -> Float[np.ndarray, " habits"]:
    """One person's way of doing one action, to be handed to `perform` every time that they do it."""
    spread = np.concatenate([_HABIT, [0.10, 0.09, 0.13]])
    habit: np.ndarray = rng.standard_normal(HABITS) * (spread * variation)
    return habit


@dataclass(frozen=True)
class Clock:
    """When things happen in one clip, in seconds.

    Attributes:
        frames: length of the clip.
        start: when the action begins.
        seconds: how long all its repetitions take.
        repeats: how often it is done.
    """

    frames: int
    start: float
    seconds: float
    repeats: int


def draw_clock(
    rng: np.random.Generator,
    seconds: float,
    repeats: tuple[int, int],
    tempo: float,
    variation: float,
    distraction: float,
) -> Clock:
    """Pauses before and after, tempo of this take, and how often the action is done."""
    often = int(rng.integers(repeats[0], repeats[1] + 1))
    before, after = 0.1 + (0.5 * min(variation, 1.0) + 0.9 * distraction) * rng.random(2)
    tempo *= np.exp(0.10 * variation * rng.standard_normal())
    seconds = seconds * (1.0 + 0.75 * (often - 1)) / tempo
    frames = min(LONGEST, round((before + seconds + after) * FPS))
    return Clock(frames=frames, start=float(before), seconds=float(seconds), repeats=often)


def perform(
    script: Script,
    performer: Performer,
    habit: Float[np.ndarray, " habits"],
    clock: Clock,
    rng: np.random.Generator,
    variation: float,
    distraction: float,
) -> Float[np.ndarray, "t k"]:
    """The channels of one body in every frame of a clip.

    Args:
        script: what is done.
        performer: by whom.
        habit: how they do this, from `draw_habit`.
        clock: when.
        rng: what is different this time.
        variation: how much, 1 is usual.
        distraction: how much else goes on meanwhile.
    """
    off_hand = rng.random() < 0.06 * variation + 0.3 * distraction
    if performer.left_handed != off_hand:
        script = script.mirrored
    at, poses = _this_time(script, performer, habit[:K], clock, rng, variation)
    time = np.arange(clock.frames) / FPS - clock.start
    begin, span = at[:-1] * clock.seconds, (at[1:] - at[:-1]) * clock.seconds
    done = minimum_jerk((time[:, None, None] - performer.lag[:, None] - begin) / span)
    steps = (poses[1:] - poses[:-1]) * _GROUPS[:, None]
    hertz = rng.uniform(*_DRIFT_HERTZ, size=4)
    angle = time[:, None] * (2 * np.pi * hertz)
    drift = rng.standard_normal((8, K)) * (_DRIFT * (0.5 * variation))
    # Everything that adds up, in one product: the steps that each group has done, and the slow waves of standing.
    curves = np.concatenate([done.reshape(clock.frames, -1), np.cos(angle), np.sin(angle)], axis=1)
    reach = np.concatenate([steps.reshape(-1, K), drift])
    channels = np.empty((clock.frames, K))
    for start in range(0, clock.frames, _ROWS):
        np.matmul(curves[start : start + _ROWS], reach, out=channels[start : start + _ROWS])
    channels += poses[0]
    _add_beat(channels, script, performer, habit[K:], clock, time, rng, variation)
    if distraction:
        distract(channels, script, clock.frames / FPS, distraction, rng)
    return channels


def _this_time(
    script: Script,
    performer: Performer,
    habit: Float[np.ndarray, " k"],
    clock: Clock,
    rng: np.random.Generator,
    variation: float,
) -> tuple[Float[np.ndarray, " s"], Float[np.ndarray, "s k"]]:
    """Times (fractions) and poses of this take: repeated, sized, missed a little, hands idle in their own way."""
    poses, hanging, at = script.poses, script.hanging, script.at
    if clock.repeats > 1:
        again = np.tile(np.arange(1, len(at)), clock.repeats - 1)
        whole = np.repeat(np.arange(1, clock.repeats), len(at) - 1)
        at = np.concatenate([at, at[again] + whole]) / clock.repeats
        poses, hanging = np.concatenate([poses, poses[again]]), np.concatenate([hanging, hanging[again]])
    shaken = at[1:-1] + rng.standard_normal(len(at) - 2) * (0.02 * variation)
    at = np.concatenate([at[:1], shaken, at[-1:]])
    # Steps keep their order and never take no time at all.
    at = np.maximum.accumulate(at) + 0.004 * np.arange(len(at))
    vigour = performer.vigour * np.exp(0.07 * variation * rng.standard_normal())
    moved = poses - REST
    size = np.full(K, vigour)
    size[_HANDS] = vigour**0.5  # what is touched stays about where it is
    size[_LEVELS] = 1.0
    missed = rng.standard_normal(poses.shape) * (_KEY * variation) + habit
    missed *= np.where((moved != 0).any(axis=0), 1.0, 0.4)
    idle, choice = rng.random(2) < 0.3 * min(variation, 1.0), _IDLE_HANDS[rng.integers(len(_IDLE_HANDS), size=2)]
    for i, hand in enumerate(HANDS):
        # Who meets another's hand looks at it.
        missed[:, hand] *= np.where(poses[:, _LEVELS[i], None] > 0, 0.5, 1.0)
        extra = performer.carry[hand]
        if idle[i] and script.free_hands[i]:
            extra = extra + choice[i] - REST[hand]
        missed[:, hand] += hanging[:, i, None] * extra
    moved *= size
    return at, moved + missed + (REST + performer.posture)


def _add_beat(
    channels: Float[np.ndarray, "t k"],
    script: Script,
    performer: Performer,
    habit: Float[np.ndarray, " 3"],
    clock: Clock,
    time: Float[np.ndarray, " t"],
    rng: np.random.Generator,
    variation: float,
) -> None:
    """Add what repeats, fading in and out within a third of a second."""
    phase, noise = rng.random() * min(variation, 1.0), rng.standard_normal(2) * variation
    if not len(script.beat):
        return
    hertz = script.hertz * performer.tempo * np.exp(habit[1] + 0.05 * noise[0])
    size = performer.vigour * np.exp(habit[2] + 0.08 * noise[1])
    start, end = script.window[0] * clock.seconds, script.window[1] * clock.seconds
    fade = minimum_jerk(np.minimum(time - start, end - time) / 0.3)
    cycle = (hertz * (time - start) + phase)[:, None] + script.phase
    wave = np.sin(2 * np.pi * cycle)
    turn = np.sin(np.pi * cycle) ** 2
    for i, shape in enumerate(script.shape):
        name = SHAPES[shape]
        moved = {
            "sine": wave[:, i],
            "lift": np.maximum(wave[:, i], 0.0),
            "swing": turn[:, i],
            "bulge": 4.0 * turn[:, i] * (1.0 - turn[:, i]),
        }[name]
        channels[:, script.beat[i]] += size * script.amplitude[i] * fade * moved
