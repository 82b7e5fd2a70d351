"""One clip to look at, from wherever it lies: a recording's file, or a prepared store."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

import numpy as np

from halpose.data.spec import SYNTHETIC_MARK
from halpose.data.store import Store
from halpose.data.store_files import META, read_meta
from halpose.errors import DataError
from halpose.inference.recordings import read_recordings
from halpose.report.animation import DEFAULT_FPS, AnimatedClip
from halpose.skeleton import Sequence

LONGEST = 20_000
"""Frames of a clip that are shown; of a longer one, every n-th."""

_LISTED = 5


@dataclass(frozen=True)
class Recording:
    """A clip and what a viewer should know of it.

    Attributes:
        sequence: the clip.
        source: the file or store that it comes from.
        action: name of its class, "" where nobody named one.
        facts: (name, value).
        notes: what was assumed, or left out.
    """

    sequence: Sequence
    source: Path
    action: str
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()

    @property
    def fps(self) -> float:
        """Frames per second; 30 where the recording does not say."""
        return self.sequence.fps if self.sequence.fps > 0 else DEFAULT_FPS

    def animated(self, title: str = "") -> AnimatedClip:
        """As players and pictures take it."""
        sequence = self.sequence
        return AnimatedClip(
            sequence.positions,
            sequence.layout,
            title or self.action or sequence.name,
            sequence.name,
            self.fps,
            sequence.name,
            LONGEST,
        )


def open_recording(
    path: Path, name: str = "", layout: str | None = None, start: float = 0.0, end: float = 0.0
) -> Recording:
    """One clip of a file or a store.

    Args:
        path: a recording in any format that halpose reads, a folder of them, or a prepared store.
        name: of the clip, or its number counted from 0; empty: the first.
        layout: joint layout of a file that does not name its joints.
        start: seconds from the beginning where to start.
        end: seconds from the beginning where to end; 0: to the end.

    Raises:
        DataError: there is no such clip, or nothing of it lies between `start` and `end`.
    """
    if (path / META).exists():
        sequence, action, notes = _of_store(Store.open(path), name)
    else:
        sequence, action, notes = _of_file(path, name, layout)
    if not np.isfinite(sequence.positions).all(-1).any():
        raise DataError(f"{path}: nobody is seen in {sequence.name}; there is nothing to show")
    if _is_synthetic(path):
        notes = ("Synthetic motion: generated, not a recording of people.", *notes)
    if sequence.fps <= 0:
        notes += (f"The recording does not say its frame rate; {DEFAULT_FPS:g} frames per second are assumed.",)
    sequence, cut = _between(_present(sequence), start, end)
    return Recording(sequence, path, action, _facts(sequence, path, action), notes + cut)


def _is_synthetic(path: Path) -> bool:
    """Whether a store, or the mark that lies beside a file, says that it was generated."""
    if (path / META).exists():
        return bool(read_meta(path)["synthetic"])
    return any((folder / SYNTHETIC_MARK).exists() for folder in (path, path.parent))


def _of_store(store: Store, name: str) -> tuple[Sequence, str, tuple[str, ...]]:
    names = store.clips.name
    found = np.flatnonzero(names == name) if name else np.array([0])
    if not len(found) and name.isdigit() and int(name) < len(store):
        found = np.array([int(name)])
    if not len(found):
        raise _no_clip(store.path, name, [str(known) for known in names[:100_000]], len(store))
    sequence = store.clip(int(found[0]))
    action = store.classes[sequence.label] if 0 <= sequence.label < len(store.classes) else ""
    return sequence, action, () if name else _first_of(store.path, len(store), sequence.name)


def _of_file(path: Path, name: str, layout: str | None) -> tuple[Sequence, str, tuple[str, ...]]:
    found = read_recordings([path], layout)
    if not name:
        opening = list(islice(found, 2))
        if not opening:
            raise DataError(f"{path}: holds no clip")
        return opening[0], _action(opening[0]), _first_of(path, len(opening), opening[0].name, more=True)
    number = int(name) if name.isdigit() else -1
    known = []
    at_number = None
    for position, sequence in enumerate(found):
        if sequence.name == name:
            return sequence, _action(sequence), ()
        if position == number:
            at_number = sequence
        known.append(sequence.name)
    if at_number is None:
        raise _no_clip(path, name, known, len(known))
    return at_number, _action(at_number), ()


def _action(sequence: Sequence) -> str:
    """The class as the source itself writes it."""
    named = sequence.extra.get("label", "")
    return named if isinstance(named, str) else ""


def _first_of(path: Path, count: int, name: str, more: bool = False) -> tuple[str, ...]:
    if count < 2:
        return ()
    many = "several clips" if more else f"{count} clips"
    return (f"{path} holds {many}; this is the first, {name}. Another: halpose view {path} NAME_OR_NUMBER",)


def _no_clip(path: Path, name: str, known: list[str], count: int) -> DataError:
    near = get_close_matches(name, known, n=3) or known[:_LISTED]
    return DataError(f"{path}: no clip {name!r} among {count}; there are {', '.join(near)}, or numbers from 0")


def _present(sequence: Sequence) -> Sequence:
    """The people who are seen at all."""
    seen = np.isfinite(sequence.positions).all(-1).any(axis=(1, 2))
    people = tuple(name for name, there in zip(sequence.people, seen, strict=False) if there)
    return replace(sequence, positions=sequence.positions[seen], people=people, confidence=None)


def _between(sequence: Sequence, start: float, end: float) -> tuple[Sequence, tuple[str, ...]]:
    """The frames between two moments."""
    fps = sequence.fps if sequence.fps > 0 else DEFAULT_FPS
    first, stop = round(start * fps), round(end * fps) if end else sequence.frames
    first, stop = max(first, 0), min(stop, sequence.frames)
    if first >= stop:
        raise DataError(
            f"{sequence.name}: nothing between {start:g} and {end or sequence.frames / fps:g} s; it lasts "
            f"{sequence.frames / fps:.2f} s"
        )
    if (first, stop) == (0, sequence.frames):
        return sequence, ()
    whole = f"Shown from {first / fps:.2f} to {stop / fps:.2f} s of {sequence.frames / fps:.2f} s."
    cut = replace(sequence, positions=sequence.positions[:, first:stop])
    if not np.isfinite(cut.positions).all(-1).any():
        raise DataError(f"{sequence.name}: nobody is seen between {first / fps:.2f} and {stop / fps:.2f} s")
    return cut, (whole,)


def _facts(sequence: Sequence, path: Path, action: str) -> tuple[tuple[str, str], ...]:
    positions, layout = sequence.positions, sequence.skeleton
    present = np.isfinite(positions).all(-1)
    missing = 1 - float(present.mean())
    fps = f"{sequence.fps:g}" if sequence.fps > 0 else "not stated"
    length = f"{sequence.frames / (sequence.fps if sequence.fps > 0 else DEFAULT_FPS):.2f} s"
    facts = [
        ("File", path.name),
        ("Clip", sequence.name),
        ("Class", action),
        ("Subject", sequence.subject),
        ("People", str(len(positions))),
        ("Frames", f"{sequence.frames} ({length})"),
        ("Frames per second", fps),
        ("Layout", f"{layout.name}, {len(layout)} joints, {positions.shape[-1]}-D"),
        ("Missing joints", f"{100 * missing:.1f}\u00a0%"),
    ]
    return tuple((name, value) for name, value in facts if value)
