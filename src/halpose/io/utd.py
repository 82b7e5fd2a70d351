"""UTD-MHAD: MATLAB files `a{action}_s{subject}_t{trial}_skeleton.mat` with `d_skel`, (20 joints, 3, frames).

Kinect v1, metres, y up, people face the camera. The file's joints go from the head down; they are given in the
order of layout kinect20, from the hip up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from halpose.io.base import Format, read_bytes, read_head, refused, to_float32, zeros_to_missing
from halpose.io.mat import NotMat, arrays
from halpose.skeleton import Sequence

LAYOUT = "kinect20"
FRAMES_PER_SECOND = 30.0
_VARIABLE = "d_skel"
_ORDER = [3, 2, 1, 0, *range(4, 20)]
_MOST_FRAMES = 100_000
_MOST_BYTES = 1 << 26
_NAME = re.compile(r"(?P<clip>a(?P<action>\d+)_s(?P<subject>\d+)_t(?P<trial>\d+))(?:_skeleton)?")
_REMEDY = "extract it again from the archive; files saved with -v7.3 have to be saved with -v7"


def read(path: Path) -> Iterator[Sequence]:
    """The one clip of a file.

    Raises:
        FormatError: the file is damaged or holds something else.
    """
    skeleton = _load(path, read_bytes(path, limit=_MOST_BYTES))
    positions = to_float32(skeleton.transpose(2, 0, 1)[:, _ORDER])
    match = _NAME.fullmatch(path.stem)
    yield Sequence(
        positions=zeros_to_missing(positions)[None],
        layout=LAYOUT,
        name=match["clip"] if match else path.stem,
        label=int(match["action"]) - 1 if match else -1,
        subject=f"s{match['subject']}" if match else "",
        people=("1",),
        fps=FRAMES_PER_SECOND,
        extra={"trial": int(match["trial"])} if match else {},
    )


def _load(path: Path, data: bytes) -> np.ndarray:
    """The skeleton of a MATLAB file."""
    there: list[str] = []
    try:
        for found in arrays(data, _MOST_BYTES):
            skeleton = found.array()
            if found.name == _VARIABLE and _is_skeleton(found.shape) and skeleton is not None:
                return skeleton
            there.append(f"{found.name} {found.shape}{' without its numbers' * (skeleton is None)}")
    except NotMat as error:
        raise refused(path, f"damaged ({error})", _REMEDY) from None
    said = ", ".join(there) or "nothing"
    raise refused(path, f"no {_VARIABLE} of shape (20, 3, frames) in it, but {said}", "give a skeleton file")


def _is_skeleton(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and shape[:2] == (20, 3) and 0 < shape[2] <= _MOST_FRAMES


def sniff(path: Path) -> bool:
    """Whether it is a MATLAB file whose name, or beginning, says skeleton."""
    head = read_head(path)
    return head.startswith(b"MATLAB 5.0") and (_VARIABLE.encode() in head or bool(_NAME.fullmatch(path.stem)))


FORMAT = Format(
    name="utd",
    description="UTD-MHAD skeleton .mat (Kinect v1, 20 joints)",
    suffixes=(".mat",),
    sniff=sniff,
    read=read,
)
