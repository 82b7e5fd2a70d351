"""The parts of a page, in reading order; a part whose data is missing is left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from halpose.report.animation import gallery
from halpose.report.confusion import confusion_views
from halpose.report.curves import curve_grid
from halpose.report.document import Section
from halpose.report.embedding import Embedding, legend, scatter
from halpose.report.markup import Markup, element, join
from halpose.report.matches import match_rows
from halpose.report.score_table import score_table, settings_table

if TYPE_CHECKING:
    from halpose.report.page import Page


def _scores(page: Page) -> Section | None:
    table = score_table(page.scores)
    if table is None:
        return None
    intro = "Share of clips given the right class. The dot is the accuracy, the bar its 95\u00a0% interval."
    if {"trained", "untrained", "raw"} <= {score.features for score in page.scores}:
        intro += (
            " An untrained encoder and the raw coordinates are scored the same way: what training is worth is the "
            "distance to them."
        )
    return Section("scores", "Scores", intro, join([table, settings_table(page.scores)]))


def _curves(page: Page) -> Section | None:
    if page.learning is None:
        return None
    intro = "What training logged, over its steps."
    if page.learning.halp_start is not None:
        intro += " The dashed line marks the step at which the HaLP term joins the contrastive one."
    if page.learning.rows_per_point > 1:
        intro += f" Each point is the mean of {page.learning.rows_per_point} logged rows."
    return Section("training", "Training", intro, curve_grid(page.learning))


def _confusion(page: Page) -> Section | None:
    views = confusion_views(page.scores)
    intro = "Each row is a true class, each column the class it was given."
    return None if views is None else Section("classes", "Classes", intro, views)


def _map(page: Page) -> Section | None:
    embedding = page.embedding
    if embedding is None or not len(embedding.labels):
        return None
    which = f" of the {embedding.part} part" if embedding.part else ""
    how = f" ({embedding.method})" if embedding.method else ""
    intro = (
        f"The features of {len(embedding.labels)} clips{which} in two dimensions{how}. Clips that move alike should "
        "lie together; colour and shape show the class, which the map was made without. "
        "Axes have no unit, and distances between far groups mean little."
    )
    return Section("map", "Map", intro, _map_body(embedding, "Point at a clip to see what it is.", "Classes"))


def _map_body(embedding: Embedding, hint: str, heading: str) -> Markup:
    """The scatter, what plays beside it, and the legend that filters."""
    preview = element(
        "figure",
        {"class": "preview player"},
        element("canvas", {"class": "stage", "aria-hidden": "true"}),
        element("figcaption", {}, element("output", {"class": "readout", "aria-live": "polite"}, hint)),
    )
    side = element(
        "div",
        {"class": "aside"},
        preview,
        element(
            "div",
            {"class": "legend-head"},
            element("h3", {}, heading),
            element("button", {"type": "button", "class": "show-all"}, "Show all"),
        ),
        legend(embedding),
    )
    return element("div", {"class": "map"}, scatter(embedding), side)


def _positives(page: Page) -> Section | None:
    found = page.positives
    if found is None or not len(found.labels):
        return None
    how = f" ({found.method})" if found.method else ""
    intro = (
        "What HaLP does, on this run\u2019s own keys: from a key (its anchor) it walks along the sphere toward a "
        "prototype and takes the place it reaches as one more positive. The further from the anchor, the harder. Keys "
        f"are the newest of the queue, as training saw them{found.part}. All are brought to two dimensions "
        f"together{how}, so lengths on this map are not angles: the read-out has those."
    )
    return Section("positives", "Hallucinated positives", intro, _map_body(found, "Point at a mark.", "Marks"))


def _matches(page: Page) -> Section | None:
    if not page.matches:
        return None
    return Section(
        "neighbours",
        "Nearest neighbours",
        f"Each row: {page.matched or 'a clip, and the clips whose features are most like its own'}. "
        "All of a row begin together and turn together.",
        match_rows(page.matches, first=len(page.clips)),
    )


def _clips(page: Page) -> Section | None:
    if not page.clips:
        return None
    pairs = any(clip.positions.shape[0] > 1 for clip in page.clips)
    turns = any(clip.positions.shape[-1] == 3 for clip in page.clips)
    hint = " ".join(["The second person has warm colours."] * pairs + ["Drag to turn."] * turns)
    key = element(
        "p",
        {"class": "key"},
        *(
            element("span", {}, element("i", {"class": f"swatch {kind}"}), text)
            for kind, text in (("left", "left limbs"), ("right", "right limbs"), ("trunk", "trunk"))
        ),
        element("span", {"class": "muted"}, hint),
    )
    keys = element(
        "p",
        {"class": "muted keys"},
        f"With the keyboard: space plays and stops, {'the arrow keys turn, ' if turns else ''}comma and full stop go "
        f"frame by frame{', Home faces front' if turns else ''}.",
    )
    return Section(
        "clips", "Movement" if len(page.clips) == 1 else "Movements", "", join([key, gallery(page.clips), keys])
    )


def _facts(page: Page) -> Section | None:
    if not page.facts:
        return None
    pairs = [element("div", {}, element("dt", {}, name), element("dd", {}, value)) for name, value in page.facts]
    title = "Data and run" if page.curves or page.results else "About"
    return Section("facts", title, "", element("dl", {"class": "facts"}, *pairs))


def _notes(page: Page) -> Section | None:
    if not page.notes:
        return None
    items = [element("li", {}, note) for note in page.notes]
    return Section("notes", "Notes", "", element("ul", {"class": "notes"}, *items))


def _next_steps(page: Page) -> Section | None:
    if not page.next_steps:
        return None
    items = [
        element(
            "li",
            {},
            element("pre", {}, element("code", {}, command)),
            element("button", {"type": "button", "class": "copy", "hidden": True}, "Copy"),
        )
        for command in page.next_steps
    ]
    return Section("next", "What to run next", "", element("ol", {"class": "commands"}, *items))


# A new part of the page is one function and one entry here.
SECTIONS: tuple[Callable[[Page], Section | None], ...] = (
    _scores,
    _curves,
    _confusion,
    _map,
    _matches,
    _positives,
    _clips,
    _facts,
    _notes,
    _next_steps,
)
