"""What recordings of one's own are made into, clip by clip, so that a store can hold them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from halpose import io
from halpose.data.labels import Entry, Labels
from halpose.data.upright import Upright, put_upright
from halpose.errors import DataError
from halpose.mapping import map_joints
from halpose.skeleton import Layout, Sequence

# Of a hundred recordings without a subject, so many test and validate.
TEST, VALIDATION = 20, 15


class OtherSkeleton(DataError):
    """A recording has another skeleton than those before it: nothing to set aside, the whole folder is at fault."""


@dataclass(frozen=True)
class OwnForm:
    """What is done to every clip of a folder.

    Attributes:
        layout: of the store.
        first: the recording that decided what the user did not.
        is_mapped: whether the user named the layout, so that joints are mapped to it by name.
        channels: coordinates per joint.
        upright: unit and axis of each skeleton, by its layout's name; of any other they are measured clip by clip.
        labels: what the user knows of the recordings.
        split: how clips are divided: `given` (by the labels), `x-sub` (by subject) or `by-file`.
        parts: subject or file -> part; others fall to the part that their name's hash says.
        fps: frames per second where a recording does not say.
    """

    layout: Layout
    first: str
    is_mapped: bool
    channels: int
    upright: dict[str, Upright] = field(default_factory=dict)
    labels: Labels = field(default_factory=Labels)
    split: str = "by-file"
    parts: dict[str, str] = field(default_factory=dict)
    fps: float = 0.0

    def fit(self, sequence: Sequence, file: str) -> tuple[Sequence, dict[str, str]]:
        """A clip in the store's form, and the keys that it is split and labelled by.

        Args:
            sequence: as it was read.
            file: path below the source folder, with `/`.

        Raises:
            OtherSkeleton: it has another skeleton, or another number of coordinates.
            DataError: its joints cannot be mapped to the layout that was asked for.
        """
        name = str(PurePosixPath(file).with_suffix(""))
        is_only = PurePosixPath(name).name == sequence.name
        entry = self.labels.find(file, sequence.name)
        known = {
            "name": name if is_only else f"{name}/{sequence.name}",
            "label": entry.label if self.labels.entries else -1,
            "subject": entry.subject or sequence.subject,
            "camera": entry.camera or sequence.camera,
            "fps": sequence.fps or self.fps,
        }
        fitted = self._with_layout(put_upright(sequence, self.upright), file)
        fitted = replace(fitted, **known)  # type: ignore[arg-type]
        keys = {"part": self._part(fitted, entry, file if is_only else "")}
        if not self.labels.entries:
            own = str(sequence.extra.get("label", sequence.label if sequence.label >= 0 else ""))
            keys |= {"label": own} if own else {}
        return fitted, keys

    def _part(self, sequence: Sequence, entry: Entry, file: str) -> str:
        if self.split == "given":
            return entry.part
        if self.split == "x-sub":
            return self.parts.get(sequence.subject) or part_of(sequence.subject) if sequence.subject else ""
        return self.parts.get(file) or part_of(sequence.name)

    def _with_layout(self, sequence: Sequence, file: str) -> Sequence:
        found, channels = sequence.skeleton, sequence.positions.shape[-1]
        if channels != self.channels:
            raise OtherSkeleton(
                f"{file}: {channels} coordinates per joint, but {self.first} has {self.channels}; "
                "prepare them as two stores"
            )
        if not self.is_mapped:
            if found.joints != self.layout.joints or found.parents != self.layout.parents:
                raise OtherSkeleton(
                    f"{file}: its skeleton is {found.name} ({_some(found)}), but that of {self.first} is "
                    f"{self.layout.name} ({_some(self.layout)}); prepare them as two stores, or give --layout NAME, to "
                    "which both are mapped by the names of their joints"
                )
            return replace(sequence, layout=self.layout)
        if found.joints == self.layout.joints or (sequence.extra.get("by_number") and len(found) == len(self.layout)):
            return replace(sequence, layout=self.layout)
        joints = map_joints(found, self.layout, file)
        sure = sequence.confidence
        return replace(
            sequence,
            layout=self.layout,
            positions=joints.apply(sequence.positions),
            confidence=None if sure is None else joints.apply(sure[..., None])[..., 0],
        )


def _some(layout: Layout) -> str:
    return f"{len(layout)} joints: {', '.join(layout.joints[:4])}{', ...' if len(layout) > 4 else ''}"


def _without_ending(name: str) -> str:
    """A file's name without the ending of its format; any other as it is, because people may be called `S.01`."""
    known = {ending for format in io.FORMATS.values() for ending in format.suffixes}
    return str(PurePosixPath(name).with_suffix("")) if PurePosixPath(name).suffix.lower() in known else name


def share_of(name: str) -> float:
    """A number from 0 to 1 that a name always has, on every machine."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big") / (1 << 64)


def part_of(name: str) -> str:
    """The part that a recording, or all of a subject, falls to; it stays there when others are added."""
    share = share_of(name) * 100
    return "test" if share < TEST else "validation" if share < TEST + VALIDATION else "train"


def parts_of(names: Iterable[str]) -> dict[str, str]:
    """The part of each file or subject. Of two, one tests; of three or more, there is one in each part."""
    stems = {name: _without_ending(name) for name in names}
    parts = {name: part_of(stem) for name, stem in stems.items()}
    order = sorted(stems, key=lambda name: share_of(stems[name]))
    if len(order) < 3:
        return dict(zip(order, ("test", "train") if len(order) == 2 else ("train",), strict=True))
    for part, name in (("test", order[0]), ("train", order[-1]), ("validation", order[1])):
        if part not in parts.values():
            parts[name] = part
    return parts
