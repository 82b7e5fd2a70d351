"""A folder of BVH, its labels in a table, and three commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from terminal import TINY, halpose, set_words

from halpose.data.store import Store

BONES = {
    "Hips": ("", (0, 0, 0)), "Spine": ("Hips", (0, 20, 0)), "Head": ("Spine", (0, 40, 0)),
    "LeftArm": ("Spine", (18, 25, 0)), "LeftForeArm": ("LeftArm", (28, 0, 0)), "LeftHand": ("LeftForeArm", (25, 0, 0)),
    "RightArm": ("Spine", (-18, 25, 0)), "RightForeArm": ("RightArm", (-28, 0, 0)),
    "RightHand": ("RightForeArm", (-25, 0, 0)),
    "LeftUpLeg": ("Hips", (10, 0, 0)), "LeftLeg": ("LeftUpLeg", (0, -42, 0)),
    "LeftFoot": ("LeftLeg", (0, -40, 0)), "RightUpLeg": ("Hips", (-10, 0, 0)), "RightLeg": ("RightUpLeg", (0, -42, 0)),
    "RightFoot": ("RightLeg", (0, -40, 0)),
}  # fmt: skip


def write_bvh(path: Path, moving: str, seed: int) -> None:
    """One joint swings, in centimetres."""
    lines = ["HIERARCHY"]

    def put(name: str) -> None:
        channels = "6 Xposition Yposition Zposition " if name == "Hips" else "3 "
        lines.extend(
            (f"{'ROOT' if name == 'Hips' else 'JOINT'} {name}", "{", f"OFFSET {' '.join(map(str, BONES[name][1]))}")
        )
        lines.append(f"CHANNELS {channels}Zrotation Xrotation Yrotation")
        for child, (parent, _) in BONES.items():
            if parent == name:
                put(child)
        lines.append("}")

    put("Hips")
    order = [line.split()[1] for line in lines if line.startswith(("ROOT", "JOINT"))]
    motion = np.random.default_rng(seed).normal(0, 1, (24, 3 + 3 * len(order)))
    motion[:, 1] += 90
    motion[:, 3 + 3 * order.index(moving)] += 60 * np.sin(np.arange(24) / 3)
    lines += ["MOTION", "Frames: 24", "Frame Time: 0.033333", *(" ".join(f"{v:.4f}" for v in row) for row in motion)]
    path.write_text("\n".join(lines) + "\n")


def test_from_a_folder_of_bvh_to_scores(tmp_path: Path) -> None:
    source, store, run = tmp_path / "my recordings", tmp_path / "store", tmp_path / "run"
    source.mkdir()
    rows = ["file,label,subject"]
    for number in range(40):
        moving = ("LeftArm", "RightUpLeg")[number % 2]
        write_bvh(source / f"take{number:02}.bvh", moving, number)
        rows.append(f"take{number:02},{moving},person{number % 10}")
    (source / "labels.csv").write_text("\n".join(rows))
    made = halpose("data", "prepare", "--source", source, "--labels", source / "labels.csv", "--out", store)
    assert made.code == 0, made.err
    for said in ("found: 40 bvh; layout bvh15-", "30 frames a second, 1 person", "units: centimetres, made metres",
                 "up: y", "labels: 2 classes (LeftArm, RightUpLeg)", "split x-sub: by subject"):  # fmt: skip
        assert said in made.out, said
    opened = Store.open(store)
    assert opened.classes == ("LeftArm", "RightUpLeg") and opened.splits == ("x-sub",)
    assert halpose("train", store, "--recipe", "halp", *set_words(*TINY), "--out", run, "--json").code == 0
    scored = halpose("evaluate", run, "--on", store, "--json")
    assert scored.code == 0, scored.err


def test_options_of_own_recordings_and_of_data_sets_do_not_mix(tmp_path: Path) -> None:
    for words in (
        ["ntu60", "--people", 2],
        ["ntu60", "--fps", 30],
        ["ntu60", "--least-confidence", 0.3],
        ["ntu60", "--layout", "kinect20"],
        ["--shard", "1/2"],
    ):
        outcome = halpose("data", "prepare", *words, "--source", tmp_path, "--out", tmp_path / "store")
        assert outcome.code == 2 and "own" in outcome.err
    halpose("data", "prepare", "--source", tmp_path / "absent", "--out", tmp_path / "store").fails("no such folder")
