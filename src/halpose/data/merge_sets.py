"""Stores of several data sets, or of several parts of one, become one store.

- Classes are united by name, in the order of the stores.
- With more than one data set, names of clips, subjects and splits begin with their data set's (`sbu/s01s02`), and a
  split `merged` says of each clip what its own data set's default split says. It is the default.
- A clip that two stores of one data set have, or of two data sets that share their recordings (NTU 60 and 120), is
  taken once, if it is the same in both; if it is not, the stores are refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence as Items
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, Int8

from halpose.data.catalog import DATASETS
from halpose.data.merge_plan import Plan
from halpose.data.store import Store
from halpose.data.store_files import NOT_IN_SPLIT, PART_CODES
from halpose.errors import DataError

MERGED = "merged"
_NORMALISATION = "normalisation"


def plan_sets(stores: Items[Store]) -> Plan:
    """Decide what of each store is taken and how it is called.

    Raises:
        DataError: a store is merged already, or two stores have different clips under one name.
    """
    for store in stores:
        if MERGED in store.meta["provenance"]:
            raise DataError(f"{store.path}: merged already; give the stores that it was made of")
    sets = list(dict.fromkeys(store.name for store in stores))
    classes = tuple(dict.fromkeys(name for store in stores for name in store.classes))
    labels = [np.array([*map(classes.index, store.classes), -1], dtype=np.int32) for store in stores]
    keep, places = _places(stores)
    notes = _overlaps(stores, keep)
    clips = sum(int(kept.sum()) for kept in keep)
    splits = _splits(stores, sets, places, clips, notes)
    provenance = _provenance(stores, notes)
    if len(sets) > 1 and MERGED in splits:
        provenance["default_split"] = MERGED
    if any(store.meta["synthetic"] for store in stores):
        notes.append("some of these recordings are synthetic, so the merged store says that it is")
    repairs = Counter[str]()
    for store in stores:
        repairs.update(store.meta["repairs"])
    report = {
        "data_set": "+".join(sets),
        "clips": clips,
        "notes": notes,
        "repairs": dict(sorted(repairs.items())),
        "set_aside": sum(int(store.meta["set_aside"]) for store in stores),
    }
    return Plan(
        stores=list(stores),
        keep=keep,
        labels=labels,
        prefixes=[f"{store.name}/" if len(sets) > 1 else "" for store in stores],
        name="+".join(sets),
        classes=classes,
        provenance=provenance,
        report=report,
        repairs=repairs,
        splits=splits,
        notes=notes,
    )


def _family(store: Store) -> str:
    """Stores of one family mean the same clip by the same name."""
    return (DATASETS[store.name].family if store.name in DATASETS else "") or store.name


def _places(stores: Items[Store]) -> tuple[list[Bool[np.ndarray, " n"]], list[Int[np.ndarray, " n"]]]:
    """Which clips of each store are taken, and where each clip stands in the merged store: itself, or its twin."""
    keep: list[np.ndarray] = []
    places: list[np.ndarray] = []
    count = 0
    for number, store in enumerate(stores):
        names, kept = store.clips.name, np.ones(len(store), bool)
        place = np.empty(len(store), np.int64)
        for other in range(number):
            if _family(stores[other]) != _family(store):
                continue
            mine = np.flatnonzero(np.isin(names, stores[other].clips.name) & (names != "") & kept)
            order = np.argsort(stores[other].clips.name, kind="stable")
            theirs = order[np.searchsorted(stores[other].clips.name, names[mine], sorter=order)]
            _check_twins(stores[other], theirs, store, mine)
            kept[mine], place[mine] = False, places[other][theirs]
        place[kept] = count + np.arange(kept.sum())
        count += int(kept.sum())
        keep.append(kept)
        places.append(place)
    return keep, places


def _check_twins(one: Store, theirs: Int[np.ndarray, " k"], other: Store, mine: Int[np.ndarray, " k"]) -> None:
    for a, b in zip(theirs, mine, strict=True):
        first, second = (
            store.frames[store.clips.offsets[at] : store.clips.offsets[at + 1]] for store, at in ((one, a), (other, b))
        )
        if first.shape != second.shape or not np.array_equal(first, second, equal_nan=True):
            raise DataError(
                f"{other.path}: clip {other.clips.name[b]} is in {one.path} too, and differs there; were both "
                "prepared from the same recordings, by the same halpose? Leave one of the stores out"
            )
        labels = [store.clips.label[at] for store, at in ((one, a), (other, b))]
        if min(labels) >= 0 and one.classes[labels[0]] != other.classes[labels[1]]:
            raise DataError(
                f"{other.path}: clip {other.clips.name[b]} is {other.classes[labels[1]]!r}, but in {one.path} "
                f"{one.classes[labels[0]]!r}; prepare one of them again with the other's labels"
            )


def _overlaps(stores: Items[Store], keep: Items[Bool[np.ndarray, " n"]]) -> list[str]:
    return [
        f"{int((~kept).sum())} clips of {store.path.name} are in an earlier store, the same there: taken once"
        for store, kept in zip(stores, keep, strict=True)
        if not kept.all()
    ]


def _splits(
    stores: Items[Store], sets: Items[str], places: Items[Int[np.ndarray, " n"]], clips: int, notes: list[str]
) -> dict[str, Int8[np.ndarray, " clips"]]:
    """The splits of every data set, and the one that joins their defaults."""
    splits: dict[str, np.ndarray] = {}
    merged = np.full(clips, NOT_IN_SPLIT, np.int8)
    for name in sets:
        members = [number for number, store in enumerate(stores) if store.name == name]
        shared = [split for split in stores[members[0]].splits if all(split in stores[m].splits for m in members)]
        lost = sorted({split for m in members for split in stores[m].splits} - set(shared))
        if lost:
            notes.append(f"splits that not every store of {name} has are left out: {', '.join(lost)}")
        for split in shared:
            codes = np.full(clips, NOT_IN_SPLIT, np.int8)
            for member in members:
                np.maximum.at(codes, places[member], stores[member].clips.split[split])
            splits[f"{name}/{split}" if len(sets) > 1 else split] = codes
        default = stores[members[0]].meta["provenance"].get("default_split")
        chosen = default if default in shared else (shared[0] if shared else None)
        for member in members:
            # Whoever tests in any of the data sets tests in the merged one; without a split everybody trains.
            codes = stores[member].clips.split[chosen] if chosen else np.zeros(len(stores[member]), np.int8)
            np.maximum.at(merged, places[member], codes)
    if len(sets) > 1 and splits:
        splits = {MERGED: merged, **splits}
        if PART_CODES["test"] not in merged:
            notes.append(f"nobody tests in split {MERGED}")
    return splits


def _provenance(stores: Items[Store], notes: list[str]) -> dict[str, Any]:
    """What all stores say; where they say different things, all of it in words."""
    tables = [store.meta["provenance"] for store in stores]
    joined: dict[str, Any] = {}
    for key in dict.fromkeys(key for table in tables for key in table):
        values = [table.get(key) for table in tables]
        if all(value == values[0] for value in values):
            joined[key] = values[0]
        elif key in ("files", "bytes"):
            joined[key] = sum(int(value or 0) for value in values)
        elif key in ("data_set", "licence", "source", "citation", "format", "halpose"):
            said = {f"{store.name}: {value or 'not stated'}": None for store, value in zip(stores, values, strict=True)}
            joined[key] = "; ".join(said)
        elif key == _NORMALISATION:
            notes.append(
                "the stores recommend different normalisations, so the merged one recommends none: choose with "
                "data.centre, data.align and data.scale"
            )
    joined[MERGED] = [
        {"store": store.path.name, "data_set": store.name, "clips": len(store), "provenance": table}
        for store, table in zip(stores, tables, strict=True)
    ]
    return joined
