from __future__ import annotations

import base64
import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from halpose.errors import DataError
from halpose.file_layout import layout_of
from halpose.report.animation import (
    LEFT,
    RIGHT,
    AnimatedClip,
    clip_data,
    head_joint,
    joint_sides,
    packed_clips,
    quantise,
    restore,
)
from halpose.report.viewpoint import facing
from halpose.skeleton import Layout, layout_names, load_layout

coordinates = st.floats(-1e4, 1e4, width=32) | st.just(float("nan")) | st.just(float("inf"))
clips = arrays(
    np.float32,
    st.tuples(st.integers(1, 2), st.integers(1, 4), st.integers(1, 5), st.sampled_from([2, 3])),
    elements=coordinates,
)


MISSING = -32768


@given(clips)
def test_quantising_errs_by_half_a_step_at_most(positions: np.ndarray) -> None:
    quantised = quantise(positions)
    back = restore(quantised)
    known = np.isfinite(positions).all(-1)
    assert np.isnan(back[~known]).all() and np.isfinite(back[known]).all()
    if known.any():
        extent = np.ptp(positions[known].astype(float), axis=0).max()
        assert np.abs(back - positions)[known].max() <= extent / 65534 / 2 * 1.001 + 1e-9
        assert quantised.codes[known].min() > MISSING


def test_eight_bits_keep_a_body_to_a_hundredth_of_its_size(standing: np.ndarray) -> None:
    spiked = np.repeat(standing[None, None], 60, axis=1)
    spiked[0, 3, 7], spiked[0, 4, 2] = 500.0, np.nan
    quantised = quantise(spiked, bits=8)
    assert quantised.codes.dtype == np.int8
    back = restore(quantised)
    assert np.isnan(back[0, 4, 2]).all() and np.isfinite(back).sum() == spiked.size - 3
    away = np.abs(back - spiked)
    away[0, 3, 7] = 0.0  # the spike is cut off, so that it costs nobody else any precision
    assert np.nanmax(away) <= 0.5 * np.ptp(standing, axis=0).max() / 254 * 1.01


def test_a_skeleton_travels_once(clip: AnimatedClip, standing: np.ndarray) -> None:
    other = dataclasses.replace(clip, positions=np.zeros((1, 3, 25, 3)), layout="kinect25")
    packed = packed_clips([clip, other], [clip, dataclasses.replace(clip, bits=8)])
    assert [c["skeleton"] for c in packed["clips"]] == [0, 1]
    assert [c["skeleton"] for c in packed["previews"]] == [0, 0]
    assert [len(s["sides"]) for s in packed["skeletons"]] == [20, 25]
    assert [c["bits"] for c in packed["previews"]] == [16, 8]


def test_body_is_kept_to_a_tenth_of_a_millimetre(clip: AnimatedClip) -> None:
    data = clip_data(clip)
    codes = np.frombuffer(base64.b64decode(data["codes"]), "<i2").reshape(data["shape"])
    assert np.abs(np.array(data["offset"]) + data["step"] * codes - clip.positions).max() < 1e-4


def test_long_clips_are_thinned_and_keep_their_pace(clip: AnimatedClip) -> None:
    data = clip_data(dataclasses.replace(clip, positions=np.repeat(clip.positions, 100, axis=1), most_frames=300))
    frames = data["shape"][1]
    assert frames <= 300
    assert frames / data["fps"] == pytest.approx(1000 / 30, rel=0.01)


def test_unknown_frame_rate_is_thirty(clip: AnimatedClip) -> None:
    assert clip_data(dataclasses.replace(clip, fps=0.0))["fps"] == 30


def test_one_spike_does_not_shrink_the_person(clip: AnimatedClip) -> None:
    spiked = np.repeat(clip.positions, 20, axis=1)
    calm = clip_data(dataclasses.replace(clip, positions=spiked))
    spiked[0, 50, 7] = 500.0
    data = clip_data(dataclasses.replace(clip, positions=spiked))
    assert np.abs(np.array(data["high"]) - calm["high"]).max() < 0.2


def test_clip_without_any_joint(clip: AnimatedClip) -> None:
    data = clip_data(dataclasses.replace(clip, positions=np.full((1, 3, 20, 3), np.nan)))
    codes = np.frombuffer(base64.b64decode(data["codes"]), "<i2")
    assert (codes == MISSING).all()
    assert np.isfinite([*data["low"], *data["high"], data["facing"], data["step"]]).all()


@pytest.mark.parametrize("shape", [(1, 5, 19, 3), (1, 5, 20, 4), (5, 20, 3), (1, 0, 20, 3), (0, 5, 20, 3)])
def test_positions_must_fit_the_layout(clip: AnimatedClip, shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="kinect20 needs"):
        clip_data(dataclasses.replace(clip, positions=np.zeros(shape)))


@pytest.mark.parametrize("name", layout_names())
def test_sides_follow_the_names_of_built_in_layouts(name: str) -> None:
    layout = load_layout(name)
    sides = joint_sides(layout)
    for joint, partner in enumerate(layout.mirror):
        if partner == joint:
            assert sides[joint] == 0
        else:
            assert {sides[joint], sides[partner]} == {LEFT, RIGHT}, layout.joints[joint]
            if "left" in layout.joints[joint]:
                assert sides[joint] == LEFT, layout.joints[joint]


def test_the_head_is_at_its_end_where_there_is_one() -> None:
    names = ("Hips", "Neck", "Head", "Head_end", "LeftFoot", "LeftFoot_end")
    assert head_joint(layout_of(names, (0, 0, 1, 2, 0, 4), "bvh")) == 3
    assert head_joint(layout_of(names[:3], (0, 0, 1), "bvh")) == 2
    for name, head in (("kinect25", "head"), ("coco17", "nose"), ("mediapipe33", "nose"), ("smpl24", "head")):
        layout = load_layout(name)
        assert head_joint(layout) == layout.joints.index(head)


def test_a_trunk_that_hangs_on_a_hip_is_still_the_trunk() -> None:
    layout = Layout.from_dict(
        {
            "name": "tiny",
            "joints": ["hip_l", "hip_r", "spine", "hand_l", "hand_r"],
            "parents": ["hip_l", "hip_l", "hip_l", "spine", "spine"],
            "mirror": [["hip_l", "hip_r"], ["hand_l", "hand_r"]],
            "centre": "spine",
            "spine": ["hip_l", "spine"],
            "sides": [["hand_r", "hand_l"], ["hip_r", "hip_l"]],
        }
    )
    assert joint_sides(layout) == [LEFT, RIGHT, 0, LEFT, RIGHT]


@pytest.mark.parametrize("angle", [-2.5, -1.0, 0.0, 0.7, 3.0])
def test_a_person_is_seen_from_the_front(standing: np.ndarray, angle: float) -> None:
    # The pose faces +z; turned by the angle toward +x it must be looked at from there.
    turn = np.array([[math.cos(angle), 0, math.sin(angle)], [0, 1, 0], [-math.sin(angle), 0, math.cos(angle)]])
    turned = (standing @ turn.T)[None, None]
    assert facing(turned, load_layout("kinect20")) == pytest.approx(angle, abs=1e-6)
    assert facing(turned[..., :2], load_layout("kinect20")) == 0.0


def test_two_people_are_seen_side_by_side(standing: np.ndarray) -> None:
    layout = load_layout("kinect20")
    for apart in ([2.0, 0.0, 1.0], [-2.0, 0.0, 1.0]):
        pair = np.stack((standing, standing + apart))[:, None]
        toward = facing(pair, layout)
        direction = np.array([math.sin(toward), 0.0, math.cos(toward)])
        assert direction @ np.array(apart) == pytest.approx(0.0, abs=1e-9)
        assert direction[2] < 0
    absent = np.stack((standing, np.full_like(standing, np.nan)))[:, None]
    assert facing(absent, layout) == pytest.approx(0.0, abs=1e-6)
