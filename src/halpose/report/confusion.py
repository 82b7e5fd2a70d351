"""Which classes are taken for which: a heat map per evaluation, the most frequent mix-ups, the hardest classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from halpose.report.axes import percent
from halpose.report.markup import Markup, element
from halpose.report.scores import Score, headline_score

# (most classes, cell size): small matrices get room for their counts, 120 classes still fit a page.
CELL_SIZES = ((8, 46.0), (12, 38.0), (20, 28.0), (32, 20.0), (64, 13.0), (120, 8.5), (10_000, 4.0))
LARGE = 32
LONGEST_NAME = 24
LISTED = 6


def confusion_views(scores: Sequence[Score]) -> Markup | None:
    """One view for each score with a confusion matrix, the headline's first, and a choice among them."""
    drawn = drawn_scores(scores)
    if not drawn:
        return None
    choice = None
    if len(drawn) > 1:
        choice = element(
            "p",
            {"class": "choice"},
            element("label", {"for": "confusion-choice"}, "Evaluation "),
            element(
                "select",
                {"id": "confusion-choice"},
                *(element("option", {"value": str(i)}, _title(score)) for i, score in enumerate(drawn)),
            ),
        )
    return element(
        "div",
        {"id": "confusion"},
        choice,
        *(_view(score, index, with_title=len(drawn) > 1) for index, score in enumerate(drawn)),
    )


def drawn_scores(scores: Sequence[Score]) -> list[Score]:
    """Scores with a confusion matrix, in the order in which the page shows them."""
    first = headline_score(scores)
    return sorted((score for score in scores if score.confusion is not None), key=lambda score: score is not first)


def confusion_data(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """What the read-out in the browser needs, one entry per view.

    Only cells that hold clips are listed, as [true, predicted, count].
    """
    entries = []
    for score in drawn_scores(scores):
        assert score.confusion is not None
        true, predicted = np.nonzero(score.confusion)
        entries.append(
            {
                "classes": list(score.classes),
                "cells": np.stack((true, predicted, score.confusion[true, predicted]), 1).tolist(),
            }
        )
    return entries


def mixups(confusion: Int[np.ndarray, "k k"], most: int = LISTED) -> list[tuple[int, int, int]]:
    """The most frequent mistakes as (true, predicted, count), most frequent first."""
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = [(int(cell) // len(wrong), int(cell) % len(wrong)) for cell in order]
    return [(true, predicted, int(wrong[true, predicted])) for true, predicted in pairs if wrong[true, predicted]]


def hardest(confusion: Int[np.ndarray, "k k"], most: int = LISTED) -> list[tuple[int, float, int]]:
    """Classes recognised least often, as (class, share right, clips); perfect and absent ones are left out."""
    clips = confusion.sum(1)
    right = np.diag(confusion) / np.maximum(clips, 1)
    order = np.argsort(right, kind="stable")
    return [(int(k), float(right[k]), int(clips[k])) for k in order if clips[k] and right[k] < 1][:most]


def _title(score: Score) -> str:
    return f"{score.protocol_title}, {score.features_title.lower()}{f', {score.split}' if score.split else ''}"


def _view(score: Score, index: int, with_title: bool) -> Markup:
    assert score.confusion is not None
    return element(
        "div",
        {"class": "confusion-view large" if len(score.classes) > LARGE else "confusion-view", "data-index": str(index)},
        element("h3", {"class": "view-title"}, _title(score)) if with_title else None,
        element(
            "output",
            {"class": "readout", "aria-live": "polite"},
            "Point at a cell, or focus the matrix and use the arrow keys.",
        ),
        element(
            "div",
            {"class": "matrix-scroll"},
            _matrix(score.confusion, score.classes, f"Confusion matrix, {_title(score)}"),
        ),
        element(
            "div",
            {"class": "aside"},
            _key(),
            _mixup_list(score.confusion, score.classes),
            _hardest_list(score.confusion, score.classes),
        ),
    )


def _matrix(confusion: Int[np.ndarray, "k k"], classes: Sequence[str], title: str) -> Markup:
    count = len(confusion)
    cell = next(size for most, size in CELL_SIZES if count <= most)
    size = cell * count
    font = min(12.5, cell * 0.6)
    labelled = cell >= 12
    names = [_short(name) for name in classes]
    # Text is measured in the browser; 0.6 em is a generous mean width of a sans-serif letter.
    room = max(len(name) for name in names) * font * 0.6 + 10 if labelled else 14.0
    marks = [element("rect", {"class": "back", "width": size, "height": size})]
    clips = np.maximum(confusion.sum(1), 1)
    for true, predicted in zip(*np.nonzero(confusion), strict=True):
        share = float(confusion[true, predicted] / clips[true])
        place = {"x": predicted * cell, "y": true * cell, "width": cell, "height": cell}
        kind = "right" if true == predicted else "wrong"
        marks.append(element("rect", {"class": kind, **place, "fill-opacity": 0.12 + 0.88 * share}))
        if cell >= 20:
            marks.append(
                element(
                    "text",
                    {
                        "class": "count strong" if share > 0.5 else "count",
                        "x": (predicted + 0.5) * cell,
                        "y": (true + 0.5) * cell + font * 0.34,
                    },
                    str(int(confusion[true, predicted])),
                )
            )
    lines = "".join(f"M0 {k * cell:g}H{size:g}M{k * cell:g} 0V{size:g}" for k in range(count + 1))
    marks.append(element("path", {"class": "lines", "d": lines}))
    if labelled:
        for k, name in enumerate(names):
            middle = (k + 0.5) * cell
            marks.append(element("text", {"class": "row", "x": -6, "y": middle + font * 0.34}, name))
            turned = f"translate({middle + font * 0.34:g} -6) rotate(-90)"
            marks.append(element("text", {"class": "column", "transform": turned}, name))
    marks.append(element("rect", {"class": "cursor", "width": cell, "height": cell, "visibility": "hidden"}))
    return element(
        "svg",
        {
            "class": "matrix",
            "viewBox": f"{-room:g} {-room:g} {room + size + 2:g} {room + size + 2:g}",
            "width": room + size + 2,
            "height": room + size + 2,
            "font-size": font,
            "tabindex": 0,
            "role": "application",
            "aria-label": f"{title}; rows are true classes, columns predicted ones; arrow keys move from cell to cell",
            "data-cell": cell,
            "data-count": count,
        },
        *marks,
    )


def _key() -> Markup:
    entries = [("right", "right"), ("wrong", "taken for another class")]
    return element(
        "p",
        {"class": "key"},
        *(element("span", {}, element("i", {"class": f"swatch {kind}"}), text) for kind, text in entries),
        element("span", {"class": "muted"}, "the stronger, the larger the share of the row"),
    )


def _mixup_list(confusion: Int[np.ndarray, "k k"], classes: Sequence[str]) -> Markup | None:
    rows = mixups(confusion)
    if not rows:
        return None
    clips = confusion.sum(1)
    return element(
        "table",
        {"class": "listing"},
        element("caption", {}, "Most frequent mix-ups"),
        element(
            "tbody",
            {},
            *(
                element(
                    "tr",
                    {},
                    element(
                        "td",
                        {},
                        classes[true],
                        element("span", {"class": "arrow"}, " \u2192 "),
                        classes[guess],
                    ),
                    element("td", {"class": "amount"}, f"{n} of {int(clips[true])}"),
                )
                for true, guess, n in rows
            ),
        ),
    )


def _hardest_list(confusion: Int[np.ndarray, "k k"], classes: Sequence[str]) -> Markup | None:
    rows = hardest(confusion)
    if not rows:
        return None
    return element(
        "table",
        {"class": "listing"},
        element("caption", {}, "Hardest classes"),
        element(
            "tbody",
            {},
            *(
                element(
                    "tr",
                    {},
                    element("td", {}, classes[k]),
                    element("td", {"class": "amount"}, f"{percent(share, 0)}\u00a0% of {clips}"),
                )
                for k, share, clips in rows
            ),
        ),
    )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "\u2026"
