"""A moving skeleton as a GIF or an MP4, for slides, mails and READMEs; the extra `video`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from halpose.errors import ConfigError, DataError
from halpose.report.animation import DEFAULT_FPS, AnimatedClip
from halpose.report.picture import Style, draw_frames, frame_rate

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_FPS = {".gif": 25.0, ".mp4": 60.0}
"""Of what is made, unless more is asked for. A GIF counts in hundredths of a second: 25 is exact and small."""

_FASTEST_GIF = 50.0  # browsers slow down what is faster
_LARGEST_GIF = 400e6  # pixels of all frames; they are held in memory until the file is written
_PALETTE_FRAMES = 8


def write_video(path: Path, clip: AnimatedClip, style: Style = Style()) -> Path:  # noqa: B008 (frozen)
    """Write a clip as `.gif` or `.mp4`, whole or not at all.

    Args:
        path: the file.
        clip: what to draw.
        style: size, frame rate, light or dark.

    Raises:
        ConfigError: the ending is another one, the frame rate is too high for a GIF, or the extra is not installed.
        DataError: the clip cannot be drawn, or the file cannot be written.
    """
    ending = path.suffix.lower()
    writer = _WRITERS.get(ending)
    if writer is None:
        raise ConfigError(f"{path}: a clip is written as .gif, .mp4 or .html; end the name so")
    if ending == ".gif" and style.fps > _FASTEST_GIF:
        raise ConfigError(
            f"--fps {style.fps:g}: a GIF moves at {_FASTEST_GIF:g} frames per second at most; or use .mp4"
        )
    if ending == ".mp4":  # H.264 keeps colours for two by two pixels
        style = replace(style, width=style.width + style.width % 2, height=style.height + style.height % 2)
    fps = frame_rate(clip, style, MOST_FPS[ending])
    seconds = clip.positions.shape[1] / (clip.fps if clip.fps > 0 else DEFAULT_FPS)
    if ending == ".gif" and seconds * fps * style.width * style.height > _LARGEST_GIF:
        raise ConfigError(
            f"{path}: {seconds:.0f} s are too long for a GIF of {style.width}x{style.height} pixels; show a part "
            "(--from, --to), make it smaller (--size), or write an .mp4"
        )
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writer(part, draw_frames(clip, style, fps), fps)
        part.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}); choose another place") from None
    finally:
        with suppress(OSError):
            part.unlink()
    return path


def _write_gif(path: Path, frames: Iterator[Image], fps: float) -> None:
    """All frames in one palette, made of some of them: it is smaller, and colours do not flicker."""
    first = list(islice(frames, _PALETTE_FRAMES))
    palette = _palette(first)
    moving = _timed(chain(first, frames), palette, fps)
    opening = next(moving)
    opening.save(path, format="GIF", save_all=True, append_images=moving, loop=0, optimize=False)


def _timed(frames: Iterator[Image], palette: Image, fps: float) -> Iterator[Image]:
    """Frames in the palette, each with its duration: rounded at each moment, so that a long clip does not drift."""
    for number, frame in enumerate(frames):
        indexed = frame.quantize(palette=palette, dither=0)
        indexed.info["duration"] = 10 * (round(100 * (number + 1) / fps) - round(100 * number / fps))
        yield indexed


def _palette(frames: list[Image]) -> Image:
    from PIL import Image

    width, height = frames[0].size
    joined = Image.new("RGB", (width, height * len(frames)))
    for number, frame in enumerate(frames):
        joined.paste(frame, (0, number * height))
    return joined.quantize(64)


def _write_mp4(path: Path, frames: Iterator[Image], fps: float) -> None:
    """H.264, which everything plays; MPEG-4 where this build of ffmpeg has no encoder of it."""
    try:
        import av
    except ImportError:
        raise ConfigError(
            "an MP4 needs PyAV: pip install 'halpose[video]'; or write a GIF, or a page, which needs nothing"
        ) from None
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    with av.open(str(path), "w", format="mp4") as file:
        stream = file.add_stream(codec, rate=Fraction(fps).limit_denominator(1001))
        stream.pix_fmt = "yuv420p"
        for number, frame in enumerate(frames):
            pixels = np.asarray(frame)
            if not number:  # once the first is encoded, the size is fixed
                stream.height, stream.width = pixels.shape[:2]
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)


_WRITERS: dict[str, Callable[[Path, Iterator[Image], float], None]] = {".gif": _write_gif, ".mp4": _write_mp4}
