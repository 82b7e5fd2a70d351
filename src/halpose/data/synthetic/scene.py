"""From numbers of clips to recordings: who stands where, who moves how, and what the sensor sees of it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from halpose.data.synthetic.actions import actions
from halpose.data.synthetic.body import PROPORTIONS, SEGMENTS, joints
from halpose.data.synthetic.channels import AT
from halpose.data.synthetic.encounters import STANDING
from halpose.data.synthetic.performance import (
    FPS,
    Performer,
    draw_clock,
    draw_habit,
    draw_performer,
    perform,
)
from halpose.data.synthetic.sensor import Track, camera_pose, disturb, measure
from halpose.data.synthetic.spec import SyntheticSpec, Take
from halpose.skeleton import Sequence

# What a stream of random numbers decides; a stream is seeded by the seed, its purpose, and what it belongs to.
_SUBJECT, _HABIT, _PERFORMANCE, _SENSOR = range(4)
_LEG = [SEGMENTS.index("thigh"), SEGMENTS.index("shin")]
_REFERENCE_LEG = PROPORTIONS["thigh"] + PROPORTIONS["shin"]
_BYSTANDERS = 0.15  # share of the clips of one person in which somebody else stands about, when distraction is 1
_FIRST_IDENTITY = 72057594037927936  # the Kinect counts bodies from 2**56


@dataclass(frozen=True)
class Body:
    """One person of a scene, before anybody looks.

    Attributes:
        channels: (T, K) what moves the body.
        segments: (12,) bone lengths in metres.
        stride: metres of a double step.
        heading: direction in radians that the body faces on the stage; 0 is towards camera 1.
        place: (3,) where on the stage the body stands.
    """

    channels: Float[np.ndarray, "t k"]
    segments: Float[np.ndarray, " segments"]
    stride: float
    heading: float
    place: Float[np.ndarray, " 3"]


def record(spec: SyntheticSpec, indices: Iterable[int]) -> list[Sequence]:
    """Generate the clips with these numbers.

    Args:
        spec: what is generated.
        indices: numbers from 0 to `spec.clips` - 1, in any order.

    Returns:
        Sequences in camera coordinates (metres, x to the left of the sensor, y up, z away from it), people as the
        tracker reports them: NaN where it does not.
    """
    takes = [spec.take(index) for index in indices]
    scenes = [stage(spec, take) for take in takes]
    moving = iter(_move([body for scene in scenes for body in scene]))
    return [_film(spec, take, scene, [next(moving) for _ in scene]) for take, scene in zip(takes, scenes, strict=True)]


def stage(spec: SyntheticSpec, take: Take) -> list[Body]:
    """The performance that a clip shows; the same for all cameras of a set-up."""
    rng = np.random.default_rng([spec.seed, _PERFORMANCE, take.action, take.subject, take.setup, take.replication])
    action = actions(spec.actions)[take.action - 1]
    habit = _habit(spec.seed, take.subject, take.action, spec.variation)
    performer = _performer(spec.seed, take.subject, spec.variation)
    # What habits change about the duration is a property of the person and the action, not of the take.
    seconds = action.seconds * float(np.exp(habit[-3]))
    clock = draw_clock(rng, seconds, action.repeats, performer.tempo, spec.variation, spec.distraction)
    heading = np.pi / 4 if take.replication % 2 else -np.pi / 4
    heading += 0.2 * (spec.variation + spec.distraction) * rng.standard_normal()
    place = np.array([0.15, 0.0, 0.15]) * rng.standard_normal(3) * spec.variation
    if action.partner is None:
        channels = perform(action.script, performer, habit, clock, rng, spec.variation, spec.distraction)
        scene = [_body(channels, performer, heading, place)]
        if rng.random() < _BYSTANDERS * spec.distraction:
            # Whoever else is there is nobody's subject, so that no split sees the same person on both sides.
            other, way = draw_performer(rng, spec.variation), draw_habit(rng, spec.variation)
            channels = perform(STANDING, other, way, clock, rng, spec.variation, spec.distraction)
            beside = heading + np.pi * rng.uniform(0.35, 1.65)
            away = np.array([np.sin(beside), 0.0, np.cos(beside)]) * rng.uniform(0.7, 1.3)
            scene.append(_body(channels, other, heading + rng.standard_normal(), place + away))
        return scene if rng.random() < 0.5 else scene[::-1]
    between = heading + (np.pi / 2 if rng.random() < 0.5 else -np.pi / 2)
    gap = action.gap * float(np.exp((0.05 * spec.variation + 0.08 * spec.distraction) * rng.standard_normal()))
    half = np.array([np.sin(between), 0.0, np.cos(between)]) * (gap / 2)
    scene = []
    other, way = draw_performer(rng, spec.variation), draw_habit(rng, spec.variation)
    for who, script, manner, side, facing in (
        (performer, action.script, habit, -half, action.facing[0]),
        (other, action.partner, way, half, action.facing[1]),
    ):
        channels = perform(script, who, manner, clock, rng, spec.variation, spec.distraction)
        scene.append(_body(channels, who, between + np.pi * facing, place + side))
    return scene if rng.random() < 0.5 else scene[::-1]


def _body(
    channels: Float[np.ndarray, "t k"], performer: Performer, heading: float, place: Float[np.ndarray, " 3"]
) -> Body:
    """Choose the stride so that whoever travels arrives with both feet side by side."""
    way = np.abs(channels[:, AT["travel"]]).max() * performer.segments[_LEG].sum() / _REFERENCE_LEG
    stride = way / max(1, round(way / performer.stride)) if way > 0 else 1.0
    return Body(channels, performer.segments, float(stride), float(heading), place)


@lru_cache(maxsize=2048)
def _performer(seed: int, subject: int, variation: float) -> Performer:
    return draw_performer(np.random.default_rng([seed, _SUBJECT, subject]), variation)


@lru_cache(maxsize=1 << 16)
def _habit(seed: int, subject: int, action: int, variation: float) -> Float[np.ndarray, " habits"]:
    return draw_habit(np.random.default_rng([seed, _HABIT, subject, action]), variation)


def _move(bodies: list[Body]) -> list[Float[np.ndarray, "t 25 3"]]:
    """Joints of all bodies, in their own frames; one pass over all frames of all of them is what makes it fast."""
    lengths = [len(body.channels) for body in bodies]
    moved = joints(
        np.concatenate([body.channels for body in bodies]).astype(np.float32),
        np.repeat(np.stack([body.segments for body in bodies]).astype(np.float32), lengths, axis=0),
        np.repeat(np.array([body.stride for body in bodies], dtype=np.float32), lengths),
    )
    return np.split(moved, np.cumsum(lengths)[:-1])


def _film(spec: SyntheticSpec, take: Take, scene: list[Body], moved: list[Float[np.ndarray, "t 25 3"]]) -> Sequence:
    """Look at the bodies of one scene with one camera."""
    rng = np.random.default_rng(
        [spec.seed, _SENSOR, take.action, take.subject, take.setup, take.replication, take.camera]
    )
    look, stands = camera_pose(take.camera, take.setup)
    first = _FIRST_IDENTITY + int(rng.integers(1, 9000))
    tracks: list[Track] = []
    for number, (body, positions) in enumerate(zip(scene, moved, strict=True)):
        cos, sin = math.cos(body.heading), math.sin(body.heading)
        turn = look @ np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])
        shift = look @ (body.place - stands)
        seen = (positions.reshape(-1, 3) @ turn.T.astype(np.float32)).reshape(positions.shape)
        tracks.append(measure(seen + shift.astype(np.float32), first + number, spec.noise, rng))
    tracks = disturb(tracks, spec.glitches, rng)
    whole = np.stack([track.positions for track in tracks])
    guessed = np.stack([track.inferred for track in tracks])
    confidence = (1.0 - 0.5 * guessed).astype(np.float32)
    if spec.glitches:
        confidence[np.isnan(whole[..., 0])] = 0.0
    return Sequence(
        positions=whole,
        layout="kinect25",
        name=take.name,
        label=take.action - 1,
        subject=str(take.subject),
        camera=take.camera,
        setup=take.setup,
        people=tuple(str(track.identity) for track in tracks),
        fps=FPS,
        confidence=confidence,
        extra={
            "synthetic": True,
            "action": actions(spec.actions)[take.action - 1].name,
            "replication": take.replication,
        },
    )
