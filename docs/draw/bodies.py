"""Pictures of bodies: views of a clip as a training sees them, and the joints of every layout."""

from __future__ import annotations

import tempfile
from dataclasses import replace

import numpy as np
import torch

from halpose.config import Config, ViewConfig
from halpose.data.store import Store
from halpose.data.synthetic import SyntheticSpec, write_store
from halpose.data.views import evaluation_view, random_view
from halpose.data.window import Window, resolve_data
from halpose.settings import load_recipe
from halpose.skeleton import Layout, layout_names, load_layout
from sheet import Sheet

_SHOWN = 8  # frames of a strip
_CLIP = 3  # a clip of the generator whose action can be recognised in a strip

# Where a joint stands on somebody who is seen from the front, arms a little raised: x to the left of the body, y up,
# in heads. Joints with a side are given for the left; the right is the mirror image.
_PLACES = {
    "head": (0, 7.5), "nose": (0, 7.3), "neck": (0, 6.6), "lower_neck": (0, 6.35), "shoulder_center": (0, 6.2),
    "chest": (0, 5.6), "spine": (0, 4.9), "lower_spine": (0, 4.6), "lower_back": (0, 4.3), "hip_center": (0, 3.85),
    "eye": (0.24, 7.52), "eye_inner": (0.12, 7.52), "eye_outer": (0.36, 7.52), "ear": (0.52, 7.38),
    "mouth": (0.16, 7.0), "clavicle": (0.35, 6.25), "collar": (0.35, 6.15), "shoulder": (0.95, 6.15),
    "elbow": (1.55, 5.0), "forearm": (1.95, 4.55), "wrist": (2.3, 4.1), "hand": (2.5, 3.8), "hand_tip": (2.72, 3.45),
    "fingers": (2.72, 3.45), "index": (2.78, 3.62), "pinky": (2.5, 3.42), "thumb": (2.78, 3.95), "hip": (0.5, 3.75),
    "knee": (0.62, 2.1), "ankle": (0.68, 0.5), "heel": (0.6, 0.25), "foot": (0.85, 0.15), "toes": (1.0, 0.05),
    "small_toe": (1.15, 0.15),
}  # fmt: skip


def views() -> Sheet:
    """One clip: as it is scored, then in two random views of each family."""
    with tempfile.TemporaryDirectory() as folder:
        spec = SyntheticSpec(clips=24, noise=0.3, glitches=0, distraction=0)
        store = Store.open(write_store(spec, f"{folder}/store"))
        config = load_recipe("halp")
        window = Window.load(store, np.arange(len(store)), resolve_data(store, config.data))
    chosen = torch.tensor([_CLIP, _CLIP])
    whole = evaluation_view(window, chosen[:1], config.data.frames)
    strips = [("what is scored: the middle of the clip, nothing random", whole[0, 0])]
    for name, recipe in (("composed", config.views), ("published", replace(config.views, **_published()))):
        drawn = random_view(window, chosen, config.data.frames, recipe, torch.Generator().manual_seed(5))
        strips += [(f"a {name} view", drawn[0, 0]), (f"another {name} view of the same clip", drawn[1, 0])]
    sheet = Sheet(
        760, 5 * 150 + 10, "Five strips of frames: a clip, two composed and two published random views of it."
    )
    for row, (words, strip) in enumerate(strips):
        _strip(sheet, strip.numpy(), window.layout, 150.0 * row)
        sheet.text(20, 150 * row + 26, words, "name")
    return sheet


def _published() -> dict[str, object]:
    """The settings of the published views."""
    paper: Config = load_recipe("halp-published")
    fields = ViewConfig.__dataclass_fields__
    return {name: getattr(paper.views, name) for name in fields if name != "least_frames"}


def _strip(sheet: Sheet, positions: np.ndarray, layout: Layout, top: float) -> None:
    """Frames of (T, V, 3) side by side, seen from the front, all to one scale."""
    frames = positions[np.linspace(0, len(positions) - 1, _SHOWN).round().astype(int)]
    is_zero = (frames == 0).all(axis=-1)
    flat = frames[..., :2]
    low, high = flat[~is_zero].min(0), flat[~is_zero].max(0)
    scale = min(100 / (high[1] - low[1]), 84 / (high[0] - low[0]))
    for at, frame in enumerate(flat):
        place = np.array([62 + 91 * at, top + 90]) + (frame - (low + high) / 2) * [scale, -scale]
        _body(sheet, place, layout, ~is_zero[at])


def layouts() -> Sheet:
    """The joints and bones of every layout, on one person."""
    names = layout_names()
    rows = -(-len(names) // 4)
    sheet = Sheet(760, rows * 236 + 8, f"{len(names)} skeleton layouts: joints and bones of {', '.join(names)}.")
    for at, name in enumerate(names):
        layout = load_layout(name)
        x, y = 100 + 187 * (at % 4), 236 * (at // 4)
        flat = np.array([_place(joint) for joint in layout.joints])
        _body(sheet, np.array([x, y + 208]) + flat * [24, -23], layout, np.ones(len(layout), dtype=bool))
        sheet.text(x, y + 228, name, "name middle")
    return sheet


def _place(joint: str) -> tuple[float, float]:
    side, _, rest = joint.partition("_")
    if side not in ("left", "right"):
        return _PLACES[joint]
    x, y = _PLACES[rest]
    return (x, y) if side == "left" else (-x, y)


def _body(sheet: Sheet, places: np.ndarray, layout: Layout, is_there: np.ndarray) -> None:
    """Bones and joints, (V, 2), left and right in their own colours."""
    for side in ("trunk", "right", "left"):
        mine = [bone for bone in layout.bones if _side(layout.joints[bone[0]]) == side and is_there[list(bone)].all()]
        path = "".join("M" + "L".join(f"{places[end][0]:.1f} {places[end][1]:.1f}" for end in bone) for bone in mine)
        if path:
            sheet.mark("path", d=path, colour=side, stroke_width=2)
        joints = [
            place for joint, place in enumerate(places) if is_there[joint] and _side(layout.joints[joint]) == side
        ]
        sheet.dots(joints, 2.2, side)


def _side(joint: str) -> str:
    side = joint.partition("_")[0]
    return side if side in ("left", "right") else "trunk"
