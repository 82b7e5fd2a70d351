"""The page of a search: what was asked about, and what moves most like it, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from halpose.data.spec import SYNTHETIC_MARK
from halpose.data.store_files import read_meta
from halpose.errors import HalposeError
from halpose.inference.embed import Embeddings
from halpose.inference.search import Neighbour
from halpose.inference.sources import is_store
from halpose.report.animation import MOST_FRAMES, AnimatedClip
from halpose.report.matches import Match
from halpose.report.page import Page
from halpose.report.recording import open_recording

MOST_QUERIES = 12
"""Of a query in many windows, so many are shown, spread over it."""


def search_page(
    queries: Embeddings,
    found: Sequence[Sequence[Neighbour]],
    *,
    facts: Sequence[tuple[str, str]] = (),
    layout: str | None = None,
) -> Page:
    """A row of moving skeletons for each query, read again from where they lie.

    Args:
        queries: what was asked about.
        found: the neighbours of each.
        facts: (name, value) of the search.
        layout: of files that do not name their joints.

    Raises:
        DataError: a query's recording cannot be read.
    """
    shown = np.unique(np.linspace(0, len(queries) - 1, min(len(queries), MOST_QUERIES)).round().astype(int)).tolist()
    notes = [f"{len(shown)} of {len(queries)} windows of the query are shown."] if len(shown) < len(queries) else []
    matches = []
    for row in shown:
        label = queries.labels[row]
        query = _clip(queries.sources[row], queries.names[row], queries.starts[row], queries.ends[row], layout)
        clips, cosines, same = [], [], []
        for neighbour in found[row]:
            try:
                clip = _clip(neighbour.source, neighbour.name, neighbour.start, neighbour.end, layout)
            except HalposeError as error:
                notes.append(f"Number {neighbour.rank}, {neighbour.name}, cannot be shown: {error}")
                continue
            clips.append(_captioned(clip, f"{neighbour.rank}", neighbour.label, neighbour.subject))
            cosines.append(neighbour.cosine)
            same.append(neighbour.label == label if label and neighbour.label else None)
        matches.append(Match(_captioned(query, "Query", label, queries.subjects[row]), clips, cosines, same))
    if any(map(_is_synthetic, {*queries.sources, *(one.source for neighbours in found for one in neighbours)})):
        notes.insert(0, "Synthetic motion is among these: generated, not recordings of people.")
    return Page(
        title=f"What moves like {queries.names[0]}",
        subtitle=f"The {len(found[0])} most similar recordings by the cosine of their embeddings",
        facts=facts,
        matches=matches,
        matched="the recording that was asked about, and the most similar ones",
        notes=list(dict.fromkeys(notes)),
    )


def _clip(source: str, name: str, start: float, end: float, layout: str | None) -> AnimatedClip:
    """A recording, or a window of it, with its place as the caption."""
    begin, stop = (0.0, 0.0) if np.isnan(end) else (float(start), float(end))
    recording = open_recording(Path(source), name, layout, begin, stop)
    place = "" if np.isnan(end) else f"{begin:.2f} to {stop:.2f} s"
    return replace(recording.animated(), caption=place, most_frames=MOST_FRAMES)


def _is_synthetic(source: str) -> bool:
    """Whether a store, or the mark that lies beside a file, says that it was generated."""
    path = Path(source)
    return bool(read_meta(path)["synthetic"]) if is_store(path) else (path.parent / SYNTHETIC_MARK).exists()


def _captioned(clip: AnimatedClip, place: str, label: str, subject: str) -> AnimatedClip:
    said = (clip.name if label else "", f"subject {subject}" if subject else "", clip.caption)
    return replace(clip, title=f"{place}: {label or clip.name}", caption=", ".join(filter(None, said)))
