"""`--set`: every key can be set, every value is understood or refused in words, whatever it is."""

from __future__ import annotations

import math
from typing import Any

import pytest
from terminal import halpose

from halpose.config import Config
from halpose.errors import ConfigError
from halpose.ranges import RANGES, Range, outside
from halpose.settings import flatten, known_keys, load_recipe, override_text, recipe_names

DEFAULTS = dict(flatten(Config().to_dict()))
ODD = ("-1", "0", "nan", "inf", "-inf", "1e30", "-1e-30", "2.5", "9" * 30, "9" * 400, "", "x", "true", "[]", "1,2")


def is_number(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(map(is_number, value))
    return isinstance(value, int | float) and not isinstance(value, bool)


@pytest.mark.parametrize("name", recipe_names())
def test_what_recipes_prints_is_what_set_takes(name: str) -> None:
    outcome = halpose("recipes", name)
    lines = tuple(outcome.out.splitlines())
    assert [line.partition("=")[0] for line in lines] == list(known_keys())
    assert override_text(Config(), lines) == load_recipe(name)


@pytest.mark.parametrize("key", known_keys())
def test_whatever_is_set_is_taken_or_refused(key: str) -> None:
    for text in ODD:
        try:
            value = dict(flatten(override_text(Config(), (f"{key}={text}",)).to_dict()))[key]
        except ConfigError as error:
            message = str(error)
            assert key.rsplit(".", 1)[-1] in message and len(message) > len(key) + 10
        else:
            assert type(value) is type(DEFAULTS[key])
            assert list(outside({key: value})) == []


def test_every_number_that_is_counted_or_a_share_has_a_range() -> None:
    free = {"halp.weight", "distillation.weight", "halp.hardness"}
    assert {key for key, value in DEFAULTS.items() if is_number(value)} - set(RANGES) <= free
    assert set(RANGES) <= set(DEFAULTS)


@pytest.mark.parametrize(
    ("allowed", "inside", "beyond", "said"),
    [
        (Range(), (-1e300, 0, 10**400), (math.nan, math.inf, -math.inf), "a finite number"),
        (Range(0), (0, 1e300), (-1e-300, math.nan, math.inf), "zero or more"),
        (Range(0, above=True), (1e-300, 5), (0, -1, math.nan), "above zero"),
        (Range(0, 1), (0, 0.5, 1), (-0.1, 1.0001, math.nan), "between 0 and 1"),
        (Range(0, 10, above=True), (1, 10), (0, 11), "above zero and at most 10"),
        (Range(2), (2, 3), (1, 1.99), "2 or more"),
    ],
)
def test_ranges(allowed: Range, inside: tuple[float, ...], beyond: tuple[float, ...], said: str) -> None:
    assert all(value in allowed for value in inside)
    assert not any(value in allowed for value in beyond)
    assert str(allowed) == said


def test_the_last_of_several_holds_and_files_can_be_recipes(tmp_path: Any) -> None:
    assert override_text(Config(), ("steps=3", "steps=5")).steps == 5
    (tmp_path / "mine.toml").write_text('base = "utd-mhad-moco"\nsteps = 7\n[halp]\nweight = 0.5\n')
    mine = load_recipe(tmp_path / "mine.toml")
    assert (mine.steps, mine.halp.weight, mine.method) == (7, 0.5, "moco")
    (tmp_path / "mine.toml").write_text("steps = 0\n")
    with pytest.raises(ConfigError, match="steps is 0; it must be above zero"):
        load_recipe(tmp_path / "mine.toml")


def test_a_recipe_that_is_its_own_base_is_refused(tmp_path: Any) -> None:
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    one.write_text(f'base = "{other}"\n')
    other.write_text(f'base = "{one}"\n')
    halpose("recipes", one).fails("ConfigError: ", "other.toml: its base leads back to itself")
    one.write_text("base = 3\n")
    halpose("recipes", one).fails("ConfigError: ", "one.toml: base is 3")
