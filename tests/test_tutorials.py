"""The tutorials on recordings of one's own, from an empty folder to the last line, with few files and few steps."""

from __future__ import annotations

import json
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from halpose import io
from halpose.cli import main
from halpose.data.store import Store
from halpose.data.synthetic import SyntheticSpec, clip
from pages import ROOT, Block, page

CLIPS = 24


def run_command(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One command of a page, made small."""
    words = [re.sub(r"^steps=\d+$", "steps=8", word) for word in words]
    if words[0] == "python":
        monkeypatch.setattr(sys, "argv", [*words[1:], "--clips", str(CLIPS)])
        runpy.run_path(str(ROOT / words[1]), run_name="__main__")
        return
    assert words[0] == "halpose", words
    if words[1:3] == ["data", "prepare"] or words[1:3] == ["data", "doctor"]:
        words += ["--workers", "1"]
    try:
        main(words[1:])
    except SystemExit as ended:
        assert not ended.code, words


def run_page(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All commands and all Python of a page, in the order in which they stand there."""
    names: dict[str, object] = {"__name__": "page"}
    blocks: list[Block] = [block for block in page(name).blocks if block.language in ("bash", "python")]
    assert {block.language for block in blocks} == {"bash", "python"}
    for block in blocks:
        if block.language == "python":
            exec(compile(block.text, str(block), "exec"), names)
        else:
            for words in block.commands:
                run_command(words, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["docs/own-bvh.md", "docs/own-poses.md"])
def test_a_tutorial_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxscript")
    monkeypatch.chdir(tmp_path)
    run_page(name, monkeypatch)
    (made,) = (folder for folder in (tmp_path / "runs").iterdir())
    for file in ("drink.html", "like.html", f"{made.name}.npz", f"{made.name}.onnx"):
        assert (tmp_path / file).stat().st_size > 1000, file
    assert (made / "report.html").exists()
    assert Store.open(tmp_path / "stores" / made.name).splits == ("x-sub",)
    assert list(made.glob("evaluation-*.json"))
    first = json.loads(next(made.glob("evaluation-*.json")).read_text())["results"]
    assert {result["features"] for result in first} >= {"trained", "untrained", "raw"}


def test_the_bvh_of_the_example_is_the_movement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["make_bvh.py", "bvh", "--clips", "4"])
    runpy.run_path(str(ROOT / "examples" / "make_bvh.py"), run_name="__main__")
    files = sorted((tmp_path / "bvh").iterdir(), key=lambda path: path.stem[-3:])
    assert len(files) == 4 and len((tmp_path / "bvh-labels.csv").read_text().splitlines()) == 5
    (read,) = io.read(files[0])
    made = clip(SyntheticSpec(clips=8, subjects=12, cameras=1, noise=0, glitches=0, name="synthetic-bvh"), 0)
    pairs = {"Hips": "hip_center", "LeftHand": "left_wrist", "RightFoot_end": "right_foot", "Head": "head"}
    ours = read.positions[0][:, [read.skeleton.index(name) for name in pairs]] / 100
    theirs = made.positions[0][:, [made.skeleton.index(name) for name in pairs.values()]]
    # The generator's trunk bends a little between its joints; a file's bones are as long as in its first frame.
    np.testing.assert_allclose(ours, theirs, atol=0.01)


@pytest.mark.parametrize("form", ["openpose", "mediapipe"])
def test_the_poses_of_the_example_are_the_movement(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["make_pose_json.py", "poses", "--form", form, "--clips", "2"])
    runpy.run_path(str(ROOT / "examples" / "make_pose_json.py"), run_name="__main__")
    (first,) = io.read(min((tmp_path / "poses").iterdir(), key=lambda path: path.stem[-3:]))
    made = clip(SyntheticSpec(clips=4, subjects=12, cameras=1, noise=0.3, glitches=0, name="synthetic-poses"), 0)
    joints = ("left_wrist", "right_knee", "left_ankle", "right_elbow")
    seen = first.positions[0][:, [first.skeleton.index(name) for name in joints]]
    x, y, z = np.moveaxis(made.positions[0][:, [made.skeleton.index(name) for name in joints]], -1, 0)
    if form == "openpose":
        expected = np.stack([960 + 1060 * x / z, -(540 - 1060 * y / z)], axis=-1)
        assert first.fps == 0
    else:
        hips = made.positions[0][:, [made.skeleton.index(f"{side}_hip") for side in ("left", "right")]].mean(1)
        expected = np.stack([x, y, z], axis=-1) - hips[:, None]
        assert first.fps == pytest.approx(30, abs=0.01)
    missing = np.isnan(seen).any(-1)
    assert 0.005 < missing.mean() < 0.1
    np.testing.assert_allclose(seen[~missing], expected[~missing], atol=0.01)
