"""What the benchmarks share: a store to run on, and timing that machines' noise does not decide."""

from __future__ import annotations

from halpose.bench.timing import in_turn, machine, ratio
from halpose.bench.workload import random_store

__all__ = ["in_turn", "machine", "random_store", "ratio"]
