"""The command line: parses, calls, prints. No logic."""

from __future__ import annotations

import difflib
import functools
import importlib
import json
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, cast

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
    "view": ("halpose.cli.view", "view", "Watch a clip: a page that turns and plays, a GIF or an MP4."),
    "embed": ("halpose.cli.embed", "embed", "Vectors of recordings, whole or in windows."),
    "search": ("halpose.cli.search", "search", "Find the recordings that move most like one."),
    "report": ("halpose.cli.report", "report", "One page of a run: data, curves, scores, maps, neighbours."),
    "compare": ("halpose.cli.compare", "compare", "Several runs side by side: settings, curves, scores, cost."),
    "import": ("halpose.cli.weights", "import_weights", "Make a run of a checkpoint of the published code."),
    "fit-head": ("halpose.cli.heads", "fit_head", "A classifier from a few labels, which knows when it does not know."),
    "predict": ("halpose.cli.heads", "predict", "What a head says of recordings: a class, or unknown."),
    "export": ("halpose.cli.export", "export", "Write a run as one graph: ONNX, or a torch program."),
    "card": ("halpose.cli.share", "card", "Write a run's model card, README.md."),
    "push": ("halpose.cli.share", "push", "Put a run on the Hugging Face Hub."),
    "export-weights": ("halpose.cli.weights", "export_weights", "Write a run's weights as the published code does."),
    "bench": ("halpose.cli.bench", "bench", "Measure what this machine can do: its card."),
    "ablate": ("halpose.cli.ablate", "ablate", "Run one of the paper's ablations on a store."),
    "recipes": ("halpose.cli.train", "recipes", "List the recipes, or show one."),
}
INTERRUPTED = 130  # what shells expect of a program that Ctrl-C ended

_Command = TypeVar("_Command", bound=Callable[..., Any])

# `main` looks for this word itself: an error is shown where every command ends, not where the option was read.
debug_option = click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
_json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on the last line of stdout, the rest on stderr."
)


def common_options(command: _Command) -> _Command:
    """`--json` (given as `as_json`) and `--debug`: what every command takes."""
    return _json_option(debug_option(command))


def _use_threads(context: click.Context, option: click.Parameter, count: int | None) -> None:
    if count:
        import torch

        torch.set_num_threads(count)


_device_option = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
_threads_option = click.option(
    "--threads", type=click.IntRange(min=1), callback=_use_threads, expose_value=False,
    help="CPU threads. Default: all cores.",
)  # fmt: skip


def machine_options(command: _Command) -> _Command:
    """`--device` (given as written) and `--threads` (seen to): what every command takes that trains or scores."""
    return _device_option(_threads_option(command))


_how_read = (
    click.option("--layout", help="Joints of files that do not name theirs: a name, a .toml file, a recording."),
    click.option("--format", help="Of the files. Default: found out by itself."),
    click.option("--fps", default=0.0, type=click.FloatRange(min=0), help="Where a recording does not say."),
)
_how_cut = (
    click.option("--window", help="Cut recordings into windows of so long: 2s, 500ms. Default: whole."),
    click.option("--stride", help="From one window to the next. Default: as long as a window."),
)


def reading_options(windows: bool) -> Callable[[_Command], _Command]:
    """`--layout`, `--format` and `--fps`, given as one `reading`: what every command takes that reads recordings.

    Args:
        windows: with `--window` and `--stride`.
    """

    def with_options(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def gathered(
            *,
            layout: str | None,
            format: str | None,
            fps: float,
            window: str | None = None,
            stride: str | None = None,
            **others: Any,
        ) -> Any:
            from halpose.inference.clips import seconds_of
            from halpose.inference.sources import Reading

            lengths = (seconds_of(length) if length else 0.0 for length in (window, stride))
            return command(reading=Reading(layout, format, fps, *lengths), **others)

        options = (*(_how_cut if windows else ()), *_how_read)
        return functools.reduce(lambda made, option: option(made), reversed(options), gathered)

    return cast("Callable[[_Command], _Command]", with_options)


class HelpfulGroup(click.Group):
    """A group that names the nearest command where one is unknown."""

    def resolve_command(
        self, context: click.Context, words: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant."""
        known = self.list_commands(context)
        if words and words[0] not in known and not words[0].startswith("-"):
            near = difflib.get_close_matches(words[0], known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise click.UsageError(f"No such command {words[0]!r}; {hint}", context)
        return super().resolve_command(context, words)


class LazyGroup(HelpfulGroup):
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
@debug_option
def cli() -> None:
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
    """Entry point: whatever went wrong in one message and code 2; Ctrl-C ends with 130.

    `--debug` shows the traceback before the message. With `--json`, the last line of stdout is an object then, too.
    """
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = cli.main(args=given, prog_name="halpose", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        _end(given, {"error": error.format_message(), "kind": "UsageError"}, 2)
    except (click.Abort, KeyboardInterrupt) as stop:
        message = str(stop.__cause__ or stop) or "stopped"  # click wraps the interrupt, which may say more
        click.echo(message, err=True)
        _end(given, {"error": message, "kind": "Stopped"}, INTERRUPTED)
    except HalposeError as error:
        _fail(given, type(error).__name__, str(error))
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        _fail(given, "OSError", f"{where}{error.strerror or error}; give a place that can be read and written")
    except MemoryError as error:
        _fail(given, "MemoryError", f"{error or 'there is not enough memory'}; work on less at a time")
    else:
        if isinstance(code, int) and code:
            sys.exit(code)


def _fail(given: list[str], kind: str, message: str) -> NoReturn:
    """Say what went wrong, and leave with code 2."""
    if "--debug" in given:
        traceback.print_exc()
    click.echo(f"{kind}: {message}", err=True)
    _end(given, {"error": message, "kind": kind}, 2)


def _end(given: list[str], report: dict[str, Any], code: int) -> NoReturn:
    """Tell a script that listens, and leave."""
    if "--json" in given:
        print_json(report)
    sys.exit(code)


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
