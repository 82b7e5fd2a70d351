"""The page of one run: what it was trained on, how it learned, how good it is, what it thinks is alike."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.evaluate.features import run_features
from halpose.evaluate.featureset import FeatureSet
from halpose.evaluate.knn import neighbours
from halpose.evaluate.result import Result
from halpose.report.animation import AnimatedClip
from halpose.report.embedding import Embedding, embed_2d, embedding_method
from halpose.report.page import Page

# Clips on the map, clips that play when their point is touched, clips in the gallery.
_POINTS, _PLAYED, _SHOWN = 1500, 200, 6
_PLAYED_FRAMES = 24


def run_page(
    run: Run,
    store: Store,
    results: Sequence[Result],
    *,
    title: str,
    notes: Sequence[str] = (),
    next_steps: Sequence[str] = (),
    seed: int = 0,
) -> Page:
    """Put a page together.

    Args:
        run: the trained run.
        store: what it was scored on.
        results: of `evaluate_run`; their split's test part is drawn on the map.
        title: heading.
        notes: remarks that a reader must know.
        next_steps: commands to run next.
        seed: of the map and of the choice of clips.
    """
    split = results[0].split
    sets = run_features(run, store, split, "trained", next(run.method.parameters()).device)
    clips = store.part(split, "test")
    rng = np.random.default_rng(seed)
    keep = np.sort(rng.permutation(len(clips))[:_POINTS])
    played = [_animated(store, int(clips[i]), _PLAYED_FRAMES) for i in rng.permutation(keep)[:_PLAYED]]
    embedding = Embedding(
        points=embed_2d(sets.test.features[keep], seed),
        labels=sets.test.labels[keep],
        classes=store.classes,
        names=[str(name) for name in store.clips.name[clips[keep]]],
        part="test",
        animations=played,
        method=embedding_method(len(keep)),
    )
    what = "synthetic clips" if store.info()["synthetic"] else f"clips of {store.name}"
    return Page(
        title=title,
        subtitle=f"{len(store)} {what}; {run.config.method}, {run.step} steps, without labels",
        facts=_facts(run, store),
        curves=_rows(run.path / "metrics.jsonl"),
        results=[result.to_dict() for result in results],
        embedding=embedding,
        clips=_gallery(store, sets, clips, rng),
        notes=notes,
        next_steps=next_steps,
    )


def _facts(run: Run, store: Store) -> list[tuple[str, str]]:
    info = store.info()
    config = run.config
    lengths = info["frames_per_clip"]
    outcome: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        outcome = json.loads((run.path / "run.json").read_text(encoding="utf-8"))
    facts = [
        ("Data set", store.name + (" (synthetic)" if info["synthetic"] else "")),
        ("Clips", f"{info['clips']} of {info['classes']} classes, {info['subjects']} subjects"),
        ("Frames per clip", f"{lengths['min']} to {lengths['max']}, median {lengths['median']:.0f}"),
        ("Layout", f"{info['layout']}, {info['joints']} joints, up to {info['people']} people"),
        ("Licence", str(info["provenance"].get("licence", "")) or "not stated"),
        ("Method", f"{config.method} on {', '.join(config.streams)}, {run.step} steps of {config.batch_size} clips"),
        ("Encoder", f"{config.encoder.name}, width {config.encoder.width}, {config.encoder.layers} layers"),
        ("Optimizer", f"{config.optimizer.name}, rate {config.optimizer.learning_rate:g}"),
        ("Seed", str(config.seed)),
    ]
    if outcome:
        facts.append(("Speed", f"{outcome['clips_per_second']:.0f} clips/s, {outcome['seconds']:.0f} s"))
    return facts


def _rows(metrics: Path) -> list[dict[str, Any]]:
    if not metrics.exists():
        return []
    return [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]


def _gallery(
    store: Store, sets: FeatureSet, clips: Int[np.ndarray, " n"], rng: np.random.Generator
) -> list[AnimatedClip]:
    """Clips of different classes, each with what its nearest neighbour among the training clips is."""
    official = sets.official
    order = rng.permutation(len(clips))
    _, first = np.unique(sets.test.labels[order], return_index=True)
    picked = order[np.sort(first)[:_SHOWN]]
    nearest, similarity = neighbours(sets.test.features[picked], official.features, 1)
    shown = []
    for position, match, cosine in zip(picked, nearest[:, 0], similarity[:, 0], strict=True):
        clip = int(clips[position])
        found = store.classes[int(official.labels[int(match)])]
        truth = store.classes[int(store.clips.label[clip])]
        verdict = f"nearest training clip: {found}" + ("" if found == truth else " (another class)")
        subject = f"subject {store.clips.subject[clip]}, " if store.clips.subject[clip] else ""
        shown.append(_animated(store, clip, 0, truth, f"{subject}{verdict}, cosine {float(cosine):.2f}"))
    return shown


def _animated(store: Store, clip: int, frames: int, title: str = "", caption: str = "") -> AnimatedClip:
    """A clip turned to face the reader; thinned to about `frames` frames unless that is 0."""
    sequence = store.clip(clip)
    table = store.clips
    channels = sequence.positions.shape[-1]
    rotation = table.torso_rotation[clip][:channels, :channels]
    positions = (sequence.positions[: int(table.people[clip])] - table.origin[clip][:channels]) @ rotation.T
    step = max(1, positions.shape[1] // frames) if frames else 1
    label = int(table.label[clip])
    return AnimatedClip(
        positions=positions[:, ::step],
        layout=store.layout,
        title=title or (store.classes[label] if label >= 0 else sequence.name),
        caption=caption or sequence.name,
        fps=(sequence.fps or 30.0) / step,
        name=sequence.name,
    )
