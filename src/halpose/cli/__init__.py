"""The command line: parses, calls, prints. No logic."""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

import click

import halpose
from halpose.errors import HalposeError

# Command -> (module, function, one line of help). Modules are imported when their command is used, so that
# `halpose --help` needs neither torch nor scikit-learn.
COMMANDS = {
    "demo": ("halpose.cli.demo", "demo", "The main job end to end, in under five minutes."),
    "data": ("halpose.cli.data", "data", "List, prepare, synthesize and inspect data sets."),
    "train": ("halpose.cli.train", "train", "Pre-train an encoder on a store, without labels."),
    "evaluate": ("halpose.cli.evaluate", "evaluate", "Score a run against untrained and raw features."),
    "recipes": ("halpose.cli.train", "recipes", "List the recipes, or show one."),
}


class LazyGroup(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Names, in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command, imported."""
        if name not in COMMANDS:
            return None
        module, function, _ = COMMANDS[name]
        command = getattr(importlib.import_module(module), function)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, _, about) in COMMANDS.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(halpose.__version__, prog_name="halpose")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Learn what human movements are, from skeleton recordings that nobody labelled.

    \b
    Begin with:
      halpose demo
      halpose data list
      halpose data prepare utd-mhad --source FOLDER --out stores/utd-mhad
      halpose train stores/utd-mhad --recipe utd-mhad-halp --out runs/utd
      halpose evaluate runs/utd --on stores/utd-mhad
    """


def main(arguments: list[str] | None = None) -> None:
    """Entry point: our own errors and click's end with one message and code 2, Ctrl-C with 130."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        cli.main(args=given, prog_name="halpose", standalone_mode=False)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        sys.exit(130)
    except HalposeError as error:
        if "--debug" in given:
            raise
        click.echo(f"{type(error).__name__}: {error}", err=True)
        if "--json" in given:
            click.echo(json.dumps({"error": str(error), "kind": type(error).__name__}))
        sys.exit(2)


def print_json(content: dict[str, Any]) -> None:
    """One object on one line of stdout: what `--json` promises, NaN written as null."""
    click.echo(json.dumps(_plain(content), allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on the last line of stdout.")
