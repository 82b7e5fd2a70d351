"""Recordings from wherever they are: a layout that the user names replaces a guess, and nothing that a file says."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from halpose.inference.recordings import read_recordings


def test_a_named_layout_replaces_what_was_guessed_by_number_only(tmp_path: Path) -> None:
    """An array, a table without names and a pickle do not name their joints; an .npz may, and COCO's reader does."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 17, 3)).astype(np.float32)
    np.save(tmp_path / "a.npy", x)
    annotation = {"frame_dir": "b", "total_frames": 4, "label": 0, "keypoint": x[None]}
    (tmp_path / "b.pkl").write_bytes(pickle.dumps({"split": {}, "annotations": [annotation]}))
    (tmp_path / "c.csv").write_text("\n".join(" ".join(f"{v:.4f}" for v in row.ravel()) for row in x))
    np.savez(tmp_path / "d.npz", positions=x, layout="coco17")
    read = {clip.name: clip.skeleton.name for clip in read_recordings([tmp_path], layout="h36m17")}
    assert read == {"a": "h36m17", "b": "h36m17", "c": "h36m17", "d": "coco17"}
