"""UTD-MHAD: MATLAB files `a{action}_s{subject}_t{trial}_skeleton.mat` with `d_skel`, (20 joints, 3, frames).

Kinect v1, metres, y up, people face the camera. The file's joints go from the head down; they are given in the
order of layout kinect20, from the hip up.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from halpose.io.base import Format, read_bytes, read_head, refused, to_float32, zeros_to_missing
from halpose.skeleton import Sequence

LAYOUT = "kinect20"
FRAMES_PER_SECOND = 30.0
_VARIABLE = "d_skel"
_ORDER = [3, 2, 1, 0, *range(4, 20)]
_MOST_FRAMES = 100_000
_NAME = re.compile(r"(?P<clip>a(?P<action>\d+)_s(?P<subject>\d+)_t(?P<trial>\d+))(?:_skeleton)?")
_REMEDY = "extract it again from the archive; files saved with -v7.3 have to be saved with -v7"


def read(path: Path) -> Iterator[Sequence]:
    """The one clip of a file.

    Raises:
        FormatError: the file is damaged or holds something else.
    """
    skeleton = _load(path, read_bytes(path, limit=1 << 26))
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
    """The skeleton of a MATLAB file, after a look at its shape only."""
    from scipy.io import loadmat, whosmat  # late: it takes a while to import

    if not data.startswith(b"MATLAB 5.0 MAT-file"):
        raise refused(path, "not a MATLAB 5 file", _REMEDY)
    try:
        shapes = {name: shape for name, shape, _ in whosmat(io.BytesIO(data))}
        shape = shapes.get(_VARIABLE)
        if shape is not None and _is_skeleton(shape):
            found: dict[str, Any] = loadmat(io.BytesIO(data), variable_names=[_VARIABLE])
            skeleton = np.asarray(found[_VARIABLE])
            if skeleton.dtype.kind in "fiu" and _is_skeleton(skeleton.shape):
                return skeleton
    except Exception as error:  # on a damaged file it raises whatever its parser stumbles over
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise refused(path, f"damaged ({reason})", _REMEDY) from None
    there = ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "nothing"
    raise refused(path, f"no {_VARIABLE} of shape (20, 3, frames) in it, but {there}", "give a skeleton file")


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
