from __future__ import annotations

import math

import numpy as np
import pytest

from halpose.report.camera import Camera
from halpose.report.viewpoint import facing, path
from halpose.skeleton import load_layout

LAYOUT = load_layout("kinect20")


def walking(standing: np.ndarray, metres: float, frames: int = 90) -> np.ndarray:
    """Somebody who glides so far along x, as (1, T, V, 3)."""
    way = np.linspace(0, metres, frames)[:, None, None] * np.array([1.0, 0.0, 0.0])
    return (standing + way)[None]


def test_who_walks_far_is_followed_and_who_stays_is_not(standing: np.ndarray) -> None:
    assert path(walking(standing, 0.5), 30) is None
    followed = path(walking(standing, 8.0), 30)
    assert followed is not None and followed.shape == (90, 3)
    assert not followed[:, 1].any()
    middle = slice(30, 60)  # away from the ends, where smoothing lags
    assert followed[middle, 0] == pytest.approx(walking(standing, 8.0)[0, middle].mean(1)[:, 0], abs=0.01)


def test_infinite_coordinates_are_as_good_as_missing(standing: np.ndarray) -> None:
    damaged = walking(standing, 0.5)
    damaged[:, 3:30] = np.inf
    missing = np.where(np.isinf(damaged), np.nan, damaged)
    assert facing(damaged, LAYOUT) == pytest.approx(facing(missing, LAYOUT))


def test_following_does_not_mind_gaps(standing: np.ndarray) -> None:
    x = walking(standing, 8.0)
    x[0, 40:50] = np.nan
    followed = path(x, 30)
    assert followed is not None and np.isfinite(followed).all()
    assert np.abs(np.diff(followed[:, 0])).max() < 0.2
    assert path(np.full((1, 5, 20, 3), np.nan), 30) is None


def test_two_people_apart_are_not_somebody_who_walks(standing: np.ndarray) -> None:
    pair = np.stack((standing, standing + [6.0, 0, 0]))[:, None].repeat(40, axis=1)
    assert path(pair, 30) is None


def test_all_of_a_clip_is_in_the_picture(standing: np.ndarray) -> None:
    moving = walking(standing, 1.5)
    for width, height in ((480, 480), (200, 700), (900, 300)):
        camera = Camera.of_clip(moving, LAYOUT, width, height)
        x, y, _, scale = np.moveaxis(camera.project(moving), -1, 0)
        assert x.min() > 0 and x.max() < width and y.min() > 0 and y.max() < height
        assert (scale > 0).all()


def test_up_is_up_and_near_is_large(standing: np.ndarray) -> None:
    camera = Camera.of_clip(standing[None, None], LAYOUT, 400, 400)
    head, foot = camera.project(standing[3]), camera.project(standing[15])
    assert head[1] < foot[1]
    toward = np.array([math.sin(camera.angle), 0.0, math.cos(camera.angle)])
    near, far = camera.project(standing[2] + 0.3 * toward), camera.project(standing[2] - 0.3 * toward)
    assert near[2] > far[2] and near[3] > far[3]
    assert np.isnan(camera.project(np.full(3, np.nan))).all()


def test_a_person_who_faces_the_camera_has_the_left_hand_at_the_right_of_the_picture(standing: np.ndarray) -> None:
    camera = Camera.of_clip(standing[None, None], LAYOUT, 400, 400)
    assert camera.project(standing[7])[0] > camera.project(standing[11])[0]


def test_flat_clips_keep_their_proportions_and_stand_on_a_line(standing: np.ndarray) -> None:
    flat = standing[None, None, :, :2]
    camera = Camera.of_clip(flat, LAYOUT, 400, 400)
    points = camera.project(flat)[0, 0]
    wide, tall = np.ptp(points[:, 0]), np.ptp(points[:, 1])
    assert wide / tall == pytest.approx(np.ptp(flat[..., 0]) / np.ptp(flat[..., 1]))
    (line,) = camera.project(camera.floor(np.zeros(2)))
    assert line[0, 1] == line[1, 1] == pytest.approx(points[:, 1].max(), abs=1.0)


def test_the_floor_goes_backward_as_the_one_who_is_followed_goes_on(standing: np.ndarray) -> None:
    camera = Camera.of_clip(standing[None, None], LAYOUT, 400, 400)
    still, moved = camera.floor(np.zeros(3)), camera.floor(np.array([0.01, 0.0, 0.02]))
    assert (moved - still)[:9, 0] == pytest.approx(np.tile([-0.01, 0, 0], (9, 1)))
    assert (moved - still)[9:, 0] == pytest.approx(np.tile([0, 0, -0.02], (9, 1)))
    step = float(still[1, 0, 0] - still[0, 0, 0])
    assert camera.floor(np.array([3 * step, 0.0, 0.0])) == pytest.approx(still)
