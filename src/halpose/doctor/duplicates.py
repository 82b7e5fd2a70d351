"""The same recording more than once: copied, copied with changes, or cut twice from one take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from halpose.doctor.finding import Finding
from halpose.doctor.measure import SKETCH, Measures, layout_of
from halpose.doctor.parts import Labelling
from halpose.doctor.thresholds import DUPLICATE_FRAMES, DUPLICATE_NEAR, DUPLICATE_STIR, SHORT_FRAMES

_BLOCK = 2048
_COMMON = 32  # frames that more clips than this share say nothing: a pose to begin with, or padding


@dataclass(frozen=True)
class Twins:
    """Two clips of one recording: numbers of the clips, the earlier first, and how they are alike."""

    first: int
    second: int
    kind: str


def twins(clips: Sequence[Measures]) -> list[Twins]:
    """Pairs of clips that are one recording: the same, nearly the same, or with frames in common."""
    found: dict[tuple[int, int], str] = {}
    first: dict[bytes, int] = {}
    for at, clip in enumerate(clips):
        if clip.content and clip.frames > 1:
            if clip.content in first:
                found[first[clip.content], at] = "the same"
            else:
                first[clip.content] = at
    for pair in _overlapping(clips):
        found.setdefault(pair, "frames in common")
    for pair in _near(clips):
        found.setdefault(pair, "nearly the same")
    return [Twins(a, b, kind) for (a, b), kind in sorted(found.items())]


def _overlapping(clips: Sequence[Measures]) -> Iterator[tuple[int, int]]:
    """Pairs whose samples of frames have more than a quarter in common."""
    holders: dict[int, list[int]] = {}
    for at, clip in enumerate(clips):
        if clip.frames >= SHORT_FRAMES:
            for digest in clip.sketch:
                holders.setdefault(digest, []).append(at)
    shared: dict[tuple[int, int], int] = {}
    for those in holders.values():
        if 1 < len(those) <= _COMMON:
            for i, a in enumerate(those):
                for b in those[i + 1 :]:
                    shared[a, b] = shared.get((a, b), 0) + 1
    for (a, b), count in sorted(shared.items()):
        if count > DUPLICATE_FRAMES * min(len(clips[a].sketch), len(clips[b].sketch), SKETCH):
            yield a, b


def _near(clips: Sequence[Measures]) -> Iterator[tuple[int, int]]:
    """Pairs whose codes are closer than people repeat a movement, of the same layout and about the same length.

    Clips are sorted along the direction in which they differ most: whoever is near is near there, so that a clip is
    compared with a few, not with all.
    """
    groups: dict[tuple[str, int, int], list[int]] = {}
    for at, clip in enumerate(clips):
        if clip.frames >= SHORT_FRAMES and clip.stir > 0:
            groups.setdefault(layout_of(clip), []).append(at)
    for members in groups.values():
        numbers = np.array(members)
        codes = np.stack([clips[at].code for at in members])
        yield from _close_pairs(clips, numbers, codes)


def _close_pairs(
    clips: Sequence[Measures], numbers: np.ndarray, codes: Float32[np.ndarray, "n d"]
) -> Iterator[tuple[int, int]]:
    centred = codes - codes.mean(axis=0)
    sample = centred[:: max(1, len(centred) // 4096)]
    direction = np.linalg.svd(sample, full_matrices=False)[2][0] if len(codes) > 1 else np.ones(codes.shape[1])
    along = centred @ direction
    order = np.argsort(along, kind="stable")
    along = along[order]
    ends = np.searchsorted(along, along + DUPLICATE_NEAR, side="right")
    for at in range(len(order)):
        others = np.arange(at + 1, ends[at])
        for start in range(0, len(others), _BLOCK):
            some = order[others[start : start + _BLOCK]]
            apart = np.linalg.norm(codes[some] - codes[order[at]], axis=1)
            for other, distance in zip(some[apart < DUPLICATE_NEAR], apart[apart < DUPLICATE_NEAR], strict=True):
                a, b = sorted((int(numbers[order[at]]), int(numbers[other])))
                if _may_be_one(clips[a], clips[b], float(distance)):
                    yield a, b


def _may_be_one(a: Measures, b: Measures, distance: float) -> bool:
    """Whether two clips so close are so close for how much moves in them, and of about the same length."""
    return distance < DUPLICATE_STIR * min(a.stir, b.stir) and 0.8 < a.frames / b.frames < 1.25


def dropped(clips: Sequence[Measures]) -> dict[int, int]:
    """Clips that need not be kept -> the earlier clip that is the same, or nearly. Cuts that overlap are kept."""
    return {pair.second: pair.first for pair in twins(clips) if pair.kind != "frames in common"}


def find_duplicates(clips: Sequence[Measures], labelling: Labelling) -> Iterator[Finding]:
    """Recordings that are there more than once."""
    pairs = twins(clips)
    for kind, remedy in (
        ("the same", "`halpose data doctor PATH --fix --out STORE` keeps one of them"),
        ("nearly the same", "look at them; `halpose data doctor PATH --fix --out STORE` keeps one of them"),
        ("frames in common", "they are cuts of one recording; keep them in one part of a split"),
    ):
        those = [pair for pair in pairs if pair.kind == kind]
        if those:
            names = [f"{clips[pair.second].name} = {clips[pair.first].name}" for pair in those]
            what = "have frames in common" if kind == "frames in common" else f"are {kind} recording"
            yield Finding.of_clips("duplicates", kind, "warning", f"{len(those)} pairs of clips {what}", remedy, names)
