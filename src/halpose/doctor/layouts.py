"""Layouts: clips that cannot stand in one store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from halpose.doctor.finding import Finding, listed
from halpose.doctor.measure import Measures, layout_of
from halpose.doctor.parts import Labelling


def usual_layout(clips: Sequence[Measures]) -> tuple[str, int, int]:
    """Layout, joints and channels of most clips."""
    return Counter(layout_of(clip) for clip in clips).most_common(1)[0][0]


def find_layouts(clips: Sequence[Measures], labelling: Labelling) -> Iterator[Finding]:
    """Clips of several layouts in one set."""
    counts = Counter(layout_of(clip) for clip in clips)
    if len(counts) < 2:
        return
    usual = counts.most_common(1)[0][0]
    words = listed((f"{count} {name} ({joints} joints, {channels}-D)" for (name, joints, channels), count
                    in counts.most_common()), 5)  # fmt: skip
    names = [clip.name for clip in clips if layout_of(clip) != usual]
    yield Finding.of_clips(
        "layouts", "several layouts", "warning", f"clips of {len(counts)} layouts: {words}",
        "a store holds one: `halpose data prepare --source` maps joints by name to the one that --layout names", names,
    )  # fmt: skip
