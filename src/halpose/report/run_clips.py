"""Clips of a store for a run's page: their features, how they move, and what is most like them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.evaluate.features import extract, run_features
from halpose.evaluate.knn import neighbours
from halpose.evaluate.transfer import adapt
from halpose.report.animation import AnimatedClip
from halpose.report.embedding import Embedding
from halpose.report.matches import Match

QUERIES, FOUND = 6, 4
MATCH_FRAMES = 120
MOST_CLIPS = 20_000
"""Clips that are looked at where a store has no split."""

_PREVIEW_BYTES = 4_000_000
_LEAST_FRAMES, _MOST_FRAMES = 12, 32


@dataclass(frozen=True)
class Known:
    """What the page shows of a run's features.

    Attributes:
        clips: (N,) numbers in the store of the clips on the map.
        features: (N, D).
        labels: (N,) -1 where nobody gave one.
        gallery: (G,) numbers of the clips among which neighbours are looked for.
        gallery_features: (G, D).
        part: what the clips on the map are, "" for all.
        about: which clips are queries, and among which neighbours are looked for.
    """

    clips: Int[np.ndarray, " n"]
    features: Float[np.ndarray, "n d"]
    labels: Int[np.ndarray, " n"]
    gallery: Int[np.ndarray, " g"]
    gallery_features: Float[np.ndarray, "g d"]
    part: str
    about: str

    @property
    def is_labelled(self) -> bool:
        """Whether any clip has a label."""
        return bool((self.labels >= 0).any())


def known_clips(run: Run, store: Store, split: str, seed: int = 0) -> Known:
    """Features of a split's test part and of its training part; without a split, of all clips.

    Args:
        run: whose encoder is used, on the device where it was loaded.
        store: the recordings.
        split: its name; empty where there is none.
        seed: of the choice where there are very many clips and no split.
    """
    device = next(run.method.parameters()).device
    if split:
        adapted, _ = adapt(run, store, split, "test")
        sets = run_features(run, adapted, split, "trained", device)
        gallery = np.concatenate([store.part(split, "train"), store.part(split, "validation")])
        return Known(
            store.part(split, "test"), sets.test.features, sets.test.labels, gallery, sets.official.features, "test",
            "a clip of the test part, drawn at random, and the clips of the training part whose features are most like "
            "its own",
        )  # fmt: skip
    run.check_store(store)
    clips = np.sort(np.random.default_rng(seed).permutation(len(store))[:MOST_CLIPS])
    features = extract(run.method, store, clips, run.config.data, device)
    return Known(
        clips, features, store.clips.label[clips].astype(np.int64), clips, features, "",
        "a clip drawn at random, and the others whose features are most like its own",
    )  # fmt: skip


def match_clips(store: Store, known: Known, rng: np.random.Generator) -> list[Match]:
    """Queries of different classes, each beside its nearest neighbours."""
    order = rng.permutation(len(known.clips))
    if known.is_labelled:
        _, first = np.unique(known.labels[order], return_index=True)
        order = order[np.sort(first)]
    picked = order[:QUERIES]
    has_self = known.gallery is known.clips
    count = min(FOUND + has_self, len(known.gallery))
    if not len(picked) or count <= has_self:
        return []
    nearest, similarity = neighbours(known.features[picked], known.gallery_features, count)
    matches = []
    for position, near, cosines in zip(picked, nearest.tolist(), similarity.tolist(), strict=True):
        query = int(known.clips[position])
        found = [
            (int(known.gallery[other]), cosine)
            for other, cosine in zip(near, cosines, strict=True)
            if not has_self or int(known.gallery[other]) != query
        ][:FOUND]
        matches.append(
            Match(
                moving_clip(store, query, MATCH_FRAMES),
                [moving_clip(store, clip, MATCH_FRAMES) for clip, _ in found],
                [cosine for _, cosine in found],
                [_is_same(store, query, clip) for clip, _ in found],
            )
        )
    return matches


def point_map(store: Store, known: Known, keep: Int[np.ndarray, " k"]) -> Embedding:
    """The clips on the map, each with what it plays; their places are still to be found."""
    clips = known.clips[keep]
    return Embedding(
        points=np.zeros((len(clips), 2)),
        labels=known.labels[keep],
        classes=store.classes,
        names=[str(name) for name in store.clips.name[clips]],
        part=known.part,
        animations=previews(store, clips),
    )


def previews(store: Store, clips: Int[np.ndarray, " n"]) -> list[AnimatedClip]:
    """Clips small enough to travel in the page by the thousand: the more there are, the fewer frames of each."""
    joints, channels = store.frames.shape[2:]
    people = float(store.clips.people[clips].mean()) if len(clips) else 1.0
    frames = _PREVIEW_BYTES / max(1.0, len(clips) * people * joints * channels)
    most = int(np.clip(frames, _LEAST_FRAMES, _MOST_FRAMES))
    return [moving_clip(store, int(clip), most, bits=8) for clip in clips]


def moving_clip(store: Store, clip: int, frames: int = 0, bits: Literal[8, 16] = 16) -> AnimatedClip:
    """A clip turned to face the reader; of a longer one than `frames`, if that is not 0, every n-th frame."""
    sequence = store.clip(clip)
    table = store.clips
    channels = sequence.positions.shape[-1]
    rotation = table.torso_rotation[clip][:channels, :channels]
    positions = (sequence.positions[: int(table.people[clip])] - table.origin[clip][:channels]) @ rotation.T
    label = int(table.label[clip])
    who = f"subject {sequence.subject}, " if sequence.subject else ""
    made = AnimatedClip(
        positions=positions,
        layout=store.layout,
        title=store.classes[label] if label >= 0 else sequence.name,
        caption=f"{who}{sequence.name}",
        fps=sequence.fps,
        name=sequence.name,
        bits=bits,
    )
    return replace(made, most_frames=frames) if frames else made


def _is_same(store: Store, query: int, other: int) -> bool | None:
    ours, theirs = int(store.clips.label[query]), int(store.clips.label[other])
    return None if min(ours, theirs) < 0 else ours == theirs
