"""Scoring a run: trained, untrained and raw features side by side, under one protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch

from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.errors import ConfigError
from halpose.evaluate import EVALUATIONS
from halpose.evaluate.base import Part, Settings
from halpose.evaluate.features import run_features
from halpose.evaluate.featureset import FeatureSet
from halpose.evaluate.protocol import evaluate
from halpose.evaluate.raw import raw_sets
from halpose.evaluate.result import Result

FEATURES = ("trained", "untrained", "raw")
PROTOCOLS = ("knn", "linear")


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
    run: Run,
    store: Store,
    *,
    split: str = "",
    part: Part = "test",
    protocols: Sequence[str] = PROTOCOLS,
    kinds: Sequence[str] = FEATURES,
    settings: Settings | None = None,
    device: torch.device | str = "cpu",
    began: Callable[[str], None] = lambda what: None,
) -> list[Result]:
    """Score a run on a store.

    Args:
        run: the run; on `device`.
        store: labelled recordings of the run's layout.
        split: which; empty: the run's own, else the store's first.
        part: `test`, or `validation` to choose settings.
        protocols: names in `EVALUATIONS`.
        kinds: of `FEATURES`.
        settings: of the protocols.
        device: where to compute.
        began: told what is being worked on.
    """
    split = split or (run.config.data.split if run.config.data.split in store.splits else "")
    if not split:
        if not store.splits:
            raise ConfigError(f"{store.path}: has no split, so there is nothing to hold out; prepare it with one")
        split = str(store.meta["provenance"].get("default_split") or store.splits[0])
    sets: dict[str, FeatureSet | Mapping[str, Callable[[], FeatureSet]]] = {}
    for kind in kinds:
        began(f"{kind} features")
        sets[kind] = raw_sets(store, split) if kind == "raw" else run_features(run, store, split, kind, device)
    began("scores")
    settings = settings or Settings(device=str(device))
    results = []
    for kind, source in sets.items():
        # The bar that raw coordinates set is their nearest neighbour; a probe on them answers no question.
        asked = ("knn",) if kind == "raw" else tuple(protocols)
        results += evaluate({kind: source}, asked, classes=store.classes, split=split, part=part, settings=settings)
    return results
