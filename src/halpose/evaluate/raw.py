"""The bar: coordinates themselves as features, under every reasonable normalisation.

A learned feature that does not beat the best of these has learned nothing of use. Which normalisation is best depends
on the cameras and the actions (NW-UCLA gains 15 points from turning bodies to the front, MSR-Action3D loses 5), so it
is chosen on the validation part like any other setting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from halpose.data.confidence import of_positions
from halpose.data.store import Store
from halpose.data.transforms import rotations
from halpose.errors import DataError
from halpose.evaluate.featureset import FeatureSet, Metric, split_features

BLOCK_BYTES = 64 << 20

STILL = 1e-5
"""Movement below this share of the posture is rounding, which must not be blown up to unit length."""


@dataclass(frozen=True)
class RawForm:
    """How coordinates are normalised before they are compared.

    Attributes:
        centre: subtract the main actor's centre joint of the `first` frame, or of each `frame`.
        align: how the clip is turned about the vertical, as `data.align` says: not at all, by the main actor's torso,
            or by where the second person is.
        values: `metres` as they are, compared by Euclidean distance; `scaled` by the clip's root mean square, compared
            by the cosine; `moving` is `scaled` and the deviations from the mean over time, each of unit length.
        missing: joints that were not seen, or not in the frame that is nearer, are what they were filled with, or
            `zero` where they were not; or NaN, and whoever compares clips has to `ignore` them. Where there is nobody,
            nobody is missing: that is 0 in both.
    """

    centre: Literal["first", "frame"]
    align: Literal["none", "torso", "pair"]
    values: Literal["metres", "scaled", "moving"]
    missing: Literal["zero", "ignore"] = "zero"


RAW_FORMS: dict[str, RawForm] = {
    "first metres": RawForm("first", align="none", values="metres"),
    "first scaled": RawForm("first", align="none", values="scaled"),
    "first moving": RawForm("first", align="none", values="moving"),
    "first aligned metres": RawForm("first", align="torso", values="metres"),
    "first aligned scaled": RawForm("first", align="torso", values="scaled"),
    "first aligned moving": RawForm("first", align="torso", values="moving"),
    "first pair metres": RawForm("first", align="pair", values="metres"),
    "first pair scaled": RawForm("first", align="pair", values="scaled"),
    "first pair moving": RawForm("first", align="pair", values="moving"),
    "frame metres": RawForm("frame", align="none", values="metres"),
    "frame scaled": RawForm("frame", align="none", values="scaled"),
    "frame moving": RawForm("frame", align="none", values="moving"),
    "frame aligned metres": RawForm("frame", align="torso", values="metres"),
    "frame aligned scaled": RawForm("frame", align="torso", values="scaled"),
    "frame aligned moving": RawForm("frame", align="torso", values="moving"),
}


def raw_features(
    store: Store, form: RawForm, clips: Int[np.ndarray, " n"], frames: int = 64
) -> Float[np.ndarray, "n d"]:
    """Normalised coordinates of some clips, resized to the same number of frames and flattened.

    Args:
        store: where the clips are.
        form: the normalisation.
        clips: their indices.
        frames: length after linear resizing (half-pixel centres).

    Returns:
        (n, D) with D = frames · M · V · C, twice that for `moving`. Missing people and joints are 0, or NaN.

    Raises:
        DataError: a coordinate is infinite, or too large for float32.
    """
    size = frames * int(np.prod(store.frames.shape[1:]))
    features = np.empty((len(clips), 2 * size if form.values == "moving" else size), dtype=np.float32)
    rows = max(1, BLOCK_BYTES // (4 * size))
    for start in range(0, len(clips), rows):
        block = clips[start : start + rows]
        x = _normalised(store, form, block, frames)
        finite = np.isfinite(x).all(axis=(1, 2, 3, 4))
        if not finite.all():
            name = store.clips.name[block[~finite][0]]
            raise DataError(f"{store.path}: clip {name} has a coordinate that is not finite; prepare the store again")
        known = np.ones((), bool)
        if form.missing == "ignore":
            known = _known(store, block, frames)[..., None]
            x = np.where(known, x, 0)
        flat = x.reshape(len(block), size)
        if form.values == "moving":
            mean = x.mean(axis=1, keepdims=True)
            if form.missing == "ignore":
                mean *= frames / known.sum(axis=1, keepdims=True).clip(1)
            moving = np.where(known, x - mean, 0).reshape(len(block), size)
            size_of_posture = np.linalg.norm(flat, axis=1, keepdims=True)
            flat = np.concatenate([_unit(flat), _unit(moving, STILL * size_of_posture)], axis=1)
        if form.missing == "ignore":
            unknown = np.broadcast_to(~known, x.shape).reshape(len(block), size)
            flat = np.where(np.tile(unknown, (1, flat.shape[1] // size)), np.nan, flat)
        features[start : start + rows] = flat
    return features


def _known(store: Store, clips: Int[np.ndarray, " n"], frames: int) -> Bool[np.ndarray, "n t m v"]:
    """Which joints were seen, of people who are there; of others all are known: there are none."""
    before, after, share = _taps(store, clips, frames)
    seen = [_confidence(store, at) > 0 for at in (before, after)]
    share = share[..., None, None]
    known = (1 - share) * seen[0] + share * seen[1] >= 0.5
    is_there = np.isfinite(_resized(store, clips, frames)[..., 0])
    found: np.ndarray = (known & is_there) | ~is_there.any(axis=-1, keepdims=True)
    return found


def _normalised(
    store: Store, form: RawForm, clips: Int[np.ndarray, " n"], frames: int
) -> Float[np.ndarray, "n t m v c"]:
    about, channels = store.clips, store.frames.shape[-1]
    x: np.ndarray = _resized(store, clips, frames)
    centre = about.origin[clips, None, None, None, :channels]
    if form.centre == "frame":
        joint = x[:, :, :1, store.layout.centre, None]
        centre = np.where(np.isfinite(joint), joint, centre)
    x = x - centre
    if form.align != "none":
        x = np.einsum("nij,ntmvj->ntmvi", rotations(store, clips, form.align)[:, :channels, :channels], x)
    if form.values != "metres":
        scale = (about.scale_first if form.centre == "first" else about.scale_frame)[clips]
        x = x / np.where(scale > 0, scale, 1)[:, None, None, None, None]
    x[np.isnan(x)] = 0
    return x


def _confidence(store: Store, rows: Int[np.ndarray, "n t"]) -> UInt8[np.ndarray, "n t m v"]:
    return of_positions(store.frames[rows]) if store.confidence is None else np.asarray(store.confidence[rows])


def _resized(store: Store, clips: Int[np.ndarray, " n"], frames: int) -> Float[np.ndarray, "n t m v c"]:
    """Linear interpolation between the two stored frames around each of the wanted ones; reads only those."""
    before, after, share = _taps(store, clips, frames)
    share = share[:, :, None, None, None]
    resized: np.ndarray = (1 - share) * store.frames[before] + share * store.frames[after]
    return resized


def _taps(
    store: Store, clips: Int[np.ndarray, " n"], frames: int
) -> tuple[Int[np.ndarray, "n t"], Int[np.ndarray, "n t"], Float[np.ndarray, "n t"]]:
    """Which two frames of the store each of the wanted ones lies between, and the share of the second."""
    length = store.clips.lengths[clips, None]
    wanted = (np.arange(frames) + 0.5) * length / frames - 0.5
    wanted = wanted.clip(0, length - 1)
    before = np.floor(wanted).astype(np.int64)
    after = np.minimum(before + 1, length - 1)
    first = store.clips.offsets[clips, None]
    return first + before, first + after, (wanted - before).astype(np.float32)


def _unit(rows: Float[np.ndarray, "n d"], least: Float[np.ndarray, "n 1"] | float = 0.0) -> Float[np.ndarray, "n d"]:
    """Rows of length one; a row no longer than `least` is zero."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: np.ndarray = np.where(length > least, rows, 0) / np.where(length > least, length, 1)
    return unit


def raw_sets(
    store: Store, split: str, forms: Mapping[str, RawForm] = RAW_FORMS, frames: int = 64
) -> dict[str, Callable[[], FeatureSet]]:
    """One feature set per normalisation, made when called: `evaluate` chooses among them on the validation part.

    Where everybody is alone, `pair` would be `torso` once more and is left out.
    """
    if not (store.clips.people > 1).any():
        forms = {name: form for name, form in forms.items() if form.align != "pair"}

    def features_of(form: RawForm) -> FeatureSet:
        extract = partial(raw_features, store, form, frames=frames)
        metric: Metric = "euclidean" if form.values == "metres" else "cosine"
        if form.missing == "ignore":
            metric = "partial euclidean" if form.values == "metres" else "partial cosine"
        return split_features(store, split, extract, metric)

    return {name: partial(features_of, form) for name, form in forms.items()}
