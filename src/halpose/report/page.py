"""The page of one run: what was trained on what, how good it is, and what it looks like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from halpose.report.animation import AnimatedClip, packed_clips
from halpose.report.confusion import confusion_data
from halpose.report.curves import Curves, curve_data, read_curves
from halpose.report.document import document, write_document
from halpose.report.embedding import Embedding, embedding_data
from halpose.report.matches import Match
from halpose.report.score_table import headline
from halpose.report.scores import Score, read_scores
from halpose.report.sections import SECTIONS


@dataclass(frozen=True)
class Page:
    """What a page shows; every part but the title may be left out.

    Attributes:
        title: heading.
        subtitle: one sentence under it.
        facts: (name, value) of the data card and the run card.
        curves: rows of metrics.jsonl: step, loss, infonce, halp, accuracy, kept, clips_per_second, learning_rate,
            and whatever else a method logs.
        results: rows of `halpose evaluate --json`: protocol, features, split, top1, low, high, confusion, classes,
            settings.
        embedding: the clips as points.
        positives: keys, prototypes and hallucinated positives as points.
        matches: clips beside those that are most like them.
        matched: which clips these are, and among which they were looked for.
        clips: clips to play.
        notes: remarks that a reader must know: synthetic data, protocol, seed, command, hardware.
        next_steps: commands to run next.
    """

    title: str
    subtitle: str = ""
    facts: Sequence[tuple[str, str]] = ()
    curves: Sequence[Mapping[str, Any]] = ()
    results: Sequence[Mapping[str, Any]] = ()
    embedding: Embedding | None = None
    positives: Embedding | None = None
    matches: Sequence[Match] = ()
    matched: str = ""
    clips: Sequence[AnimatedClip] = ()
    notes: Sequence[str] = ()
    next_steps: Sequence[str] = ()

    @cached_property
    def scores(self) -> list[Score]:
        """The results, checked and grouped."""
        return read_scores(self.results)

    @cached_property
    def learning(self) -> Curves | None:
        """The curves, ready to draw."""
        return read_curves(self.curves)


def write_page(path: str | Path, page: Page) -> Path:
    """Write a page, atomically: an older page at `path` stays until the new one is complete.

    Raises:
        DataError: results, embedding or clips are not what they should be, or the file cannot be written.
    """
    return write_document(path, render_page(page))


def render_page(page: Page) -> str:
    """The page as text."""
    sections = [section for build in SECTIONS if (section := build(page)) is not None]
    return document(page.title, sections, _data(page), subtitle=page.subtitle, lead=headline(page.scores))


def _data(page: Page) -> dict[str, Any]:
    """What the scripts read: numbers only the browser needs, such as packed clips."""
    maps = [found for found in (page.embedding, page.positives) if found is not None and len(found.labels)]
    previews = {clip.name: replace(clip, title="", caption="") for found in maps for clip in found.animations}
    clips = [*page.clips, *(clip for match in page.matches for clip in match.clips)]
    return {
        **packed_clips(clips, list(previews.values())),
        "curves": curve_data(page.learning) if page.learning is not None else None,
        "confusion": confusion_data(page.scores),
        "maps": [embedding_data(found) for found in maps],
    }
