"""`halpose card` and `halpose push`."""

from __future__ import annotations

from pathlib import Path

import click

from halpose.cli import common_options, print_json
from halpose.cli.console import command, remark, show


@click.command(short_help="Write a run's model card, README.md.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Also replace a README that halpose did not write.")
@common_options
def card(run: Path, overwrite: bool, as_json: bool) -> None:
    """Write a run's model card: data, method, settings, scores found beside it, terms, what it is for and what not.

    Training and scoring do so by themselves. What stands below the heading Notes is kept.

    \b
    Examples:
      halpose card runs/utd
    """
    from halpose.errors import ConfigError
    from halpose.model_card import FILE, write_card

    file = write_card(run, overwrite)
    if file is None:
        raise ConfigError(f"{run / FILE} was not written by halpose and is left alone; --overwrite replaces it")
    show(f"the card: {file}", as_json)
    if as_json:
        print_json({"run": str(run), "card": str(file)})


@click.command(short_help="Put a run on the Hugging Face Hub.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("name", metavar="OWNER/NAME")
@click.option("--public", is_flag=True, help="Seen by everybody. Default: by its owner only.")
@click.option("--message", default="", help="Of the commit.")
@click.option("--dry-run", is_flag=True, help="Say what would travel, and send nothing.")
@common_options
def push(run: Path, name: str, public: bool, message: str, dry_run: bool, as_json: bool) -> None:
    """Put a run on the Hugging Face Hub: card, settings, newest weights, scores and heads; no code, no paths.

    Then its name can be given wherever a run is: hf://OWNER/NAME.

    \b
    Examples:
      halpose push runs/utd me/utd-halp --dry-run
      halpose push runs/utd me/utd-halp
      halpose push runs/utd me/utd-halp --public
    """
    from halpose.hub import push_to_hub, stage

    with stage(run, name) as folder:
        files = {str(file.relative_to(folder)): file.stat().st_size for file in sorted(folder.rglob("*.*"))}
    for file, size in files.items():
        remark(f"{size:>12,}  {file}")
    address = "" if dry_run else push_to_hub(run, name, private=not public, message=message)
    show(address or f"{len(files)} files, {sum(files.values()) / 1e6:.1f} MB: nothing was sent", as_json)
    if address:
        remark(f"next: {command('embed', f'hf://{name}', 'FILES', '-o', 'emb.npz')}")
    if as_json:
        print_json({"run": str(run), "name": name, "address": address, "public": public, "files": files})
