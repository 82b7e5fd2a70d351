"""How commands end badly: one message, code 2, no traceback; Ctrl-C; what was reached is kept."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from terminal import TINY, halpose, set_words

from halpose import cli
from halpose.cli import data as data_commands
from halpose.data.store import Store
from halpose.engine.checkpoint import latest_step
from halpose.errors import CheckpointError, ConfigError, DataError, FormatError, HalposeError, TrainingError

NOWHERE = "/nowhere/at/all"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["data", "info", NOWHERE], "StoreError: /nowhere/at/all: no store there (store.json is missing)"),
        (["data", "list", "ntu"], "ConfigError: no data set named 'ntu'; halpose knows ntu60, ntu120"),
        (["data", "prepare", "ntu60", "--source", NOWHERE, "--out", "x"], "DataError: /nowhere/at/all: no such folder"),
        (["data", "prepare", "ntu", "--source", ".", "--out", "x"], "ConfigError: no data set named 'ntu'"),
        (["data", "synthesize", "--noise", "-1", "--out", "x"], "ConfigError: noise=-1.0: must be between 0 and 10"),
        (["train", NOWHERE, "--out", "x"], "StoreError: /nowhere/at/all: no store there"),
        (["evaluate", NOWHERE, "--on", NOWHERE], "StoreError: /nowhere/at/all: no store there"),
        (["recipes", "utd-halp"], "ConfigError: no recipe named 'utd-halp'; did you mean 'utd-mhad-halp'"),
        (["demo", "--data", NOWHERE, "--out", "x"], "DataError: /nowhere/at/all: no usable recordings here; expected"),
        (["trian"], "No such command 'trian'; did you mean 'train'?"),
        (["xyzzy"], "No such command 'xyzzy'; there are demo, data, train"),
        (["data", "prep"], "No such command 'prep'; did you mean 'prepare'?"),
        (["train", NOWHERE], "Missing option '--out'"),
        (["train", NOWHERE, "--out", "x", "--stepz", "3"], "No such option '--stepz'"),
        (["evaluate", NOWHERE, "--on", NOWHERE, "--part", "all"], "'all' is not one of 'test', 'validation'"),
        (["data", "prepare", "ntu60", "--source", ".", "--out", "x", "--workers", "0"], "0 is not in the range x>=1"),
        (["data", "prepare", "ntu60", "--source", ".", "--out", "x", "--shard", "3/2"], "write --shard 2/8"),
        (["data", "merge", NOWHERE, "--out", "x"], "give two different stores or more"),
        (["data", "merge", NOWHERE, "/nowhere", "--out", "x"], "StoreError: /nowhere/at/all: no store there"),
    ],
)
def test_one_message_and_code_2(words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plain = halpose(*words)
    plain.fails(says)
    assert plain.out == ""
    machine = halpose(*words, "--json")
    machine.fails(says)
    assert machine.json["error"] in machine.err and machine.json["kind"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["steps"], "--set steps: expected key=value"),
        (["stepps=3"], "there is no setting 'stepps'; the nearest is 'steps'"),
        (["seed=-1"], "seed is -1; it must be between 0 and"),
        (["encoder.name=vit"], "vit"),
        (["method=byol"], "byol"),
        (["data.split=x-view"], "no split named 'x-view'; it has x-sub"),
        (["encoder.width=10", "encoder.heads=4"], "encoder.width 10 is not a multiple of encoder.heads 4"),
        (["streams=joint,angle"], "angle"),
    ],
)
def test_settings_that_cannot_be(settings: list[str], says: str, toy_store: Path, tmp_path: Path) -> None:
    outcome = halpose("train", toy_store, *set_words(*TINY, *settings), "--out", tmp_path / "run")
    outcome.fails("ConfigError: ", says)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--protocol", "svm"], "--protocol svm: there are the protocols knn, linear"),
        (["--split", "x-view"], "no split named 'x-view'; it has x-sub"),
        (["-k", "1000"], "1000"),
        (["--device", "tpu"], "--device tpu: no such device; use auto, cpu"),
        (["--best-on-test", "--part", "validation"], "best_on_test is about the test part"),
    ],
)
def test_evaluations_that_cannot_be(words: list[str], says: str, run: Path, toy_store: Path) -> None:
    halpose("evaluate", run, "--on", toy_store, *words).fails("ConfigError: ", says)
    assert not list(run.glob("evaluation*"))


@pytest.mark.parametrize("where", [0, 1, 2, 3])
def test_debug_shows_the_traceback_wherever_it_is_given(where: int) -> None:
    words = ["data", "info", NOWHERE]
    words.insert(where, "--debug")
    outcome = halpose(*words)
    assert outcome.code == 2
    assert outcome.err.startswith("Traceback (most recent call last):")
    assert outcome.err.splitlines()[-1].startswith("StoreError: /nowhere/at/all: no store there")


def raising(error: BaseException) -> Callable[..., None]:
    def command(**given: object) -> None:
        raise error

    return command


@pytest.mark.parametrize("kind", [HalposeError, DataError, FormatError, ConfigError, CheckpointError, TrainingError])
def test_every_error_of_ours_is_a_message(kind: type[HalposeError], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_commands.list_command, "callback", raising(kind("what: where; what would work")))
    outcome = halpose("data", "list", "--json")
    assert (outcome.code, outcome.err) == (2, f"{kind.__name__}: what: where; what would work\n")
    assert outcome.json == {"error": "what: where; what would work", "kind": kind.__name__}


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (KeyboardInterrupt(), 130, "stopped"),
        (KeyboardInterrupt("stopped at step 3"), 130, "stopped at step 3"),
        (click.Abort(), 130, "stopped"),
        (
            PermissionError(13, "Permission denied", "/locked/x"),
            2,
            "OSError: /locked/x: Permission denied; give a place",
        ),
        (OSError(28, "No space left on device"), 2, "OSError: No space left on device; give a place"),
        (MemoryError("Unable to allocate 3 TiB"), 2, "MemoryError: Unable to allocate 3 TiB; work on less"),
    ],
)
def test_interrupts_and_the_machine_s_refusals(
    error: BaseException, code: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_commands.list_command, "callback", raising(error))
    outcome = halpose("data", "list", "--json")
    assert outcome.code == code
    assert says in outcome.err and "Traceback" not in outcome.err
    assert outcome.json["error"] in says or says in f"{outcome.json['kind']}: {outcome.json['error']}"


def test_a_fault_of_the_program_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_commands.list_command, "callback", raising(ZeroDivisionError("ours")))
    with pytest.raises(ZeroDivisionError):
        cli.main(["data", "list"])


def test_ctrl_c_during_training_saves_and_says_how_to_go_on(toy_store: Path, tmp_path: Path) -> None:
    out = tmp_path / "a [run] of mine"
    words = ["train", str(toy_store), *set_words(*TINY, "steps=100000"), "--out", str(out), "--json"]
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; from halpose.cli import main; main(sys.argv[1:])", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not latest_step(out) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said, remarks = process.communicate(timeout=120)
    assert process.returncode == 130 and "Traceback" not in remarks
    step = latest_step(out)
    assert step and f'"steps": {step}' in said and '"interrupted": true' in said
    [line] = [line for line in remarks.splitlines() if line.startswith("stopped at step")]
    assert line == f"stopped at step {step}; go on with: halpose train {toy_store} --out '{out}' --resume"
    outcome = halpose("train", toy_store, "--out", out, "--resume", "--stop-at", step + 3, "--json")
    assert outcome.code == 0 and outcome.json["steps"] == step + 3


def test_scores_are_shown_even_where_they_cannot_be_kept(run: Path, toy_store: Path) -> None:
    (run / "features").write_text("in the way")
    (run / "evaluation-toy-x-sub-test.json").mkdir()
    outcome = halpose("evaluate", run, "--on", toy_store, "--protocol", "knn")
    outcome.fails("CheckpointError: ", "cannot be written")
    assert "trained" in outcome.out


def test_damaged_features_are_extracted_again(run: Path, toy_store: Path) -> None:
    first = halpose("evaluate", run, "--on", toy_store, "--protocol", "knn", "--json").json["results"]
    [kept] = (run / "features").iterdir()
    whole = kept.read_bytes()
    for damage in (b"", whole[:50], whole[:-8], b"\x93NUMPY" + bytes(200)):
        kept.write_bytes(damage)
        again = halpose("evaluate", run, "--on", toy_store, "--protocol", "knn", "--json").json["results"]
        assert again[0]["confusion"] == first[0]["confusion"]
        assert kept.read_bytes() == whole


def test_an_existing_run_or_store_is_left_alone(run: Path, toy_store: Path, tmp_path: Path) -> None:
    store = Path(shutil.copytree(toy_store, tmp_path / "store"))

    def content() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()}

    before = content()
    halpose("train", store, *set_words(*TINY), "--out", run).fails("there is a run here already; use --resume")
    halpose("train", store, *set_words(*TINY), "--out", store / "frames.npy").fails("frames.npy")
    halpose("data", "synthesize", "--clips", 12, "--out", store).fails("there is a store already")
    halpose("data", "synthesize", "--clips", 12, "--out", run).fails("not a store, so it is left alone")
    assert content() == before
    assert len(Store.open(store)) == 120
