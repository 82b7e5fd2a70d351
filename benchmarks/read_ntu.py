"""How much faster NTU text is read than by a loop over its lines, on one core.

    python benchmarks/read_ntu.py                    # files made up here, in the style of the original ones
    python benchmarks/read_ntu.py FOLDER             # every .skeleton below a folder
    python benchmarks/read_ntu.py --crlf             # made up, with Windows line ends

The witness reads as published preparation code does: line by line, every number of every line into a dictionary,
then x, y, z into an array joint by joint. Both readers take turns, round after round, in one process; CPU time
is compared, and what they read has to be equal.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from halpose.io import ntu

REPEATS = 15
BODY_FIELDS = [
    "body_id",
    "clipped_edges",
    "left_confidence",
    "left_state",
    "right_confidence",
    "right_state",
    "restricted",
    "lean_x",
    "lean_y",
    "tracking",
]
JOINT_FIELDS = [
    "x",
    "y",
    "z",
    "depth_x",
    "depth_y",
    "color_x",
    "color_y",
    "orient_w",
    "orient_x",
    "orient_y",
    "orient_z",
    "tracking",
]


def read_by_lines(path: Path, most_bodies: int = 4) -> np.ndarray:
    """The witness: positions (bodies, frames, 25, 3) in float64, bodies in the order of each frame, zeros else."""
    frames: list[list[dict[str, Any]]] = []
    with path.open() as file:
        for _ in range(int(file.readline())):
            bodies = []
            for _ in range(int(file.readline())):
                words = file.readline().split()
                body: dict[str, Any] = {key: float(word) for key, word in zip(BODY_FIELDS, words, strict=True)}
                body["joints"] = []
                for _ in range(int(file.readline())):
                    words = file.readline().split()
                    joint = {key: float(word) for key, word in zip(JOINT_FIELDS, words, strict=True)}
                    body["joints"].append(joint)
                bodies.append(body)
            frames.append(bodies)
    positions = np.zeros((most_bodies, len(frames), 25, 3))
    for t, bodies in enumerate(frames):
        for m, body in enumerate(bodies[:most_bodies]):
            for v, joint in enumerate(body["joints"]):
                positions[m, t, v, :] = [joint["x"], joint["y"], joint["z"]]
    return positions


def make_files(folder: Path, count: int, newline: str) -> list[Path]:
    """Files as the original ones are written: twelve columns of seven significant digits, one body or two."""
    generator = np.random.default_rng(0)
    paths = []
    for number in range(count):
        frames, bodies = int(generator.integers(50, 150)), 1 + (number % 6 == 5)
        walk = generator.normal(0, 0.004, (frames, bodies, 25, 3)).cumsum(axis=0)
        xyz = generator.normal((0, 0, 3.5), (0.3, 0.5, 0.1), (bodies, 25, 3)) + walk
        pixels = generator.uniform(100, 1800, (frames, bodies, 25, 4))
        turns = generator.uniform(-1, 1, (frames, bodies, 25, 4))
        lines = [str(frames)]
        for t in range(frames):
            lines.append(str(bodies))
            for m in range(bodies):
                lean = " ".join(f"{value:.7g}" for value in turns[t, m, 0, :2])
                lines += [f"{72057594037931101 + m} 0 1 1 1 1 0 {lean} 2", "25"]
                rows = np.concatenate((xyz[t, m], pixels[t, m], turns[t, m]), axis=-1).tolist()
                lines += [" ".join(f"{value:.7g}" for value in row) + " 2" for row in rows]
        path = folder / f"S001C001P{number % 40 + 1:03d}R001A{number % 60 + 1:03d}.skeleton"
        path.write_bytes((newline.join(lines) + newline).encode("ascii"))
        paths.append(path)
    return paths


def read(path: Path) -> np.ndarray:
    """The reader that is measured."""
    return next(ntu.read(path)).positions


def cpu_seconds(reader: Callable[[Path], np.ndarray], paths: list[Path]) -> float:
    """CPU time that reading all files takes."""
    started = time.process_time()
    for path in paths:
        reader(path)
    return time.process_time() - started


def check(path: Path) -> None:
    """Both readers agree on a file in which nobody comes or goes."""
    witness, positions = read_by_lines(path), read(path)
    if not np.array_equal(positions, witness[: len(positions)].astype(np.float32)):
        raise SystemExit(f"{path}: the readers do not agree")


def main() -> None:
    """Read every file with both readers, some rounds, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="folder with .skeleton files; made up if not given")
    parser.add_argument("--files", type=int, default=24, help="how many files to read (default 24)")
    parser.add_argument("--rounds", type=int, default=5, help="how often (default 5)")
    parser.add_argument("--crlf", action="store_true", help="make files with Windows line ends")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if options.folder:
            paths = sorted(options.folder.rglob("*.skeleton"))[: options.files]
        else:
            paths = make_files(Path(scratch), options.files, "\r\n" if options.crlf else "\n")
        if not paths:
            raise SystemExit(f"{options.folder}: no .skeleton files")
        for path in paths:
            check(path)
        size = sum(path.stat().st_size for path in paths) / 1e6
        rounds = []
        for _ in range(options.rounds):
            # The fast reader reads everything several times, so that both are measured for about as long.
            rounds.append((cpu_seconds(read_by_lines, paths), cpu_seconds(read, paths * REPEATS) / REPEATS))
    print(f"{len(paths)} files, {size:.1f} MB, CPU time of one core, median of {options.rounds} rounds")
    for name, times in (("line by line", [slow for slow, _ in rounds]), ("halpose", [fast for _, fast in rounds])):
        median = statistics.median(times)
        print(f"{name:>14}: {1e3 * median / len(paths):7.2f} ms a file, {size / median:7.1f} MB/s")
    ratios = [slow / fast for slow, fast in rounds]
    print(f"{'ratio':>14}: {statistics.median(ratios):7.1f} (rounds {min(ratios):.1f} to {max(ratios):.1f})")


if __name__ == "__main__":
    main()
