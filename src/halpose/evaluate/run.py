"""Scoring a run: trained, untrained and raw features side by side, under one protocol."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.errors import ConfigError
from halpose.evaluate import EVALUATIONS
from halpose.evaluate.base import Part, Progress, Settings, silent
from halpose.evaluate.features import chosen_streams, run_features
from halpose.evaluate.featureset import FeatureSet, side_by_side
from halpose.evaluate.protocol import Candidates, evaluate
from halpose.evaluate.raw import raw_sets
from halpose.evaluate.result import Result

FEATURES = ("trained", "untrained", "raw")
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
    unknown = [name for name in names if name not in EVALUATIONS and name not in FEATURES]
    if unknown:
        raise ConfigError(
            f"--protocol {unknown[0]}: there are the protocols {', '.join(EVALUATIONS)} "
            f"and the features {', '.join(FEATURES)}"
        )
    protocols = tuple(name for name in names if name in EVALUATIONS)
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
        store: labelled recordings of the run's layout.
        split: which; empty: the run's own, else the store's first.
        part: `test`, or `validation` to choose settings.
        protocols: names in `EVALUATIONS`.
        kinds: of `FEATURES`.
        streams: which of the run's streams; all when empty.
        settings: of the protocols.
        device: where to compute.
        progress: told what is being worked on.
    """
    runs = (run,) if isinstance(run, Run) else tuple(run)
    split = _split(runs[0], store, split)
    settings = settings or Settings(device=str(device))
    results = []
    for kind in kinds:
        progress(f"{kind} features", 0, 0)
        source: FeatureSet | Candidates
        if kind == "raw":
            source, asked = raw_sets(store, split), [name for name in protocols if name in RAW_PROTOCOLS] or ["knn"]
        else:
            source, asked = _features(runs, store, split, kind, streams, device, progress), list(protocols)
        for protocol in asked:
            progress(f"{kind} {protocol}", 0, 0)
            results += evaluate(
                {kind: source}, [protocol], classes=store.classes, split=split, part=part, settings=settings
            )
    return results


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
    store: Store,
    split: str,
    kind: str,
    streams: Sequence[str],
    device: torch.device | str,
    progress: Progress,
) -> FeatureSet:
    """Features of all runs; a stream is called by its own name, and by its run's where there are several."""
    found: dict[str, FeatureSet] = {}
    folders = [run.path.name for run in runs]
    for run in runs:
        owner = run.path.name if folders.count(run.path.name) == 1 else str(run.path)
        sets = run_features(run, store, split, kind, device, streams, progress)
        names = chosen_streams(run, streams)
        for name, stream in zip(names, sets.streams().values(), strict=True):
            found[name if len(runs) == 1 else f"{owner} {name}"] = stream
    return side_by_side(found)
