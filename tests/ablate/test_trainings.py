"""Ablations that train: the paper's rows, settings that cannot be are left out and said, cells are shared."""

from __future__ import annotations

import re

import pytest

from halpose.ablate.catalogue import ABLATIONS, PAPER_COSTS
from halpose.ablate.cells import Bench, read_rows
from halpose.ablate.trainings import base_config, compare, resolve
from halpose.config import Config
from halpose.errors import ConfigError, DataError
from halpose.settings import load_recipe, override_text
from pages import code, page

TRAININGS = [name for name, ablation in ABLATIONS.items() if ablation.variants]


def test_the_papers_numbers() -> None:
    """Tables 4, 5, 6 and the text of Sec. 4.4, typed a second time."""
    found = {name: [variant.paper for variant in ABLATIONS[name].variants] for name in TRAININGS}
    assert found["lambda"] == [79.7, 79.7, 79.6, 79.6, 79.5, 79.4]
    assert found["prototypes"] == [79.5, 79.7, 79.5, 79.5]
    assert (found["anchor"], found["query-key"], found["hardest"]) == ([79.7, 77.9], [79.7, 77.92], [79.7, 79.4])
    assert set(found["topk"]) == {None}
    table = {name: (cost.time, cost.memory, cost.top1) for name, cost in PAPER_COSTS.items()}
    assert table == {
        "moco": (1, 1, 78.0), "halp": (1.13, 1, 79.7), "cmd": (3, 1.94, 79.8), "halp_cmd": (3.32, 1.94, 82.1),
    }  # fmt: skip


def test_the_page_tells_of_every_ablation() -> None:
    table = next(table for table in page("docs/ablations.md").tables if "ablation" in table.columns)
    assert {name for cell in table.column("ablation") for name in code(cell)} == set(ABLATIONS)
    where = dict(zip(ABLATIONS, (ablation.where for ablation in ABLATIONS.values()), strict=True))
    for cell, told in zip(table.column("ablation"), table.column("in the paper"), strict=True):
        assert where[code(cell)[0]].startswith(told)


@pytest.mark.parametrize("name", TRAININGS)
def test_every_variant_changes_what_it_says(name: str) -> None:
    base = override_text(load_recipe("halp"), ("contrast.queue=2048",))
    variants, notes = resolve(base, ABLATIONS[name].variants)
    assert len(variants) == len(ABLATIONS[name].variants) and not notes
    assert len({config for _, config in variants}) == len(variants)
    for variant, config in variants:
        number = re.search(r"= ([\d.]+)$", variant.name)
        key = variant.settings[0].partition("=")[0].removeprefix("halp.")
        assert number is None or getattr(config.halp, key) == float(number[1])
    hardest = [config for variant, config in variants if variant.name == "always t*"]
    assert all(config.halp.hardest for config in hardest)


def test_variants_that_cannot_be_are_left_out_and_named(config: Config) -> None:
    variants, notes = resolve(config, ABLATIONS["topk"].variants)
    assert [variant.name for variant, _ in variants] == ["K = 32"]
    assert notes[0] == "K = 64 is left out: the queue has 32 keys (contrast.queue)"
    variants, notes = resolve(config, ABLATIONS["prototypes"].variants)
    assert [variant.name for variant, _ in variants] == ["N = 10"]
    assert notes[0] == "N = 20 is left out: 16 keys (halp.newest) cannot make 20 prototypes"


def test_the_settings_to_begin_with(bench: Bench) -> None:
    config = base_config(bench, None, None, ())
    assert (config.method, config.steps, config.data.part, config.data.split) == ("halp", 600, "train", "x-sub")
    assert base_config(bench, "halp-paper", 9, ("halp.weight=3",)).halp.weight == 3
    assert base_config(bench, "halp-paper", 9, ()).steps == 9  # epochs of the recipe do not count


def test_ablations_share_their_cells_and_tell_what_they_found(bench: Bench, config: Config) -> None:
    said: list[str] = []
    anchor = compare(bench, "anchor", config, (0, 1), said.append)
    assert [line.name for line in anchor.lines] == ["untrained", "moco", "anchor key", "anchor query"]
    assert anchor.baselines == ("moco", "anchor key")  # which is the recipe, so it has no line of its own
    assert len(said) == 6 and said[0].startswith("1 of 6: moco, seed 0: validation knn ")
    runs = {path.name for path in (bench.out / "runs").iterdir()}
    assert len(runs) == 2 * (1 + 3)  # a warm-up and three cells for each seed
    before = len(read_rows(bench.results))
    hardest = compare(bench, "hardest", config, (0, 1))
    assert len({path.name for path in (bench.out / "runs").iterdir()} - runs) == 2  # always t*, for each seed
    assert len(read_rows(bench.results)) == before + 2 * 4
    assert hardest.lines[1].scores == anchor.lines[1].scores
    content = anchor.content
    assert content["chosen"] in ("anchor key", "anchor query") and content["seeds"] == [0, 1]
    assert content["variants"][3]["differences"].keys() == {"moco", "anchor key"}
    assert any("Seeds 0, 1" in note for note in anchor.notes)
    assert any("One seed (1)" in note for note in compare(bench, "anchor", config, (1,)).notes)


def test_a_recipe_that_is_no_variant_has_a_line_of_its_own(bench: Bench, config: Config) -> None:
    found = compare(bench, "prototypes", config, (0,))
    assert [line.name for line in found.lines] == ["untrained", "moco", "halp", "N = 10"]
    assert found.baselines == ("moco", "halp")
    assert any("N = 60 is left out" in note for note in found.notes)


def test_what_cannot_be_compared_is_refused(bench: Bench, config: Config) -> None:
    with pytest.raises(ConfigError, match="'moco', which has no HaLP term"):
        compare(bench, "anchor", override_text(config, ("method=moco",)), (0,))
    with pytest.raises(ConfigError, match="nothing to compare: N = 10 is left out"):
        compare(bench, "prototypes", override_text(config, ("halp.newest=8",)), (0,))
    with pytest.raises(DataError, match="no validation part"):
        compare(bench, "anchor", override_text(config, ("data.split=",)), (0,))
    assert not bench.out.exists()
