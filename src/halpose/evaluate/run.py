"""Scoring a run: trained, untrained and raw features side by side, under one protocol."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch

from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.errors import ConfigError
from halpose.evaluate import EVALUATIONS, TUNINGS
from halpose.evaluate.base import Part, Progress, Settings, silent
from halpose.evaluate.features import chosen_streams, run_features
from halpose.evaluate.featureset import FeatureSet, side_by_side
from halpose.evaluate.learner import Learner
from halpose.evaluate.protocol import Candidates, evaluate, tune_and_score
from halpose.evaluate.raw import RAW_FORMS, raw_sets
from halpose.evaluate.result import Result
from halpose.evaluate.transfer import adapt
from halpose.methods.base import Method

FEATURES = ("trained", "untrained", "raw")
SEEN = "raw-seen"
"""Beside `raw` where the store knows which joints were seen: over those that both clips show."""
PROTOCOLS = ("knn", "linear")
# The bar that raw coordinates set is their nearest neighbour; a probe on them answers no question.
RAW_PROTOCOLS = ("knn", "retrieval")


def parse_protocols(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Tell protocols from kinds of features in one list such as `knn,linear,raw,untrained`.

    Returns:
        Protocols (all usual ones when none is named) and kinds of features (always `trained`; all when neither of the
        others is named together with no protocol).

    Raises:
        ConfigError: a name is neither.
    """
    known = (*EVALUATIONS, *TUNINGS)
    unknown = [name for name in names if name not in known and name not in FEATURES]
    if unknown:
        raise ConfigError(
            f"--protocol {unknown[0]}: there are the protocols {', '.join(known)} "
            f"and the features {', '.join(FEATURES)}"
        )
    protocols = tuple(name for name in names if name in known)
    kinds = tuple(kind for kind in FEATURES if kind == "trained" or kind in names)
    return protocols or PROTOCOLS, kinds if names else FEATURES


def evaluate_run(
    run: Run | Sequence[Run],
    store: Store,
    *,
    split: str = "",
    part: Part = "test",
    protocols: Sequence[str] = PROTOCOLS,
    kinds: Sequence[str] = FEATURES,
    streams: Sequence[str] = (),
    settings: Settings | None = None,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> list[Result]:
    """Score a run on a store.

    Args:
        run: the run, on `device`; or several, whose streams are taken together as those of one.
        store: labelled recordings; of another layout, joints are mapped by name, and of another data set it is a
            transfer, which the results' notes say.
        split: which; empty: the run's own, else the store's first.
        part: `test`, or `validation` to choose settings.
        protocols: names in `EVALUATIONS` and `TUNINGS`.
        kinds: of `FEATURES`.
        streams: which of the run's streams; all when empty.
        settings: of the protocols.
        device: where to compute.
        progress: told what is being worked on.

    Raises:
        ConfigError: there is no such split, stream or protocol, or several runs are to be tuned as one.
        DataError: the recordings do not allow a score, or pre-training has seen what would be scored in a transfer.
    """
    runs = (run,) if isinstance(run, Run) else tuple(run)
    split = _split(runs[0], store, split)
    settings = settings or Settings(device=str(device))
    adapted = [adapt(one, store, split, part) for one in runs]
    stores = [taken for taken, _ in adapted]
    notes = tuple(dict.fromkeys(note for _, found in adapted for note in found))
    results: list[Result] = []
    for kind in kinds:
        if kind == "raw":
            names = [name for name in protocols if name in RAW_PROTOCOLS] or ["knn"]
            found = _read(kind, raw_sets(store, split), names, store, split, part, settings, progress)
            results += found
            if store.confidence is not None:
                results += _read_seen(found, store, split, part, settings, progress)
            continue
        reading = [name for name in protocols if name not in TUNINGS]
        if reading:
            source = _features(runs, stores, split, kind, streams, device, progress)
            found = _read(kind, source, reading, store, split, part, settings, progress)
            results += [replace(result, notes=notes + result.notes) for result in found]
        for protocol in protocols:
            if protocol in TUNINGS:
                learner = _learner(runs, stores[0], split, kind, streams, device, progress)
                found = tune_and_score(kind, learner, protocol, part, settings)
                results += [replace(result, notes=notes + result.notes) for result in found]
    return results


def _read(
    kind: str,
    source: FeatureSet | Candidates,
    protocols: Sequence[str],
    store: Store,
    split: str,
    part: Part,
    settings: Settings,
    progress: Progress,
) -> list[Result]:
    """Score features, one protocol after another."""
    results = []
    for protocol in protocols:
        progress(f"{kind} {protocol}", 0, 0)
        results += evaluate(
            {kind: source}, [protocol], classes=store.classes, split=split, part=part, settings=settings
        )
    return results


def _read_seen(
    raw: Sequence[Result], store: Store, split: str, part: Part, settings: Settings, progress: Progress
) -> list[Result]:
    """Raw coordinates once more, clips compared over the joints that were seen in both.

    The normalisation is the one that was chosen for all joints: the two differ in nothing else.
    """
    results = []
    for result in raw:
        chosen = result.settings["normalisation"]
        sets = raw_sets(store, split, {chosen: replace(RAW_FORMS[chosen], missing="ignore")})[chosen]()
        for found in _read(SEEN, sets, [result.protocol], store, split, part, settings, progress):
            about = {"normalisation": chosen, **found.settings}
            results.append(replace(found, settings=about, selected_on=result.selected_on, notes=result.notes))
    return results


def _learner(
    runs: Sequence[Run],
    store: Store,
    split: str,
    kind: str,
    streams: Sequence[str],
    device: torch.device | str,
    progress: Progress,
) -> Learner:
    """The encoder of a run, trained or as it was before its first step, to be tuned.

    Raises:
        ConfigError: there are several runs.
    """
    if len(runs) > 1:
        raise ConfigError(
            f"several runs cannot be tuned as one; give one of {', '.join(str(run.path) for run in runs)}"
        )
    run = runs[0]

    def start() -> Method:
        return copy.deepcopy(run.method) if kind == "trained" else run.untrained(device)

    def told(what: str, done: int = 0, total: int = 0) -> None:
        progress(f"{kind} {what}", done, total)

    return Learner(start, run.config, store, split, chosen_streams(run, streams), device, told)


def _split(run: Run, store: Store, split: str) -> str:
    """The split that is meant: the one named, the run's own, the store's default."""
    split = split or (run.config.data.split if run.config.data.split in store.splits else "")
    if split:
        return split
    if not store.splits:
        raise ConfigError(f"{store.path}: has no split, so there is nothing to hold out; prepare it with one")
    return str(store.meta["provenance"].get("default_split") or store.splits[0])


def _features(
    runs: Sequence[Run],
    stores: Sequence[Store],
    split: str,
    kind: str,
    streams: Sequence[str],
    device: torch.device | str,
    progress: Progress,
) -> FeatureSet:
    """Features of all runs, each from the store as it takes it.

    A stream is called by its own name, and by its run's where there are several.
    """
    found: dict[str, FeatureSet] = {}
    folders = [run.path.name for run in runs]
    for run, store in zip(runs, stores, strict=True):
        owner = run.path.name if folders.count(run.path.name) == 1 else str(run.path)
        sets = run_features(run, store, split, kind, device, streams, progress)
        names = chosen_streams(run, streams)
        for name, stream in zip(names, sets.streams().values(), strict=True):
            found[name if len(runs) == 1 else f"{owner} {name}"] = stream
    return side_by_side(found)
