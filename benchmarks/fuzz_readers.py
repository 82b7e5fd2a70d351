"""Throw damaged files at the readers, guided by what of the readers they reach (atheris, which `pip install` may find).

    python benchmarks/fuzz_readers.py bvh SEEDS --seconds 60

SEEDS is a folder of sound files of the format. Nothing but a `HalposeError` may come out of a reader, every clip that
does come out has to be sound, and no file may take more than `--most-seconds` or `--most-memory`. What breaks a reader
is left in the working folder as `crash-*`, `timeout-*` or `oom-*`; give that file in place of SEEDS to see it again.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

# Compiled loops can be neither instrumented nor asked whether they read beyond an array.
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import atheris  # noqa: E402

with atheris.instrument_imports(include=["halpose.io", "halpose.joint_names", "halpose.file_layout"]):
    from halpose import io
    from halpose.errors import HalposeError


def check(format: io.Format, path: Path) -> None:
    """Read a file; whatever is not a sound clip or an error of halpose is a fault."""
    format.sniff(path)
    try:
        for clip in format.read(path):
            people, frames, joints, channels = clip.positions.shape
            assert clip.positions.dtype == "float32" and people and frames and joints and channels in (2, 3), clip.name
            assert clip.confidence is None or clip.confidence.shape == clip.positions.shape[:3], clip.name
            assert len(clip.skeleton) == joints and clip.label >= -1 and clip.name, clip.name
    except HalposeError:
        pass


def main() -> None:
    """Fuzz one format."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("format", choices=sorted(io.FORMATS))
    words.add_argument("seeds", type=Path, help="folder of sound files, or one file that broke a reader")
    words.add_argument("--seconds", type=int, default=60)
    words.add_argument("--most-seconds", type=int, default=20, help="for one file")
    words.add_argument("--most-memory", type=int, default=4096, help="MiB, of the whole process")
    words.add_argument("--longest", type=int, default=1 << 16, help="bytes of a file")
    given = words.parse_args()
    format = io.find_format(given.format)
    work = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    folder = given.seeds if given.seeds.is_dir() else given.seeds.parent
    others = [file for file in folder.iterdir() if file.suffix.lower() not in format.suffixes and file.suffix]
    for file in others:  # the .asf beside an .amc, the labels beside an array
        shutil.copy(file, work)
    names = [file.name for file in sorted(folder.iterdir()) if file.suffix.lower() in format.suffixes]
    path = work / (names[0] if names else f"a{format.suffixes[0]}")

    def once(data: bytes) -> None:
        path.write_bytes(data)
        check(format, path)

    limits = [f"-max_total_time={given.seconds}", f"-timeout={given.most_seconds}"]
    limits += [f"-rss_limit_mb={given.most_memory}", f"-max_len={given.longest}", "-print_final_stats=1"]
    corpus = [str(given.seeds)]
    if given.seeds.is_dir():
        (work / "grown").mkdir()
        corpus.insert(0, str(work / "grown"))
    atheris.Setup([sys.argv[0], *limits, *corpus], once)
    try:
        atheris.Fuzz()
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
