"""Putting values into a configuration: from tables, from `key=value` texts, from recipes.

An unknown key is an error that names the nearest known one; a value of the wrong type or out of its range, too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import types
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from halpose.config import Config
from halpose.errors import ConfigError
from halpose.ranges import outside
from halpose.toml import load_toml

DEFAULT_RECIPE = "moco"
"""Of a training for which none is named: HaLP gained nothing over it in any regime that was measured, and its own
control as much as HaLP (`docs/results.md`, "When to use HaLP")."""


def override(config: Config, table: Mapping[str, Any], where: str = "configuration") -> Config:
    """A copy of `config` with the values of a nested table put in.

    Raises:
        ConfigError: a key is unknown (the nearest known one is named), or a value has the wrong type.
    """
    for key, value in flatten(table):
        config = _set(config, _full_key(key, where, exact=True), value, where)
    _check(config)
    return config


def override_text(config: Config, assignments: tuple[str, ...]) -> Config:
    """A copy of `config` with `key=value` texts put in: `steps=100`, `halp.weight=2`, `hardness=0.4`.

    A key may be written without its section when only one section has it.
    """
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(f"--set {assignment}: expected key=value, for example --set steps=1000")
        key = _full_key(key.strip(), f"--set {assignment}")
        config = _set(config, key, _parse(text.strip()), f"--set {assignment}")
    _check(config)
    return config


def load_recipe(name: str | Path, above: tuple[str, ...] = ()) -> Config:
    """The configuration of a recipe, by name (`recipe_names()`) or from a TOML file.

    A recipe may begin with `base = "other"`: the other recipe is read first. `above` are the recipes that led here.
    """
    path = Path(name)
    if path.suffix == ".toml":
        table = load_toml(path)
    elif str(name) in recipe_names():
        table = load_toml(Path(str(resources.files("halpose") / "recipes" / f"{name}.toml")))
    else:
        close = difflib.get_close_matches(str(name), recipe_names(), n=1, cutoff=0.4)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ConfigError(
            f"no recipe named {name!r}{hint} (there are: {', '.join(recipe_names())}; or give a .toml file)"
        )
    table = {key: value for key, value in table.items() if key != "about"}
    base = table.pop("base", None)
    if base is None:
        return override(Config(), table, where=f"recipe {name}")
    if not isinstance(base, str):
        raise ConfigError(f"recipe {name}: base is {base!r}; give the name of a recipe, or a .toml file")
    if base in (*above, str(name)):
        raise ConfigError(f"recipe {name}: its base leads back to itself ({' -> '.join((*above, str(name), base))})")
    return override(load_recipe(base, (*above, str(name))), table, where=f"recipe {name}")


def recipe_about(name: str) -> str:
    """The sentence with which a built-in recipe describes itself."""
    table = load_toml(Path(str(resources.files("halpose") / "recipes" / f"{name}.toml")))
    return str(table.get("about", ""))


def recipe_names() -> tuple[str, ...]:
    """Names of the recipes that come with halpose."""
    folder = resources.files("halpose") / "recipes"
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


def flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and leaf values of a nested table."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@cache
def known_keys() -> tuple[str, ...]:
    """Every dotted key that a configuration has."""
    return tuple(key for key, _ in flatten(Config().to_dict()))


def _full_key(key: str, where: str, exact: bool = False) -> str:
    """The dotted key that is meant; without its section only if not `exact`."""
    keys = known_keys()
    if key in keys:
        return key
    if any(known.startswith(f"{key}.") for known in keys):
        raise ConfigError(f"{where}: {key!r} is a section; set one of its keys, such as {key}.…")
    owners = [known for known in keys if known.rsplit(".", 1)[-1] == key and not exact]
    if len(owners) == 1:
        return owners[0]
    if owners:
        raise ConfigError(f"{where}: {key!r} is in several sections; write one of {', '.join(owners)}")
    leaves = [known.rsplit(".", 1)[-1] for known in keys]
    close = difflib.get_close_matches(key, [*keys, *leaves], n=1, cutoff=0.0)
    raise ConfigError(f"{where}: there is no setting {key!r}; the nearest is {close[0]!r}")


def _parse(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    if "," in text or (text.startswith("[") and text.endswith("]")):
        return [_parse(part.strip().strip("'\"")) for part in text.strip("[]").split(",") if part.strip()]
    return text.strip("'\"")


def _set(config: Any, key: str, value: Any, where: str) -> Any:
    head, _, rest = key.partition(".")
    if rest:
        return dataclasses.replace(config, **{head: _set(getattr(config, head), rest, value, where)})
    kind = _kinds(config.__class__)[head]
    return dataclasses.replace(config, **{head: _coerce(value, kind, f"{where}: {head}")})


@cache
def _kinds(section: type) -> dict[str, Any]:
    """Type of each setting of a section; to work them out takes longer than to check them."""
    return get_type_hints(section)


def _coerce(value: Any, kind: Any, where: str) -> Any:
    origin = get_origin(kind)
    if origin is Literal:
        if value not in get_args(kind):
            raise ConfigError(f"{where} is {value!r}; it may be {', '.join(map(repr, get_args(kind)))}")
        return value
    if origin is tuple:
        items = value if isinstance(value, (list, tuple)) else [value]
        inner = get_args(kind)
        fixed = Ellipsis not in inner
        if fixed and len(items) != len(inner):
            raise ConfigError(f"{where} takes {len(inner)} values, but {len(items)} were given")
        return tuple(_coerce(item, inner[i if fixed else 0], where) for i, item in enumerate(items))
    if origin in (Union, types.UnionType):
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            return float(value)
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind is str and not isinstance(value, str):
        return str(value)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise ConfigError(f"{where} is {value!r}; expected {kind.__name__}")
    return value


def _check(config: Config) -> None:
    """Values that no run can have, caught before anything is read."""
    for fault in outside(dict(flatten(config.to_dict()))):
        raise ConfigError(fault)
    if not 0 < config.halp.hardness <= 1:
        raise ConfigError(f"halp.hardness is {config.halp.hardness}; lambda lies in (0, 1]")
    if not config.streams or len(set(config.streams)) < len(config.streams):
        raise ConfigError(f"streams are {', '.join(config.streams) or 'none'}; name one or more, each once")
    for name, (low, high) in (("views.crop", config.views.crop), ("multicrop.crop", config.multicrop.crop)):
        if not 0 < low <= high <= 1:
            raise ConfigError(f"{name} is {(low, high)}; expected 0 < low <= high <= 1")
