"""Rotations that turn a body to a common direction, and the published normalisation built on them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from halpose.skeleton import Layout, load_layout

# Below this a direction is no direction: the rotation is left out (published constant).
NO_DIRECTION = 1e-6


def first_rotation(pose: Float[np.ndarray, "v c"], layout: Layout) -> Float[np.ndarray, "3 3"]:
    """The published alignment of one pose: spine to z, then left-to-right of the first pair to x.

    Each of the two is the smallest rotation that does it, as published. The second therefore tilts the
    spine out of z again unless the pair is at right angles to it; x is always exact. When the turned body
    faces away, a small slant of the shoulders is enough to put it on its head: prefer `torso_rotation`
    unless the published normalisation is what is wanted.

    Args:
        pose: one frame of one person.
        layout: its layout.

    Returns:
        R with x' = R x; the identity for two channels, and where the joints needed are missing or coincide.
    """
    if pose.shape[-1] != 3 or not layout.sides:
        return np.eye(3, dtype=np.float32)
    lower, upper = layout.spine
    right, left = layout.sides[0]
    joints = pose.astype(np.float64)
    upright = smallest_rotation(joints[upper] - joints[lower], np.array([0.0, 0.0, 1.0]))
    sideways = smallest_rotation(upright @ (joints[right] - joints[left]), np.array([1.0, 0.0, 0.0]))
    rotation: np.ndarray = (sideways @ upright).astype(np.float32)
    return rotation


def torso_rotation(actor: Float[np.ndarray, "t v c"], layout: Layout) -> Float[np.ndarray, "3 3"]:
    """The rotation about the vertical (y) that turns the clip's mean right-to-left vector to +x.

    The mean runs over all frames and over all right-left pairs of the layout, so no single bad frame
    decides. A person upright and turned so faces +z.

    Args:
        actor: the main actor's positions.
        layout: their layout.

    Returns:
        R with x' = R x; the identity for two channels, and where no pair is seen or the mean has no
        direction.
    """
    if actor.shape[-1] != 3 or not layout.sides:
        return np.eye(3, dtype=np.float32)
    right, left = np.array(layout.sides).T
    x, z = _mean_level(actor[:, left] - actor[:, right])
    return _about_vertical(x, z)


def pair_rotation(people: Float[np.ndarray, "m t v c"], layout: Layout) -> Float[np.ndarray, "3 3"]:
    """The rotation about the vertical (y) that turns the clip's mean direction from person to person to +z.

    From the first to the second; the mean runs over all joints and frames in which both are seen. Who is alone in a
    clip is turned by the torso (`torso_rotation`), and so faces +z as well.

    Args:
        people: positions, the main actor first; more than two are not looked at.
        layout: their layout.

    Returns:
        R with x' = R x; the identity for two channels.
    """
    if len(people) < 2 or people.shape[-1] != 3:
        return torso_rotation(people[0], layout)
    x, z = _mean_level(people[1] - people[0])
    return _about_vertical(z, -x) if np.hypot(x, z) > NO_DIRECTION else torso_rotation(people[0], layout)


def _mean_level(directions: Float[np.ndarray, "t v 3"]) -> tuple[float, float]:
    """Mean x and z of the directions that are known; 0 and 0 where none is."""
    valid = np.isfinite(directions).all(axis=-1)
    if not valid.any():
        return 0.0, 0.0
    x, _, z = directions[valid].astype(np.float64).mean(axis=0)
    return float(x), float(z)


def _about_vertical(x: float, z: float) -> Float[np.ndarray, "3 3"]:
    """The rotation about y that turns (x, ., z) to +x; the identity where that is no direction."""
    rotation = np.eye(3, dtype=np.float32)
    length = np.hypot(x, z)
    if length > NO_DIRECTION:
        cosine, sine = x / length, z / length
        rotation[0, 0], rotation[0, 2], rotation[2, 0], rotation[2, 2] = cosine, sine, -sine, cosine
    return rotation


def smallest_rotation(a: Float[np.ndarray, " 3"], b: Float[np.ndarray, " 3"]) -> Float[np.ndarray, "3 3"]:
    """The smallest rotation that turns direction a to the unit vector b (Rodrigues).

    The identity where a is missing or zero, and, as published, where a is b or exactly its opposite.
    """
    length = np.linalg.norm(a)
    if not length > 0:
        return np.eye(3)
    axis = np.cross(a / length, b)
    if np.abs(axis).sum() < NO_DIRECTION:
        return np.eye(3)
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    rotation: np.ndarray = np.eye(3) + cross + cross @ cross / (1.0 + a @ b / length)
    return rotation


def published_normalisation(
    x: Float[np.ndarray, "n c t v m"], layout: Layout | None = None
) -> Float[np.ndarray, "n c t v m"]:
    """The normalisation of the published arrays, frame by frame and fault by fault.

    Of each person the empty frames at the end are filled by repeating the frames before them in a cycle; a
    person who starts with empty frames is first closed up, so that no frame between is empty either. The
    centre joint of the first person is subtracted frame by frame from every joint that is not zero; then
    the first person's first frame gives the rotation for all (`first_rotation`). Absent people stay zero.

    `clean` and `normalise(centre="frame", align="first", scale="none")` give the same for whole clips.
    Elsewhere they differ on purpose: gaps are interpolated in place and not closed up or repeated, people
    are followed, and missing is NaN.

    Args:
        x: arrays in the convention of the field, zero where nothing was seen; not changed.
        layout: joint layout, kinect25 when not given.

    Reference: pre-normalisation of NTU RGB+D and PKU-MMD in the published code of HaLP and CMD.
    """
    layout = layout or load_layout("kinect25")
    out: np.ndarray = np.zeros(x.shape, dtype=np.float64)
    for source, target in zip(x.transpose(0, 4, 2, 3, 1), out.transpose(0, 4, 2, 3, 1), strict=True):
        people = np.stack([_fill_cyclically(person) for person in source.astype(np.float64)])
        centre = people[0, :, layout.centre][:, None]
        centred = np.where((people != 0).any(axis=-1, keepdims=True), people - centre, 0.0)
        target[:] = centred @ first_rotation(centred[0, 0], layout).T
    return out.astype(np.float32)


def _fill_cyclically(person: Float[np.ndarray, "t v c"]) -> Float[np.ndarray, "t v c"]:
    """Close up a person who starts late, then repeat what there is until the array ends."""
    shown = (person != 0).any(axis=(1, 2))
    if not shown.any():
        return person
    known = person[: np.flatnonzero(shown)[-1] + 1] if shown[0] else person[shown]
    filled: np.ndarray = known[np.arange(len(person)) % len(known)]
    return filled
