"""Draws of a share of the labels, for semi-supervised evaluation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from halpose.errors import DataError


def draw_labels(
    labels: Int[np.ndarray, " n"], share: float, *, stratified: bool = True, seed: int = 0, number: int = 0
) -> Int[np.ndarray, " k"]:
    """Which clips keep their label.

    Stratified, every class gives the same share of its clips, rounded, and at least one. Otherwise a share of all clips
    is drawn whatever their class, as the published code does, so that a class may be missing. A smaller share of the
    same seed and number is part of a larger one.

    Args:
        labels: (N,) of all clips that have one.
        share: of the labels, in (0, 1].
        stratified: see above.
        seed: of all draws.
        number: which draw.

    Returns:
        (K,) indices, ascending.

    Raises:
        DataError: the clips that were drawn are of one class.
    """
    order = np.random.default_rng([seed, number]).permutation(len(labels))
    if stratified:
        members = [order[labels[order] == label] for label in np.unique(labels)]
        chosen = np.concatenate([clips[: max(1, round(share * len(clips)))] for clips in members])
    else:
        chosen = order[: max(1, round(share * len(labels)))]
    if len(np.unique(labels[chosen])) < 2:
        raise DataError(
            f"a draw of {100 * share:g} % of {len(labels)} labels holds {len(chosen)} clips of one class; "
            "ask for a larger share, or draw it stratified"
        )
    return np.sort(chosen)


def remarks(labels: Int[np.ndarray, " n"], share: float, drawn: Sequence[Int[np.ndarray, " k"]]) -> tuple[str, ...]:
    """What a reader should know of the draws of one share.

    Args:
        labels: of all clips that have one.
        share: that was asked for.
        drawn: the clips of each draw.
    """
    clips = np.mean([len(chosen) for chosen in drawn])
    found = np.mean([len(np.unique(labels[chosen])) for chosen in drawn])
    counts = np.unique(labels, return_counts=True)[1]
    said = []
    if found < len(counts):
        said.append(f"a draw holds {found:.1f} of {len(counts)} classes on average; the others count as wrong")
    elif clips > 1.2 * share * len(labels):
        said.append(
            f"{100 * share:g} % is too little for a clip of each of {len(counts)} classes; with one of each it is "
            f"{clips:.0f} of {len(labels)} clips, {100 * clips / len(labels):.1f} %"
        )
    return tuple(said)
