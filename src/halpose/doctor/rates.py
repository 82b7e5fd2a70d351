"""Frame rates: files whose own differs, and files whose movements say so; clips too short or too long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from halpose.doctor.finding import Finding, Severity, listed
from halpose.doctor.measure import Measures, layout_of
from halpose.doctor.parts import Labelling
from halpose.doctor.thresholds import LONG_TIMES, PACE_CLIPS, PACE_FAST, PACE_SLOW, SHORT_FRAMES


def find_rates(clips: Sequence[Measures], labelling: Labelling) -> Iterator[Finding]:
    """Frame rates that differ, stated or shown."""
    stated = Counter(round(clip.fps, 2) for clip in clips)
    if len(stated) > 1:
        usual = stated.most_common(1)[0][0]
        names = [clip.name for clip in clips if round(clip.fps, 2) != usual]
        words = listed((f"{count} at {_rate(fps)}" for fps, count in stated.most_common()), 5)
        yield _of(
            "rates", "different rates", "warning", names, f"clips of different frame rates: {words}",
            "views crop and resize by frames, not by seconds: bring the files to one rate before preparing them",
        )  # fmt: skip
    fast, slow = off_pace(clips)
    for names, word, rate in ((fast, "faster", "lower"), (slow, "slower", "higher")):
        if names:
            yield _of(
                "rates", f"moves {word}", "warning", names,
                f"{len(names)} clips move much {word} from frame to frame than others of their class",
                f"was it recorded at a {rate} frame rate than the others? Export it at theirs",
            )  # fmt: skip


def off_pace(clips: Sequence[Measures]) -> tuple[list[str], list[str]]:
    """Names of clips whose pace and curvature say that their frames are further apart in time, or closer."""
    groups: dict[tuple[int, tuple[str, int, int]], list[Measures]] = {}
    for clip in clips:
        if clip.pace > 0 and clip.frames >= SHORT_FRAMES:
            groups.setdefault((clip.label, layout_of(clip)), []).append(clip)
    fast, slow = [], []
    for group in groups.values():
        if len(group) < PACE_CLIPS:
            continue
        numbers = np.array([(clip.pace, clip.curvature) for clip in group])
        times = numbers / np.maximum(np.median(numbers, axis=0), 1e-12)
        fast += [group[at].name for at in np.flatnonzero((times > PACE_FAST).all(axis=1))]
        slow += [group[at].name for at in np.flatnonzero((times < PACE_SLOW).all(axis=1))]
    return fast, slow


def find_lengths(clips: Sequence[Measures], labelling: Labelling) -> Iterator[Finding]:
    """Clips of one frame, of a few, and of far more than others."""
    lengths = np.array([clip.frames for clip in clips])
    one = [clip.name for clip in clips if clip.frames == 1]
    short = [clip.name for clip in clips if 1 < clip.frames < SHORT_FRAMES]
    long = [clip.name for clip in clips if clip.frames > LONG_TIMES * np.median(lengths)]
    if one:
        what = f"{len(one)} clips are of a single frame: nothing moves in them"
        yield _of("lengths", "one frame", "warning", one, what, "leave them out")
    if short:
        what = f"{len(short)} clips have fewer than {SHORT_FRAMES} frames"
        yield _of("lengths", "very short", "warning", short, what, "leave them out, or cut the recording anew")
    if long:
        yield _of(
            "lengths", "very long", "note", long,
            f"{len(long)} clips have more than {LONG_TIMES:g} times the usual {np.median(lengths):g} frames",
            "cut them into actions: a view resizes a clip to 64 frames, and little is left of what is that long",
        )  # fmt: skip


def _rate(fps: float) -> str:
    return f"{fps:g} frames a second" if fps else "an unknown rate"


def _of(check: str, kind: str, severity: Severity, names: Sequence[str], what: str, remedy: str) -> Finding:
    return Finding.of_clips(check, kind, severity, what, remedy, names)
