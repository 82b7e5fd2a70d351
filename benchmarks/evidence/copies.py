"""What a score is worth where a test part holds copies of training clips, number for number.

    python benchmarks/evidence/copies.py runs/nw-ucla --on stores/nw-ucla --split x-view-2

Clips are compared as the store holds them. The score is printed for all test clips, for the copies and for the others.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np

from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.evaluate.run import FEATURES, evaluate_run


def copies(store: Store, split: str) -> np.ndarray:
    """Which test clips of a split have the same coordinates as one of its training clips."""

    def digest(clip: int) -> bytes:
        start, end = store.clips.offsets[clip : clip + 2]
        return hashlib.sha256(np.ascontiguousarray(store.frames[start:end]).tobytes()).digest()

    known = {digest(clip) for clip in store.part(split, "official")}
    return np.array([digest(clip) in known for clip in store.part(split, "test")])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--on", type=Path, required=True, help="prepared store")
    parser.add_argument("--split", required=True)
    chosen = parser.parse_args()
    store = Store.open(chosen.on)
    copied = copies(store, chosen.split)
    print(f"{store.name} {chosen.split}: {copied.sum()} of {len(copied)} test clips are copies of training clips")
    for path in chosen.runs:
        run = Run.load(path)
        streams = tuple(run.method.stream_table())[:1]
        for result in evaluate_run(run, store, split=chosen.split, kinds=FEATURES, streams=streams):
            hits = np.array([mark == "1" for mark in result.to_dict()["hits"]])
            shown = ", ".join(
                f"{name} {100 * hits[which].mean():.1f}"
                for name, which in (("all", slice(None)), ("copies", copied), ("others", ~copied))
                if len(hits[which])
            )
            print(f"{path.name} {result.features} {result.protocol}: {shown}", flush=True)


if __name__ == "__main__":
    main()
