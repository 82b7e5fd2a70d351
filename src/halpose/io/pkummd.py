"""PKU-MMD: long videos as text, cut into one clip per labelled interval.

`skeleton/NAME.txt` has a line per frame of 150 numbers: x y z of the 25 joints of one person, then of another;
metres, y up; a person who is not there is all zeros. `label/NAME.txt`, in a folder beside, has a line
`class,start,end,confidence` per action: the class counts from 1, start and end are frames, counted from 0, of
which the last is not part of the action (so they are used by those who publish results; starts of 0 occur).

NAME is `0002-L` in phase I and `A01N07-L` in phase II. The letter is the camera: L, M, R (left, middle, right) are
camera 1, 2, 3. N is the subject; phase I does not name any.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from halpose.io.base import Format, first_lines, people_to_missing, read_bytes, refused, to_float32
from halpose.io.text import NotNumbers, table
from halpose.skeleton import Sequence

LAYOUT = "kinect25"
FRAMES_PER_SECOND = 30.0
_PEOPLE, _JOINTS = 2, 25
_COLUMNS = _PEOPLE * _JOINTS * 3
_CAMERAS = {"L": 1, "M": 2, "R": 3}
_NAME = re.compile(r"(?:A\d+N(?P<subject>\d+)|\d+)-(?P<camera>[LMR])")


@dataclass(frozen=True)
class _Interval:
    line: int
    action: int
    start: int
    end: int
    confidence: str


def read(path: Path) -> Iterator[Sequence]:
    """The clips of a video, one per line of its label file.

    Raises:
        FormatError: a file is damaged, or there are no labels. An interval outside the video is refused after
            all others were given.
    """
    labels = _label_file(path)
    intervals = _intervals(labels)
    try:
        values = table(read_bytes(path), _COLUMNS)
    except NotNumbers as error:
        raise refused(path, str(error), "extract it again from the archive, or leave it out") from None
    frames = to_float32(values).reshape(-1, _PEOPLE, _JOINTS, 3)
    match = _NAME.fullmatch(path.stem)
    outside = []
    for index, interval in enumerate(intervals):
        if interval.start >= len(frames):
            outside.append(interval)
            continue
        positions = frames[interval.start : interval.end].swapaxes(0, 1).copy()
        yield Sequence(
            positions=people_to_missing(positions),
            layout=LAYOUT,
            name=f"{path.stem}_{index:03d}",
            label=interval.action - 1,
            subject=f"N{match['subject']}" if match and match["subject"] else "",
            camera=_CAMERAS[match["camera"]] if match else 0,
            people=("1", "2"),
            fps=FRAMES_PER_SECOND,
            extra={
                "video": path.stem,
                "start": interval.start,
                "end": interval.end,
                "label_confidence": interval.confidence,
            },
        )
    if outside:
        first = outside[0]
        raise refused(
            labels,
            f"line {first.line}: the action starts at frame {first.start}, but {path.name} has {len(frames)} frames "
            f"({len(outside)} such lines)",
            "use labels and skeletons of the same phase",
        )


def _label_file(path: Path) -> Path:
    """The labels of a video: the file of the same name in a folder beside the video's own that says label."""
    above = path.absolute().parent.parent
    try:
        folders = sorted(folder for folder in above.iterdir() if "label" in folder.name.lower())
    except OSError:
        folders = []
    found = [folder / path.name for folder in folders if (folder / path.name).is_file()]
    if not found:
        raise refused(path, "no labels for this video", f"its labels should be {above / 'label' / path.name}")
    return found[0]


def _intervals(labels: Path) -> list[_Interval]:
    """The actions that a label file lists."""
    intervals = []
    for number, line in enumerate(read_bytes(labels, limit=1 << 20).decode("latin-1").splitlines(), start=1):
        words = [word.strip() for word in line.split(",")]
        if words == [""]:
            continue
        whole = all(re.fullmatch(r"\d{1,9}", word, re.ASCII) for word in words[:3])
        if len(words) not in (3, 4) or not whole or int(words[0]) < 1 or int(words[1]) >= int(words[2]):
            raise refused(labels, f"line {number}: {line[:40]!r} is not class,start,end,confidence", "extract it again")
        action, start, end = map(int, words[:3])
        intervals.append(_Interval(number, action, start, end, confidence="".join(words[3:])))
    if not intervals:
        raise refused(labels, "no action in it", "leave this video out")
    return intervals


def sniff(path: Path) -> bool:
    """Whether the first line has 150 numbers."""
    lines = first_lines(path, size=8192)
    return bool(lines) and len(lines[0]) == _COLUMNS


FORMAT = Format(
    name="pkummd",
    description="PKU-MMD skeleton text with its label file (Kinect v2, 25 joints, 2 people)",
    suffixes=(".txt",),
    sniff=sniff,
    read=read,
)
