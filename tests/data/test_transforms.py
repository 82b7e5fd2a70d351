"""Normalisation of frames: against float64, frame by frame, in two and three dimensions."""

from __future__ import annotations

import numpy as np
import pytest

from halpose.config import DataConfig
from halpose.data.align import pair_rotation
from halpose.data.store import Store
from halpose.data.transforms import Transforms, rotations


@pytest.mark.parametrize("channels", [2, 3])
@pytest.mark.parametrize("centre_joint", [-1, 4])
def test_frames_are_centred_and_mapped_each_with_its_own_clips_transform(channels: int, centre_joint: int) -> None:
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(30, 2, 7, channels)).astype(np.float32)
    frames[3, 1], frames[5, 0, 2] = np.nan, np.nan
    frames[8, 0, 4] = frames[8, 0, 1] = np.nan  # no centre: the mean of those that are seen
    clip = np.sort(rng.integers(0, 4, 30))
    linear, origin = (rng.normal(size=(4, *shape)).astype(np.float32) for shape in ((channels, channels), (channels,)))
    planes = np.full((channels, 30, 14), 7, np.float32)
    Transforms(linear, origin, centre_joint, up=1).apply(frames, clip, planes)
    for number, (frame, of) in enumerate(zip(frames.astype(np.float64), clip, strict=True)):
        centre = origin[of].astype(np.float64)
        if centre_joint >= 0:
            centre = np.nanmean(frame[0], axis=0) if number == 8 else frame[0, 4]
        expected = (frame - centre) @ linear[of].T
        np.testing.assert_allclose(planes[:, number].T.reshape(2, 7, channels), expected, atol=2e-6)


def test_what_is_left_out_changes_nothing(store: Store) -> None:
    frames = np.array(store.frames[:20])
    planes = np.empty((3, 20, 40), np.float32)
    plain = Transforms.of(store, np.array([0]), DataConfig("", "all", "none", "none", "none"))
    plain.apply(frames, np.zeros(20, np.int64), planes)
    np.testing.assert_array_equal(planes, frames.reshape(20, 40, 3).transpose(2, 0, 1))


def test_pairs_are_turned_by_where_the_second_person_is_and_others_by_the_torso(store: Store) -> None:
    clips = np.array([0, 3, 11, 40])
    is_pair = store.clips.people[clips] > 1
    assert is_pair.any() and not is_pair.all()
    found = rotations(store, clips, "pair")
    np.testing.assert_array_equal(found[~is_pair], store.clips.torso_rotation[clips[~is_pair]])
    for row in np.flatnonzero(is_pair):
        np.testing.assert_array_equal(found[row], pair_rotation(store.clip(clips[row]).positions, store.layout))
    assert np.abs(found - store.clips.torso_rotation[clips])[is_pair].max() > 1e-3  # they face each other
