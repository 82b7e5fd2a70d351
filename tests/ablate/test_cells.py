"""Cells: each setting trained and scored once, from one warm-up, and gone on with where it stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from halpose.ablate import cells
from halpose.ablate.cells import (
    Bench,
    cell_path,
    check_scorable,
    fingerprint,
    read_rows,
    score_cell,
    score_untrained,
    train_cell,
    warm_up,
    without_halp,
    write_rows,
)
from halpose.ablate.trainings import base_config
from halpose.config import Config, HalpConfig
from halpose.engine.checkpoint import latest_step, load_checkpoint
from halpose.engine.trainer import train
from halpose.errors import ConfigError, DataError
from halpose.settings import override_text


def weights(path: Path) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in load_checkpoint(path).weights.items()}


def test_a_fingerprint_tells_what_matters_and_nothing_else(bench: Bench, config: Config) -> None:
    own = fingerprint(bench.store, config)
    for change in ("halp.hardness=0.5", "seed=1", "steps=9", "encoder.width=16", "data.part=official"):
        assert fingerprint(bench.store, override_text(config, (change,))) != own, change
    for change in ("keep=3", "checkpoint_every=7", "log_every=9", "cuda_graph=true"):
        assert fingerprint(bench.store, override_text(config, (change,))) == own, change
    other = replace(bench.store, meta=dict(bench.store.meta) | {"name": "another"})
    assert fingerprint(other, config) != own
    plain = replace(config, method="moco")
    assert fingerprint(bench.store, plain) == fingerprint(bench.store, override_text(plain, ("halp.hardness=0.5",)))


def test_without_halp_only_its_beginning_is_left(config: Config) -> None:
    plain = without_halp(override_text(config, ("halp.hardness=0.5", "halp.anchor=query")))
    assert (plain.method, plain.halp) == ("moco", HalpConfig(start=0.25))
    assert without_halp(plain) == plain
    assert without_halp(replace(config, method="halp_cmd")).method == "cmd"
    with pytest.raises(ConfigError, match="'aimclr', which has no HaLP term"):
        without_halp(replace(config, method="aimclr"))


def test_cells_of_a_seed_fork_from_one_warm_up_and_differ_afterwards(bench: Bench, config: Config) -> None:
    settings = [without_halp(config), config, override_text(config, ("halp.weight=5",))]
    paths = [train_cell(bench, variant) for variant in settings]
    warm = [path for path in (bench.out / "runs").iterdir() if path.name.startswith("warm-")]
    assert len(warm) == 1 and latest_step(warm[0]) == 1
    first = [json.loads((path / "metrics.jsonl").read_text().splitlines()[0]) for path in paths]
    assert [row["step"] for row in first] == [2, 2, 2]
    found = [weights(path) for path in paths]
    query = next(name for name in found[0] if name.startswith("streams.joint.query.") and name.endswith("weight"))
    for one, other in ((0, 1), (1, 2)):
        assert not np.array_equal(found[one][query], found[other][query])


@pytest.mark.parametrize(("start", "shared"), [(0.0, 0), (0.1, 0), (0.25, 1), (0.3, 2), (1.0, 7)])
def test_the_first_prototypes_are_made_in_the_fork(bench: Bench, config: Config, start: float, shared: int) -> None:
    config = override_text(config, (f"halp.start={start}",))
    path = train_cell(bench, config)
    warm = [run for run in (bench.out / "runs").iterdir() if run.name.startswith("warm-")]
    assert [latest_step(run) for run in warm] == ([shared] if shared else [])
    prototypes = weights(path)["terms.1.prototypes_joint"]
    np.testing.assert_allclose(np.linalg.norm(prototypes, axis=1), 1, atol=1e-5)
    whole = train(bench.store, config, bench.out / "whole", device="cpu")
    np.testing.assert_array_equal(
        weights(Path(whole.run))["streams.joint.queue.keys"], weights(path)["streams.joint.queue.keys"]
    )


def test_a_plain_cell_is_what_training_without_a_fork_gives(bench: Bench, config: Config, tmp_path: Path) -> None:
    forked = weights(train_cell(bench, without_halp(config)))
    train(bench.store, without_halp(config), tmp_path / "whole", device="cpu")
    for name, value in weights(tmp_path / "whole").items():
        np.testing.assert_array_equal(value, forked[name], err_msg=name)


def test_a_stopped_cell_goes_on_as_if_never_stopped(bench: Bench, config: Config, tmp_path: Path) -> None:
    whole = weights(train_cell(Bench(bench.store, tmp_path / "whole"), config))
    warm = warm_up(bench.store, config, tmp_path / "warm", "cpu")
    train(bench.store, config, cell_path(bench, config), device="cpu", fork=warm, stop_at=5)
    assert latest_step(cell_path(bench, config)) == 5
    stopped = weights(train_cell(bench, config))
    for name, value in whole.items():
        np.testing.assert_array_equal(value, stopped[name], err_msg=name)


def test_a_cell_killed_before_its_first_checkpoint_begins_again(bench: Bench, config: Config) -> None:
    path = cell_path(bench, config)
    path.mkdir(parents=True)
    (path / "config.json").write_text("{")
    assert latest_step(train_cell(bench, config)) == 8


def test_what_is_there_is_not_done_again(bench: Bench, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, bare = score_cell(bench, config), score_untrained(bench, config)

    def refuse(*given: Any, **named: Any) -> None:
        raise AssertionError("trained or scored again")

    monkeypatch.setattr(cells, "train", refuse)
    monkeypatch.setattr(cells, "evaluate_run", refuse)
    assert score_cell(bench, config) == rows
    assert score_untrained(bench, config) == bare
    with pytest.raises(AssertionError, match="again"):
        score_cell(bench, override_text(config, ("seed=1",)))


def test_rows_say_what_was_scored(bench: Bench, config: Config) -> None:
    rows = score_cell(bench, config)
    scored = [(row["part"], row["protocol"], row["clips"]) for row in rows]
    assert scored == [
        ("validation", "knn", 15),
        ("validation", "linear", 15),
        ("test", "knn", 30),
        ("test", "linear", 30),
    ]
    assert {row["features"] for row in rows} == {"trained"} and {row["seed"] for row in rows} == {0}
    assert all(row["low"] <= row["top1"] <= row["high"] for row in rows)
    assert {row["features"] for row in score_untrained(bench, config)} == {"untrained"}
    assert read_rows(bench.results)[:4] == rows


def test_a_line_that_was_cut_off_costs_its_own_cell_only(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "results.jsonl"
    assert read_rows(file) == []
    write_rows(file, [{"cell": "a"}, {"cell": "b"}])
    file.write_text(file.read_text()[:-4])
    assert read_rows(file) == [{"cell": "a"}]
    write_rows(file, [{"cell": "c"}])
    assert read_rows(file) == [{"cell": "a"}, {"cell": "c"}]


def test_a_training_that_was_told_to_stop_says_so(
    bench: Bench, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*given: Any, **named: Any) -> Any:
        return replace(train(*given, **(named | {"stop_at": 1})), interrupted=True)

    monkeypatch.setattr(cells, "train", stopped)
    with pytest.raises(KeyboardInterrupt, match="stopped at step 1 .* the same command goes on"):
        train_cell(bench, config)
    monkeypatch.undo()
    assert latest_step(train_cell(bench, config)) == 8


def test_settings_cannot_be_compared_without_a_part_to_choose_on(bench: Bench) -> None:
    codes = np.where(bench.store.clips.split["x-sub"] == 1, 0, bench.store.clips.split["x-sub"])
    store = replace(bench.store, clips=replace(bench.store.clips, split={"x-sub": codes}))
    bare = replace(bench, store=store)
    with pytest.raises(DataError, match="'x-sub' has no validation part"):
        check_scorable(store, base_config(bare, None, 8, ()))
