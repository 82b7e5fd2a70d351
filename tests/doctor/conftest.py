"""Sound recordings: synthetic, with a sensor's noise and without a tracker's glitches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from halpose import io
from halpose.data.synthetic import SyntheticSpec, iterate
from halpose.doctor.examine import examine_clip
from halpose.doctor.finding import Finding
from halpose.skeleton import Sequence


class Clips(list[Sequence]):
    """Recordings that are named, not printed, where a test fails."""

    def __repr__(self) -> str:
        return f"{len(self)} clips"


SOUND = SyntheticSpec(clips=168, glitches=0, distraction=0.5)


@pytest.fixture(scope="session")
def sound() -> Clips:
    """Clips in which nothing is wrong, of 12 actions, one person or two."""
    return Clips(iterate(SOUND))


@pytest.fixture(scope="session")
def alone(sound: Clips) -> Clips:
    """Those of one person."""
    return Clips(clip for clip in sound if clip.positions.shape[0] == 1)


@pytest.fixture(scope="session")
def pairs(sound: Clips) -> Clips:
    """Those of two people."""
    return Clips(clip for clip in sound if clip.positions.shape[0] == 2)


@pytest.fixture(scope="session")
def grave() -> Callable[[Sequence], list[Finding]]:
    """Errors and warnings about a recording by itself."""
    return lambda clip: [finding for finding in examine_clip(clip)[1] if finding.severity != "note"]


@pytest.fixture(scope="session")
def write_files() -> Callable[[Path, list[Sequence]], Path]:
    """Writes clips into a folder as NTU files, one each."""

    def write(folder: Path, clips: list[Sequence]) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for clip in clips:
            io.write(folder / f"{clip.name}.skeleton", [clip], "ntu")
        return folder

    return write
