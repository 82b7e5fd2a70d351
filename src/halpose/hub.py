"""Runs on the Hugging Face Hub: pushed without anything that is not needed to use them, loaded by name.

What travels is safetensors, JSON and the model card; nothing of it is code, and nothing names files of this machine.
The optimizer stays at home: a run from the hub can be used and forked, but not resumed.
"""

from __future__ import annotations

import importlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from halpose.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from halpose.engine.run import Run

PREFIX = "hf:/"
"""What a run's name begins with that lies on the hub; a path makes one slash of the two in `hf://`."""

ALLOWED = ("*.safetensors", "*.json", "*.md")
_PATHS = frozenset(("run", "runs", "path", "store"))  # keys whose values may be paths of this machine


def from_pretrained(name: str, folder: Path | None = None, revision: str | None = None, device: str = "cpu") -> Run:
    """A run from the hub.

    Args:
        name: OWNER/NAME, with or without `hf://`.
        folder: where to keep it; the hub's own cache if not given.
        revision: branch, tag or commit; the newest if not given.
        device: auto, cpu, cuda or cuda:N.

    Raises:
        ConfigError: this is no name, or huggingface_hub is not installed (extra `hub`).
        CheckpointError: it cannot be had, or is no run.
    """
    from halpose.engine.device import resolve_device
    from halpose.engine.run import Run

    return Run.load(fetch(name, folder, revision), resolve_device(device))


def fetch(name: str, folder: Path | None = None, revision: str | None = None) -> Path:
    """The directory of a run of the hub, downloaded if it is not here yet.

    Raises:
        ConfigError: this is no name, or huggingface_hub is not installed (extra `hub`).
        CheckpointError: it cannot be had.
    """
    repository = _repository(name)
    hub = _package()
    try:
        found = hub.snapshot_download(
            repo_id=repository, revision=revision, allow_patterns=list(ALLOWED),
            local_dir=None if folder is None else str(folder),
        )  # fmt: skip
    except Exception as error:  # whatever network, server and name do to each other
        raise CheckpointError(
            f"hf://{repository}: cannot be had from the hub ({_first_line(error)}); look at the name and the network, "
            "and `hf auth login` first if it is private"
        ) from error
    return Path(found)


def push_to_hub(run: Path, name: str, private: bool = True, message: str = "") -> str:
    """Put a run on the hub: card, settings, newest weights, scores and heads.

    Args:
        run: its directory.
        name: OWNER/NAME; made if it is not there.
        private: whether only its owner sees it.
        message: of the commit.

    Returns:
        Its address.

    Raises:
        ConfigError: this is no name, or huggingface_hub is not installed (extra `hub`).
        CheckpointError: this is no run, or the hub refuses it.
    """
    repository = _repository(name)
    hub = _package()
    with stage(run, repository) as folder:
        try:
            api = hub.HfApi()
            made = api.create_repo(repo_id=repository, private=private, exist_ok=True)
            api.upload_folder(
                repo_id=repository, folder_path=str(folder), allow_patterns=list(ALLOWED),
                commit_message=message or f"halpose run {run.resolve().name}",
            )  # fmt: skip
        except Exception as error:  # likewise
            raise CheckpointError(
                f"hf://{repository}: the hub does not take it ({_first_line(error)}); `hf auth login` with a token "
                "that may write"
            ) from error
    return str(made)


@contextmanager
def stage(run: Path, name: str = "OWNER/NAME") -> Iterator[Path]:
    """A temporary directory that holds what of a run travels.

    Args:
        run: its directory.
        name: that it will have, for the card.

    Raises:
        CheckpointError: this is no run directory, or it has no checkpoint.
    """
    from safetensors.torch import save_file

    from halpose.engine.checkpoint import load_checkpoint
    from halpose.engine.run import read_run_config
    from halpose.model_card import FILE, model_card, write_card

    read_run_config(run)
    checkpoint = load_checkpoint(run)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "run"
        target = folder / checkpoint.path.relative_to(run)
        target.mkdir(parents=True)
        shutil.copyfile(checkpoint.path / "weights.safetensors", target / "weights.safetensors")
        # Without optimizer and generators: the file has to be there, and a fork draws anew.
        save_file({}, target / "training.safetensors")
        _copy_json(checkpoint.path / "checkpoint.json", target / "checkpoint.json", device="none")
        for file in (run / "config.json", run / "run.json", *sorted(run.glob("evaluation-*.json"))):
            if file.exists():
                _copy_json(file, folder / file.name)
        for file in sorted((run / "heads").glob("[!.]*/head.*")):
            (folder / file.relative_to(run)).parent.mkdir(parents=True, exist_ok=True)
            if file.suffix == ".json":
                _copy_json(file, folder / file.relative_to(run))
            elif file.suffix == ".safetensors":
                shutil.copyfile(file, folder / file.relative_to(run))
        write_card(run)
        card = (run / FILE).read_text(encoding="utf-8") if (run / FILE).exists() else model_card(run)
        (folder / FILE).write_text(card.replace("OWNER/NAME", name), encoding="utf-8")
        yield folder


def _copy_json(source: Path, target: Path, **changed: Any) -> None:
    """A JSON file, its paths cut to their last part."""
    content = json.loads(source.read_text(encoding="utf-8")) | changed
    target.write_text(json.dumps(_named(content), indent=2) + "\n", encoding="utf-8")


def _named(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _named(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_named(item, key) for item in value]
    return Path(value).name if key in _PATHS and isinstance(value, str) else value


def _repository(name: str) -> str:
    repository = name.removeprefix(PREFIX).strip("/")
    owner, _, rest = repository.partition("/")
    if not owner or not rest or "/" in rest or repository != repository.strip():
        raise ConfigError(f"{name!r} is no name of the hub; it has an owner and a name: hf://OWNER/NAME")
    return repository


def _package() -> Any:
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError:
        raise ConfigError("the hub needs huggingface_hub: pip install 'halpose[hub]'") from None


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
