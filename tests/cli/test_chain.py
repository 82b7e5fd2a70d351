"""The whole path of NTU RGB+D, on files that were generated: synthesize, prepare, train, evaluate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from terminal import TINY, halpose, set_words

from halpose.data.store import Store


def test_from_skeleton_files_to_scores(tmp_path: Path) -> None:
    files, store, run = tmp_path / "files", tmp_path / "store", tmp_path / "run"
    made = halpose("data", "synthesize", "--ntu", "--clips", 96, "--subjects", 8, "--out", files, "--json")
    assert made.json == {"out": str(files), "clips": 96, "synthetic": True}
    names = sorted(path.stem for path in files.glob("*.skeleton"))
    assert len(names) == 96

    prepared = halpose("data", "prepare", "ntu60", "--source", files, "--out", store, "--json")
    assert prepared.code == 0, prepared.err
    assert (prepared.json["clips"], prepared.json["set_aside"]) == (96, 0)
    info = halpose("data", "info", store, "--json").json
    assert (info["layout"], info["classes"], info["people"], info["subjects"]) == ("kinect25", 12, 2, 8)
    assert info["synthetic"] is True and "synthetic" in info["name"]
    # The published protocol, from the names: training subjects 1, 2, 4, 5, 8 of the eight; cameras 2 and 3.
    subject = np.array([int(name[9:12]) for name in names])
    camera = np.array([int(name[5:8]) for name in names])
    train = np.isin(subject, (1, 2, 4, 5, 8))
    parts = info["splits"]["x-sub"]
    assert (parts["train"] + parts["validation"], parts["test"]) == (train.sum(), (~train).sum())
    assert Store.open(store).clips.name[Store.open(store).part("x-sub", "official")].tolist() == [
        name for name, trains in zip(names, train, strict=True) if trains
    ]
    view = info["splits"]["x-view"]
    assert (view["train"] + view["validation"], view["test"]) == ((camera > 1).sum(), (camera == 1).sum())

    trained = halpose("train", store, "--recipe", "halp", *set_words(*TINY), "--out", run, "--json")
    assert trained.code == 0, trained.err
    assert trained.json["steps"] == 4
    for split in ("x-sub", "x-view"):
        scored = halpose("evaluate", run, "--on", store, "--split", split, "--json")
        assert scored.code == 0, scored.err
        assert "synthetic" in scored.json["data_set"]
        assert {(r["features"], r["protocol"], r["split"]) for r in scored.json["results"]} == {
            (features, protocol, split)
            for features, protocol in [
                *((features, protocol) for features in ("trained", "untrained") for protocol in ("knn", "linear")),
                ("raw", "knn"),
                ("raw-seen", "knn"),
            ]
        }
        assert all(r["clips"] == info["splits"][split]["test"] for r in scored.json["results"])
    kept = json.loads(next(run.glob("evaluation-*-x-view-test.json")).read_text())
    assert kept == scored.json


def test_distraction_changes_what_is_generated_and_processes_do_not(tmp_path: Path) -> None:
    made = {}
    for name, words in (("plain", []), ("two", ["--workers", 2]), ("stage", ["--distraction", 0])):
        halpose("data", "synthesize", "--clips", 6, "--subjects", 2, *words, "--out", tmp_path / name)
        made[name] = Store.open(tmp_path / name).clip(0).positions
    np.testing.assert_array_equal(made["plain"], made["two"])
    assert made["plain"].shape != made["stage"].shape or not np.array_equal(made["plain"], made["stage"])
    halpose("data", "synthesize", "--distraction", 3, "--out", tmp_path / "no").fails(
        "distraction=3.0: must be between"
    )


def test_the_store_from_files_is_the_store_without_them(tmp_path: Path) -> None:
    """Writing NTU text and reading it again costs a few micrometres, and nothing else."""
    for words in (["--out", "direct"], ["--ntu", "--out", "files"]):
        halpose("data", "synthesize", "--clips", 24, "--subjects", 4, *words[:-1], tmp_path / words[-1])
    halpose("data", "prepare", "ntu60", "--source", tmp_path / "files", "--out", tmp_path / "read")
    direct, read = (Store.open(tmp_path / name) for name in ("direct", "read"))
    assert sorted(direct.clips.name) == list(read.clips.name)
    for at, name in enumerate(read.clips.name):
        other = direct.clips.name.tolist().index(name)
        np.testing.assert_allclose(read.clip(at).positions, direct.clip(other).positions, atol=1e-4)
        assert read.clips.label[at] == direct.clips.label[other]
