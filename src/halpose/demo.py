"""The demo: data, pre-training without labels, honest scores, a page. The main job end to end."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from halpose.config import Config
from halpose.data.catalog import DATASETS
from halpose.data.prepare import prepare
from halpose.data.store import Store
from halpose.data.synthetic import SyntheticSpec, write_store
from halpose.engine.checkpoint import latest_step
from halpose.engine.fitted_config import fit_config
from halpose.engine.run import Run, read_run_config
from halpose.engine.trainer import Watcher, train
from halpose.errors import CheckpointError, DataError, HalposeError
from halpose.evaluate.result import Result
from halpose.evaluate.run import evaluate_run
from halpose.report.page import write_page
from halpose.report.run_page import run_page
from halpose.settings import flatten, load_recipe

# Public sets that the demo knows what to do with, in the order of preference, each with its recipe.
REAL_SETS = {"utd-mhad": "utd-mhad-halp", "nw-ucla": "nw-ucla-halp"}
SYNTHETIC = SyntheticSpec(clips=1440, actions=12, subjects=20, cameras=3)
STEPS = 1500
_REMEDY = "choose another folder with --out, or delete this one"


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
    clips: int = SYNTHETIC.clips,
    seed: int = 0,
    device: str = "cpu",
    watchers: tuple[Watcher, ...] = (),
    say: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Run the demo in a folder; what an earlier, interrupted demo finished there is not done again.

    Args:
        out: folder for the store, the run and the page; nothing is written anywhere else.
        data: folder of recordings; None: what HALPOSE_DATA names.
        steps: of the training.
        clips: of the synthetic set, where there are no recordings.
        seed: of everything random.
        device: where to train.
        watchers: are told of the training's progress.
        say: is told, in sentences, what happens.

    Raises:
        DataError: `data` holds no usable recordings, or there is synthetic data of another specification in `out`.
        CheckpointError: there is a run of other settings in `out`.
        KeyboardInterrupt: the training was told to stop; the same call goes on from there.
    """
    store, recipe, note = _store(out, data, clips, say)
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


def _store(out: Path, data: Path | None, clips: int, say: Callable[[str], None]) -> tuple[Store, str, str]:
    """The prepared store, the recipe for it, and a sentence that says what it is."""
    named = os.environ.get("HALPOSE_DATA")
    folder = data or (Path(named) if named else None)
    wanted = f"a folder with {' or '.join(REAL_SETS)} in it"
    faults = []
    for name, recipe in REAL_SETS.items():
        source = folder / name if folder else None
        if source is None or not source.is_dir():
            continue
        try:
            return _real_store(name, source, out / "stores" / name, say), recipe, _real_note(name, source)
        except HalposeError as error:
            faults.append(f"{name} cannot be used: {error}")
            say(faults[-1])
    if data is not None:
        reason = "; ".join(faults) or f"expected {wanted}"
        raise DataError(f"{data}: no usable recordings here; {reason}")
    note = f"Synthetic data: {clips} generated clips of {SYNTHETIC.actions} actions, not recordings of people."
    if folder is None:
        note += f" Set HALPOSE_DATA to {wanted} to see the demo on real ones."
    else:
        note += f" HALPOSE_DATA is {folder}: " + ("; ".join(faults) or f"not {wanted}") + "."
    say(note)
    return _synthetic_store(out / "stores" / SYNTHETIC.name, clips), "halp", note


def _real_note(name: str, source: Path) -> str:
    return f"Real recordings: {DATASETS[name].title}, from {source}."


def _real_store(name: str, source: Path, path: Path, say: Callable[[str], None]) -> Store:
    say(_real_note(name, source))
    if not path.exists():
        for line in prepare(name, source, path).summary():
            say(line)
    return Store.open(path)


def _synthetic_store(path: Path, clips: int) -> Store:
    spec = replace(SYNTHETIC, clips=clips)
    if not path.exists():
        write_store(spec, path)
    store = Store.open(path)
    if store.meta["provenance"].get("spec") != asdict(spec):
        raise DataError(f"{path}: synthetic data of another demo ({len(store)} clips); {_REMEDY}")
    return store


def _train(
    store: Store, config: Config, run: Path, device: str, watchers: tuple[Watcher, ...], say: Callable[[str], None]
) -> None:
    began = (run / "config.json").exists()
    if began:
        fitted, there = fit_config(store, config)[0], read_run_config(run)[1]
        ours, theirs = (dict(flatten(settings.to_dict())) for settings in (fitted, there))
        changed = [f"{key} {theirs[key]}, not {ours[key]}" for key in ours if ours[key] != theirs[key]]
        if changed:
            raise CheckpointError(f"{run}: a run of another demo ({'; '.join(changed)}); {_REMEDY}")
        done = latest_step(run)
        if done is not None and done >= fitted.steps:
            say(f"{run}: trained already; delete the folder to train again")
            return
    say(f"pre-training without labels: {config.method}, {config.steps} steps of {config.batch_size} clips")
    summary = train(store, config, run, device=device, resume=began, watchers=watchers)
    if summary.interrupted:
        raise KeyboardInterrupt(f"stopped at step {summary.steps}; the same command goes on from there")
