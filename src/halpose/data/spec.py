"""What halpose has to know of a data set to prepare it: `DatasetSpec`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from halpose.data.splits import SplitRule

# Transforms that suit a data set: published (as CMD and HaLP prepare NTU and PKU-MMD), turned by the
# clip's mean torso direction, or not turned because everybody faces the camera.
PUBLISHED = {"centre": "frame", "align": "first", "scale": "none"}
ALIGNED = {"centre": "first", "align": "torso", "scale": "rms"}
PAIRED = {"centre": "first", "align": "pair", "scale": "rms"}
UNTURNED = {"centre": "first", "align": "none", "scale": "rms"}

# A file of this name lies beside generated recordings, so that nothing made from them passes for real.
SYNTHETIC_MARK = "SYNTHETIC.json"


@dataclass(frozen=True)
class FileForm:
    """One form in which a data set's files come.

    Attributes:
        format: name in `halpose.io.FORMATS`.
        pattern: regular expression that the end of a file's path matches.
        example: a path that does, for messages.
    """

    format: str
    pattern: str
    example: str


@dataclass(frozen=True)
class DatasetSpec:
    """What halpose knows of one data set.

    Attributes:
        name: short name, as on the command line.
        title: the name people cite.
        classes: class names in the order of the labels.
        layout: name of the joint layout that its reader gives.
        people: most people in a clip, M.
        forms: the forms of its files; the first that matches anything in a folder is read.
        splits: split name -> rule.
        default_split: the split that results are usually quoted on.
        licence: terms of use, as far as they are stated.
        source: where to get it.
        citation: what to cite.
        files: how many files a complete copy has; None when not known.
        clips: how many clips they leave after the published exclusions; None when not known.
        counts: split -> clips in the official training part and in the test part.
        prune: names of clips that the literature leaves out, and prepare sets aside.
        prune_why: the reason, for the report.
        missing_list: the published list of clips without a usable skeleton; its path may be given to prepare.
        normalisation: the transforms that suit the set: keys centre, align, scale.
        channels: coordinates per joint.
        least_confidence: joints that a pose estimator is less sure of are missing; 0 believes all.
        family: data sets of one family share people and clips: the same subject number or clip name means the same.
        notes: anything a user should know, one sentence each.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    layout: str
    people: int
    forms: tuple[FileForm, ...]
    splits: Mapping[str, SplitRule]
    default_split: str
    licence: str
    source: str
    citation: str
    files: int | None = None
    clips: int | None = None
    counts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    prune: frozenset[str] = frozenset()
    prune_why: str = ""
    missing_list: str = ""
    normalisation: Mapping[str, str] = field(default_factory=lambda: dict(ALIGNED))
    channels: int = 3
    least_confidence: float = 0.0
    family: str = ""
    notes: tuple[str, ...] = ()
