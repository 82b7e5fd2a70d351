"""The documentation says what is so: commands parse, names exist, numbers are the catalogue's, links lead somewhere,
and every Python block runs."""

from __future__ import annotations

import pkgutil
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from halpose import encoders, evaluate, io, methods
from halpose.cli import cli, main
from halpose.config import Config
from halpose.data import catalog
from halpose.errors import ConfigError
from halpose.evaluate.run import parse_protocols
from halpose.settings import flatten, known_keys, load_recipe, override, override_text, recipe_names
from halpose.skeleton import Layout, layout_names
from halpose.toml import load_toml
from pages import PAGES, ROOT, Block, Page, Table, code, page

BLOCKS = [block for found in PAGES for block in found.blocks]
SHELL = [block for block in BLOCKS if block.language in ("bash", "console")]
TABLES = [table for found in PAGES for table in found.tables]
REGISTRIES = (methods.METHODS, encoders.ENCODERS, evaluate.EVALUATIONS, evaluate.TUNINGS, io.FORMATS, catalog.DATASETS)
LAUNCHERS = ("torchrun", "srun")
SECTION = "|".join(sorted({key.split(".")[0] for key in known_keys() if "." in key}))

# What a table's column of this name may hold between backticks, and whether the page must list all of it.
NAMED: dict[str, tuple[Any, str]] = {
    "recipe": (recipe_names(), "docs/recipes.md"),
    "data set": (catalog.DATASETS, "docs/data.md"),
    "format": (io.FORMATS, "docs/data.md"),
    "layout": (layout_names(), "docs/data.md"),
    "encoder": (encoders.ENCODERS, "docs/encoders-and-views.md"),
    "method": (methods.METHODS, "docs/method.md"),
    "protocol": ({**evaluate.EVALUATIONS, **evaluate.TUNINGS}, "docs/evaluation.md"),
    "setting": (known_keys(), ""),
}


def commands(block: Block) -> list[list[str]]:
    """The words after `halpose`, whether it is started by itself or by a launcher."""
    started = [words for words in block.commands if words[0] in ("halpose", *LAUNCHERS)]
    return [words[words.index("halpose") + 1 :] for words in started]


def find(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that words name, and what is left of them."""
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        assert found, f"halpose has no command {words[0]!r}"
        command, words = found, words[1:]
    return command, words


def parse(words: list[str]) -> tuple[str, dict[str, Any]]:
    """Let click read a command without running it: its name and parameters."""
    command, rest = find(words)
    try:
        context = command.make_context(command.name, list(rest))
    except click.exceptions.Exit:  # --help and --version say what they have to say and end
        return str(command.name), {}
    return str(command.name), context.params


def options(command: click.Command) -> set[str]:
    given = {option for parameter in command.params for option in parameter.opts if option.startswith("-")}
    return given | {"--help", "-h"}


def every_command(command: click.Command = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield " ".join(path), command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found
        yield from every_command(found, (*path, name))


def is_placeholder(word: str) -> bool:
    return word.isupper() or "…" in word


def test_the_parser_of_this_test_refuses_what_halpose_refuses() -> None:
    assert parse(["train", "s", "--out", "r"])[0] == "train"
    for words in (
        ["train", "s"],
        ["train", "s", "--out", "r", "--stepz", "3"],
        ["data", "prepare", "ntu60", "--out", "s"],
    ):
        with pytest.raises(click.UsageError):
            parse(words)
    with pytest.raises(AssertionError, match="no command 'tune'"):
        parse(["tune"])


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_commands_parse(block: Block) -> None:
    for words in commands(block):
        name, given = parse(words)
        data_set = given.get("name") if name in ("list", "prepare") else None
        assert data_set is None or is_placeholder(data_set) or data_set in catalog.DATASETS, data_set
        recipe = given.get("recipe") or (given.get("name") if name == "recipes" else None) or "halp"
        if not recipe.endswith(".toml"):
            override_text(load_recipe(recipe), given.get("assignments", ()))
        if name == "evaluate":
            parse_protocols([word for word in given["names"].split(",") if word])


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_other_commands_name_what_exists(block: Block) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    for words in block.commands:
        program = words[0].rsplit("/", 1)[-1]
        if program == "make":
            assert set(words[1:]) <= set(targets)
        elif program.startswith("python") and words[1].endswith(".py"):
            script = (ROOT / words[1]).read_text()
            assert all(f'"{word}"' in script for word in words[2:] if word.startswith("--")), words
        else:
            assert program in ("halpose", ".", "python", "python3", *LAUNCHERS), words


@pytest.mark.parametrize("found", PAGES, ids=lambda found: str(found.path.relative_to(ROOT)))
def test_names_in_the_text_exist(found: Page) -> None:
    known = {option for _, command in every_command() for option in options(command)} | options(cli)
    for word in found.inline:
        if word.startswith("halpose "):
            command, rest = find([part for part in word.split()[1:] if not is_placeholder(part)])
            assert {part for part in rest if part.startswith("-")} <= options(command) | options(cli), word
        elif word.startswith("--"):
            assert word.split()[0] in known, word
        elif re.fullmatch(r"(src|tests|benchmarks|docs)/[\w./-]+", word):
            assert (ROOT / word).exists(), word
        elif re.fullmatch(r"halpose(\.\w+)+", word):
            pkgutil.resolve_name(word)
        elif match := re.fullmatch(rf"((?:{SECTION})\.\w+)( ?= ?(?P<value>.+))?", word):
            assert match[1] in known_keys(), word
            if match["value"]:
                override_text(Config(), (f"{match[1]}={match['value']}",))


@pytest.mark.parametrize("found", PAGES, ids=lambda found: str(found.path.relative_to(ROOT)))
def test_links_lead_somewhere(found: Page) -> None:
    for link in found.links:
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = (found.path.parent / name).resolve() if name else found.path
        assert target.exists(), link
        assert not anchor or anchor in Page(target).anchors, link


def test_no_page_knows_of_a_machine() -> None:
    for path in [*(found.path for found in PAGES), ROOT / ".ci" / "run", ROOT / "Makefile"]:
        assert not re.search(r"(?<![\w.~])/(work|tmp|home|root|mnt|Users)/", path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize("column", NAMED)
def test_tables_name_what_exists_and_all_of_it(column: str) -> None:
    known, home = NAMED[column]
    listed: dict[str, set[str]] = {}
    for table in TABLES:
        for cell in table.column(column) if column in table.columns else ():
            names = {name.split(" = ")[0] for name in code(cell)}
            assert names <= set(known), f"{table.page.name}, {table.heading}: {sorted(names - set(known))}"
            listed.setdefault(str(table.page.relative_to(ROOT)), set()).update(names)
    complete = listed[home] if home else set().union(*listed.values())
    assert set(known) <= complete, sorted(set(known) - complete)


def test_settings_have_the_default_that_the_tables_give() -> None:
    defaults = dict(flatten(Config().to_dict()))
    for table in TABLES:
        if {"setting", "default"} <= set(table.columns):
            for cell, default in zip(table.column("setting"), table.column("default"), strict=True):
                assert same(defaults[code(cell)[0]], default.strip("`")), f"{cell}: {defaults[code(cell)[0]]!r}"


def same(value: Any, text: str) -> bool:
    """Whether a default is what is written, numbers to the places that are written."""
    parts = value if isinstance(value, tuple | list) else [value]
    words = [part.strip() for part in text.split(",")]
    return len(parts) == len(words) and all(map(_same, parts, words))


def _same(value: Any, word: str) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value).lower() == word if isinstance(value, bool) else value == word
    return bool(word) and round(value, len(word.partition(".")[2])) == float(word)


def test_every_option_of_every_command_is_explained() -> None:
    explained = {table.heading: table for table in page("docs/commands.md").tables}
    for path, command in every_command():
        table = explained[f"halpose {path}"]
        named = {option for cell in table.column("option") for option in code(cell)}
        assert named == options(command) - {"--help", "-h", "--debug"}, path
        required = {max(p.opts, key=len) for p in command.params if p.required and p.param_type_name == "option"}
        shown = dict(zip(table.column("option"), table.column("default"), strict=True))
        marked = {max(code(cell), key=len) for cell, default in shown.items() if default == "required"}
        assert marked == required, path


def number(cell: str) -> int | None:
    return int(cell.replace(" ", "")) if cell[0].isdigit() else None


def test_data_sets_have_the_counts_of_the_catalogue() -> None:
    sets, splits = (t for t in page("docs/data.md").tables if t.heading in ("What halpose knows", "Splits"))
    assert {code(row[0])[0] for row in sets.rows} == set(catalog.DATASETS) <= set(page("docs/data-sets.md").headings)
    for cells in sets.rows:
        spec = catalog.DATASETS[code(cells[0])[0]]
        found = (cells[1], number(cells[2]), number(cells[3]), code(cells[4])[0], number(cells[5]))
        assert found == (spec.title, len(spec.classes), spec.clips, spec.layout, spec.people)
    listed = {(code(row[0])[0], code(row[1])[0]): (number(row[2]), number(row[3])) for row in splits.rows}
    expected = {
        (name, split): spec.counts.get(split, (None, None))
        for name, spec in catalog.DATASETS.items()
        for split in spec.splits
    }
    assert listed == expected


def test_messages_of_the_symptoms_are_ours() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    quoted = [
        match for heading in page("docs/troubleshooting.md").headings for match in re.findall('^"(.+)"$', heading)
    ]
    assert len(quoted) > 15
    assert [message for message in quoted if message not in source] == []


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "toml"], ids=str)
def test_toml_is_a_recipe_or_a_layout(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(block.text, encoding="utf-8")
    if "joints" in load_toml(file):
        assert len(Layout.from_dict(load_toml(file))) > 1
    else:
        assert load_recipe(file) != load_recipe(load_toml(file)["base"])
        with pytest.raises(ConfigError, match="no setting"):
            override(Config(), {"nothing": 1})


# In these, Python goes on where commands stopped: tests/test_tutorials.py runs both, in order.
TUTORIALS = ("own-bvh.md", "own-poses.md")
WITH_PYTHON = [
    found
    for found in PAGES
    if found.path.name not in TUTORIALS and any(block.language == "python" for block in found.blocks)
]


@pytest.mark.parametrize("found", WITH_PYTHON, ids=lambda found: found.path.name)
def test_python_blocks_run(found: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a page, one after another in an empty folder; what they register is taken back."""
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType(f"page_{found.path.stem.replace('-', '_')}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    before = [dict(registry) for registry in REGISTRIES]
    try:
        for block in found.blocks:
            if block.language == "python":
                exec(compile(block.text, f"block at {block}", "exec"), module.__dict__)
    finally:
        for registry, rows in zip(REGISTRIES, before, strict=True):
            registry.clear()  # type: ignore[attr-defined]
            registry.update(rows)  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["docs/start.md", "docs/commands.md"])
def test_commands_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HALPOSE_DATA", raising=False)
    for block in page(name).blocks:
        for words in commands(block) if block.language == "bash" else ():
            try:
                main(words)
            except SystemExit as ended:
                assert not ended.code, words


def test_the_continuous_check_runs_what_it_should() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111 == 0o111
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text()
    assert "set -euo pipefail" in text and "for target in check test demo" in text
    ignored = (ROOT / ".gitignore").read_text().split()
    assert f"/{parse(['demo'])[1]['out']}/" in ignored


def test_the_tables_helper_reads_a_table() -> None:
    text = "# A\n\n| x | y |\n| --- | --- |\n| `1` | a \\| b |\n"
    found = Page(ROOT / "none.md")
    found.__dict__["text"] = text
    assert list(found.tables) == [Table(found.path, "A", ("x", "y"), (("`1`", "a \\| b"),))]
