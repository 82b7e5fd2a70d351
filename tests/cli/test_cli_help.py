"""The help of every command has examples, and every example is a command that this program understands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator

import click
import pytest
from terminal import halpose

from halpose.cli import cli
from halpose.data.catalog import DATASETS
from halpose.settings import recipe_names


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that call it."""
    yield path, group
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


ALL = dict(commands(cli))
Call = tuple[tuple[str, ...], dict[str, object]]


def examples(words: tuple[str, ...]) -> list[list[str]]:
    text = halpose(*words, "--help").out
    return [shlex.split(line)[1:] for line in re.findall(r"^ +(halpose .*)$", text, flags=re.MULTILINE)]


def recorder(called: list[Call], words: tuple[str, ...]) -> Callable[..., None]:
    """Stands for a command and remembers how it was called."""
    return lambda **given: called.append((words, given))


def test_every_command_is_there() -> None:
    wanted = ["demo", "data", "data list", "data prepare", "data synthesize", "data info", "train", "evaluate"]
    assert set(wanted) <= {" ".join(words) for words in ALL}


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help_has_examples_that_parse(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Call] = []
    for name, command in ALL.items():
        if not isinstance(command, click.Group):
            monkeypatch.setattr(command, "callback", recorder(called, name))
    found = examples(words)
    assert found, "no example"
    for example in found:
        outcome = halpose(*example)
        assert outcome.code == 0, outcome.err
    assert len(called) == len(found)
    for name, given in called:
        assert name[: len(words)] == words
        assert given.get("recipe") in (None, *recipe_names())
        if name[0] == "data" and name[1] in ("prepare", "list"):
            assert given["name"] in (None, *DATASETS)


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_option_is_explained_and_json_and_debug_are_everywhere(words: tuple[str, ...]) -> None:
    command = ALL[words]
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    assert [option.name for option in options if not option.help] == []
    flags = {flag for option in options for flag in option.opts}
    assert "--debug" in flags
    assert "--json" in flags or isinstance(command, click.Group)


def test_no_command_at_all_shows_the_help() -> None:
    outcome = halpose()
    assert "halpose demo" in outcome.out + outcome.err and "Traceback" not in outcome.err
    assert halpose("-h").out == halpose("--help").out
    assert halpose("data", "-h").out == halpose("data", "--help").out
