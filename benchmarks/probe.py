"""A sweep of the linear probe over its strengths, against scikit-learn's solver on the same features.

    python benchmarks/probe.py
    python benchmarks/probe.py --clips 17280 --actions 60 --rounds 1

Features are those of an untrained encoder (the default recipe: 1024 of them) on synthetic recordings. Both fit the
default strengths of `linear`, scikit-learn one after another, and take turns; CPU time is compared. scikit-learn stops
by its own default, at a larger distance from the optimum: how much higher its objective is than ours is printed for
each strength.

Prediction. Both multiply the features twice a step. What differs is how many steps there are: the features' variances
span six orders of magnitude, so a solver that learns the curvature from its own steps takes hundreds where the penalty
is weak, and one that computes it tens. At least three times, and more with more classes and weaker penalties.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from bench import in_turn, machine, ratio
from halpose.data.store import Store
from halpose.data.synthetic import SyntheticSpec, write_store
from halpose.engine.fitted_config import fit_config
from halpose.engine.run import Shape, fresh_method
from halpose.evaluate.base import Settings
from halpose.evaluate.features import extract
from halpose.evaluate.featureset import Samples
from halpose.evaluate.linear import fit_probes
from halpose.settings import load_recipe

STRENGTHS = Settings().strengths


def untrained_features(clips: int, actions: int) -> Samples:
    """Features of generated clips."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(write_store(SyntheticSpec(clips, actions=actions), Path(folder) / "store"))
        config = fit_config(store, load_recipe("moco"))[0]
        features = extract(fresh_method(config, Shape.of_store(store)), store, np.arange(clips), config.data)
        return Samples(features, store.clips.label.astype(np.int64))


def objective(x: np.ndarray, y: np.ndarray, weight: np.ndarray, bias: np.ndarray, strength: float) -> float:
    """Of one strength, in nats per sample; a shift of all classes' logits is no part of it."""
    logits = torch.from_numpy(x @ weight + bias)
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(y))
    return float(loss) + float(np.square(weight - weight.mean(axis=1, keepdims=True)).sum()) / (2 * strength * len(y))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=2400)
    parser.add_argument("--actions", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    samples = untrained_features(given.clips, given.actions)
    scaler = StandardScaler().fit(samples.features.astype(np.float64))
    exact = scaler.transform(samples.features.astype(np.float64))
    standard = exact.astype(np.float32)
    objectives: dict[str, list[float]] = {}

    def ours() -> None:
        probes = fit_probes(samples, STRENGTHS)
        # Standardisation is folded into our weights; scikit-learn's are for standardised features.
        parts = [(p.weight.double().numpy() * scaler.scale_[:, None], p.bias.double().numpy()) for p in probes]
        shifted = [(weight, bias + (scaler.mean_ / scaler.scale_) @ weight) for weight, bias in parts]
        objectives["halpose"] = _all(shifted)

    def theirs() -> None:
        fitted = [LogisticRegression(C=strength, max_iter=1000).fit(standard, samples.labels) for strength in STRENGTHS]
        objectives["scikit-learn"] = _all([(m.coef_.T.astype(float), m.intercept_.astype(float)) for m in fitted])

    def _all(parts: list[tuple[np.ndarray, np.ndarray]]) -> list[float]:
        return [
            objective(exact, samples.labels, *part, strength) for part, strength in zip(parts, STRENGTHS, strict=True)
        ]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        calls = {"halpose": ours, "scikit-learn": theirs}
        seconds = in_turn(calls, given.rounds, warm=0, clock=time.process_time)
    shape = " x ".join(map(str, samples.features.shape))
    print(f"{len(STRENGTHS)} strengths, {shape} features, {given.actions} classes, CPU time; {machine()}")
    for name, values in seconds.items():
        print(f"  {name:12} {sorted(values)[len(values) // 2]:8.1f} s")
    print(f"scikit-learn / halpose: {ratio(seconds, 'scikit-learn', 'halpose'):.1f}")
    for strength, low, high in zip(STRENGTHS, objectives["halpose"], objectives["scikit-learn"], strict=True):
        print(f"  C = {strength:<6g} objective {low:.7f}, scikit-learn's is higher by {high - low:.1e}")


if __name__ == "__main__":
    main()
