"""The demo: data, pre-training without labels, honest scores, a page. The main job end to end."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from halpose.config import Config, load_recipe
from halpose.data.catalog import DATASETS
from halpose.data.prepare import prepare
from halpose.data.store import Store
from halpose.data.synthetic import SyntheticSpec, write_store
from halpose.engine.checkpoint import latest_step
from halpose.engine.run import Run
from halpose.engine.trainer import Watcher, fit_config, train
from halpose.errors import DataError, HalposeError, TrainingError
from halpose.evaluate.result import Result
from halpose.evaluate.run import evaluate_run
from halpose.report.page import write_page
from halpose.report.run_page import run_page

# Public sets that the demo knows what to do with, in the order of preference, each with its recipe.
REAL_SETS = {"utd-mhad": "utd-mhad-halp", "nw-ucla": "nw-ucla-halp"}
SYNTHETIC = SyntheticSpec(clips=1440, actions=12, subjects=20, cameras=3)
STEPS = 1500


@dataclass(frozen=True)
class Outcome:
    """What the demo made.

    Attributes:
        store: the prepared data set.
        run: the run directory.
        page: the report.
        results: the scores.
        notes: what a reader must know: which data, what is synthetic.
        next_steps: commands to run on one's own data.
    """

    store: Path
    run: Path
    page: Path
    results: tuple[Result, ...]
    notes: tuple[str, ...]
    next_steps: tuple[str, ...]


def demo(
    out: Path,
    *,
    data: Path | None = None,
    steps: int = STEPS,
    seed: int = 0,
    device: str = "cpu",
    watchers: tuple[Watcher, ...] = (),
    say: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Run the demo in a folder; what an earlier, interrupted demo finished there is not done again.

    Args:
        out: folder for the store, the run and the page.
        data: folder of recordings; None: what HALPOSE_DATA names.
        steps: of the training.
        seed: of everything random.
        device: where to train.
        watchers: are told of the training's progress.
        say: is told, in sentences, what happens.
    """
    store, recipe, note = _store(out, data, say)
    config = replace(load_recipe(recipe), steps=steps, seed=seed, checkpoint_every=max(1, steps // 3))
    run = out / "runs" / f"{store.name}-{config.method}"
    _train(store, config, run, device, watchers, say)
    say("scoring: trained, untrained and raw; k-NN and linear probe")
    loaded = Run.load(run)
    results = evaluate_run(loaded, store)
    notes = (
        note,
        f"One run, seed {seed}, {steps} steps; recipe {recipe}. Several seeds are in docs/results.md.",
        "Settings of the probe and of the raw bar were chosen on the validation part; the test part was read once.",
    )
    next_steps = (
        "halpose data list",
        "halpose data prepare NAME --source FOLDER --out stores/NAME",
        "halpose train stores/NAME --recipe halp --out runs/NAME",
        "halpose evaluate runs/NAME --on stores/NAME",
    )
    page = write_page(
        out / "report.html",
        run_page(loaded, store, results, title="halpose demo", notes=notes, next_steps=next_steps),
    )
    return Outcome(store.path, run, page, tuple(results), notes, next_steps)


def _store(out: Path, data: Path | None, say: Callable[[str], None]) -> tuple[Store, str, str]:
    """The prepared store, the recipe for it, and a sentence that says what it is."""
    folder = data or (Path(os.environ["HALPOSE_DATA"]) if os.environ.get("HALPOSE_DATA") else None)
    for name, recipe in REAL_SETS.items():
        source = folder / name if folder else None
        if source is None or not source.is_dir():
            continue
        path = out / "stores" / name
        note = f"Real recordings: {DATASETS[name].title}, from {source}."
        say(note)
        try:
            if not path.exists():
                for line in prepare(name, source, path).summary():
                    say(line)
            return Store.open(path), recipe, note
        except HalposeError as error:
            say(f"{name} cannot be used ({error}); trying the next")
    if data is not None:
        raise DataError(f"{data}: no usable recordings here; expected a folder named {' or '.join(REAL_SETS)} in it")
    path = out / "stores" / SYNTHETIC.name
    note = (
        f"Synthetic data: {SYNTHETIC.clips} generated clips of {SYNTHETIC.actions} actions, not recordings of people. "
        f"Set HALPOSE_DATA to a folder with {' or '.join(REAL_SETS)} to see the demo on real ones."
    )
    say(note)
    if not path.exists():
        write_store(SYNTHETIC, path)
    return Store.open(path), "halp", note


def _train(
    store: Store, config: Config, run: Path, device: str, watchers: tuple[Watcher, ...], say: Callable[[str], None]
) -> None:
    done = latest_step(run)
    if done is not None and done >= fit_config(store, config)[0].steps:
        say(f"{run}: trained already; delete the folder to train again")
        return
    say(f"pre-training without labels: {config.method}, {config.steps} steps of {config.batch_size} clips")
    summary = train(store, config, run, device=device, resume=(run / "config.json").exists(), watchers=watchers)
    if summary.interrupted:
        raise TrainingError(f"stopped at step {summary.steps}; the same command goes on from there")
