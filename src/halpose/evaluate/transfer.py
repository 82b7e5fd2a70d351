"""Transfer: an encoder that was pre-trained on one data set, scored or tuned on another.

What the other store holds is read as the encoder's input: joints by name (`halpose.mapping`), people padded or cut, in
blocks as they are needed. Clips or people that pre-training has seen must not be scored.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from jaxtyping import Float, UInt8

from halpose.data.normalise import transforms
from halpose.data.store import Store
from halpose.engine.run import Run, Shape
from halpose.engine.seen import Seen, known_as, read_seen, same_people
from halpose.errors import DataError
from halpose.mapping import JointMap, map_joints


@dataclass(frozen=True)
class MappedFrames:
    """The frames of a store in another layout, made when they are read.

    Attributes:
        frames: (F, M, W, C) of the store.
        joints: how joints are mapped.
        people: M of the result.
    """

    frames: Float[np.ndarray, "f m w c"]
    joints: JointMap
    people: int

    @property
    def shape(self) -> tuple[int, ...]:
        """(F, M, V, C)."""
        return (len(self.frames), self.people, len(self.joints.target), self.frames.shape[3])

    @property
    def dtype(self) -> np.dtype[Any]:
        """As stored."""
        return self.frames.dtype

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: Any) -> Float[np.ndarray, "*n m v c"]:
        """Some frames, by whatever picks rows of an array."""
        found = self.joints.apply(np.asarray(self.frames[index])[..., : self.people, :, :])
        missing = self.people - found.shape[-3]
        if not missing:
            return found
        padding = [(0, 0)] * (found.ndim - 3) + [(0, missing), (0, 0), (0, 0)]
        return np.pad(found, padding, constant_values=np.nan)


@dataclass(frozen=True)
class MappedConfidence:
    """The confidence of a store in another layout, made when it is read: that of what a joint is made from.

    Attributes:
        confidence: (F, M, W) of the store, in bytes.
        joints: how joints are mapped.
        people: M of the result; nobody is sure of people who are not there.
    """

    confidence: UInt8[np.ndarray, "f m w"]
    joints: JointMap
    people: int

    def __getitem__(self, index: Any) -> UInt8[np.ndarray, "*n m v"]:
        """Of some frames, by whatever picks rows of an array."""
        found = np.asarray(self.confidence[index])[..., : self.people, :]
        mapped = np.rint(self.joints.apply(found[..., None].astype(np.float32))[..., 0]).astype(np.uint8)
        missing = self.people - mapped.shape[-2]
        return np.pad(mapped, [(0, 0)] * (mapped.ndim - 2) + [(0, missing), (0, 0)])


def adapt(run: Run, store: Store, split: str, part: str) -> tuple[Store, tuple[str, ...]]:
    """A store as a run's encoder takes it, if clips of its own data set are not among those that are scored.

    Args:
        run: the run.
        store: what it is scored on.
        split: of the store.
        part: the part that is scored.

    Returns:
        The store, with other frames and transforms where joints or people differ, and what a reader should know.

    Raises:
        DataError: clips or people that pre-training saw would be scored, or the joints have too little in common.
    """
    notes = overlap(run, store, split, part)
    taken, changes = as_input(run, store)
    return taken, notes + changes


def as_input(run: Run, store: Store) -> tuple[Store, tuple[str, ...]]:
    """A store as a run's encoder takes it.

    Args:
        run: the run.
        store: recordings of any layout.

    Returns:
        The store, with other frames and transforms where joints or people differ, and what a reader should know.

    Raises:
        DataError: the joints have too little in common, or the run takes 3-D and this is 2-D, or the other way round.
    """
    shape, theirs = run.shape, Shape.of_store(store)
    if shape.channels != theirs.channels:
        raise DataError(
            f"{store.path}: {theirs.channels} coordinates per joint, but {run.path} was trained on {shape.channels}; "
            "use a store of as many"
        )
    if (shape.layout.joints, shape.people) == (theirs.layout.joints, theirs.people):
        return store, ()
    notes: tuple[str, ...] = ()
    joints = map_joints(store.layout, shape.layout, str(store.path))
    if not joints.is_identity:
        notes += (joints.describe(),)
    if theirs.people > shape.people:
        notes += (f"clips are cut to {shape.people} of {theirs.people} people, those who move most",)
    elif theirs.people < shape.people:
        notes += (f"clips of {theirs.people} people are filled up to {shape.people} with nobody",)
    return _mapped(store, MappedFrames(store.frames, joints, shape.people)), notes


def _mapped(store: Store, frames: MappedFrames) -> Store:
    """The store with other frames; place, direction and size of each clip follow from these."""
    layout, offsets = frames.joints.target, store.clips.offsets
    columns: dict[str, Any] = {}
    if not frames.joints.is_identity:
        rows = [transforms(frames[start:end][:, 0], layout) for start, end in zip(offsets, offsets[1:], strict=False)]
        for name in rows[0]:
            column = getattr(store.clips, name)
            columns[name] = np.stack([row[name] for row in rows]).astype(column.dtype)
    meta = {**store.meta, "layout": layout.to_dict(), "people": frames.people}
    sure = None if store.confidence is None else MappedConfidence(store.confidence, frames.joints, frames.people)
    return replace(
        store, meta=meta, frames=cast(np.memmap, frames), clips=replace(store.clips, **columns),
        confidence=cast(np.memmap, sure),
    )  # fmt: skip


def overlap(run: Run, store: Store, split: str, part: str) -> tuple[str, ...]:
    """What pre-training has seen of the clips that are scored: nothing, or the score is refused or says so.

    The data set that a run was trained on may be scored in any split, as its own test part is by definition unseen;
    under another split the notes say how many clips were seen. Another store is another data set: clips of one name and
    people of one number are only the same where data sets share them (NTU RGB+D 120 contains NTU RGB+D 60).

    Raises:
        DataError: another data set, and its scored part shares clips or people with the pre-training part.
    """
    seen = read_seen(run)
    clips = store.part(split, part)
    common: set[tuple[str, str]] = set()
    people: set[str] = set()
    for data_set, subject, name in known_as(store, clips):
        for other in same_people(data_set):
            if name and (other, name) in seen.clips:
                common.add((data_set, name))
            if subject and (other, subject) in seen.subjects:
                people.add(subject)
    own = run.about.get("store", {}).get("name") == store.name
    if own:
        if not common:
            return ()
        return (f"{len(common)} of {len(clips)} scored clips were seen, without labels, in pre-training",)
    notes = (f"transfer: pre-trained on {_origin(seen, run)}, without labels; scored on {store.name}",)
    if not seen.is_known:
        return (*notes, "which clips pre-training saw is not recorded, so that overlap could not be checked")
    if common or people:
        what = f"{len(common)} clips" if common else f"subjects {', '.join(sorted(people)[:8])}"
        raise DataError(
            f"{store.path}: {what} of the {part} part of {split} were in the pre-training part of {run.path} "
            f"({_origin(seen, run)}); pre-train without them, or score another split"
        )
    return notes


def _origin(seen: Seen, run: Run) -> str:
    sets = sorted({data_set for data_set, _ in seen.clips})
    return ", ".join(sets) or str(run.about.get("store", {}).get("name", "unknown data"))
