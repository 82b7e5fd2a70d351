"""The map of the clips: features brought to two dimensions, drawn as a scatter with a legend that filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from halpose.errors import DataError
from halpose.report.animation import AnimatedClip
from halpose.report.markup import Markup, element

LARGEST_TSNE = 3000
WIDTH, MARGIN = 680.0, 22.0
LOWEST, HIGHEST = 440.0, 640.0
HUES = 8
# Colour alone does not tell 27 classes apart, for nobody: shape is the second mark.
GLYPHS = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0",
    "M0 -5L4.6 3.4H-4.6Z",
    "M-3.6 -3.6H3.6V3.6H-3.6Z",
    "M0 -5.2L4.4 0L0 5.2L-4.4 0Z",
    "M-1.6 -5H1.6V-1.6H5V1.6H1.6V5H-1.6V1.6H-5V-1.6H-1.6Z",
    "M0 5L4.6 -3.4H-4.6Z",
)
SHAPES = {f"glyph{i}": d for i, d in enumerate(GLYPHS)} | {
    "dot": "M-2.6 0a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0 -5.2 0",
    "disc": "M-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0 -6.8 0",
    "diamond": "M0 -8.5L7 0L0 8.5L-7 0Z",
}


@dataclass(frozen=True)
class Embedding:
    """Clips as points.

    Attributes:
        points: (N, 2), from `embed_2d`.
        labels: (N,) class index, -1 where unknown.
        classes: class names.
        names: name of each clip.
        part: which clips these are ("test"), for the caption.
        animations: clips that are shown when their point is pointed at, beside those of the page's gallery;
            joined by `AnimatedClip.name`.
        method: how the points were made ("t-SNE", "PCA"), for the caption.
        key: what the map is called in the page; each map needs one of its own.
        marks: (style, shape) of each class where classes are not told apart by hue; shape is a key of `SHAPES`.
        said: what is said of each point; class and name if empty.
        plays: name of the clip that each point plays; its own if empty.
        links: points that a line joins with each point while it is shown.
    """

    points: Float[np.ndarray, "n 2"]
    labels: Int[np.ndarray, n]
    classes: Sequence[str]
    names: Sequence[str]
    part: str = ""
    animations: Sequence[AnimatedClip] = ()
    method: str = ""
    key: str = "map"
    marks: Sequence[tuple[str, str]] = ()
    said: Sequence[str] = ()
    plays: Sequence[str] = ()
    links: Sequence[Sequence[int]] = ()


def embed_2d(features: Float[np.ndarray, "n d"], seed: int = 0) -> Float[np.ndarray, "n 2"]:
    """Features in two dimensions: t-SNE, started from the principal components, up to 3000 clips; PCA beyond.

    Args:
        features: (N, D), finite.
        seed: of the t-SNE.

    Raises:
        DataError: the features are not a finite (N, D) array.
    """
    if features.ndim != 2 or not np.isfinite(features).all():
        raise DataError(f"embed_2d: features of shape {features.shape} are not a finite (clips, features) array")
    components = _principal_components(features.astype(np.float64))
    spread = components[:, 0].std() if len(components) else 0.0
    # t-SNE needs neighbours: for a handful of clips, or clips that are all equal, the components say it all.
    if embedding_method(len(features)) == "PCA" or spread == 0.0:
        return components
    from sklearn.manifold import TSNE

    tsne = TSNE(
        perplexity=min(30.0, (len(features) - 1) / 3),
        init=(components / spread * 1e-4).astype(np.float32),
        learning_rate="auto",
        random_state=seed,
    )
    # A map may be turned freely; its longest extent belongs across the page.
    return _principal_components(np.asarray(tsne.fit_transform(features.astype(np.float32)), dtype=np.float64))


def embedding_method(clips: int) -> str:
    """What `embed_2d` uses for that many clips."""
    return "t-SNE" if 8 <= clips <= LARGEST_TSNE else "PCA"


def scatter(embedding: Embedding) -> Markup:
    """The scatter itself: one group per class, so that the legend can show and hide it."""
    check_embedding(embedding)
    places, height = _places(embedding)
    labels = embedding.labels
    groups = []
    for label in sorted({int(k) for k in labels}):
        marks = [
            element("use", {"href": f"#{_glyph(embedding, label)}", "x": places[i, 0], "y": places[i, 1]})
            for i in np.flatnonzero(labels == label)
            if np.isfinite(places[i]).all()
        ]
        groups.append(element("g", {"class": f"points {_style(embedding, label)}", "data-label": str(label)}, *marks))
    return element(
        "svg",
        {
            "id": f"{embedding.key}-plot",
            "class": "map-plot",
            "viewBox": f"0 0 {WIDTH:g} {height:g}",
            "tabindex": 0,
            "role": "application",
            "aria-label": f"Map of {len(labels)} points; arrow keys go from point to point, escape leaves",
        },
        _symbols(embedding),
        element("path", {"class": "links"}),
        *groups,
        element("circle", {"class": "ring", "r": 10, "visibility": "hidden"}),
    )


def _symbols(embedding: Embedding) -> Markup:
    """Definitions of the point shapes, for `use`."""
    used = dict.fromkeys(_glyph(embedding, int(label)) for label in np.unique(embedding.labels))
    shapes = (element("path", {"id": name, "d": SHAPES[name.removeprefix(f"{embedding.key}-")]}) for name in used)
    return element("defs", {}, *shapes)


def legend(embedding: Embedding) -> Markup:
    """A button per class; pressed ones are shown, none pressed shows all."""
    labels, counts = np.unique(embedding.labels, return_counts=True)
    entries = [
        element(
            "li",
            {},
            element(
                "button",
                {
                    "type": "button",
                    "class": "class-key",
                    "data-label": str(label),
                    "aria-pressed": "false",
                },
                element(
                    "svg",
                    {
                        "class": f"glyph {_style(embedding, int(label))}",
                        "viewBox": "-9 -9 18 18",
                        "aria-hidden": "true",
                    },
                    element("use", {"href": f"#{_glyph(embedding, int(label))}"}),
                ),
                element("span", {"class": "name"}, _class_name(embedding, int(label))),
                element("span", {"class": "amount"}, str(count)),
            ),
        )
        for label, count in zip(labels, counts, strict=True)
    ]
    return element("ul", {"class": "legend", "aria-label": "Classes; choose which to show"}, *entries)


def embedding_data(embedding: Embedding) -> dict[str, Any]:
    """What the browser needs to find the point under the pointer and say what it is."""
    places, _ = _places(embedding)
    places = np.where(np.isfinite(places), places, -1e6)
    return {
        "key": embedding.key,
        "x": np.round(places[:, 0], 1).tolist(),
        "y": np.round(places[:, 1], 1).tolist(),
        "label": [int(label) for label in embedding.labels],
        "name": [str(name) for name in embedding.names],
        "classes": {str(k): _class_name(embedding, int(k)) for k in np.unique(embedding.labels)},
        "said": list(embedding.said) or None,
        "plays": list(embedding.plays) or None,
        "links": [list(map(int, joined)) for joined in embedding.links] or None,
    }


def check_embedding(embedding: Embedding) -> None:
    """Refuse what cannot be drawn.

    Raises:
        DataError: points, labels and names do not belong together.
    """
    count = len(embedding.labels)
    for what in ("said", "plays", "links"):
        if len(getattr(embedding, what)) not in (0, count):
            raise DataError(f"report: {count} points, but {what} for {len(getattr(embedding, what))}")
    if embedding.points.shape != (count, 2) or len(embedding.names) != count:
        raise DataError(
            f"report: {count} labels, points of shape {embedding.points.shape} and {len(embedding.names)} names; "
            "an embedding needs as many points (N, 2) and names as labels"
        )


def _principal_components(features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n 2"]:
    """First two principal components, zeros where there are fewer; signs fixed by the largest coordinate."""
    result = np.zeros((len(features), 2))
    if not len(features):
        return result
    centred = features - features.mean(0)
    # The smaller of the two Gram matrices holds the same components.
    if len(centred) > centred.shape[1]:
        _, axes = np.linalg.eigh(centred.T @ centred)
        found = centred @ axes[:, :-3:-1]
    else:
        squared, left = np.linalg.eigh(centred @ centred.T)
        found = left[:, :-3:-1] * np.sqrt(np.maximum(squared[:-3:-1], 0.0))
    # Rounding leaves a trace where there is no spread at all.
    found[:, np.abs(found).max(0) <= 1e-7 * float(np.abs(features).max(initial=0.0))] = 0.0
    largest = found[np.abs(found).argmax(0), np.arange(found.shape[1])]
    result[:, : found.shape[1]] = found * np.where(largest < 0, -1.0, 1.0)
    return result


def _places(embedding: Embedding) -> tuple[Float[np.ndarray, "n 2"], float]:
    """Points in the drawing, and its height; one scale for both axes, so that distances stay comparable."""
    points = np.asarray(embedding.points, dtype=np.float64)
    known = points[np.isfinite(points).all(1)]
    if not len(known):
        return np.full(points.shape, np.nan), LOWEST
    low, high = known.min(0), known.max(0)
    room = np.array([WIDTH, HIGHEST]) - 2 * MARGIN
    scale = float((room / np.maximum(high - low, 1e-12)).min()) if (high - low).any() else 0.0
    height = min(max(float(high[1] - low[1]) * scale + 2 * MARGIN, LOWEST), HIGHEST)
    middle = np.array([WIDTH, height]) / 2
    return middle + (points - (low + high) / 2) * np.array([scale, -scale]), height


def _style(embedding: Embedding, label: int) -> str:
    if embedding.marks:
        return embedding.marks[label][0]
    return "hue-none" if label < 0 else f"hue{label % HUES}"


def _glyph(embedding: Embedding, label: int) -> str:
    shape = embedding.marks[label][1] if embedding.marks else f"glyph{max(label, 0) // HUES % len(GLYPHS)}"
    return f"{embedding.key}-{shape}"


def _class_name(embedding: Embedding, label: int) -> str:
    if label < 0:
        return "no label"
    return str(embedding.classes[label]) if label < len(embedding.classes) else f"class {label}"
