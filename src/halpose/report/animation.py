"""Moving skeletons: clips packed small enough to travel inside the page, and the gallery that plays them."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int8, Int16

from halpose.errors import DataError
from halpose.joint_names import common_names
from halpose.report.markup import Markup, element
from halpose.report.viewpoint import extent, facing, path
from halpose.skeleton import Layout, load_layout

MOST_FRAMES = 300
CENTRE, LEFT, RIGHT = 0, 1, 2
DEFAULT_FPS = 30.0


@dataclass(frozen=True)
class AnimatedClip:
    """One clip to play.

    Attributes:
        positions: (M, T, V, C), y up; NaN where a joint or person is missing.
        layout: the joint layout, or its name.
        title: what it shows, usually the class.
        caption: one line more: the clip's name, the subject, the prediction.
        fps: frames per second; 0 is read as 30.
        name: the clip's name in the store; joins it to its point on the map.
        most_frames: of a longer clip every n-th frame is kept, and it plays at the same pace.
        bits: of a coordinate, 16, or 8 for a small preview.
    """

    positions: Float[np.ndarray, "m t v c"]
    layout: Layout | str
    title: str
    caption: str = ""
    fps: float = DEFAULT_FPS
    name: str = ""
    most_frames: int = MOST_FRAMES
    bits: Literal[8, 16] = 16


@dataclass(frozen=True)
class Quantised:
    """Positions as integers: x = offset + step * code, the least integer where a joint is unknown."""

    codes: Int8[np.ndarray, "m t v c"] | Int16[np.ndarray, "m t v c"]
    offset: Float[np.ndarray, c]
    step: float


def quantise(positions: Float[np.ndarray, "m t v c"], bits: Literal[8, 16] = 16) -> Quantised:
    """Positions with 16 (or 8) bits per coordinate; the error is at most half a step, 1/65534 (1/254) of the extent.

    A joint is missing when any of its coordinates is not finite.
    """
    kind = np.int8 if bits == 8 else np.int16
    missing, largest = int(np.iinfo(kind).min), int(np.iinfo(kind).max)
    x = np.asarray(positions, dtype=np.float64)
    known = np.isfinite(x).all(-1, keepdims=True)
    if not known.any():
        return Quantised(np.full(x.shape, missing, kind), np.zeros(x.shape[-1]), 1.0)
    flat = x[np.broadcast_to(known, x.shape)].reshape(-1, x.shape[-1])
    if bits == 8:  # so few steps must not be spent on a spike
        low, high = extent(x)
    else:
        low, high = flat.min(0), flat.max(0)
    offset = (low + high) / 2
    step = float((high - low).max()) / (2 * largest) or 1.0
    codes = np.clip(np.rint((np.where(known, x, offset) - offset) / step), -largest, largest)
    return Quantised(np.where(known, codes, missing).astype(kind), offset, step)


def restore(quantised: Quantised) -> Float[np.ndarray, "m t v c"]:
    """The positions that a quantised clip stands for, NaN where missing."""
    x = quantised.offset + quantised.step * quantised.codes.astype(np.float64)
    return np.where(quantised.codes == np.iinfo(quantised.codes.dtype).min, np.nan, x)


def checked(clip: AnimatedClip) -> tuple[Float[np.ndarray, "m t v c"], Layout]:
    """Positions and layout of a clip that can be drawn.

    Raises:
        DataError: the positions are not (M, T, V, 2 or 3) with the joints of the layout.
    """
    layout = load_layout(clip.layout) if isinstance(clip.layout, str) else clip.layout
    x = np.asarray(clip.positions)
    if x.ndim != 4 or x.shape[2] != len(layout) or x.shape[3] not in (2, 3) or not x.shape[0] * x.shape[1]:
        raise DataError(
            f"report: clip {clip.name or clip.title!r} has positions of shape {x.shape}; layout {layout.name} needs "
            f"(people, frames, {len(layout)}, 2 or 3)"
        )
    return x, layout


def clip_data(clip: AnimatedClip) -> dict[str, Any]:
    """A clip as the player in the browser reads it.

    Raises:
        DataError: the positions are not (M, T, V, 2 or 3) with the joints of the layout.
    """
    x, layout = checked(clip)
    stride = -(-x.shape[1] // clip.most_frames)
    x, fps = x[:, ::stride], (clip.fps if clip.fps > 0 else DEFAULT_FPS) / stride
    followed = path(x, fps)
    if followed is not None:  # people stay in the middle, and the floor moves
        x = x - followed[None, :, None]
    quantised = quantise(x, clip.bits)
    low, high = extent(x)
    return {
        "name": clip.name,
        "title": clip.title,
        "shape": list(x.shape),
        "fps": round(fps, 4),
        "offset": [float(f"{value:.9g}") for value in quantised.offset],
        "step": quantised.step,
        "bits": clip.bits,
        "skeleton": skeleton(layout),
        "low": np.round(low, 4).tolist(),
        "high": np.round(high, 4).tolist(),
        "facing": round(facing(x, layout), 4),
        "path": None if followed is None else np.round(followed[:, [0, -1]], 3).tolist(),
        "codes": base64.b64encode(quantised.codes.astype(f"<i{clip.bits // 8}").tobytes()).decode("ascii"),
    }


def packed_clips(clips: Sequence[AnimatedClip], previews: Sequence[AnimatedClip] = ()) -> dict[str, Any]:
    """Clips of players, clips that a map plays, and the skeletons of both, each once however many clips share it."""
    skeletons: dict[str, Any] = {}

    def packed(clip: AnimatedClip) -> dict[str, Any]:
        data = clip_data(clip)
        key = json.dumps(data["skeleton"])
        skeletons.setdefault(key, data["skeleton"])
        return {**data, "skeleton": list(skeletons).index(key)}

    return {
        "clips": [packed(clip) for clip in clips],
        "previews": [packed(clip) for clip in previews],
        "skeletons": list(skeletons.values()),
    }


def skeleton(layout: Layout) -> dict[str, Any]:
    """What is drawn of a layout: bones as (child, parent), the side of each joint, the head."""
    return {
        "bones": [[child, parent] for child, parent in layout.bones],
        "sides": joint_sides(layout),
        "head": head_joint(layout),
    }


def head_joint(layout: Layout) -> int | None:
    """The joint that is drawn as a head; pose estimators call it by the nose.

    Where the only thing above the head's joint is its end, as in BVH, the head is there: the joint is the nape.
    """
    names = common_names(layout.joints)
    head = next((names.index(name) for name in ("head", "nose") if name in names), None)
    above = [child for child, parent in layout.bones if parent == head]
    is_end = len(above) == 1 and all(parent != above[0] for _, parent in layout.bones)
    return above[0] if is_end else head


def joint_sides(layout: Layout) -> list[int]:
    """Which side of the body each joint is on: 0 centre, 1 left, 2 right.

    The layout's side pairs say it for shoulders and hips and everything that hangs on them; other mirrored
    joints (eyes, ears) by their name.
    """
    rooted = {pair[0]: RIGHT for pair in layout.sides} | {pair[1]: LEFT for pair in layout.sides}
    sides = []
    for joint, name in enumerate(layout.joints):
        seen = joint
        while seen not in rooted and layout.parents[seen] != seen:
            seen = layout.parents[seen]
        side = rooted.get(seen, LEFT if "left" in name.lower() else RIGHT if "right" in name.lower() else CENTRE)
        sides.append(CENTRE if layout.mirror[joint] == joint else side)
    return sides


def gallery(clips: Sequence[AnimatedClip]) -> Markup:
    """A card with a player for each clip."""
    return element(
        "div",
        {"class": "gallery single" if len(clips) == 1 else "gallery"},
        *(_card(clip, index) for index, clip in enumerate(clips)),
    )


def _card(clip: AnimatedClip, index: int) -> Markup:
    return element(
        "figure",
        {"class": "card player", "data-clips": str(index)},
        stage(clip.title),
        controls(),
        element(
            "figcaption",
            {},
            element("strong", {}, clip.title),
            element("span", {"class": "muted"}, clip.caption) if clip.caption not in ("", clip.title) else None,
        ),
    )


def stage(title: str) -> Markup:
    """What a clip is drawn on; it takes the keys."""
    return element(
        "canvas",
        {
            "class": "stage",
            "tabindex": 0,
            "role": "application",
            "aria-label": f"{title}: moving skeleton; space plays, arrow keys turn, comma and full stop step",
        },
    )


def controls() -> Markup:
    """Play, scrub, and the time."""
    return element(
        "div",
        {"class": "controls"},
        element(
            "button",
            {"type": "button", "class": "play", "aria-label": "Play"},
            element(
                "svg",
                {"viewBox": "0 0 16 16", "aria-hidden": "true"},
                element("path", {"class": "icon-play", "d": "M4 2.5v11l9.5-5.5z"}),
                element("path", {"class": "icon-pause", "d": "M3.5 2.5h3v11h-3zM9.5 2.5h3v11h-3z"}),
            ),
        ),
        element("input", {"type": "range", "min": 0, "value": 0, "step": 1, "aria-label": "Frame"}),
        element("output", {"class": "clock"}),
    )
