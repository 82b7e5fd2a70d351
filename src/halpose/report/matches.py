"""Clips beside those that are most like them, moving together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from halpose.report.animation import AnimatedClip, controls, stage
from halpose.report.markup import Markup, element


@dataclass(frozen=True)
class Match:
    """A query and what was found for it.

    Attributes:
        query: the clip that was asked about.
        found: the clips that are most like it, most like it first.
        similarity: of each.
        is_same: whether each is of the query's class; None where a class is not known.
    """

    query: AnimatedClip
    found: Sequence[AnimatedClip]
    similarity: Sequence[float]
    is_same: Sequence[bool | None]

    @property
    def clips(self) -> tuple[AnimatedClip, ...]:
        """The query and what was found, in the order in which they are shown."""
        return (self.query, *self.found)


def match_rows(matches: Sequence[Match], first: int = 0) -> Markup:
    """A row of moving skeletons for each query.

    Args:
        matches: the queries.
        first: number of clips that stand before these in the page's data.
    """
    rows = []
    for match in matches:
        rows.append(_row(match, first))
        first += len(match.clips)
    return element("div", {"class": "matches"}, *rows)


def _row(match: Match, first: int) -> Markup:
    indices = " ".join(str(first + number) for number in range(len(match.clips)))
    cells = [_cell(match.query, stage(match.query.title), "query", "asked about")]
    for clip, similarity, same in zip(match.found, match.similarity, match.is_same, strict=True):
        verdict = "" if same is None else "same class, " if same else "another class, "
        # The keys are the query's: a row is one thing to stop at, not five.
        canvas = element("canvas", {"class": "stage", "role": "img", "aria-label": f"{clip.title}: moving skeleton"})
        kind = "unknown" if same is None else "same" if same else "other"
        cells.append(_cell(clip, canvas, kind, f"{verdict}similarity {similarity:.3f}"))
    return element(
        "figure",
        {"class": "card player match", "data-clips": indices},
        element("div", {"class": "cells"}, *cells),
        controls(),
    )


def _cell(clip: AnimatedClip, canvas: Markup, kind: str, verdict: str) -> Markup:
    return element(
        "div",
        {"class": f"cell {kind}"},
        canvas,
        element(
            "div",
            {"class": "cell-caption"},
            element("strong", {}, clip.title),
            element("span", {"class": "verdict"}, verdict),
            element("span", {"class": "muted"}, clip.caption) if clip.caption not in ("", clip.title) else None,
        ),
    )
