"""What an examination came to: findings, counted by kind, for people and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from halpose.doctor.finding import SEVERITIES, Finding, Severity
from halpose.doctor.measure import Measures
from halpose.doctor.parts import Labelling
from halpose.skeleton import Layout

MOST_FINDINGS = 500
"""Findings of one kind that are kept; of more only the number is known."""


@dataclass(frozen=True)
class Group:
    """Findings of one kind: how many clips or files have it, and the first of them."""

    check: str
    kind: str
    severity: Severity
    count: int
    first: tuple[Finding, ...]


@dataclass
class Findings:
    """Findings as they come, the first of each kind kept and all of them counted."""

    kept: dict[tuple[Severity, str, str], list[Finding]] = field(default_factory=dict)
    counts: Counter[tuple[Severity, str, str]] = field(default_factory=Counter)

    def add(self, findings: Iterable[Finding]) -> None:
        """Keep and count."""
        for finding in findings:
            key = finding.severity, finding.check, finding.kind
            self.counts[key] += 1
            those = self.kept.setdefault(key, [])
            if len(those) < MOST_FINDINGS:
                those.append(finding)

    def __iter__(self) -> Iterator[Finding]:
        return (finding for group in self.groups() for finding in group.first)

    def groups(self) -> list[Group]:
        """By severity, then what is found most often first."""
        keys = sorted(self.counts, key=lambda key: (SEVERITIES.index(key[0]), -self.counts[key], key[1:]))
        return [Group(key[1], key[2], key[0], self.counts[key], tuple(self.kept[key])) for key in keys]


@dataclass(frozen=True)
class Examination:
    """All that was found out.

    Attributes:
        path: what was examined.
        formats: format -> how many files (of a store, clips).
        clips: what is remembered of each clip.
        layouts: layouts by name.
        labelling: names of classes, and splits.
        findings: what is wrong.
        seconds: how long it took.
    """

    path: str
    formats: Mapping[str, int]
    clips: tuple[Measures, ...]
    layouts: Mapping[str, Layout]
    labelling: Labelling
    findings: Findings
    seconds: float

    def counts(self) -> dict[str, int]:
        """Findings of each severity."""
        return {
            severity: sum(count for key, count in self.findings.counts.items() if key[0] == severity)
            for severity in SEVERITIES
        }

    def groups(self) -> list[Group]:
        """Findings by kind, the grave ones first."""
        return self.findings.groups()

    def to_dict(self) -> dict[str, Any]:
        """As `--json` gives it."""
        groups = self.groups()
        return {
            "path": self.path,
            "formats": dict(self.formats),
            "clips": len(self.clips),
            "frames": sum(clip.frames for clip in self.clips),
            "layouts": {name: sum(clip.layout == name for clip in self.clips) for name in self.layouts},
            "counts": self.counts(),
            "kinds": [
                {"check": group.check, "kind": group.kind, "severity": group.severity, "count": group.count}
                for group in groups
            ],
            "findings": [finding.to_dict(self._layout(finding)) for group in groups for finding in group.first],
            "seconds": round(self.seconds, 2),
        }

    def _layout(self, finding: Finding) -> Layout | None:
        return self.layouts.get(self.clips[finding.at].layout) if finding.at >= 0 else None
