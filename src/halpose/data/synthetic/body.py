"""A synthetic body: proportions, and from channels in time to the 25 joints of the Kinect v2.

Trunk and head are forward kinematics, a chain of rotations from the pelvis up. Arms and legs know where their wrist
and ankle must be, so the elbow and the knee follow from two bones of given length: hands meet what they reach for,
feet stay on the floor, and every bone keeps its length whatever the channels ask for.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from halpose.data.synthetic.channels import CHANNELS, LEFT, RIGHT
from halpose.skeleton import load_layout

# Metres; the average of the recordings that the public NTU RGB+D samples hold, as the Kinect sees a body.
PROPORTIONS = {
    "lower_spine": 0.265,
    "upper_spine": 0.198,
    "neck": 0.066,
    "head": 0.125,
    "shoulder": 0.145,
    "upper_arm": 0.245,
    "forearm": 0.230,
    "hand": 0.065,
    "hip": 0.065,
    "thigh": 0.350,
    "shin": 0.340,
    "foot": 0.095,
}
SEGMENTS = tuple(PROPORTIONS)
REFERENCE: Float[np.ndarray, " segments"] = np.array(list(PROPORTIONS.values()))
ANKLE_HEIGHT = 0.08
SHOULDER_DROP = 0.03
STANDING = 0.985  # share of the leg's length between hip and ankle when standing: knees are never locked
FOOT_SPLAY, FOOT_SLOPE = 0.22, 0.45  # how far the feet point outward, and the ankle-to-toe bone downward
STEP_LIFT = 0.09

_INDEX = {joint: i for i, joint in enumerate(load_layout("kinect25").joints)}
_LIMBS = np.stack([np.arange(LEFT.start, LEFT.stop), np.arange(RIGHT.start, RIGHT.stop)], axis=1)
_OUT = np.array([[1.0], [-1.0]], dtype=np.float32)  # outward is +x on the left side, -x on the right
# Where elbows and knees point when nothing else decides: elbows out, down and back, knees ahead.
_ELBOW_POLE = np.array([[0.35, -0.35], [-0.6, -0.6], [-0.7, -0.7]], dtype=np.float32)[..., None]
_KNEE_POLE = np.array([[0.12, -0.12], [0.3, 0.3], [1.0, 1.0]], dtype=np.float32)[..., None]

# Coordinates come first and frames last in here: (3, F), or (3, 2, F) for a left and a right joint. That is what makes
# numpy fast; the layout of everybody else is restored at the end.
Rotation = Float[np.ndarray, "3 3 f"]
Pair = Float[np.ndarray, "3 2 f"]
PairLength = Float[np.ndarray, "2 f"]


def joints(
    channels: Float[np.ndarray, "f k"],
    segments: Float[np.ndarray, "f segments"],
    stride: Float[np.ndarray, " f"],
) -> Float[np.ndarray, "f 25 3"]:
    """Positions of all joints from the channels of each frame.

    Frames of many bodies may be stacked: every frame carries its own body and none looks at another.

    Args:
        channels: see `channels.CHANNELS`.
        segments: bone lengths in metres, see `SEGMENTS`.
        stride: length of a double step while travelling, in metres.

    Returns:
        Metres, x to the left, y up from the floor, z forward from where the body stood at first.
    """
    channel = dict(zip(CHANNELS, np.ascontiguousarray(channels.T), strict=True))
    limbs = np.ascontiguousarray(channels.T[_LIMBS])  # (9, 2, F)
    length = dict(zip(SEGMENTS, np.ascontiguousarray(segments.T), strict=True))
    leg, arm = length["thigh"] + length["shin"], length["upper_arm"] + length["forearm"]
    leg_size = leg / (PROPORTIONS["thigh"] + PROPORTIONS["shin"])
    arm_size = arm / (PROPORTIONS["upper_arm"] + PROPORTIONS["forearm"])
    step_forward, step_up, swing = _steps(channel["travel"] * leg_size, stride)
    none = np.zeros_like(leg)

    upright = rotation(channel["turn"], none, none)
    pelvis_turn = rotation(channel["turn"], channel["pitch"], channel["roll"])
    bend = rotation(channel["twist"] / 2, channel["bend"] / 2, channel["lean"] / 2)
    lower = _chain(pelvis_turn, bend)
    chest = _chain(lower, bend)
    head = _chain(chest, rotation(channel["look"], channel["nod"], channel["tilt"]))

    ankles = np.stack(
        [
            _OUT * (length["hip"] + limbs[5] * leg_size),
            ANKLE_HEIGHT * leg_size + np.maximum(limbs[6], 0.0) * leg_size + step_up,
            limbs[7] * leg_size + step_forward,
        ]
    )
    hip = _OUT * (pelvis_turn[:, 0] * length["hip"])[:, None]
    standing = ANKLE_HEIGHT * leg_size + STANDING * leg
    pelvis = np.stack(
        [
            channel["sway"] * leg_size,
            standing + channel["rise"] * leg_size,
            (channel["advance"] + channel["travel"]) * leg_size,
        ]
    )
    pelvis[1] = np.minimum(pelvis[1], _pelvis_limit(pelvis, hip, ankles, leg, limbs[6] + step_up))
    spine = pelvis + lower[:, 1] * length["lower_spine"]
    shoulders = spine + chest[:, 1] * length["upper_spine"]
    neck = shoulders + chest[:, 1] * length["neck"]

    place = limbs[:3] * arm_size
    place[0] *= _OUT
    place[2] += (0.10 * swing) * _OUT
    origin = np.stack([pelvis[0], standing + length["lower_spine"] + length["upper_spine"], pelvis[2]])
    in_chest = shoulders[:, None] + _turn(chest, place)
    in_body = origin[:, None] + _turn(upright, place)
    shoulder = (shoulders - SHOULDER_DROP * chest[:, 1])[:, None] + _OUT * (chest[:, 0] * length["shoulder"])[:, None]
    elbow, wrist, normal = two_bones(
        shoulder,
        in_chest + limbs[3] * (in_body - in_chest),
        length["upper_arm"],
        length["forearm"],
        _turn(chest, _ELBOW_POLE),
        limbs[4] * _OUT,
    )
    hips = pelvis[:, None] + hip
    knee, ankle, _ = two_bones(
        hips, ankles, length["thigh"], length["shin"], _turn(upright, _KNEE_POLE), np.zeros_like(limbs[0])
    )
    along = (wrist - elbow) / length["forearm"]
    thumb_side = _cross(along, normal)
    hand = wrist + length["hand"] * along
    slope = FOOT_SLOPE + limbs[8]
    level = np.cos(slope)
    toes = np.stack([np.sin(FOOT_SPLAY) * level * _OUT, -np.sin(slope), np.cos(FOOT_SPLAY) * level])

    out = np.empty((len(_INDEX), 3, len(channels)), dtype=np.float32)
    for joint, where in (
        ("hip_center", pelvis),
        ("spine", spine),
        ("shoulder_center", shoulders),
        ("neck", neck),
        ("head", neck + head[:, 1] * length["head"]),
    ):
        out[_INDEX[joint]] = where
    for joint, pair in (
        ("shoulder", shoulder),
        ("elbow", elbow),
        ("wrist", wrist),
        ("hand", hand),
        # One rigid piece that continues the forearm, the thumb on the inside of the elbow.
        ("hand_tip", hand + length["hand"] * (along + 0.2 * thumb_side)),
        ("thumb", hand + length["hand"] * (0.3 * along + 0.55 * thumb_side)),
        ("hip", hips),
        ("knee", knee),
        ("ankle", ankle),
        ("foot", ankle + toes * length["foot"]),
    ):
        out[_INDEX[f"left_{joint}"]], out[_INDEX[f"right_{joint}"]] = pair[:, 0], pair[:, 1]
    return np.ascontiguousarray(out.transpose(2, 0, 1))


def rotation(
    yaw: Float[np.ndarray, " f"], pitch: Float[np.ndarray, " f"], roll: Float[np.ndarray, " f"]
) -> Float[np.ndarray, "3 3 f"]:
    """Rotations: roll about z first, then pitch about x, then yaw about y (angles in radians)."""
    cy, sy, cx, sx, cz, sz = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    return np.stack(
        [
            np.stack([cy * cz + sy * sx * sz, sy * sx * cz - cy * sz, sy * cx]),
            np.stack([cx * sz, cx * cz, -sx]),
            np.stack([cy * sx * sz - sy * cz, sy * sz + cy * sx * cz, cy * cx]),
        ]
    )


def two_bones(
    start: Pair,
    goal: Pair,
    upper: Float[np.ndarray, " f"],
    lower: Float[np.ndarray, " f"],
    pole: Pair,
    swivel: PairLength,
) -> tuple[Pair, Pair, Pair]:
    """Middle and end of a limb of two bones that reaches for a goal, as far as its length allows.

    Args:
        start: shoulders or hips.
        goal: where wrists or ankles should be.
        upper: length of the first bone.
        lower: length of the second bone.
        pole: direction in which the middle joint points.
        swivel: angle by which the middle joint is turned about the line from start to end.

    Returns:
        Middle joints, end joints, and the unit normals of the planes that the limbs bend in.
    """
    line = goal - start
    distance = np.sqrt(_dot(line, line))
    reach = np.minimum(np.maximum(distance, np.abs(upper - lower) + 0.02), (upper + lower) * 0.998)
    along = line / np.maximum(distance, 1e-6)
    side = pole - _dot(pole, along) * along
    side /= np.maximum(np.sqrt(_dot(side, side)), 1e-6)
    side = np.cos(swivel) * side + np.sin(swivel) * _cross(along, side)
    foot = (upper**2 - lower**2 + reach**2) / (2.0 * reach)
    height = np.sqrt(np.maximum(upper**2 - foot**2, 0.0))
    return start + foot * along + height * side, start + reach * along, _cross(along, side)


def _chain(first: Rotation, then: Rotation) -> Rotation:
    """Product of rotations, frame by frame."""
    product: np.ndarray = first[:, 0, None] * then[0] + first[:, 1, None] * then[1] + first[:, 2, None] * then[2]
    return product


def _turn(by: Rotation, what: Float[np.ndarray, "3 2 _"]) -> Pair:
    """Rotated vectors, frame by frame."""
    turned: np.ndarray = by[:, 0, None] * what[0] + by[:, 1, None] * what[1] + by[:, 2, None] * what[2]
    return turned


def _dot(a: Pair, b: Pair) -> PairLength:
    product: np.ndarray = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    return product


def _cross(a: Pair, b: Pair) -> Pair:
    return np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def _steps(
    travel: Float[np.ndarray, " f"], stride: Float[np.ndarray, " f"]
) -> tuple[PairLength, PairLength, PairLength]:
    """Where the feet are when the body has travelled so far: one stands while the other swings.

    Returns:
        Forward and upward displacement of the left and the right foot, and the swing of the arms in -1..1.
    """
    if not travel.any():
        nothing = np.zeros((2, len(travel)), dtype=travel.dtype)
        return nothing, nothing, nothing
    cycles = np.abs(travel) / stride
    phase = cycles - np.array([[0.0], [0.5]], dtype=travel.dtype)
    whole = np.floor(phase)
    swing = np.minimum(2.0 * (phase - whole), 1.0)
    forward = np.sign(travel) * stride * (whole + swing * swing * (3.0 - 2.0 * swing))
    lift = (STEP_LIFT * np.sin(np.pi * swing)).astype(travel.dtype)
    arms = np.sin(2 * np.pi * cycles).astype(travel.dtype)
    return forward, np.maximum(lift, 0.0), np.stack([arms, arms])


def _pelvis_limit(
    pelvis: Float[np.ndarray, "3 f"], hip: Pair, ankles: Pair, leg: Float[np.ndarray, " f"], lifted: PairLength
) -> Float[np.ndarray, " f"]:
    """How high the pelvis may be so that both feet reach their place; a foot that is lifted asks for little."""
    across = ankles[0] - pelvis[0] - hip[0]
    ahead = ankles[2] - pelvis[2] - hip[2]
    reach = np.sqrt(np.maximum((0.99 * leg) ** 2 - across**2 - ahead**2, 0.04))
    limit = ankles[1] - hip[1] + reach + 4.0 * np.maximum(lifted, 0.0)
    lower: np.ndarray = np.minimum(limit[0], limit[1])
    return lower
