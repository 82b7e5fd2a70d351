"""The scores of a run: those that `halpose evaluate` left beside it, and what is still missing of the usual ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from halpose.data.store import Store
from halpose.data.store_files import META
from halpose.engine.run import Run
from halpose.errors import ConfigError, DataError
from halpose.evaluate.base import Progress, Settings, silent
from halpose.evaluate.result import Result
from halpose.evaluate.run import FEATURES, PROTOCOLS, RAW_PROTOCOLS, SEEN, evaluate_run

Row = Mapping[str, Any]


def all_scores(run: Path, step: int) -> list[dict[str, Any]]:
    """Rows of every `evaluation-*.json` of a run, with the data set, the store, and the streams where not all.

    A file that cannot be read is passed over: what it held can be scored again.

    Args:
        run: its directory.
        step: of the checkpoint that is looked at; scores of an earlier one are left out.
    """
    rows = []
    for file in sorted(run.glob("evaluation-*.json")):
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            if content["steps"] != step:
                continue
            for row in content["results"]:
                end = f"evaluation-{content['data_set']}-{row['split']}-{row['part']}"
                streams = file.stem.removeprefix(end).lstrip("-").replace("-", ", ").replace("+", ":")
                about = {"data_set": content["data_set"], "store": content["store"], "streams": streams}
                rows.append(Result.from_dict(row).to_dict() | about)
        except (OSError, ValueError, KeyError, TypeError, DataError):
            continue
    return rows


def kept_scores(run: Path, data_set: str, step: int) -> list[dict[str, Any]]:
    """The rows of one data set."""
    return [row for row in all_scores(run, step) if row["data_set"] == data_set]


def missing_scores(rows: Sequence[Row], split: str) -> list[tuple[str, tuple[str, ...]]]:
    """What `halpose evaluate` would score by itself and is not among the rows: kind of features -> protocols."""
    there = {(row["features"], row["protocol"]) for row in rows if _is_plain(row, split)}
    wanted = []
    for kind in FEATURES:
        usual = [name for name in PROTOCOLS if kind != "raw" or name in RAW_PROTOCOLS]
        lacking = tuple(name for name in usual if (kind, name) not in there)
        if lacking:
            wanted.append((kind, lacking))
    return wanted


def run_scores(
    run: Run, store: Store, split: str, device: torch.device | str = "cpu", progress: Progress = silent
) -> list[dict[str, Any]]:
    """All scores of a run's test part: the usual ones first, scored now where they are missing.

    Args:
        run: the run, on `device`.
        store: labelled recordings.
        split: of the store.
        device: where to compute.
        progress: told what is being worked on.

    Raises:
        ConfigError, DataError: as `evaluate_run`.
    """
    rows = kept_scores(run.path, store.name, run.step)
    found: list[dict[str, Any]] = []
    for kind, protocols in missing_scores(rows, split):
        results = evaluate_run(
            run, store, split=split, protocols=protocols, kinds=(kind,), device=device, progress=progress,
            settings=Settings(device=str(device)),
        )  # fmt: skip
        found += [result.to_dict() | {"data_set": store.name, "streams": ""} for result in results]
    rows = found + [row for row in rows if _is_plain(row, split)] + [row for row in rows if not _is_plain(row, split)]
    order = [(protocol, kind) for protocol in PROTOCOLS for kind in (*FEATURES, SEEN)]
    usual = [row for row in rows if _is_plain(row, split) and (row["protocol"], row["features"]) in order]
    usual.sort(key=lambda row: order.index((row["protocol"], row["features"])))
    others = [row for row in rows if row not in usual and row["split"] == split and row["part"] == "test"]
    return usual + others


def trained_store(run: Run) -> Path:
    """Where the store lies that a run was trained on.

    Raises:
        ConfigError: the run does not say, or it is not there any more.
    """
    path = Path(str(run.about.get("store", {}).get("path", "")))
    if not (path / META).exists():
        raise ConfigError(f"{run.path}: the store that it was trained on is not at {path}; name one with --on")
    return path


def chosen_split(run: Run, store: Store, split: str = "") -> str:
    """The split that is meant: the one named, the run's own, the store's first; "" where nothing can be scored.

    Raises:
        ConfigError: the store has no split of that name.
    """
    if split:
        store.part(split, "test")
        return split
    if not store.classes or not (store.clips.label >= 0).any():
        return ""
    own = run.config.data.split
    usual = str(store.meta["provenance"].get("default_split") or "")
    found = next((name for name in (own, usual, *store.splits) if name in store.splits), "")
    return found if found and len(store.part(found, "test")) else ""


def shown_rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows as the page takes them: where only some streams were scored, the split says which."""
    return [
        {**row, "split": f"{row['split']}, {row['streams']}" if row.get("streams") else row["split"]} for row in rows
    ]


def _is_plain(row: Row, split: str) -> bool:
    """Whether a row is of all streams, of this split's test part."""
    return not row.get("streams") and row["split"] == split and row["part"] == "test"
