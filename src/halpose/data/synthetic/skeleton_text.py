"""A sequence as the Kinect's own `.skeleton` text, every column filled as the sensor fills it.

`halpose.io.ntu` writes what a sequence holds and leaves the other columns zero. Generated files are there to exercise
and time the reading of NTU RGB+D, so they carry its depth, colour and orientation columns too: same size, same look.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from halpose.skeleton import Sequence, load_layout

_LAYOUT = load_layout("kinect25")
V = len(_LAYOUT)
# Pinhole cameras fitted to public recordings: pixels per unit of x/z and y/z, centres, and how far the colour camera
# stands beside the depth camera (pixels times metres).
_DEPTH_FOCAL, _DEPTH_CENTRE = 366.5, (256.4, 208.1)
_COLOUR_FOCAL, _COLOUR_CENTRE, _COLOUR_BASELINE = 1056.7, (960.3, 566.9), 56.3

_JOINT = {joint: i for i, joint in enumerate(_LAYOUT.joints)}
# The bone that a joint's orientation turns with leads to it from here; the ends of the body have none.
_FROM = {
    "hip_center": None, "spine": "hip_center", "shoulder_center": "spine", "neck": "shoulder_center", "head": None,
    "shoulder": "shoulder_center", "elbow": "shoulder", "wrist": "elbow", "hand": "wrist", "hand_tip": None,
    "thumb": None, "hip": "hip_center", "knee": "hip", "ankle": "knee", "foot": None,
}  # fmt: skip


def _bones() -> tuple[np.ndarray, np.ndarray]:
    children, parents = [], []
    for joint in _LAYOUT.joints:
        side, kind = joint.partition("_")[::2] if joint.startswith(("left_", "right_")) else ("", joint)
        origin = _FROM[kind]
        if origin is not None:
            children.append(_JOINT[joint])
            parents.append(_JOINT[f"{side}_{origin}" if f"{side}_{origin}" in _JOINT else origin])
    return np.array(children), np.array(parents)


_CHILDREN, _PARENTS = _bones()
_BODY = "%s 0 1 1 1 1 0 0 0 2\n" + f"{V}\n" + ("%.7g " * 11 + "%d\n") * V


def skeleton_text(sequence: Sequence) -> str:
    """The text of one clip.

    Args:
        sequence: layout kinect25, metres in camera coordinates; a body is written in the frames in which it is seen.
    """
    rows = _columns(sequence.positions)
    if sequence.confidence is not None:
        rows[..., 11] = np.rint(2 * sequence.confidence)
    present = np.isfinite(sequence.positions).all(axis=(2, 3))
    parts = [f"{sequence.frames}\n"]
    for frame in range(sequence.frames):
        here = np.flatnonzero(present[:, frame]).tolist()
        parts.append(f"{len(here)}\n")
        parts.extend(_BODY % (sequence.people[m], *rows[m, frame].ravel().tolist()) for m in here)
    return "".join(parts)


def _columns(positions: Float[np.ndarray, "m t v 3"]) -> Float[np.ndarray, "m t v 12"]:
    """Place (x y z), depth pixel, colour pixel, orientation (w x y z) and tracking state of every joint."""
    rows = np.zeros((*positions.shape[:3], 12))
    rows[..., :3] = positions
    depth = np.maximum(rows[..., 2], 0.1)
    across, up = rows[..., 0] / depth, rows[..., 1] / depth
    rows[..., 3] = _DEPTH_CENTRE[0] + _DEPTH_FOCAL * across
    rows[..., 4] = _DEPTH_CENTRE[1] - _DEPTH_FOCAL * up
    rows[..., 5] = _COLOUR_CENTRE[0] + _COLOUR_FOCAL * across + _COLOUR_BASELINE / depth
    rows[..., 6] = _COLOUR_CENTRE[1] - _COLOUR_FOCAL * up
    bone = rows[..., _CHILDREN, :3] - rows[..., _PARENTS, :3]
    bone /= np.maximum(np.linalg.norm(bone, axis=-1, keepdims=True), 1e-6)
    # The shortest turn from the vertical to the bone, after half a turn about the vertical: bodies face the sensor.
    turn = np.stack([np.zeros_like(bone[..., 0]), bone[..., 0], 1.0 + bone[..., 1], bone[..., 2]], axis=-1)
    rows[..., _CHILDREN, 7:11] = turn / np.maximum(np.linalg.norm(turn, axis=-1, keepdims=True), 1e-6)
    rows[..., _JOINT["hip_center"], 7:11] = rows[..., _JOINT["spine"], 7:11]
    rows[..., 11] = 2
    return rows
