"""Chunks put together into a store, clip after clip, with their labels and parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from halpose.data.chunk_files import SetAside, read_chunk
from halpose.data.chunks import split_keys
from halpose.data.splits import SplitRule
from halpose.data.store_writer import StoreWriter


@dataclass
class Assembly:
    """What the chunks held.

    Attributes:
        set_aside: files and clips that are not in the store.
        repairs: kind of repair -> how often.
        repaired: clip -> the same.
        codes: split -> part of each clip.
        clips: file -> how many clips it gave.
        frames: of all clips.
    """

    set_aside: list[SetAside] = field(default_factory=list)
    repairs: Counter[str] = field(default_factory=Counter)
    repaired: dict[str, dict[str, int]] = field(default_factory=dict)
    codes: dict[str, np.ndarray] = field(default_factory=dict)
    clips: Counter[str] = field(default_factory=Counter)
    frames: int = 0


def assemble(
    writer: StoreWriter, rules: Mapping[str, SplitRule], paths: list[Path], aside: Iterable[SetAside]
) -> Assembly:
    """Append every chunk's clips in order and divide them by the split rules.

    Args:
        writer: of the store.
        rules: split -> rule.
        paths: chunks in order.
        aside: files that were set aside already.
    """
    assembly = Assembly(set_aside=list(aside))
    classes: dict[str, int] = {}
    codes: dict[str, list[int]] = {name: [] for name in rules}
    owner: dict[str, str] = {}
    for path in paths:
        for item in read_chunk(path):
            if isinstance(item, SetAside):
                assembly.set_aside.append(item)
                continue
            clip = item.clip
            if clip.name in owner:
                reason = f"a clip of this name was read from {owner[clip.name]} already"
                assembly.set_aside.append(SetAside(item.file, "duplicate", reason, clip.name))
                continue
            owner[clip.name] = item.file
            assembly.clips[item.file] += 1
            if "label" in item.keys:  # recordings of one's own that say their labels themselves
                clip = replace(clip, label=classes.setdefault(item.keys["label"], len(classes)))
            writer.append(clip)
            keys = split_keys(item)
            for name, rule in rules.items():
                codes[name].append(rule.part(keys))
            if clip.repairs:
                assembly.repairs.update(clip.repairs)
                assembly.repaired[clip.name] = dict(clip.repairs)
            assembly.frames += clip.positions.shape[1]
    writer.classes = writer.classes or list(classes)
    assembly.set_aside.sort(key=lambda item: (item.file, item.clip))  # in no order that the chunks decide
    for name, values in codes.items():
        assembly.codes[name] = np.array(values, dtype=np.int8)
        if values:
            writer.set_split(name, assembly.codes[name])
    return assembly
