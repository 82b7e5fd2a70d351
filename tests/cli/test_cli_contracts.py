"""What scripts rely on: names, numbers, one JSON object on the last line of stdout, and a quick, light import."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from terminal import TINY, halpose, set_words

from halpose.cli import print_json
from halpose.data.catalog import DATASETS
from halpose.data.store import Store
from halpose.evaluate.intervals import wilson
from halpose.methods import METHODS
from halpose.settings import load_recipe, recipe_names

PAIRS = [
    ("trained", "knn"), ("trained", "linear"), ("untrained", "knn"), ("untrained", "linear"), ("raw", "knn"),
    ("raw-seen", "knn"),
]  # fmt: skip


def test_info(toy_store: Path) -> None:
    outcome = halpose("data", "info", toy_store, "--json")
    info = outcome.json
    assert outcome.code == 0 and outcome.out.count("\n") == 1
    assert (info["clips"], info["layout"], info["classes"]) == (120, "kinect20", 6)
    assert info["splits"] == {"x-sub": {"train": 75, "validation": 15, "test": 30}}
    parts = info["splits"]["x-sub"]
    assert parts["train"] + parts["validation"] == len(Store.open(toy_store).part("x-sub", "official"))


def test_train(toy_store: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = set_words(*TINY, "steps=3", "seed=7", "batch_size=12")
    outcome = halpose("train", toy_store, "--recipe", "moco", *words, "--out", out, "--json")
    assert outcome.code == 0 and outcome.out.count("\n") == 1
    said = outcome.json
    assert (said["run"], said["steps"]) == (str(out), 3)
    assert said["clips_per_second"] > 0 and math.isfinite(said["loss"])
    config = json.loads((out / "config.json").read_text())["config"]
    assert (config["method"], config["steps"], config["seed"], config["batch_size"]) == ("moco", 3, 7, 12)
    assert f"next: halpose evaluate {out} --on {toy_store}" in outcome.err.splitlines()


def test_a_finished_run_that_is_resumed_tells_its_outcome_again(run: Path, toy_store: Path) -> None:
    before = (run / "run.json").read_text()
    outcome = halpose("train", toy_store, "--out", run, "--resume", "--json")
    assert outcome.json["steps"] == 4
    assert outcome.json["loss"] == json.loads(before)["loss"]
    assert (run / "run.json").read_text() == before


@pytest.mark.parametrize(
    ("protocols", "pairs"),
    [
        ((), PAIRS),
        (("--protocol", "knn,linear,raw,untrained"), PAIRS),
        (("--protocol", "knn,raw"), [("trained", "knn"), ("raw", "knn"), ("raw-seen", "knn")]),
        (("--protocol", "linear"), [("trained", "linear")]),
    ],
)
def test_evaluate(run: Path, toy_store: Path, protocols: tuple[str, ...], pairs: list[tuple[str, str]]) -> None:
    outcome = halpose("evaluate", run, "--on", toy_store, *protocols, "--json")
    assert outcome.code == 0 and outcome.out.count("\n") == 1
    results = outcome.json["results"]
    assert [(result["features"], result["protocol"]) for result in results] == pairs
    for result in results:
        assert (result["split"], result["part"], result["clips"]) == ("x-sub", "test", 30)
        hits = round(30 * result["top1"])
        assert result["top1"] == hits / 30 == sum(row[i] for i, row in enumerate(result["confusion"])) / 30
        assert (result["low"], result["high"]) == wilson(hits, 30)
    assert json.loads((run / "evaluation-toy-x-sub-test.json").read_text()) == outcome.json


def test_the_same_scores_for_people(run: Path, toy_store: Path) -> None:
    machine = halpose("evaluate", run, "--on", toy_store, "--json")
    people = halpose("evaluate", run, "--on", toy_store)
    lines = [line for line in people.out.splitlines() if line.startswith("│")]
    assert len(lines) == len(machine.json["results"])
    for line, result in zip(lines, machine.json["results"], strict=True):
        assert result["features"] in line and result["protocol"] in line and f"{100 * result['top1']:.1f}" in line
    assert max(map(len, people.out.splitlines())) <= 80
    assert "│" not in machine.out and "│" in machine.err


def test_every_command_prints_one_object_and_nothing_else_on_stdout(tmp_path: Path, toy_store: Path, run: Path) -> None:
    commands: list[tuple[object, ...]] = [
        ("data", "list"),
        ("data", "list", "nw-ucla"),
        ("data", "info", toy_store),
        ("data", "synthesize", "--clips", 24, "--out", tmp_path / "store"),
        ("data", "synthesize", "--clips", 2, "--ntu", "--out", tmp_path / "ntu"),
        ("data", "prepare", "ntu60", "--source", tmp_path / "ntu", "--out", tmp_path / "prepared"),
        ("data", "prepare", "ntu60", "--source", tmp_path / "ntu", "--out", tmp_path / "a", "--shard", "1/2"),
        ("data", "prepare", "ntu60", "--source", tmp_path / "ntu", "--out", tmp_path / "b", "--shard", "2/2"),
        ("data", "merge", tmp_path / "b", tmp_path / "a", "--out", tmp_path / "ab"),
        ("train", toy_store, *set_words(*TINY), "--out", tmp_path / "other"),
        ("evaluate", run, "--on", toy_store, "--protocol", "knn"),
        ("embed", run, tmp_path / "ntu", "-o", tmp_path / "emb.npz"),
        ("search", run, "--index", toy_store, "s1_take02"),
        ("recipes",),
        ("recipes", "halp"),
    ]
    for words in commands:
        outcome = halpose(*words, "--json")
        assert outcome.code == 0, outcome.err
        assert outcome.out.count("\n") == 1 and outcome.json, words
    assert (tmp_path / "ab" / "clips.npz").read_bytes() == (tmp_path / "prepared" / "clips.npz").read_bytes()


THREADED = [
    "train none --out run", "evaluate none --on none", "ablate topk --on none", "bench",
    "search none none --index none", "embed none pyproject.toml -o a.npz",
]  # fmt: skip


@pytest.mark.parametrize("words", THREADED)
def test_threads_are_seen_to_by_every_command_that_computes(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    monkeypatch.setattr("torch.set_num_threads", counts.append)
    halpose(*words.split(), "--device", "gpu").fails()
    assert counts == []
    halpose(*words.split(), "--device", "gpu", "--threads", 3).fails()
    assert counts == [3]


def test_numbers_that_json_lacks_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"loss": math.nan, "more": [math.inf, {"low": -math.inf}], "steps": 3})
    assert capsys.readouterr().out == '{"loss": null, "more": [null, {"low": null}], "steps": 3}\n'


def test_recipes_are_named_after_data_set_and_method() -> None:
    names = recipe_names()
    assert {"halp", "moco", "nw-ucla-halp", "utd-mhad-moco", "ntu60-xsub-halp"} <= set(names)
    for name in names:
        data_set = next((known for known in DATASETS if name.startswith(f"{known}-")), None)
        assert set(name.removeprefix(f"{data_set}-").split("-")) & set(METHODS), name
    said = halpose("recipes", "--json").json["recipes"]
    assert set(said) == set(names) and all(said.values())
    assert halpose("recipes", "nw-ucla-halp", "--json").json["settings"]["steps"] == load_recipe("nw-ucla-halp").steps


LIGHT = """
import sys, time
before = time.process_time()
import halpose
took = time.process_time() - before
from halpose.cli import main
def heavy():
    return sorted({'torch', 'sklearn', 'scipy'} & set(sys.modules))
found = {'import': heavy()}
for words in %r:
    try:
        main(words)
    except SystemExit as end:
        assert not end.code, words
    found[' '.join(words)] = heavy()
print(took, {name: modules for name, modules in found.items() if modules}, file=sys.stderr)
"""


def test_import_and_help_are_quick_and_load_no_torch(toy_store: Path) -> None:
    commands = [["--help"], ["--version"], ["recipes"], ["data", "list"], ["data", "info", str(toy_store)]]
    data = [f"data {command}" for command in ("list", "prepare", "merge", "info")]
    for command in ("demo", "train", "evaluate", "embed", "search", "recipes", "data", *data):
        commands.append([*command.split(), "--help"])
    process = subprocess.run(
        [sys.executable, "-c", LIGHT % commands], capture_output=True, text=True, timeout=120, check=True
    )
    took, _, modules = process.stderr.splitlines()[-1].partition(" ")
    assert modules == "{}"
    assert float(took) < 0.3  # seconds of processor, whatever else the machine is doing


def test_the_program_is_installed() -> None:
    process = subprocess.run(
        [Path(sys.executable).with_name("halpose"), "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert process.stdout.startswith("halpose, version ")


def test_tuning_and_shares_are_told_in_json(run: Path, toy_store: Path) -> None:
    words = ("--protocol", "semi-linear,semi", "--shares", "0.2", "--draws", "2", "--epochs", "0.2", "--seed", "3")
    outcome = halpose("evaluate", run, "--on", toy_store, *words, "--streams", "joint", "--json")
    assert outcome.code == 0, outcome.err
    found = {row["protocol"]: row for row in outcome.json["results"]}
    assert set(found) == {"semi-linear", "semi"} and outcome.json["runs"] == [str(run)]
    for row in found.values():
        assert {"protocol", "features", "split", "top1", "low", "high", "device"} <= row.keys()
        assert row["variant"] == "20 %" and len(row["by_draw"]) == 2
    assert found["semi"]["settings"]["steps"] == 1
    halpose("evaluate", run, "--on", toy_store, "--shares", "some").fails("--shares")
    halpose("evaluate", run, "--on", toy_store, "--streams", "bone").fails("no stream named 'bone'")


def test_several_runs_are_added(run: Path, toy_store: Path, tmp_path: Path) -> None:
    twin = shutil.copytree(run, tmp_path / "twin")
    outcome = halpose("evaluate", run, twin, "--on", toy_store, "--protocol", "ensemble,knn", "--json")
    assert outcome.code == 0, outcome.err
    both, alone = outcome.json["results"]
    assert set(both["values"]) == {"run joint", "twin joint"} and alone["protocol"] == "knn"
    assert (run / "together-toy-x-sub-test.json").exists() and not list(run.glob("evaluation-*"))


def test_a_later_evaluation_keeps_the_earlier_scores(toy_store: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert halpose("train", toy_store, "--recipe", "moco", *set_words(*TINY, "steps=2"), "--out", run).code == 0
    for protocol in ("knn,linear", "retrieval", "knn"):
        assert halpose("evaluate", run, "--on", toy_store, "--protocol", protocol).code == 0
    (file,) = run.glob("evaluation-*.json")
    assert sorted(row["protocol"] for row in json.loads(file.read_text())["results"]) == ["knn", "linear", "retrieval"]
    assert halpose("evaluate", run, "--on", toy_store, "--protocol", "knn", "--streams", "joint").code == 0
    assert len(list(run.glob("evaluation-*.json"))) == 2
