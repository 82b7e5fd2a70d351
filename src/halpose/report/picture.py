"""Skeletons drawn as pixels, for pictures that move without a browser; looks like the player in the page.

Needs Pillow: the extra `video`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float

from halpose.errors import ConfigError
from halpose.report.animation import DEFAULT_FPS, AnimatedClip, checked, head_joint, joint_sides
from halpose.report.camera import Camera
from halpose.report.viewpoint import path
from halpose.skeleton import Layout

if TYPE_CHECKING:
    from PIL.Image import Image

SUPERSAMPLING = 2
"""Pillow draws lines without smoothing; a picture of twice the size is made smaller instead."""


class Colours(NamedTuple):
    """What is drawn in which colour; a person is (trunk, left, right)."""

    stage: str
    ink: str
    muted: str
    ground: str
    shadow: str
    people: tuple[tuple[str, str, str], tuple[str, str, str]]


# The values of assets/style.css, so that a picture and a page of one clip match.
PALETTE = {
    "light": Colours(
        "#ffffff", "#1c2128", "#5b636e", "#dcdbd5", "#e3e2dc",
        (("#4a5a6a", "#2f9be0", "#0a4677"), ("#7d6a56", "#eda23a", "#a84300")),
    ),
    "dark": Colours(
        "#1b1f25", "#e8eaed", "#9ca5b0", "#353c45", "#101317",
        (("#b4c2d0", "#7cc8fa", "#2f86cc"), ("#d3c1ac", "#ffc978", "#e0702a")),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Style:
    """How a picture looks.

    Attributes:
        width: pixels.
        height: pixels.
        fps: frames per second of what is made; 0: the clip's own, `most_fps` at most.
        theme: `light` or `dark`.
    """

    width: int = 480
    height: int = 480
    fps: float = 0.0
    theme: str = "light"


def frame_rate(clip: AnimatedClip, style: Style, most: float) -> float:
    """Frames per second of what is made of a clip."""
    return style.fps or min(clip.fps if clip.fps > 0 else DEFAULT_FPS, most)


def draw_frames(clip: AnimatedClip, style: Style, fps: float) -> Iterator[Image]:
    """A clip as pictures, one after another, at a frame rate.

    Raises:
        DataError: the positions do not fit the layout.
        ConfigError: Pillow is not installed.
    """
    image, drawing, fonts = _pillow()
    positions, layout = checked(clip)
    colours, size = PALETTE[style.theme], (style.width * SUPERSAMPLING, style.height * SUPERSAMPLING)
    strip = _strip(size[1])
    rate = clip.fps if clip.fps > 0 else DEFAULT_FPS
    followed = path(positions, rate)
    if followed is None:
        followed = np.zeros((positions.shape[1], positions.shape[-1]))
    camera = Camera.of_clip(positions - followed[None, :, None], layout, size[0], size[1] - strip)
    moments = resample(positions - followed[None, :, None], rate, fps)
    way = resample(followed[None, :, None], rate, fps)[0, :, 0]
    projected, shadows = camera.project(moments), _shadows(camera, moments)
    back = image.new("RGB", size, colours.stage)
    _write(drawing.Draw(back), fonts, clip, colours, size)
    for frame in range(projected.shape[1]):
        canvas = back.copy()
        pen = drawing.Draw(canvas)
        for line in camera.project(camera.floor(way[frame]))[..., :2]:
            pen.line([(x, y + strip) for x, y in line.tolist()], fill=colours.ground, width=SUPERSAMPLING)
        if not camera.flat:
            _bones(pen, shadows[:, frame], layout, colours, camera.stroke(), strip, is_shadow=True)
        _bones(pen, projected[:, frame], layout, colours, camera.stroke(), strip)
        yield canvas.resize((style.width, style.height), image.Resampling.BOX)


def resample(positions: Float[np.ndarray, "m t v c"], fps: float, wanted: float) -> Float[np.ndarray, "m s v c"]:
    """Positions at another frame rate: between two frames on the line that joins them, as the player does it.

    Args:
        positions: NaN where a joint is missing; one that the next frame lacks stays where it is until then.
        fps: of the positions.
        wanted: frames per second of the result.
    """
    frames = positions.shape[1]
    count = max(1, round((frames - 1) / fps * wanted) + 1)
    at = np.minimum(np.arange(count) * fps / wanted, frames - 1)
    first = np.floor(at).astype(int)
    share = (at - first)[None, :, None, None]
    here, following = positions[:, first], positions[:, np.minimum(first + 1, frames - 1)]
    return np.where(np.isnan(following), here, here * (1 - share) + following * share)


def _shadows(camera: Camera, positions: Float[np.ndarray, "m t v c"]) -> Float[np.ndarray, "m t v 4"]:
    """Where the joints are above."""
    if camera.flat:
        return camera.project(positions)
    below = positions.copy()
    below[..., 1] = np.where(np.isnan(below[..., 1]), np.nan, camera.ground)
    return camera.project(below)


def _strip(height: int) -> int:
    """Pixels at the top for the title."""
    return round(height * 0.09)


def _bones(
    pen: Any,
    points: Float[np.ndarray, "m v 4"],
    layout: Layout,
    colours: Colours,
    thick: float,
    strip: int,
    is_shadow: bool = False,
) -> None:
    """Far bones first; a thin edge in the background's colour keeps crossing limbs apart."""
    sides, head = joint_sides(layout), head_joint(layout)
    strokes: list[tuple[float, Any, Any, str]] = []
    for person, joints in enumerate(points):
        palette = colours.people[person % 2]
        for child, parent in layout.bones:
            if np.isfinite(joints[[child, parent]]).all():
                depth = joints[child, 2] + joints[parent, 2]
                strokes.append((depth, joints[parent], joints[child], palette[sides[child]]))
        if head is not None and np.isfinite(joints[head]).all() and not is_shadow:
            strokes.append((2 * joints[head, 2], joints[head], None, palette[0]))
    for _, begin, end, colour in sorted(strokes, key=lambda stroke: stroke[0]):
        x, y = begin[0], begin[1] + strip
        if end is None:
            radius = thick * 1.75 * begin[3]
            pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)
            continue
        line = [(x, y), (end[0], end[1] + strip)]
        width = thick * (begin[3] + end[3]) / 2
        if is_shadow:
            pen.line(line, fill=colours.shadow, width=round(thick))
            continue
        pen.line(line, fill=colours.stage, width=round(width + 2.5 * SUPERSAMPLING))
        pen.line(line, fill=colour, width=round(width))
        for cx, cy in line:  # round ends
            pen.ellipse([cx - width / 2, cy - width / 2, cx + width / 2, cy + width / 2], fill=colour)


def _write(pen: Any, fonts: Any, clip: AnimatedClip, colours: Colours, size: tuple[int, int]) -> None:
    """Title and caption in the strip above; what is too long is shortened."""
    strip, margin = _strip(size[1]), round(size[0] * 0.03)
    font = fonts.load_default(size=max(8, round(strip * 0.5)))
    small = fonts.load_default(size=max(8, round(strip * 0.36)))
    title = _fitting(pen, clip.title, font, size[0] - 2 * margin)
    pen.text((margin, strip / 2), title, fill=colours.ink, font=font, anchor="lm")
    left = margin + pen.textlength(title, font=font) + margin
    if clip.caption and clip.caption != clip.title and size[0] - margin - left > size[0] * 0.15:
        caption = _fitting(pen, clip.caption, small, size[0] - margin - left)
        pen.text((size[0] - margin, strip / 2), caption, fill=colours.muted, font=small, anchor="rm")


def _fitting(pen: Any, text: str, font: Any, width: float) -> str:
    """The text, or as much of it as fits."""
    text = " ".join(text.split())
    if pen.textlength(text, font=font) <= width:
        return text
    while text and pen.textlength(text + "\u2026", font=font) > width:
        text = text[:-1]
    return text.rstrip() + "\u2026"


def _pillow() -> tuple[Any, Any, Any]:
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError:
        raise ConfigError(
            "pictures need Pillow: pip install 'halpose[video]', or write a page, which needs nothing: -o clip.html"
        ) from None
    return Image, ImageDraw, ImageFont
