"""Which clip trains and which one tests: split rules, and the validation part carved from training."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from halpose.data.store_files import NOT_IN_SPLIT, PART_CODES
from halpose.errors import DataError

Keys = Mapping[str, str]


def numbered(text: str) -> str:
    """`s01`, `P001` and `1` are all `1`; anything but a numbered name is left as it is.

    Subjects are written differently from one copy of a data set to the next; split rules compare this form.
    """
    match = re.fullmatch(r"[A-Za-z]?0*(\d+)", text)
    return match[1] if match else text


def every_fifth(groups: Iterable[str]) -> frozenset[str]:
    """The groups that a validation part takes: every fifth in natural order, or the last of fewer."""
    ordered = sorted(set(groups), key=lambda group: (not group.isdigit(), int(group) if group.isdigit() else 0, group))
    return frozenset(ordered[4::5] or ordered[-1:])


@dataclass(frozen=True)
class SplitRule:
    """Divides clips into training, validation and test part by what is known of each clip.

    Attributes:
        by: the key that decides: `subject`, `camera`, `setup`, `style` or `video`.
        train: values of that key in the official training part.
        test: values in the test part; None is every other value.
        validation: values of `validation_by` that leave the training part for the validation part.
        validation_by: the key that the validation part is carved by.
        videos: a text file of the source instead of `train` and `test`: its second line lists the training
            videos, its fourth the test videos, separated by commas; validation then takes every fifth value
            of `validation_by` among the training videos.
        left_out: regular expression of the videos that are in no part, such as copies of others.
        why: what the validation part holds and why.
    """

    by: str
    train: frozenset[str] = frozenset()
    test: frozenset[str] | None = None
    validation: frozenset[str] = frozenset()
    validation_by: str = "subject"
    videos: str = ""
    left_out: str = ""
    why: str = ""

    def part(self, keys: Keys) -> int:
        """Code of the part that a clip belongs to (0 train, 1 validation, 2 test, -1 none).

        Args:
            keys: what is known of the clip; an unknown key is missing or "".
        """
        value = keys.get(self.by, "")
        if self.left_out and re.fullmatch(self.left_out, keys.get("video", "")):
            return NOT_IN_SPLIT
        if value in self.train:
            held_out = keys.get(self.validation_by, "") in self.validation
            return PART_CODES["validation" if held_out else "train"]
        if not value or (self.test is not None and value not in self.test):
            return NOT_IN_SPLIT
        return PART_CODES["test"]


def by_subject(train: Iterable[int | str]) -> SplitRule:
    """Cross-subject: the named subjects train, all others test; every fifth of the former validates."""
    subjects = frozenset(map(str, train))
    held_out = every_fifth(subjects)
    names = ", ".join(sorted(held_out, key=lambda name: (len(name), name)))
    return SplitRule("subject", subjects, validation=held_out, why=f"training subjects {names}")


_VIDEO = re.compile(r"(?:A\d+N(?P<subject>\d+)|(?P<recording>\d+))-(?P<camera>[LMR])")


def video_keys(video: str) -> dict[str, str]:
    """What the name of a PKU-MMD video tells: `A01N07-L` is subject 7, `0002-L` is recording 2."""
    match = _VIDEO.fullmatch(video)
    return {key: numbered(value) for key, value in match.groupdict().items() if value} if match else {}


def resolve_videos(rule: SplitRule, folder: Path) -> SplitRule:
    """Read the videos of a rule from the text file that comes with the data set.

    Args:
        rule: a rule with `videos`.
        folder: where the file is looked for, at any depth, and beside.

    Raises:
        DataError: there is no such file, or it does not list videos where it should.
    """
    found = [*sorted(folder.rglob(rule.videos)), *folder.absolute().parent.glob(rule.videos)]
    if not found:
        raise DataError(f"{folder}: {rule.videos} is not there; download it with the data set to get this split")
    try:
        lines = found[0].read_text(encoding="utf-8-sig").splitlines()
        train, test = (
            frozenset(video.strip().removesuffix(".txt") for video in lines[at].split(",") if video.strip())
            for at in (1, 3)
        )
    except (OSError, UnicodeDecodeError, IndexError) as error:
        raise DataError(
            f"{found[0]}: cannot be read ({error}); its second line should list the training videos, its "
            "fourth the test videos, separated by commas"
        ) from None
    if not train or not test or train & test:
        raise DataError(
            f"{found[0]}: {len(train)} training and {len(test)} test videos, {len(train & test)} in both; "
            "its second line should list the training videos, its fourth the test videos"
        )
    groups = {video_keys(video).get(rule.validation_by, "") for video in train}
    return replace(rule, train=train, test=test, validation=every_fifth(groups - {""}))
