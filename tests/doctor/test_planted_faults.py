"""Each fault that is planted into a sound recording is found, where it is, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from faults import (
    add_ghost,
    exchange_people,
    exchange_sides,
    freeze,
    lose,
    repeat,
    skip,
    spike,
    stop,
    stretch_bone,
    with_positions,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from halpose.doctor.body import bodies
from halpose.doctor.examine import examine_clip
from halpose.doctor.finding import Finding
from halpose.skeleton import Sequence, load_layout

LAYOUT = load_layout("kinect25")
LIMBS = ("left_elbow", "left_wrist", "right_elbow", "right_wrist", "left_knee", "right_ankle", "head")
ARM = tuple(
    map(LAYOUT.index, ("left_shoulder", "left_elbow", "left_wrist", "left_hand", "left_hand_tip", "left_thumb"))
)
LEG = tuple(map(LAYOUT.index, ("left_hip", "left_knee", "left_ankle", "left_foot")))
Clips = list[Sequence]
Grave = Callable[[Sequence], list[Finding]]

anywhere = st.integers(0, 2**32 - 1).map(Random)
few = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def only(found: list[Finding], check: str) -> Finding:
    """The one finding, of this check."""
    assert [finding.check for finding in found] == [check], found
    return found[0]


def test_nothing_is_found_in_sound_recordings(sound: Clips, grave: Grave) -> None:
    assert [(clip.name, found) for clip in sound for found in grave(clip)] == []


@few
@given(draw=anywhere)
def test_spikes(draw: Random, alone: Clips, grave: Grave) -> None:
    clip = draw.choice(alone)
    joint = LAYOUT.index(draw.choice(LIMBS))
    start, frames = draw.randint(8, clip.frames - 12), draw.randint(1, 3)
    direction = np.array([draw.uniform(-1, 1) for _ in range(3)])
    step = np.linalg.norm(np.diff(clip.positions[0, start - 7 : start + frames + 7, joint], axis=0), axis=-1)
    assume(np.linalg.norm(direction) > 0.1 and step.max() < 0.06)  # of a joint that is not flung about already
    found = only(grave(spike(clip, joint, start, frames, direction)), "spikes")
    assert (found.joints, found.frames, found.person) == ((LAYOUT.joints[joint],), (start, start + frames), 0)


@pytest.mark.parametrize("first", [True, False])
def test_spikes_at_the_ends(alone: Clips, grave: Grave, first: bool) -> None:
    clip = alone[0]
    at = 0 if first else clip.frames - 1
    found = only(grave(spike(clip, LAYOUT.index("head"), at, 1, np.ones(3))), "spikes")
    assert found.frames == (at, at + 1)


def test_a_body_that_jumps_is_told_from_joints_that_do(alone: Clips, grave: Grave) -> None:
    x = alone[3].positions.copy()
    x[0, 20] += [0.5, 0, 0.5]
    found = only(grave(with_positions(alone[3], x)), "spikes")
    assert (found.kind, found.frames, found.joints) == ("the body jumps", (20, 21), ())


@few
@given(draw=anywhere)
def test_frozen_joints(draw: Random, alone: Clips, grave: Grave) -> None:
    clip = draw.choice(alone)
    start = draw.randint(0, clip.frames - 30)
    end = draw.randint(start + 16, clip.frames)
    joints = draw.choice([ARM[1:], LEG[1:], ARM[2:3]])
    above = clip.positions[0, start:end, LAYOUT.parents[joints[0]]]
    bone = np.linalg.norm(above - clip.positions[0, start, joints[0]], axis=-1)
    assume(np.ptp(bone) > 0.12)  # the rest of the body moves away from what is stuck
    found = [one for one in grave(freeze(clip, joints, start, end)) if one.check == "frozen"]
    (one,) = found
    assert set(one.joints) == {LAYOUT.joints[joint] for joint in joints}
    assert one.frames == (start, end)


def test_a_planted_foot_is_not_frozen(standing: np.ndarray, grave: Grave) -> None:
    """A leg of fixed length turns above a foot that stays: nothing is wrong."""
    layout = load_layout("kinect20")
    angle = 0.3 * np.sin(0.2 * np.arange(60))
    x = np.repeat(standing[None], 60, axis=0)
    ankle = x[:, layout.index("left_ankle")].copy()
    turn = np.stack([np.cos(angle), np.sin(angle), -np.sin(angle), np.cos(angle)], axis=-1).reshape(60, 2, 2)
    x[..., :2] = np.einsum("tij,tvj->tvi", turn, (x - ankle[:, None])[..., :2]) + ankle[:, None, :2]
    assert np.ptp(x[:, layout.index("head")], axis=0).max() > 0.5
    assert np.abs(x[:, layout.index("left_ankle")] - ankle).max() < 1e-12
    assert grave(Sequence(x[None].astype(np.float32), "kinect20", "sway")) == []


@few
@given(draw=anywhere)
def test_frozen_bodies(draw: Random, sound: Clips) -> None:
    clip = draw.choice(sound)
    start = draw.randint(0, clip.frames // 2)
    end = draw.randint(start + 16, clip.frames)
    found = [one for one in examine_clip(stop(clip, start, end))[1] if one.check == "frozen"]
    assert {(one.kind, one.frames) for one in found} == {("whole body", (start, end))}
    share = (end - start) / clip.frames
    assert {one.severity for one in found} == {"warning" if share > 0.2 else "note"}


@few
@given(draw=anywhere)
def test_left_and_right(draw: Random, alone: Clips, grave: Grave) -> None:
    clip = draw.choice(alone)
    joints = draw.choice([ARM, LEG, (*ARM, *LEG)])
    start = draw.randint(1, clip.frames // 2)
    end = start + draw.randint(3, clip.frames // 3)
    other = [LAYOUT.mirror[joint] for joint in joints]
    apart = np.linalg.norm(clip.positions[0][:, joints] - clip.positions[0][:, other], axis=-1)
    steps = np.linalg.norm(np.diff(clip.positions[0][:, (*joints, *other)], axis=0), axis=-1)
    # Legs side by side are too near to tell, and arms that whirl go as far as they would to change places.
    assume(
        apart[[start - 1, start, end - 1, end]].min() > 0.2 and steps[[start - 1, end - 1]].mean(axis=1).max() < 0.06
    )
    found = [one for one in grave(exchange_sides(clip, joints, start, end)) if one.check == "sides"]
    (one,) = found
    assert set(one.joints) == {LAYOUT.joints[joint] for joint in (*joints, *other)}
    assert {(place.start, place.end) for place in one.places} == {(start, end)}


@few
@given(draw=anywhere)
def test_people_who_change_places(draw: Random, pairs: Clips, grave: Grave) -> None:
    clip = draw.choice(pairs)
    start = draw.randint(5, clip.frames // 2)
    end = start + draw.randint(5, clip.frames // 3)
    found = [one for one in grave(exchange_people(clip, start, end)) if one.check == "people"]
    (one,) = found
    assert (one.kind, one.frames) == ("swapped", (start, end))


def test_ghosts(alone: Clips) -> None:
    clip = alone[5]
    found = [one for one in examine_clip(add_ghost(clip, 10, 6))[1] if one.check == "people"]
    assert [(one.kind, one.person, one.frames) for one in found] == [("ghost", 1, (10, 16))]


@few
@given(draw=anywhere)
def test_gaps(draw: Random, alone: Clips) -> None:
    clip = draw.choice(alone)
    start = draw.randint(1, clip.frames - 25)
    frames = draw.randint(1, 24)
    joint = draw.randint(0, 24)
    (found,) = (one for one in examine_clip(lose(clip, (joint,), start, start + frames))[1] if one.check == "gaps")
    assert (found.joints, found.frames) == ((LAYOUT.joints[joint],), (start, start + frames))
    assert found.severity == ("warning" if frames / 30 > 0.5 else "note")


def test_joints_that_are_never_seen_and_clips_without_anybody(alone: Clips) -> None:
    clip = alone[0]
    (found,) = (one for one in examine_clip(lose(clip, (3, 7), 0, clip.frames))[1] if one.check == "gaps")
    assert (found.kind, found.joints, found.severity) == ("joints never seen", ("head", "left_hand"), "note")
    empty = with_positions(clip, np.full_like(clip.positions, np.nan))
    (found,) = examine_clip(empty)[1]
    assert (found.check, found.kind, found.severity) == ("gaps", "nobody", "error")


def test_frames_that_show_nobody(alone: Clips) -> None:
    x = alone[0].positions.copy()
    x[:, :4] = x[:, 30:50] = np.nan
    found = {one.kind: one for one in examine_clip(with_positions(alone[0], x))[1] if one.check == "gaps"}
    assert found["empty frames"].frames == (30, 50) and found["empty frames"].severity == "warning"
    assert "24 of" in found["empty frames"].what


@few
@given(draw=anywhere)
def test_bones_that_change_their_length(draw: Random, alone: Clips, grave: Grave) -> None:
    clip = draw.choice(alone)
    joint = LAYOUT.index(draw.choice(["left_elbow", "right_wrist", "left_knee", "right_ankle"]))
    found = [one for one in grave(stretch_bone(clip, joint)) if one.check == "bones"]
    assert [one.joints for one in found] == [(LAYOUT.joints[joint],)]


@pytest.mark.parametrize("every", [2, 3, 5])
def test_repeated_frames(alone: Clips, grave: Grave, every: int) -> None:
    found = only(grave(repeat(alone[2], every)), "timing")
    assert found.kind == "repeated frames" and found.count == len(range(0, alone[2].frames, every))
    assert f"every {every + 1} frames" in found.what


@few
@given(draw=anywhere)
def test_missing_frames(draw: Random, alone: Clips) -> None:
    """Of somebody who walks on: what is skipped while nothing moves, or while arms whirl, cannot be seen."""
    clip = draw.choice(alone)
    start, frames = draw.randint(15, clip.frames - 25), draw.randint(4, 9)
    calm = clip.positions[:, :1] + 0.2 * (clip.positions - clip.positions[:, :1])
    walking = calm + np.linspace(0, 0.05 * clip.frames, clip.frames)[None, :, None, None] * [0.6, 0, 0.8]
    whole = with_positions(clip, walking)
    assert [one for one in examine_clip(whole)[1] if one.check == "timing"] == []
    (found,) = (one for one in examine_clip(skip(whole, start, frames))[1] if one.check == "timing")
    assert (found.kind, found.frames) == ("missing frames", (start - 1, start + 1))


def test_bodies_without_size_and_recordings_of_a_frame_or_two_are_no_trouble(alone: Clips) -> None:
    for x in (np.zeros((1, 40, 25, 3)), alone[0].positions[:, :1], alone[0].positions[:, :2], np.ones((2, 9, 25, 2))):
        clip = Sequence(x.astype(np.float32), "kinect25", "odd")
        measures, _ = examine_clip(clip)
        assert measures.frames == x.shape[1] and len(bodies(clip)) == x.shape[0]
