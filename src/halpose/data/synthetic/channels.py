"""The numbers that move a synthetic body, and scripts: an action written as poses in time plus a beat.

A pose is a vector of channels. Trunk channels are displacements (metres of a reference body) and angles (radians); a
hand is given by where its wrist is, a foot by where its ankle is, and `body` finds the joints in between. In the frame
of a body x points to its left, y up and z forward; `out` is away from the midline on either side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

TRUNK = (
    "sway",  # pelvis to the left
    "rise",  # pelvis up
    "advance",  # pelvis forward, feet staying where they are
    "travel",  # the whole body forward, feet stepping
    "turn",  # pelvis to the left
    "pitch",  # pelvis forward
    "roll",  # pelvis to the right
    "bend",  # spine forward
    "lean",  # spine to the right
    "twist",  # spine to the left
    "nod",  # head forward
    "look",  # head to the left
    "tilt",  # head to the right
)
LIMB = (
    "hand_out",
    "hand_up",
    "hand_forward",
    "hand_level",  # 0: the hand's place is given in the frame of the chest, 1: of the upright body
    "elbow",  # elbow raised about the line from shoulder to wrist
    "foot_out",
    "foot_up",
    "foot_forward",
    "toe",  # tip of the foot down
)
CHANNELS = TRUNK + tuple(f"{side}_{channel}" for side in ("left", "right") for channel in LIMB)
K = len(CHANNELS)
AT = {channel: i for i, channel in enumerate(CHANNELS)}
LEFT = slice(len(TRUNK), len(TRUNK) + len(LIMB))
RIGHT = slice(LEFT.stop, LEFT.stop + len(LIMB))
HANDS = (slice(LEFT.start, LEFT.start + 3), slice(RIGHT.start, RIGHT.start + 3))  # where the left, the right wrist is

Pose = Mapping[str, float]
Shape = Literal["sine", "lift", "swing", "bulge"]
SHAPES: tuple[Shape, ...] = ("sine", "lift", "swing", "bulge")

# Wrists beside the hips, a little in front, elbows almost straight.
REST_HAND = {"hand_out": 0.20, "hand_up": -0.485, "hand_forward": 0.04}
REST: Float[np.ndarray, " k"] = np.zeros(K)
for _side in ("left", "right"):
    for _channel, _value in REST_HAND.items():
        REST[AT[f"{_side}_{_channel}"]] = _value

_PARTNER = np.arange(K)
_PARTNER[LEFT], _PARTNER[RIGHT] = np.arange(K)[RIGHT], np.arange(K)[LEFT]
_SIGN = np.ones(K)
_SIGN[[AT[c] for c in ("sway", "turn", "roll", "lean", "twist", "look", "tilt")]] = -1.0

_STANCE = [i for i, channel in enumerate(CHANNELS) if channel.endswith(("foot_out", "foot_up", "foot_forward", "toe"))]
_STANCE += [AT[channel] for channel in ("rise", "advance", "travel", "sway", "pitch")]


@dataclass(frozen=True)
class Beat:
    """A movement that repeats while a script is between two points.

    Attributes:
        hertz: cycles per second at the reference tempo.
        moves: channel -> (amplitude, phase in cycles, shape). Shapes: `sine` goes both ways, `lift` is its positive
            half, `swing` goes from 0 to the amplitude and back once a cycle, `bulge` twice.
        start: where it begins, as a fraction of the script.
        end: where it ends.
    """

    hertz: float
    moves: Mapping[str, tuple[float, float, Shape]]
    start: float = 0.25
    end: float = 0.85


@dataclass(frozen=True)
class Script:
    """What one body does, as arrays.

    Attributes:
        at: (S,) fractions of the duration, from 0 to 1.
        poses: (S, K) the channels at those times.
        hertz: cycles per second of the beat, 0 when there is none.
        beat: (n,) channels that the beat moves.
        amplitude: (n,) how far.
        phase: (n,) in cycles.
        shape: (n,) index into `SHAPES`.
        window: where the beat starts and ends, as fractions.
    """

    at: Float[np.ndarray, " s"]
    poses: Float[np.ndarray, "s k"]
    hertz: float
    beat: Int[np.ndarray, " n"]
    amplitude: Float[np.ndarray, " n"]
    phase: Float[np.ndarray, " n"]
    shape: Int[np.ndarray, " n"]
    window: tuple[float, float]

    @cached_property
    def mirrored(self) -> Script:
        """The same movement by the other hand."""
        return Script(
            at=self.at,
            poses=self.poses[:, _PARTNER] * _SIGN,
            hertz=self.hertz,
            beat=_PARTNER[self.beat],
            amplitude=self.amplitude * _SIGN[self.beat],
            phase=self.phase,
            shape=self.shape,
            window=self.window,
        )

    @cached_property
    def hanging(self) -> Bool[np.ndarray, "s 2"]:
        """For each pose, whether the left and the right wrist hang at rest."""
        return np.stack([(self.poses[:, hand] == REST[hand]).all(1) for hand in HANDS], axis=1)

    @cached_property
    def free_hands(self) -> tuple[bool, bool]:
        """Whether the left and the right hand have nothing to do from start to end."""
        busy = [bool(np.isin(self.beat, np.arange(hand.start, hand.stop)).any()) for hand in HANDS]
        return bool(self.hanging[:, 0].all()) and not busy[0], bool(self.hanging[:, 1].all()) and not busy[1]

    @cached_property
    def is_standing(self) -> bool:
        """Whether feet and pelvis have nothing to do from start to end."""
        return bool((self.poses[:, _STANCE] == 0).all()) and not bool(np.isin(self.beat, _STANCE).any())


def script(*keys: tuple[float, Pose | None], beat: Beat | None = None) -> Script:
    """Write a script: at each fraction the channels that change; all others stay as they were.

    Args:
        keys: (fraction, pose); None stands for standing at rest.
        beat: what repeats meanwhile.
    """
    poses, now = [], REST.copy()
    for _, pose in keys:
        now = REST.copy() if pose is None else now.copy()
        for channel, value in (pose or {}).items():
            now[AT[channel]] = value
        poses.append(now)
    moves = beat.moves if beat else {}
    return Script(
        at=np.array([at for at, _ in keys]),
        poses=np.stack(poses),
        hertz=beat.hertz if beat else 0.0,
        beat=np.array([AT[channel] for channel in moves], dtype=np.int64),
        amplitude=np.array([amplitude for amplitude, _, _ in moves.values()]),
        phase=np.array([phase for _, phase, _ in moves.values()]),
        shape=np.array([SHAPES.index(shape) for _, _, shape in moves.values()], dtype=np.int64),
        window=(beat.start, beat.end) if beat else (0.0, 1.0),
    )


def minimum_jerk(x: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """From 0 before x = 0 to 1 after x = 1, the way hands move from one rest to another."""
    x = np.minimum(np.maximum(x, 0.0), 1.0)
    eased: np.ndarray = x * x * x * (10.0 + x * (6.0 * x - 15.0))
    return eased
