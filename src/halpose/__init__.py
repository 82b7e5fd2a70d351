"""halpose learns what human movements are from skeleton recordings that nobody labelled.

The public names below are imported when they are first used: importing halpose loads neither torch nor scikit-learn.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from halpose.api import Embedder
    from halpose.config import Config
    from halpose.data.own import prepare_own
    from halpose.data.prepare import prepare
    from halpose.data.store import Store, StoreWriter
    from halpose.engine.run import Run
    from halpose.engine.trainer import train
    from halpose.errors import HalposeError
    from halpose.evaluate.run import evaluate_run
    from halpose.io import read
    from halpose.settings import load_recipe, override_text
    from halpose.skeleton import Layout, Sequence, load_layout

__version__ = "0.1.0"

_PUBLIC = {
    "Config": "halpose.config",
    "Embedder": "halpose.api",
    "HalposeError": "halpose.errors",
    "Layout": "halpose.skeleton",
    "Run": "halpose.engine.run",
    "Sequence": "halpose.skeleton",
    "Store": "halpose.data.store",
    "StoreWriter": "halpose.data.store",
    "evaluate_run": "halpose.evaluate.run",
    "load_layout": "halpose.skeleton",
    "load_recipe": "halpose.settings",
    "override_text": "halpose.settings",
    "prepare": "halpose.data.prepare",
    "prepare_own": "halpose.data.own",
    "read": "halpose.io",
    "train": "halpose.engine.trainer",
}

__all__ = [
    "Config",
    "Embedder",
    "HalposeError",
    "Layout",
    "Run",
    "Sequence",
    "Store",
    "StoreWriter",
    "evaluate_run",
    "load_layout",
    "load_recipe",
    "override_text",
    "prepare",
    "prepare_own",
    "read",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'halpose' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
