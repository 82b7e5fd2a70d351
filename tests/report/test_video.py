from __future__ import annotations

import dataclasses
import re
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from halpose.errors import ConfigError, DataError
from halpose.report.animation import AnimatedClip
from halpose.report.picture import PALETTE, Style, draw_frames, resample
from halpose.report.video import write_video

SMALL = Style(width=160, height=120)


@pytest.fixture(autouse=True)
def pillow() -> Any:
    return pytest.importorskip("PIL.Image", reason="Pillow is not installed: pip install 'halpose[video]'")


def pixels(clip: AnimatedClip, style: Style = SMALL, fps: float = 30) -> np.ndarray:
    return np.stack([np.asarray(frame) for frame in draw_frames(clip, style, fps)]).astype(int)


def near(picture: np.ndarray, colour: str, within: int = 40) -> np.ndarray:
    """Which pixels have about that colour."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    found: np.ndarray = np.abs(picture - wanted).max(-1) < within
    return found


def test_colours_are_those_of_the_page() -> None:
    style = (resources.files("halpose.report") / "assets" / "style.css").read_text()
    found = {name: pair for name, *pair in re.findall(r"--([\w-]+): light-dark\((#\w+), (#\w+)\)", style)}
    for number, theme in enumerate(("light", "dark")):
        colours = PALETTE[theme]
        for name in ("stage", "ink", "muted", "ground", "shadow"):
            assert getattr(colours, name) == found[name][number], name
        for person, sides in enumerate(colours.people):
            for side, colour in zip(("trunk", "left", "right"), sides, strict=True):
                assert colour == found[f"person{person}-{side}"][number]


def test_resampling_keeps_the_ends_and_the_pace(clip: AnimatedClip) -> None:
    assert np.array_equal(resample(clip.positions, 30, 30), clip.positions)
    double = resample(clip.positions, 30, 60)
    assert double.shape[1] == 19
    assert np.allclose(double[:, ::2], clip.positions)
    assert np.allclose(double[:, 1], (clip.positions[:, 0] + clip.positions[:, 1]) / 2)
    assert resample(clip.positions, 30, 10).shape[1] == 4
    holed = clip.positions.copy()
    holed[0, 5, 3] = np.nan
    between = resample(holed, 30, 60)
    assert np.isnan(between[0, 10:12, 3]).all() and np.isfinite(between[0, 9, 3]).all()


def test_left_and_right_have_their_colours_and_both_themes_their_ground(clip: AnimatedClip) -> None:
    for theme, colours in PALETTE.items():
        picture = pixels(clip, dataclasses.replace(SMALL, theme=theme))[0]
        _, left, right = colours.people[0]
        assert near(picture[-1, -1], colours.stage, 3).all()
        places = [np.nonzero(near(picture, colour, 12))[1].mean() for colour in (left, right)]
        assert places[0] > places[1]  # who faces us has the left hand at our right


def test_missing_joints_are_not_drawn(clip: AnimatedClip) -> None:
    positions = np.repeat(clip.positions, 2, axis=0)
    positions[0, :, 4:8] = np.nan  # the left arm
    positions[1] = np.nan
    armless = pixels(dataclasses.replace(clip, positions=positions))[0]
    whole = pixels(clip)[0]
    left = PALETTE["light"].people[0][1]
    assert 0 < near(armless, left).sum() < 0.75 * near(whole, left).sum()
    assert not near(armless, PALETTE["light"].people[1][2], 20).any()


def test_a_title_is_written_and_a_long_one_shortened(clip: AnimatedClip) -> None:
    ink = PALETTE["light"].ink
    clip = dataclasses.replace(clip, positions=clip.positions[:, :1], caption="")
    strips = [
        near(pixels(dataclasses.replace(clip, title=title), Style())[0][:40], ink, 90) for title in ("I", "W" * 90)
    ]
    assert 0 < strips[0].sum() < strips[1].sum()
    assert not strips[1][:, -3:].any()


@pytest.mark.parametrize("fps", [0.0, 7.0, 50.0])
def test_a_gif_lasts_as_long_as_the_clip(clip: AnimatedClip, tmp_path: Path, pillow: Any, fps: float) -> None:
    long = dataclasses.replace(clip, positions=np.tile(clip.positions, (1, 6, 1, 1)))
    path = write_video(tmp_path / "new" / "clip.gif", long, dataclasses.replace(SMALL, fps=fps))
    with pillow.open(path) as found:
        assert found.size == (160, 120) and found.info["loop"] == 0
        lasting = 0
        for frame in range(found.n_frames):
            found.seek(frame)
            lasting += found.info["duration"]
    assert lasting / 1000 == pytest.approx(60 / 30, abs=2 / (fps or 25))
    assert [file.name for file in path.parent.iterdir()] == ["clip.gif"]


def test_an_mp4_is_h264_with_even_sides(clip: AnimatedClip, tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="PyAV is not installed: pip install 'halpose[video]'")
    path = write_video(tmp_path / "clip.mp4", clip, Style(width=161, height=99, fps=20))
    with av.open(str(path)) as found:
        stream = found.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in found.decode(stream)]
    assert stream.codec_context.name in ("h264", "mpeg4")
    assert float(stream.average_rate) == 20
    assert [frame.shape for frame in frames] == [(100, 162, 3)] * 7
    assert near(frames[0].astype(int), PALETTE["light"].people[0][2], 60).any()


def test_what_cannot_be_written_is_refused_before_anything_is_drawn(clip: AnimatedClip, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"as \.gif, \.mp4 or \.html"):
        write_video(tmp_path / "clip.avi", clip)
    with pytest.raises(ConfigError, match="50 frames per second at most"):
        write_video(tmp_path / "clip.gif", clip, Style(fps=60))
    long = dataclasses.replace(clip, positions=np.broadcast_to(clip.positions[:, :1], (1, 90_000, 20, 3)))
    with pytest.raises(ConfigError, match="too long for a GIF"):
        write_video(tmp_path / "clip.gif", long)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_video(tmp_path / "file" / "clip.gif", clip, SMALL)
    with pytest.raises(DataError, match="kinect20 needs"):
        write_video(tmp_path / "clip.gif", dataclasses.replace(clip, positions=np.zeros((1, 5, 19, 3))), SMALL)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
