"""A trained run, and recordings of the toy store as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from halpose import io
from halpose.engine.run import Run
from halpose.skeleton import Sequence


@pytest.fixture(scope="session")
def run(toy_run: Path) -> Run:
    """The run of two streams on the toy store."""
    return Run.load(toy_run)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five files in NTU's format, in two folders, one of which nobody can read."""
    path = tmp_path / "recordings"
    for number in range(5):
        file = path / ("first" if number < 3 else "second") / f"S001C001P00{number}R001A001.skeleton"
        file.parent.mkdir(parents=True, exist_ok=True)
        positions = np.random.default_rng(number).normal(size=(1, 40 + number, 25, 3)).astype(np.float32)
        io.write(file, [Sequence(positions, "kinect25", file.stem, fps=30.0)], "ntu")
    (path / "first" / "S001C001P001R001A001.skeleton").write_text("nothing of it")
    return path
