"""The page of one run: what it was trained on, how it learned, how good it is, what it thinks is alike."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.evaluate.result import Result
from halpose.report.embedding import embed_2d, embedding_method
from halpose.report.hallucination import hallucinations, positives_map, trained_clips
from halpose.report.page import Page
from halpose.report.run_clips import Known, known_clips, match_clips, moving_clip, point_map, previews

# Points on the map; clips in the gallery.
POINTS, _SHOWN = 3000, 6


def run_page(
    run: Run,
    store: Store,
    results: Sequence[Result | dict[str, Any]],
    *,
    title: str,
    split: str = "",
    notes: Sequence[str] = (),
    next_steps: Sequence[str] = (),
    seed: int = 0,
    points: int = POINTS,
) -> Page:
    """Put a page together.

    Args:
        run: the trained run.
        store: what it was scored on; labels and splits may be missing, then there are no scores.
        results: of `evaluate_run`, or rows of its files.
        title: heading.
        split: whose test part is drawn; empty: that of the results, or all clips where there are none.
        notes: remarks that a reader must know.
        next_steps: commands to run next.
        seed: of the map and of the choice of clips.
        points: on the map, at most; beyond 3000 it shows principal components.
    """
    rows = [result.to_dict() if isinstance(result, Result) else result for result in results]
    known = known_clips(run, store, split or (rows[0]["split"] if rows else ""), seed)
    rng = np.random.default_rng(seed)
    found = hallucinations(run, seed)
    positives = None
    if isinstance(found, str):
        notes = (*notes, found)
    else:
        clips = trained_clips(found, run, store)
        positives = positives_map(found, run, store, seed)
        positives = replace(positives, animations=[] if clips is None else previews(store, clips))
    what = "synthetic clips" if store.info()["synthetic"] else f"clips of {store.name}"
    return Page(
        title=title,
        subtitle=f"{len(store)} {what}; {run.config.method}, {run.step} steps, without labels",
        facts=_facts(run, store),
        curves=metric_rows(run.path),
        results=rows,
        embedding=_embedding(store, known, points, rng, seed),
        positives=positives,
        matches=match_clips(store, known, rng),
        matched=known.about,
        clips=_gallery(store, known, rng),
        notes=notes,
        next_steps=next_steps,
    )


def metric_rows(run: Path) -> list[dict[str, Any]]:
    """What a run logged; nothing where it logged nothing."""
    metrics = run / "metrics.jsonl"
    if not metrics.exists():
        return []
    return [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]


def run_outcome(run: Path) -> dict[str, Any]:
    """What `run.json` says of the training; nothing where it has not ended."""
    with suppress(OSError, ValueError):
        found = json.loads((run / "run.json").read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    return {}


def _embedding(store: Store, known: Known, points: int, rng: np.random.Generator, seed: int) -> Any:
    keep = np.sort(rng.permutation(len(known.clips))[:points])
    map_of_clips = point_map(store, known, keep)
    return replace(map_of_clips, points=embed_2d(known.features[keep], seed), method=embedding_method(len(keep)))


def _facts(run: Run, store: Store) -> list[tuple[str, str]]:
    info = store.info()
    config = run.config
    lengths = info["frames_per_clip"]
    outcome = run_outcome(run.path)
    subjects = f", {info['subjects']} subjects" if info["subjects"] else ""
    facts = [
        ("Data set", store.name + (" (synthetic)" if info["synthetic"] else "")),
        ("Clips", f"{info['clips']} of {info['classes']} classes{subjects}"),
        ("Frames per clip", f"{lengths['min']} to {lengths['max']}, median {lengths['median']:.0f}"),
        ("Layout", f"{info['layout']}, {info['joints']} joints, up to {info['people']} people"),
        ("Repairs", _counts(info["repairs"])),
        ("Set aside", f"{info['set_aside']} files" if info["set_aside"] else ""),
        ("Licence", str(info["provenance"].get("licence", "")) or "not stated"),
        ("Method", f"{config.method} on {', '.join(config.streams)}, {run.step} steps of {config.batch_size} clips"),
        ("Encoder", f"{config.encoder.name}, width {config.encoder.width}, {config.encoder.layers} layers"),
        ("Optimizer", f"{config.optimizer.name}, rate {config.optimizer.learning_rate:g}"),
        ("Seed", str(config.seed)),
        ("Run", run.path.name),
    ]
    if "clips_per_second" in outcome:
        facts.append(("Speed", f"{outcome['clips_per_second']:.0f} clips/s, {outcome['seconds']:.0f} s"))
    return [(name, value) for name, value in facts if value]


def _counts(repairs: dict[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in repairs.items() if count)


def _gallery(store: Store, known: Known, rng: np.random.Generator) -> list[Any]:
    """Clips of different classes, as they move."""
    order = rng.permutation(len(known.clips))
    _, first = np.unique(known.labels[order], return_index=True)
    picked = order[np.sort(first)[:_SHOWN]] if known.is_labelled else order[:_SHOWN]
    return [moving_clip(store, int(known.clips[position])) for position in picked]
