"""One score and everything needed to judge it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Bool, Int

from halpose.errors import DataError
from halpose.evaluate.intervals import wilson, wilson_over_draws

if TYPE_CHECKING:
    from rich.console import Group

# Seconds from which the cost of an evaluation is shown.
_NOTICED = 2.0


@dataclass(frozen=True)
class Measure:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def share(cls, hits: Bool[np.ndarray, " n"]) -> Measure:
        """How many of the clips, with Wilson's interval."""
        count = int(np.count_nonzero(hits))
        return cls(count / len(hits), *wilson(count, len(hits)))


@dataclass(frozen=True)
class Result:
    """Score of one protocol on one kind of features.

    Attributes:
        protocol: `knn`, `linear`, `linear-sgd`, ...
        features: `trained`, `untrained` or `raw`.
        split: name of the split.
        part: `test`, or `validation` for a score that only serves to choose.
        top1: share of the clips whose class was predicted; with several draws of labels their mean.
        low: lower end of its 95 % interval (Wilson; with several draws, `wilson_over_draws`).
        high: upper end.
        clips: how many were scored.
        by_draw: with several draws of labels, what each reached.
        variant: which of several scores that one protocol gives, such as `5 %` of the labels.
        metric: name of the number to look at first: `top1`, or one of `values`.
        values: further numbers by name, such as `mAP`.
        classes: class names.
        confusion: clips of each class (row) that were taken for each class (column), summed over the draws.
        hits: `1` or `0` for each clip, in the order of the store: whether it was recognised; for differences that are
            paired by clip. Empty where there are several draws.
        settings: everything that was set or chosen.
        selected_on: where settings were chosen; never `test`.
        best_on_test: the paper's protocol, what the choice that is best on the test part scores there; only when
            asked for.
        notes: what a reader of the score should know.
        seconds: what the evaluation took, without extracting the features.
        device: where, `cpu` or `cuda`.
    """

    protocol: str
    features: str
    split: str
    part: Literal["test", "validation"]
    top1: float
    low: float
    high: float
    clips: int
    by_draw: tuple[float, ...] = ()
    variant: str = ""
    metric: str = "top1"
    values: Mapping[str, Measure] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    hits: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    selected_on: Literal["validation", "none"] = "none"
    best_on_test: float | None = None
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    device: str = "cpu"

    @classmethod
    def from_predictions(
        cls,
        predictions: Int[np.ndarray, "*r n"],
        labels: Int[np.ndarray, " n"],
        classes: Sequence[str],
        **about: Any,
    ) -> Result:
        """Count hits and confusions.

        Args:
            predictions: class of each clip; (R, N) where it was predicted after each of R draws.
            labels: true class of each clip.
            classes: class names.
            about: the other attributes.

        Raises:
            DataError: there is no clip to score.
        """
        if not len(labels):
            raise DataError("there is no labelled clip to score in this part of the split; look at `data info`")
        confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
        draws = np.atleast_2d(predictions)
        for drawn in draws:
            np.add.at(confusion, (labels, drawn), 1)
        low, high = wilson_over_draws(draws == labels)
        return cls(
            top1=int(np.trace(confusion)) / draws.size,
            low=low,
            high=high,
            clips=len(labels),
            by_draw=tuple((draws == labels).mean(axis=1).tolist()) if len(draws) > 1 else (),
            classes=tuple(classes),
            confusion=tuple(tuple(row) for row in confusion.tolist()),
            hits="".join("01"[hit] for hit in (draws[0] == labels).tolist()) if len(draws) == 1 else "",
            **about,
        )

    @property
    def headline(self) -> float:
        """The number that `metric` names."""
        return self.top1 if self.metric == "top1" else self.values[self.metric].value

    @property
    def label(self) -> str:
        """Protocol and variant."""
        return f"{self.protocol} {self.variant}".rstrip()

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
        for name in ("classes", "notes", "by_draw"):
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
        for name in ("classes", "notes", "by_draw"):
            values[name] = tuple(values.get(name, ()))
        values["values"] = {name: Measure(**value) for name, value in values.get("values", {}).items()}
        values["confusion"] = tuple(tuple(row) for row in values.get("confusion", ()))
        try:
            return cls(**values)
        except TypeError as error:
            raise DataError(f"this is not an evaluation result: {error}") from None


def table(results: Sequence[Result]) -> Group:
    """A row per protocol and kind of features, and one for each further number, within 80 columns.

    The line above says which clips were scored; what was set, what was chosen and where, remarks and cost stand below.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    captions = _settings(results) + _notes(results) + _cost(results)
    peeked = any(result.best_on_test is not None for result in results)
    detailed = any(result.values for result in results)
    columns = ["Features", "Protocol", "Top-1 %", "95 % interval", "Mean per\nclass %"]
    if peeked:
        columns.insert(4, "Best on\ntest %")
        captions.insert(0, "Best on test is the paper's protocol: chosen on the clips that are scored, so too good.")
    if detailed:
        columns[2:3] = ["Measure", "%"]
    view = Table()
    for column in columns:
        left = column in ("Features", "Protocol", "Measure")
        view.add_column(Text(column), justify="left" if left else "right", no_wrap=True)
    for result in results:
        row = [result.features, result.label]
        for name, measure in _measures(result):
            row += [name] if detailed else []
            row += [f"{100 * measure.value:.1f}", f"{100 * measure.low:.1f} to {100 * measure.high:.1f}"]
            top1 = name in ("top-1", "recall@1")
            row += [_percent(result.best_on_test if top1 else None)] if peeked else []
            view.add_row(*map(Text, [*row, _percent(result.mean_per_class if top1 else None)]))
            row = ["", ""]
    return Group(Text(_title(results), "bold"), view, *(Text(caption, "dim") for caption in captions))


def _measures(result: Result) -> list[tuple[str, Measure]]:
    """Every number of a result, the one to look at first in front."""
    top1 = "top-1" if "recall@1" not in result.values else "recall@1"  # the same number under its name in retrieval
    numbers = {top1: Measure(result.top1, result.low, result.high)} | dict(result.values)
    return sorted(numbers.items(), key=lambda entry: entry[0] != (top1 if result.metric == "top1" else result.metric))


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
            rows.setdefault(said, []).append(f"{result.features} {result.label}")
    return [f"{', '.join(where)}: {said}" for said, where in rows.items()]


def _notes(results: Sequence[Result]) -> list[str]:
    """Each note once, with the rows that it belongs to unless it belongs to all."""
    rows: dict[str, list[str]] = {}
    for result in results:
        for note in result.notes:
            rows.setdefault(note, []).append(f"{result.features} {result.label}")
    return [note if len(where) == len(results) else f"{', '.join(where)}: {note}" for note, where in rows.items()]


def _cost(results: Sequence[Result]) -> list[str]:
    """What took long enough to be noticed."""
    rows = [f"{r.features} {r.label} {r.seconds:.0f} s on {r.device}" for r in results if r.seconds >= _NOTICED]
    return [f"cost: {', '.join(rows)}"] if rows else []


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def _short(value: int | float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"
