"""Units and axes are told by bodies, whatever they do; what is not clear is left."""

from __future__ import annotations

import numpy as np
import pytest

from halpose.data.upright import UNITS, Measured, Upright, find_upright, measure
from halpose.file_layout import layout_of
from halpose.skeleton import Sequence

# From y up to another axis up, each a rotation.
TURNS = {
    "y": np.eye(3), "-y": np.diag([1, -1, -1]), "z": np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "-z": np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]), "x": np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]]),
    "-x": np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]),
}  # fmt: skip


def recorded(standing: np.ndarray, up: str = "y", unit: str = "metres", channels: int = 3) -> Sequence:
    x = np.repeat(standing[None, None], 5, axis=1) + np.random.default_rng(0).normal(0, 0.01, (1, 5, 20, 3))
    return Sequence((x @ TURNS[up].T / UNITS[unit]).astype(np.float32)[..., :channels], "kinect20", "a")


@pytest.mark.parametrize("unit", list(UNITS))
@pytest.mark.parametrize("up", list(TURNS))
def test_any_unit_and_axis_is_put_right(standing: np.ndarray, unit: str, up: str) -> None:
    sequence = recorded(standing, up, unit)
    found = find_upright([measure(sequence)])
    assert (found.unit, found.up) == (unit, up)
    np.testing.assert_allclose(found.apply(sequence).positions, recorded(standing).positions, atol=1e-5)
    assert np.linalg.det(TURNS[up]) == pytest.approx(1), "left stays left"


def test_posture_does_not_matter(standing: np.ndarray) -> None:
    bent = standing.copy()
    upper = [1, 2, 3, *range(4, 12)]
    turn = np.array([[1, 0, 0], [0, np.cos(1.6), -np.sin(1.6)], [0, np.sin(1.6), np.cos(1.6)]])
    bent[upper] = (bent[upper] - bent[0]) @ turn.T + bent[0]
    upright, over = (find_upright([measure(recorded(pose, unit="inches"))]) for pose in (standing, bent))
    assert over.up == upright.up == "y" and over.unit == upright.unit == "inches"
    assert over.length == pytest.approx(upright.length, rel=0.02)


def test_what_is_sound_is_not_touched(standing: np.ndarray) -> None:
    sequence = recorded(standing)
    assert find_upright([measure(sequence)]).apply(sequence) is sequence


@pytest.mark.parametrize("channels", [2, 3])
@pytest.mark.parametrize(("up", "found"), [("y", "y"), ("x", "y"), ("-x", "y"), ("z", "y"), ("-y", "-y")])
def test_people_may_lie_where_the_reader_knows_up(standing: np.ndarray, up: str, found: str, channels: int) -> None:
    lying = recorded(standing, up, channels=channels)
    lying.extra["y_is_up"] = True
    assert find_upright([measure(lying)]).up == found


def test_pictures_have_no_unit(standing: np.ndarray) -> None:
    shares = recorded(standing)
    shares.extra["in_image"] = True
    upright = find_upright([measure(shares)])
    assert upright.unit == "" and upright.in_image
    assert "units: those of the picture" in upright.describe()


def test_two_channels_are_turned_over_at_most(standing: np.ndarray) -> None:
    down = recorded(standing, channels=2)
    down.positions[..., 1] *= -1
    found = find_upright([measure(down)])
    assert (found.up, found.unit) == ("-y", "")
    np.testing.assert_array_equal(found.apply(down).positions, recorded(standing, channels=2).positions)
    sideways = recorded(standing, "x", channels=2)
    found = find_upright([measure(sideways)])
    assert found.up == "" and found.apply(sideways) is sideways


def test_what_is_not_clear_is_left(standing: np.ndarray) -> None:
    slanted = find_upright([Measured(None, (0.0, 0.5, 0.6))])
    assert slanted == Upright() and "taken for y" in slanted.describe()[-1]
    tiny = find_upright([measure(recorded(standing * 0.01))])
    assert (tiny.unit, tiny.scale) == ("", 1.0) and "not known" in tiny.describe()[0]
    two_minds = find_upright([Measured(None, (0.0, 1.0, 0.0)), Measured(None, (0.0, -1.0, 0.0))])
    assert two_minds.up == ""
    nothing = Sequence(np.full((1, 3, 20, 3), np.nan, np.float32), "kinect20", "a")
    assert measure(nothing) == Measured(None, None) and find_upright([]) == Upright()
    markers = Sequence(np.random.default_rng(0).normal(size=(1, 3, 4, 3)), layout_of(("a", "b", "c", "d")), "a")
    assert measure(markers) == Measured(None, None)


def test_recordings_in_another_unit_are_counted() -> None:
    found = find_upright([Measured(145.0, None)] * 5 + [Measured(1.45, None)])
    assert (found.unit, found.others) == ("centimetres", 1)
    assert "1 of the sample" in found.describe()[1]
