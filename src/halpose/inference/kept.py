"""What an `Embedder` keeps in its run directory beside the run: how recordings are read, and which were fitted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from halpose.engine.checkpoint import write_json
from halpose.errors import CheckpointError, ConfigError
from halpose.inference.embed import Embeddings
from halpose.inference.embedding_file import load_embeddings, save_embeddings
from halpose.skeleton import Layout

PARAMETERS, INDEX = "embedder.json", "index.npz"


def write_parameters(run: Path, parameters: Mapping[str, Any], index: Embeddings | None) -> None:
    """Keep an estimator's parameters, and the embeddings of what it was fitted on."""
    table = {name: plain(value) for name, value in parameters.items()}
    write_json(run / PARAMETERS, table)
    if index is not None:
        save_embeddings(run / INDEX, index)


def read_parameters(run: Path) -> dict[str, Any]:
    """What `write_parameters` kept; nothing of a run that no estimator made.

    Raises:
        CheckpointError: the file is damaged.
    """
    file = run / PARAMETERS
    if not file.exists():
        return {}
    try:
        table = dict(json.loads(file.read_text(encoding="utf-8")))
        if isinstance(table["layout"], dict):
            table["layout"] = Layout.from_dict(table["layout"], str(file))
        if isinstance(table["streams"], list):
            table["streams"] = tuple(table["streams"])
        return table
    except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
        raise CheckpointError(f"{file}: damaged ({error!r}); delete it to load the run without it") from None


def read_index(run: Path) -> Embeddings | None:
    """Embeddings of what was fitted, if they were kept.

    Raises:
        DataError: the file is damaged.
    """
    return load_embeddings(run / INDEX) if (run / INDEX).exists() else None


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write_contents(folder: Path, files: Mapping[str, bytes]) -> None:
    """The inverse of `contents`."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def plain(value: Any) -> Any:
    """A parameter as JSON has it: NumPy's numbers, as a grid search gives them, are Python's."""
    if isinstance(value, Layout):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {name: plain(entry) for name, entry in value.items()}
    return str(value) if isinstance(value, Path) else value.item() if isinstance(value, np.generic) else value
