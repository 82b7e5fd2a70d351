"""`halpose ablate`: the table, the JSON, the file; stopped and gone on with; what it refuses."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from terminal import TINY, halpose, set_words

from halpose.ablate.catalogue import ABLATIONS
from halpose.engine.trainer import Trainer

SMALL = set_words(*(word for word in TINY if not word.startswith("steps=")))


def test_scores_stand_beside_the_papers(toy_store: Path, tmp_path: Path) -> None:
    words = ("ablate", "anchor", "--on", toy_store, "--out", tmp_path / "out", "--steps", 4, *SMALL)
    people = halpose(*words)
    assert people.code == 0, people.err
    assert max(map(len, people.out.splitlines())) <= 80
    linear = [line.split()[-1] for line in people.out.splitlines() if line.lstrip().startswith("linear")]
    assert linear[1:] == ["78.0", "79.7", "77.9"]
    machine = halpose(*words, "--json")
    assert machine.out.count("\n") == 1 and "77.9" in machine.err
    found = machine.json
    assert found == json.loads((tmp_path / "out" / "anchor.json").read_text())
    assert (found["ablation"], found["data_set"], found["steps"], found["seeds"]) == ("anchor", "toy", 4, [0])
    for line in found["variants"]:
        assert set(line["scores"]) == {"validation", "test"}
        for score in line["scores"]["test"].values():
            assert f"{score['mean']:.1f} ± {(score['high'] - score['low']) / 2:.1f}" in people.out


def test_the_solver_uses_the_trained_run_and_says_what_it_found(toy_store: Path, tmp_path: Path) -> None:
    halpose("ablate", "anchor", "--on", toy_store, "--out", tmp_path, "--steps", 4, *SMALL)
    runs = {path.name for path in (tmp_path / "runs").iterdir()}
    outcome = halpose("ablate", "solver", "--on", toy_store, "--out", tmp_path, "--steps", 4, *SMALL, "--json")
    assert outcome.code == 0, outcome.err
    assert {path.name for path in (tmp_path / "runs").iterdir()} == runs
    assert max(map(len, outcome.err.splitlines())) <= 80 and "…" not in outcome.err
    (verdict,) = outcome.json["verdicts"]
    assert verdict["walks"]["agree"] == 1
    for objective in ("anchor", "prototype"):
        similarity = {space["space"]: space["similarity"] for space in verdict["spaces"][objective]}
        assert similarity["sphere"] <= similarity["between"] <= similarity["best prototype"]


def test_overhead_prints_table_4(toy_store: Path, tmp_path: Path) -> None:
    outcome = halpose("ablate", "overhead", "--on", toy_store, "--out", tmp_path, "--steps", 2, *SMALL, "--json")
    assert outcome.code == 0, outcome.err
    assert [cost["method"] for cost in outcome.json["costs"]] == ["moco", "halp", "cmd", "halp_cmd"]
    assert [cost["paper"]["time"] for cost in outcome.json["costs"]] == [1, 1.13, 3, 3.32]
    assert not (tmp_path / "runs").exists()


def test_stopped_it_goes_on_with_the_same_command(
    toy_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("ablate", "hardest", "--on", toy_store, "--out", tmp_path, "--steps", 8, *SMALL, "--json")
    take_step, taken = Trainer.take_step, []

    def interrupted(trainer: Trainer) -> Any:
        taken.append(trainer.step)
        if len(taken) == 6:
            os.kill(os.getpid(), signal.SIGINT)
        return take_step(trainer)

    monkeypatch.setattr(Trainer, "take_step", interrupted)
    stopped = halpose(*words)
    assert stopped.code == 130 and stopped.json["kind"] == "Stopped"
    assert "the same command goes on from there" in stopped.json["error"]
    assert halpose(*words).code == 0
    assert len(taken) == 1 + 3 * 7  # the warm-up and three forks: no step was taken twice


def test_without_out_everything_goes_into_a_folder_named_after_the_store(
    toy_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert halpose("ablate", "overhead", "--on", toy_store, "--steps", 1, *SMALL).code == 0
    assert (tmp_path / "ablations" / toy_store.name / "overhead.json").exists()


def test_what_it_refuses(toy_store: Path, tmp_path: Path) -> None:
    on = ("--on", toy_store, "--out", tmp_path / "out")
    halpose("ablate", "colour", *on).fails("colour", *ABLATIONS)
    halpose("ablate", "anchor", *on, "--seeds", "0,0").fails("'0,0' is not a list of different seeds")
    halpose("ablate", "anchor", *on, "--seeds", "one").fails("write --seeds 0,1,2")
    halpose("ablate", "anchor", *on, "--recipe", "moco").fails("'moco', which has no HaLP term")
    halpose("ablate", "solver", *on, *SMALL, "--steps", 2, "--set", "halp.wait=99").fails(
        "has no prototypes", "--steps"
    )
