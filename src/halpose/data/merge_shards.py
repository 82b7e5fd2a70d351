"""Shards of one data set become the store that one machine would have made, bit for bit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence as Items
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from jaxtyping import Bool

from halpose.data.chunk_files import SetAside
from halpose.data.merge_plan import Plan
from halpose.data.prepare_report import Published, count, deviations
from halpose.data.store import Store
from halpose.data.store_files import REPORT
from halpose.errors import DataError


def is_shard(store: Store) -> bool:
    """Whether a store is a part of a preparation."""
    return "shard" in store.meta["provenance"]


def plan_shards(stores: Items[Store]) -> Plan:
    """Put shards in their order, and write the report that the whole would have had.

    Args:
        stores: every shard of one preparation, in any order.

    Raises:
        DataError: one is missing, given twice, or of other files or settings; or a report cannot be read.
    """
    stores = _in_order(stores)
    reports = [_read_report(store) for store in stores]
    keep = _first_of_each_name(stores)
    aside = _set_aside(stores, reports, keep)
    repaired: dict[str, dict[str, int]] = {}
    for store, report, kept in zip(stores, reports, keep, strict=True):
        elsewhere = set(store.clips.name[~kept].tolist())
        repaired |= {name: found for name, found in report["repaired"].items() if name not in elsewhere}
    repairs = Counter[str]()
    for found in repaired.values():
        repairs.update(found)
    splits = {
        name: np.concatenate([store.clips.split[name][kept] for store, kept in zip(stores, keep, strict=True)])
        for name in stores[0].splits
    }
    provenance = {key: value for key, value in stores[0].meta["provenance"].items() if key != "shard"}
    for key in ("files", "bytes"):
        provenance[key] = sum(store.meta["provenance"][key] for store in stores)
    clips = sum(int(kept.sum()) for kept in keep)
    published = Published(**reports[0]["shard"]["published"])
    counts = count(published, clips, splits)
    synthetic, listed = bool(stores[0].meta["synthetic"]), reports[0]["shard"]["listed"]
    notes = reports[0]["shard"]["notes"] + deviations(published, synthetic, counts, listed, aside)
    report = {
        "data_set": reports[0]["data_set"],
        "format": reports[0]["format"],
        "files": sum(report["files"] for report in reports),
        "clips": clips,
        "counts": counts,
        "notes": notes,
        "repairs": dict(sorted(repairs.items())),
        "repaired": repaired,
        "set_aside": [asdict(item) for item in aside],
    }
    same = np.append(np.arange(len(stores[0].classes)), -1).astype(np.int32)
    return Plan(
        stores=list(stores),
        keep=keep,
        labels=[same] * len(stores),
        prefixes=[""] * len(stores),
        name=stores[0].name,
        classes=stores[0].classes,
        provenance=provenance,
        report=report,
        repairs=repairs,
        splits=splits,
        notes=notes,
    )


def _in_order(stores: Items[Store]) -> list[Store]:
    """Shards by number, every one there once."""
    shards = [store.meta["provenance"].get("shard") for store in stores]
    first, of = stores[0], int((shards[0] or {"of": 0})["of"])
    found: dict[int, Store] = {}
    for store, shard in zip(stores, shards, strict=True):
        if shard is None:
            raise DataError(f"{store.path}: not a shard, but others are; merge the shards first, then the result")
        alike = (store.classes, store.splits) == (first.classes, first.splits)
        if shard["whole"] != shards[0]["whole"] or shard["of"] != of or not alike:
            raise DataError(
                f"{store.path}: not a shard of the preparation that {first.path} is of: other files, another --shard "
                "count, settings, lists or halpose; prepare it again as the others were"
            )
        if shard["number"] in found:
            raise DataError(f"{store.path}: shard {shard['number']} of {of}, and so is {found[shard['number']].path}")
        found[shard["number"]] = store
    missing = [str(number) for number in range(1, of + 1) if number not in found]
    if missing:
        raise DataError(
            f"{first.path}: a shard of {of}, and {', '.join(missing)} of them not given; prepare them with --shard "
            f"{missing[0]}/{of} and give all of them"
        )
    return [found[number] for number in sorted(found)]


def _read_report(store: Store) -> dict[str, Any]:
    file = store.path / REPORT
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
        counted = sum(clips for _, clips in report["shard"]["clips"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DataError(f"{file}: cannot be read ({error}); prepare this shard again") from None
    if counted != len(store):
        raise DataError(f"{file}: tells of {counted} clips, but the shard has {len(store)}; prepare it again")
    return dict(report)


def _first_of_each_name(stores: Items[Store]) -> list[Bool[np.ndarray, " n"]]:
    """Which clips of each shard have a name that no earlier shard has; within a shard names differ."""
    keep = [np.ones(len(stores[0]), bool)]
    for number, store in enumerate(stores[1:], start=1):
        earlier = np.concatenate([other.clips.name for other in stores[:number]])
        keep.append(~np.isin(store.clips.name, earlier))
    return keep


def _set_aside(
    stores: Items[Store], reports: Items[dict[str, Any]], keep: Items[Bool[np.ndarray, " n"]]
) -> list[SetAside]:
    """What every shard set aside, and the clips that another shard has too, each with the file that came first."""
    items = [SetAside(**item) for report in reports for item in report["set_aside"]]
    files = [np.repeat(*map(np.array, zip(*report["shard"]["clips"], strict=True))) for report in reports]
    for store, kept, of in zip(stores, keep, files, strict=True):
        items += [SetAside(str(of[at]), "duplicate", "", str(store.clips.name[at])) for at in np.flatnonzero(~kept)]
    twice = np.array(sorted({item.clip for item in items if item.kind == "duplicate"}), dtype=str)
    owner: dict[str, str] = {}
    for store, of in zip(stores, files, strict=True):
        for at in np.flatnonzero(np.isin(store.clips.name, twice)):
            owner.setdefault(str(store.clips.name[at]), str(of[at]))
    named = (
        replace(item, reason=f"a clip of this name was read from {owner[item.clip]} already")
        if item.kind == "duplicate"
        else item
        for item in items
    )
    return sorted(named, key=lambda item: (item.file, item.clip))
