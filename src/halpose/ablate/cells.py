"""Cells: one training and its scores, done once, found again by what was set.

A cell is (store, resolved settings). Its name is a fingerprint of both, so a cell that two ablations share is trained
once, and a cell of other settings never stands in for it. Cells of one seed fork from the same warm-up without HaLP, at
the step where HaLP begins: they differ only in what follows, and see the same clips in the same views.

    OUT/runs/METHOD-FINGERPRINT/   the run directory; a run that was stopped goes on
    OUT/results.jsonl              a row for each part and protocol of each cell, appended when all of them are there
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from halpose.config import Config, HalpConfig
from halpose.data.store import Store
from halpose.engine.checkpoint import latest_step
from halpose.engine.fitted_config import fit_config
from halpose.engine.run import Run
from halpose.engine.trainer import Summary, Watcher, train
from halpose.errors import ConfigError, DataError
from halpose.evaluate.base import Part
from halpose.evaluate.run import evaluate_run

WITHOUT_HALP = {"halp": "moco", "halp_cmd": "cmd", "halp_simclr": "simclr", "halp_skt": "skt", "halp_barlow": "barlow"}
"""Each method that has the HaLP term, and the same method without it."""

PARTS: tuple[Part, ...] = ("validation", "test")
PROTOCOLS = ("knn", "linear")


@dataclass(frozen=True)
class Bench:
    """Where cells are made.

    Attributes:
        store: what is trained on and scored.
        out: folder for runs and results.
        device: cpu, cuda or cuda:N.
        watchers: are told of the trainings' progress.
    """

    store: Store
    out: Path
    device: str = "cpu"
    watchers: tuple[Watcher, ...] = ()

    @property
    def results(self) -> Path:
        """The file of all rows."""
        return self.out / "results.jsonl"


def check_scorable(store: Store, config: Config) -> None:
    """Whether settings can be compared on a store.

    Raises:
        DataError: it has no labelled test part, or no validation part to choose on.
    """
    split = config.data.split
    for part in PARTS:
        if not split or not len(store.part(split, part)):
            raise DataError(
                f"{store.path}: split {split!r} has no {part} part, and settings are compared on validation and "
                "reported on test; prepare the store with subjects, or name another split with --set data.split=…"
            )


def without_halp(config: Config) -> Config:
    """The same training without the HaLP term; of its settings only the step at which it would begin is left.

    Raises:
        ConfigError: the method has no such term, so there is nothing to vary.
    """
    if config.method in WITHOUT_HALP.values():
        return replace(config, halp=HalpConfig(start=config.halp.start))
    if config.method not in WITHOUT_HALP:
        raise ConfigError(
            f"method is {config.method!r}, which has no HaLP term to vary; choose a recipe of {', '.join(WITHOUT_HALP)}"
        )
    return replace(config, method=WITHOUT_HALP[config.method], halp=HalpConfig(start=config.halp.start))


def fingerprint(store: Store, config: Config) -> str:
    """Twelve characters that tell cells apart: what is in the store, and every setting that matters to the result."""
    settings = config.to_dict()
    for name in ("checkpoint_every", "keep", "log_every", "cuda_graph"):
        del settings[name]
    if config.method in WITHOUT_HALP.values():
        del settings["halp"]
    content = json.dumps([dict(store.meta), settings], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def cell_path(bench: Bench, config: Config) -> Path:
    """The run directory of a cell."""
    return bench.out / "runs" / f"{config.method}-{fingerprint(bench.store, config)}"


def shared_steps(config: Config) -> int:
    """Steps that a training shares with the one without HaLP: all before the last of those in which HaLP is off.

    In that last one HaLP makes its first prototypes, so it belongs to the fork. 0: there is nothing to share.
    """
    return max(0, math.ceil(config.halp.start * config.steps) - 1)


def warm_up(store: Store, config: Config, path: Path, device: str, watchers: tuple[Watcher, ...] = ()) -> Path | None:
    """The training without HaLP for as long as it is shared; what is there already is not done again.

    Returns:
        Its run directory; None where HaLP begins at once, so that there is nothing to share.

    Raises:
        KeyboardInterrupt: it was told to stop; the same call goes on from there.
    """
    config = fit_config(store, without_halp(config))[0]
    end = shared_steps(config)
    if not end:
        return None
    if (latest_step(path) or 0) < end:
        _train(store, config, path, device, watchers, None, end)
    return path


def train_cell(bench: Bench, config: Config) -> Path:
    """The run of a cell: forked from its warm-up, or gone on with, or found finished.

    Raises:
        KeyboardInterrupt: it was told to stop; the same call goes on from there.
    """
    config = fit_config(bench.store, config)[0]
    path = cell_path(bench, config)
    if (latest_step(path) or 0) >= config.steps:
        return path
    warm = None
    if latest_step(path) is None:
        plain = fingerprint(bench.store, without_halp(config))
        folder = bench.out / "runs" / f"warm-{plain}-{shared_steps(config)}"
        warm = warm_up(bench.store, config, folder, bench.device, bench.watchers)
    _train(bench.store, config, path, bench.device, bench.watchers, warm)
    return path


def score_cell(bench: Bench, config: Config) -> list[dict[str, Any]]:
    """The rows of a cell, from the file if they are there; else it is trained and scored."""
    config = fit_config(bench.store, config)[0]
    key = fingerprint(bench.store, config)
    found = _rows_of(bench, key, "trained")
    if found:
        return found
    path = train_cell(bench, config)
    return _score(bench, path, config, key, "trained")


def score_untrained(bench: Bench, config: Config) -> list[dict[str, Any]]:
    """The rows of the encoder of a cell before its first step."""
    config = fit_config(bench.store, without_halp(config))[0]
    key = fingerprint(bench.store, config)
    found = _rows_of(bench, key, "untrained")
    return found or _score(bench, train_cell(bench, config), config, key, "untrained")


def score_rows(
    run: Run,
    store: Store,
    kinds: Sequence[str],
    device: str,
    common: dict[str, Any],
    parts: Sequence[Part] = PARTS,
    protocols: Sequence[str] = PROTOCOLS,
    split: str = "",
) -> list[dict[str, Any]]:
    """Validation part (where choices are made) and test part, k-NN and linear probe: a row each.

    Args:
        run: what is scored.
        store: on which recordings.
        kinds: of features: trained, untrained, raw.
        device: cpu, cuda or cuda:N.
        common: what every row says beside its score.
        parts: of the split; test alone where nothing is chosen.
        protocols: that read features.
        split: that is scored; the run's own if not given.
    """
    rows = []
    for part in parts:
        split = split or run.config.data.split
        for result in evaluate_run(
            run, store, split=split, part=part, protocols=protocols, kinds=tuple(kinds), device=device
        ):
            fields = {"part": part, "features": result.features, "protocol": result.protocol, "split": result.split}
            interval = {"top1": result.top1, "low": result.low, "high": result.high, "clips": result.clips}
            rows.append(common | fields | interval)
    return rows


def read_rows(path: Path) -> list[dict[str, Any]]:
    """All rows so far; a last line that was cut off is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Append the rows of one cell at once, so that a cell is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cut = path.exists() and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" * cut + "".join(json.dumps(row) + "\n" for row in rows))


def hardware(device: str) -> str:
    """What it was measured on."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU"


def _rows_of(bench: Bench, key: str, kind: str) -> list[dict[str, Any]]:
    rows = [row for row in read_rows(bench.results) if row["cell"] == key and row["features"] == kind]
    return rows[: len(PARTS) * len(PROTOCOLS)] if len(rows) >= len(PARTS) * len(PROTOCOLS) else []


def _score(bench: Bench, path: Path, config: Config, key: str, kind: str) -> list[dict[str, Any]]:
    outcome = path / "run.json"  # missing if the training was killed right after its last checkpoint
    summary = json.loads(outcome.read_text(encoding="utf-8")) if outcome.exists() else {}
    common = {
        "cell": key, "run": path.name, "set": bench.store.name, "method": config.method, "seed": config.seed,
        "steps": config.steps, "loss": summary.get("loss"), "train_seconds": summary.get("seconds"),
        "device": hardware(bench.device), "threads": torch.get_num_threads(), "date": time.strftime("%Y-%m-%d"),
    }  # fmt: skip
    rows = score_rows(Run.load(path, bench.device), bench.store, (kind,), bench.device, common)
    write_rows(bench.results, rows)
    return rows


def _train(
    store: Store,
    config: Config,
    path: Path,
    device: str,
    watchers: tuple[Watcher, ...],
    fork: Path | None,
    stop_at: int | None = None,
) -> Summary:
    resume = latest_step(path) is not None
    if not resume:
        shutil.rmtree(path, ignore_errors=True)  # a training that was killed before its first checkpoint
    summary = train(
        store, config, path, device=device, resume=resume, fork=None if resume else fork, watchers=watchers,
        stop_at=stop_at,
    )  # fmt: skip
    if summary.interrupted:
        raise KeyboardInterrupt(f"stopped at step {summary.steps} of {path}; the same command goes on from there")
    return summary
