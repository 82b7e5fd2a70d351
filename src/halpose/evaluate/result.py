"""One score and everything needed to judge it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Int

from halpose.errors import DataError

if TYPE_CHECKING:
    from rich.console import Group

Z_95 = 1.959963984540054


def wilson(hits: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval of a proportion: honest for few trials and near 0 and 1, unlike p ± z·se.

    Args:
        hits: successes.
        trials: at least 1.
        z: quantile of the normal distribution; 95 % unless given.

    Reference:
        E. B. Wilson, JASA 22 (1927) 209-212.
    """
    share, weight = hits / trials, z * z / trials
    middle = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / trials + weight / (4 * trials))
    # The share is always inside; at 0 and 1 it is the end itself, which rounding must not step over.
    return min(share, middle - half), max(share, middle + half)


@dataclass(frozen=True)
class Result:
    """Score of one protocol on one kind of features.

    Attributes:
        protocol: `knn`, `linear`, `linear-sgd`, ...
        features: `trained`, `untrained` or `raw`.
        split: name of the split.
        part: `test`, or `validation` for a score that only serves to choose.
        top1: share of the clips whose class was predicted.
        low: lower end of the 95 % interval (Wilson).
        high: upper end.
        clips: how many were scored.
        classes: class names.
        confusion: clips of each class (row) that were taken for each class (column).
        settings: everything that was set or chosen.
        selected_on: where settings were chosen; never `test`.
        best_on_test: the paper's protocol, what the choice that is best on the test part scores there; only when
            asked for.
        notes: what a reader of the score should know.
        seconds: what the evaluation took, without extracting the features.
    """

    protocol: str
    features: str
    split: str
    part: Literal["test", "validation"]
    top1: float
    low: float
    high: float
    clips: int
    classes: tuple[str, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    selected_on: Literal["validation", "none"] = "none"
    best_on_test: float | None = None
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @classmethod
    def from_predictions(
        cls,
        predictions: Int[np.ndarray, " n"],
        labels: Int[np.ndarray, " n"],
        classes: Sequence[str],
        **about: Any,
    ) -> Result:
        """Count hits and confusions; `about` names the other attributes.

        Raises:
            DataError: there is no clip to score.
        """
        if not len(labels):
            raise DataError("there is no labelled clip to score in this part of the split; look at `data info`")
        confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
        np.add.at(confusion, (labels, predictions), 1)
        hits = int(np.trace(confusion))
        low, high = wilson(hits, len(labels))
        return cls(
            top1=hits / len(labels),
            low=low,
            high=high,
            clips=len(labels),
            classes=tuple(classes),
            confusion=tuple(tuple(row) for row in confusion.tolist()),
            **about,
        )

    @property
    def per_class(self) -> tuple[float | None, ...]:
        """Share of each class's clips that was recognised; None for a class without a clip."""
        return tuple(row[i] / sum(row) if sum(row) else None for i, row in enumerate(self.confusion))

    @property
    def mean_per_class(self) -> float | None:
        """Mean over the classes that have clips: every class counts the same, however many clips it has."""
        shares = [share for share in self.per_class if share is not None]
        return sum(shares) / len(shares) if shares else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form, with the accuracy of each class."""
        table = asdict(self)
        for name in ("classes", "notes"):
            table[name] = list(table[name])
        table["confusion"] = [list(row) for row in self.confusion]
        return table | {"per_class": list(self.per_class), "mean_per_class": self.mean_per_class}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Result:
        """The inverse of `to_dict`; keys that this version does not know are left out.

        Raises:
            DataError: a score's key is missing.
        """
        known = {f.name for f in fields(cls)}
        values = {key: value for key, value in table.items() if key in known}
        for name in ("classes", "notes"):
            values[name] = tuple(values.get(name, ()))
        values["confusion"] = tuple(tuple(row) for row in values.get("confusion", ()))
        try:
            return cls(**values)
        except TypeError as error:
            raise DataError(f"this is not an evaluation result: {error}") from None


def table(results: Sequence[Result]) -> Group:
    """One row per protocol and kind of features, within 80 columns.

    The line above says which clips were scored; what was set, what was chosen and where, and remarks stand below.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    captions = _settings(results) + _notes(results)
    peeked = any(result.best_on_test is not None for result in results)
    columns = ["Features", "Protocol", "Top-1 %", "95 % interval", "Mean per\nclass %"]
    if peeked:
        columns.insert(4, "Best on\ntest %")
        captions.insert(0, "Best on test is the paper's protocol: chosen on the clips that are scored, so too good.")
    view = Table()
    for column in columns:
        left = column in ("Features", "Protocol")
        view.add_column(Text(column), justify="left" if left else "right", no_wrap=True)
    for result in results:
        interval = f"{100 * result.low:.1f} to {100 * result.high:.1f}"
        row = [result.features, result.protocol, f"{100 * result.top1:.1f}", interval, _percent(result.mean_per_class)]
        if peeked:
            row.insert(4, _percent(result.best_on_test))
        view.add_row(*map(Text, row))
    return Group(Text(_title(results), "bold"), view, *(Text(caption, "dim") for caption in captions))


def _title(results: Sequence[Result]) -> str:
    scored = {(result.split, result.part, result.clips) for result in results}
    if len(scored) != 1:
        return "Scores"
    split, part, clips = scored.pop()
    role = "scored once" if part == "test" else "for choosing settings, not for reporting"
    return f"{split}, {part} part: {clips} clips, {role}"


def _settings(results: Sequence[Result]) -> list[str]:
    """What was set and where it was chosen, rows of the same settings together."""
    rows: dict[str, list[str]] = {}
    for result in results:
        values = (f"{k} {_short(v)}" for k, v in result.settings.items() if isinstance(v, (int, float, str)))
        said = ", ".join(values)
        if result.selected_on != "none":
            said += f"{', ' if said else ''}chosen on {result.selected_on}"
        if said:
            rows.setdefault(said, []).append(f"{result.features} {result.protocol}")
    return [f"{', '.join(where)}: {said}" for said, where in rows.items()]


def _notes(results: Sequence[Result]) -> list[str]:
    """Each note once, with the rows that it belongs to unless it belongs to all."""
    rows: dict[str, list[str]] = {}
    for result in results:
        for note in result.notes:
            rows.setdefault(note, []).append(f"{result.features} {result.protocol}")
    return [note if len(where) == len(results) else f"{', '.join(where)}: {note}" for note, where in rows.items()]


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def _short(value: int | float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"
