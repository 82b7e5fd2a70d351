"""The NTU path at scale, on synthetic files in NTU's own format: writing, preparing, opening, training.

    python benchmarks/ntu.py --files 5000

Reports files a second, the peak memory of preparing (this process and its largest worker), the time to open the
store, and clips a second of training with the published encoder at the given width. The recordings are synthetic; the
file format, the counts of bodies, joints and frames, and every step that follows are the real ones.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from bench import machine
from halpose.data.prepare import prepare
from halpose.data.store import Store
from halpose.data.synthetic import SyntheticSpec, write_ntu
from halpose.engine.trainer import train
from halpose.settings import load_recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--width", type=int, default=128, help="hidden size of the published encoder")
    parser.add_argument("--steps", type=int, default=20)
    chosen = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        files, path = Path(folder) / "skeletons", Path(folder) / "store"
        begun = time.perf_counter()
        write_ntu(SyntheticSpec(clips=chosen.files, actions=60), files)
        wrote = time.perf_counter() - begun
        size = sum(file.stat().st_size for file in files.iterdir())
        print(f"wrote {chosen.files} synthetic .skeleton files, {size / 1e9:.2f} GB: {wrote:.1f} s")
        report = prepare("ntu60", files, path, workers=chosen.workers)
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(
            f"prepared {report.clips} clips, {report.frames} frames with {report.workers} processes: "
            f"{report.seconds:.1f} s, {report.files / report.seconds:.0f} files/s, "
            f"{size / report.seconds / 1e6:.0f} MB/s; peak {own:.0f} MB here, {worker:.0f} MB in the largest worker; "
            f"{len(report.set_aside)} set aside"
        )
        begun = time.perf_counter()
        store = Store.open(path)
        print(f"opened: {1e3 * (time.perf_counter() - begun):.0f} ms, {store.frames.nbytes / 1e6:.0f} MB of frames")
        published = load_recipe("ntu60-xsub-halp")
        encoder = replace(published.encoder, width=chosen.width)
        config = replace(published, epochs=0.0, steps=chosen.steps, encoder=encoder)
        for where, gigabytes in (("resident", 100.0), ("mapped", 0.0)):
            data = replace(config.data, resident_gigabytes=gigabytes)
            summary = train(store, replace(config, data=data), Path(folder) / where)
            print(f"training, {where}, GRU of {chosen.width}: {summary.clips_per_second:.0f} clips/s")
    print(f"torch used {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
