"""What is remembered of each clip: a few numbers, from which the whole set is judged.

Recordings are read once and let go. What remains is about half a kilobyte a clip, so that a set of any size is
examined in the memory that its largest file takes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Float32

from halpose.data import upright
from halpose.doctor.body import Body
from halpose.joint_names import common_names
from halpose.skeleton import Sequence

MOMENTS = 16
"""Into so many moments a clip is resized before it is compared with others."""
CODE = 64
"""Random directions that stand for a clip: distances between clips are kept to within a fifth or so."""

SKETCH = 16
"""So many frames stand for all of a clip's."""


@dataclass(frozen=True)
class Measures:
    """One clip in numbers. Lengths are in the recording's unit.

    Attributes:
        file: where it was read from.
        name: the clip's name.
        layout: name of its layout.
        joints: how many.
        channels: 2 or 3.
        people: how many are seen.
        frames: how many.
        fps: as the recording says, 0 if it does not.
        label: class index, -1 when unknown.
        subject: who moves, "" when unknown.
        camera: camera number, 0 when unknown.
        span: the main actor's span (`Body.span`), 0 when nobody is seen.
        length: of the first person from head to ankle, 0 when unknown (`halpose.data.upright`).
        up: mean direction from that person's feet to the head; None when unknown.
        front: how far the body faces where a body with these sides must: 1, or -1 for a mirrored one; 0 if unknown.
        pace: how far joints go in a frame at a lively moment, in spans.
        curvature: how far they turn aside from their way in a frame, as a share of the way: high where frames are far
            apart in time, low where they are close.
        stir: how far joints are from where they are on average, root mean square, in spans.
        content: digest of the positions, place and size taken out.
        sketch: the `SKETCH` smallest of its frames' digests: clips that share frames share these.
        code: the clip's shape and movement as `CODE` numbers; a distance of 1 is a span, root mean square.
        said: its class in words, where the file itself says it.
    """

    file: str
    name: str
    layout: str
    joints: int
    channels: int
    people: int
    frames: int
    fps: float
    label: int
    subject: str
    camera: int
    span: float
    length: float
    up: tuple[float, ...] | None
    front: float
    pace: float
    curvature: float
    stir: float
    content: bytes
    sketch: tuple[int, ...]
    code: Float32[np.ndarray, " d"]
    said: str = ""


def measure(sequence: Sequence, people: list[Body], file: str) -> Measures:
    """The numbers of one recording.

    Args:
        sequence: the recording.
        people: its people.
        file: where it was read from.
    """
    layout = sequence.skeleton
    stature = upright.measure(sequence)
    main = max(people, key=lambda body: int(body.valid.sum()), default=None)
    return Measures(
        file=file,
        name=sequence.name,
        layout=layout.name,
        joints=len(layout),
        channels=sequence.positions.shape[-1],
        people=len(people),
        frames=sequence.frames,
        fps=sequence.fps,
        label=sequence.label,
        subject=sequence.subject,
        camera=sequence.camera,
        span=0.0 if main is None else main.span,
        length=stature.length or 0.0,
        up=stature.up,
        front=0.0 if main is None else facing(main),
        pace=0.0 if main is None else pace(main),
        curvature=0.0 if main is None else curvature(main),
        stir=0.0 if main is None else stir(main),
        content=b"" if main is None else content(people),
        sketch=() if main is None else sketch(main),
        code=np.zeros(CODE, np.float32) if main is None else code(main),
        said=str(sequence.extra.get("label", "")),
    )


def facing(body: Body) -> float:
    """Whether the front is in front: from -1 (mirrored) to 1, 0 when nothing tells.

    Up along the spine and left across the shoulders say where the front must be. Toes point there from the ankles,
    knees bend there, and the nose is there from the ears. This needs no axis to be right, and no unit.
    """
    if body.positions.shape[-1] != 3 or not body.layout.sides:
        return 0.0
    x = body.positions
    lower, upper = body.layout.spine
    across = np.mean([x[:, left] - x[:, right] for right, left in body.layout.sides], axis=0)
    must = np.cross(across, x[:, upper] - x[:, lower])
    seen = [
        np.einsum("tc,tc->t", must, x[:, to] - np.mean([x[:, one] for one in of], axis=0)) for to, of in _fronts(body)
    ]
    said = np.concatenate(seen) if seen else np.zeros(0)
    said = said[np.isfinite(said)]
    total = np.abs(said).sum()
    return float(said.sum() / total) if total > 0 else 0.0


def _fronts(body: Body) -> tuple[tuple[int, tuple[int, ...]], ...]:
    return _front_joints(body.layout.joints)


@lru_cache(maxsize=64)
def _front_joints(joints: tuple[str, ...]) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Joints that are before the middle of others: (joint, the others)."""
    at = {name: number for number, name in enumerate(common_names(joints))}
    cues: list[tuple[str, tuple[str, ...]]] = [("nose", ("left_ear", "right_ear"))]
    for side in ("left", "right"):
        cues.append((f"{side}_foot", (f"{side}_ankle",)))
        cues.append((f"{side}_knee", (f"{side}_hip", f"{side}_ankle")))
    return tuple((at[joint], tuple(at[one] for one in of)) for joint, of in cues if {joint, *of} <= at.keys())


def pace(body: Body) -> float:
    """What the joints move on average from one frame to the next, in spans, in the liveliest tenth of the frames."""
    known = np.isfinite(body.steps)
    count = known.sum(axis=1)
    if body.span == 0 or not count.any():
        return 0.0
    mean = np.where(known, body.steps, 0.0).sum(axis=1)[count > 0] / count[count > 0]
    return float(np.sort(mean)[-1 - len(mean) // 10] / body.span)


def curvature(body: Body) -> float:
    """Second differences by first differences, summed over all joints and frames; 0 for a body that does not move."""
    bend = np.diff(body.positions, n=2, axis=0)
    turns = np.sqrt(np.einsum("...c,...c->...", bend, bend))
    known = np.isfinite(turns)
    way = np.where(known, body.steps[1:], 0.0).sum()
    return float(np.where(known, turns, 0.0).sum() / way) if way > 0 else 0.0


def stir(body: Body) -> float:
    """Root mean square distance of the joints from their mean place, seen from the body's middle, in spans."""
    x = body.positions[body.shown]
    x = x - np.nanmean(x, axis=1, keepdims=True)
    ever = np.isfinite(x).all(axis=-1).any(axis=0)
    if not ever.any() or body.span == 0:
        return 0.0
    apart = x[:, ever] - np.nanmean(x[:, ever], axis=0)
    return float(np.sqrt(np.nanmean(np.square(apart).sum(axis=-1))) / body.span)


def sketch(body: Body) -> tuple[int, ...]:
    """The smallest digests of the frames that show the person, no two alike.

    They are a sample of the frames that every clip with the same frames draws, too.
    """
    shown = body.positions[body.shown].astype(np.float32)
    shown = np.where(np.isfinite(shown), shown, np.float32(0)) + np.float32(0)  # -0 becomes 0
    words = np.ascontiguousarray(shown).reshape(len(shown), -1).view(np.uint32).astype(np.uint64)
    mixed = (words + np.uint64(0x9E37)) * _odd_numbers(words.shape[1])
    digests = (mixed ^ (mixed >> np.uint64(29))).sum(axis=1, dtype=np.uint64) * np.uint64(0xD6E8FEB86659FD93)
    return tuple(np.unique(digests ^ (digests >> np.uint64(32)))[:SKETCH].tolist())


@lru_cache(maxsize=8)
def _odd_numbers(size: int) -> np.ndarray:
    """Large odd factors, one for each place of a frame."""
    return np.random.default_rng(1).integers(0, 2**63, size, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


def content(people: list[Body]) -> bytes:
    """Digest of the people's positions: the same for a recording that was copied, moved, or given another unit."""
    first = people[0]
    start = first.positions[first.shown][0]
    origin = np.nanmean(start, axis=0)
    scale = first.span or 1.0
    digest = hashlib.blake2b(digest_size=16)
    for body in people:
        # Rounded to a thousandth of a span: arithmetic in float32 is off by a thousandth of that.
        numbers = np.nan_to_num((body.positions - origin) / scale * 1000, nan=-1e6).clip(-1e6, 1e6)
        digest.update(np.rint(numbers).astype(np.int32).tobytes())
    digest.update(repr([body.positions.shape for body in people]).encode())
    return digest.digest()


def code(body: Body) -> Float32[np.ndarray, " d"]:
    """A clip as `CODE` numbers: where joints are at `MOMENTS` moments, seen along random directions.

    Places are counted from the body's middle at the first moment; what is missing stands there.
    """
    shown = body.positions[body.shown]
    moments = shown[np.linspace(0, len(shown) - 1, MOMENTS).round().astype(int)]
    middle = np.nanmean(moments[0], axis=0)
    flat = np.nan_to_num((moments - middle) / (body.span or 1.0)).ravel()
    numbers: np.ndarray = (flat @ _directions(flat.size)).astype(np.float32)
    return numbers


@lru_cache(maxsize=8)
def _directions(size: int) -> Float[np.ndarray, "n d"]:
    """Random directions, scaled so that a distance is the root mean square over joints and moments."""
    drawn: np.ndarray = np.random.default_rng(0).normal(size=(size, CODE))
    return np.asarray(drawn / np.sqrt(CODE * size / 3))


def layout_of(measures: Measures) -> tuple[str, int, int]:
    """What clips must share to stand in one store: layout, joints, channels."""
    return measures.layout, measures.joints, measures.channels
