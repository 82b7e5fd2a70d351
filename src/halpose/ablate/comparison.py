"""Scores of variants over seeds: means, intervals, differences paired by seed; as a table and as plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from halpose.ablate.catalogue import PAPER_SETTING
from halpose.evaluate.intervals import wilson

if TYPE_CHECKING:
    from rich.console import Group

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its 95 % interval, all in points (per cent).

    Attributes:
        mean: over the seeds.
        low: lower end; None where there is nothing to estimate it from (a difference of one seed).
        high: upper end.
        values: of each seed.
    """

    mean: float
    low: float | None
    high: float | None
    values: tuple[float, ...]

    @property
    def half(self) -> float | None:
        """Half the interval's width."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    def shown(self, sign: str = "") -> str:
        """`91.2 ± 1.4`."""
        half = "" if self.half is None else f" ± {self.half:.1f}"
        return f"{self.mean:{sign}.1f}{half}"


@dataclass(frozen=True)
class Line:
    """One variant.

    Attributes:
        name: of the variant.
        settings: `key=value` texts beyond the recipe's.
        paper: what the paper found, on its own data.
        cells: fingerprint of each seed's cell.
        scores: part -> protocol -> estimate.
        differences: name of a baseline -> protocol -> paired difference on the test part.
    """

    name: str
    settings: tuple[str, ...]
    paper: float | None
    cells: tuple[str, ...]
    scores: dict[str, dict[str, Estimate]]
    differences: dict[str, dict[str, Estimate]] = field(default_factory=dict)


def over_seeds(values: Sequence[float]) -> Estimate:
    """Mean and Student's 95 % interval over the seeds; a single one has none.

    Only the training varies from seed to seed, not the clips that are scored.
    """
    mean, half = float(np.mean(values)), _student(values)
    return Estimate(mean, None if half is None else mean - half, None if half is None else mean + half, tuple(values))


def share_over_seeds(shares: Sequence[float], clips: int) -> Estimate:
    """Accuracy over the seeds, in points; its interval covers both the clips that are scored and the seeds.

    Wilson's half-width and Student's are added in quadrature, as in `evaluate.intervals.wilson_over_draws`.

    Args:
        shares: of the clips that were recognised, one for each seed.
        clips: that every seed was scored on.
    """
    mean = float(np.mean(shares))
    low, high = wilson(mean * clips, clips)
    spread = _student(shares) or 0.0
    low, high = max(0.0, mean - math.hypot(mean - low, spread)), min(1.0, mean + math.hypot(high - mean, spread))
    return Estimate(100 * mean, 100 * low, 100 * high, tuple(100 * share for share in shares))


def _student(values: Sequence[float]) -> float | None:
    """Half of Student's 95 % interval of a mean."""
    if len(values) < 2:
        return None
    from scipy.special import stdtrit  # late: it takes a while to import

    return float(stdtrit(len(values) - 1, 0.975)) * float(np.std(values, ddof=1)) / math.sqrt(len(values))


def make_line(name: str, settings: tuple[str, ...], paper: float | None, rows: Sequence[Row]) -> Line:
    """A variant's line from the rows of its cells."""
    scores: dict[str, dict[str, Estimate]] = {}
    for part in dict.fromkeys(row["part"] for row in rows):
        for protocol in dict.fromkeys(row["protocol"] for row in rows):
            found = [row for row in rows if row["part"] == part and row["protocol"] == protocol]
            scores.setdefault(part, {})[protocol] = share_over_seeds([r["top1"] for r in found], found[0]["clips"])
    return Line(name, settings, paper, tuple(dict.fromkeys(row["cell"] for row in rows)), scores)


def with_differences(lines: Sequence[Line], baselines: Sequence[str]) -> list[Line]:
    """Every line with its differences to the baselines, paired by seed, on the test part.

    Args:
        lines: all of the same seeds in the same order.
        baselines: names of lines; a baseline's difference to itself is left out.
    """
    named = {line.name: line for line in lines}
    made = []
    for line in lines:
        differences: dict[str, dict[str, Estimate]] = {}
        for name in baselines:
            if line.name == name:
                continue
            theirs = named[name].scores["test"]
            differences[name] = {
                protocol: over_seeds(list(np.subtract(ours.values, theirs[protocol].values).tolist()))
                for protocol, ours in line.scores["test"].items()
            }
        made.append(Line(line.name, line.settings, line.paper, line.cells, line.scores, differences))
    return made


def chosen(lines: Sequence[Line], protocol: str = "linear") -> Line:
    """The variant with the best mean on the validation part; the first of equals."""
    return max(lines, key=lambda line: line.scores["validation"][protocol].mean)


def comparison_table(lines: Sequence[Line], baselines: Sequence[str], title: str, captions: Sequence[str]) -> Group:
    """Two rows for each variant, k-NN and linear probe, within 80 columns.

    Args:
        lines: with their differences.
        baselines: the method without HaLP, and the line that is the recipe itself.
        title: above the table.
        captions: below it.
    """
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    view = Table(box=box.SIMPLE_HEAD, padding=0)
    for column in ("Variant", "Protocol", "Valid.\n%", "Test %", f"Δ {baselines[0]}", "Δ recipe", "Paper\n%"):
        left = column in ("Variant", "Protocol")
        view.add_column(Text(column), justify="left" if left else "right", no_wrap=True)
    for line in lines:
        for number, (protocol, score) in enumerate(line.scores["test"].items()):
            paper = line.paper if protocol == "linear" else None
            view.add_row(
                *map(
                    Text,
                    (
                        line.name if number == 0 else "",
                        protocol,
                        f"{line.scores['validation'][protocol].mean:.1f}",
                        score.shown(),
                        *(
                            line.differences[name][protocol].shown("+") if name in line.differences else ""
                            for name in baselines
                        ),
                        "" if paper is None else str(paper),
                    ),
                )
            )
    notes = (*captions, f"Paper: {PAPER_SETTING}.")
    return Group(Text(title, "bold"), view, *(Text(note, "dim") for note in notes))


def plain(line: Line) -> dict[str, Any]:
    """A line as JSON-able values."""
    return asdict(line)
