"""Northwestern-UCLA: JSON files `a{action}_s{subject}_e{trial}_v{view}.json`.

`{"file_name": ..., "skeletons": frames x 20 x 3, "label": 1..10}`: Kinect v1 joints in the order of layout
kinect20, metres, y up. Actions are numbered 1-6, 8, 9, 11, 12; a joint at 0 0 0 is missing; clips of one frame exist.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from halpose.io.base import Format, read_bytes, read_head, refused, to_float32, zeros_to_missing
from halpose.skeleton import Sequence

LAYOUT = "kinect20"
ACTIONS = (1, 2, 3, 4, 5, 6, 8, 9, 11, 12)
_NAME = re.compile(r"a(?P<action>\d+)_s(?P<subject>\d+)_e(?P<trial>\d+)_v(?P<view>\d+)")
_REMEDY = "download it again, or leave it out"


def read(path: Path) -> Iterator[Sequence]:
    """The one clip of a file.

    Raises:
        FormatError: the file is damaged or holds something else.
    """
    try:
        content = json.loads(read_bytes(path, limit=1 << 26))
    except (ValueError, RecursionError) as error:
        raise refused(path, f"not readable as JSON ({str(error)[:80]})", _REMEDY) from None
    if not isinstance(content, dict) or "skeletons" not in content:
        raise refused(path, "no skeletons in it", 'expected {"skeletons": frames x 20 x 3}')
    positions = _positions(path, content["skeletons"])
    match = _NAME.fullmatch(path.stem)
    yield Sequence(
        positions=zeros_to_missing(positions)[None],
        layout=LAYOUT,
        name=path.stem,
        label=_label(path, match, content.get("label")),
        subject=f"s{match['subject']}" if match else "",
        camera=int(match["view"]) if match else 0,
        people=("1",),
        extra={"trial": int(match["trial"])} if match else {},
    )


def _positions(path: Path, skeletons: Any) -> Float32[np.ndarray, "t 20 3"]:
    try:
        values = np.array(skeletons)
    except (ValueError, OverflowError):  # numpy's words for rows of different lengths help nobody
        raise refused(path, "its skeletons have different numbers of joints", _REMEDY) from None
    if values.dtype.kind not in "fiu" or values.shape[1:] != (20, 3) or not len(values):
        shape = "x".join(map(str, values.shape)) if values.dtype.kind in "fiu" else "something else"
        raise refused(path, f"its skeletons are {shape}, not numbers of shape frames x 20 x 3", _REMEDY)
    return to_float32(values)


def _label(path: Path, match: re.Match[str] | None, given: Any) -> int:
    """The class, counted from 0, by the number in the name; the file's own label where the name has none."""
    if match is None:
        return given - 1 if type(given) is int and 1 <= given <= len(ACTIONS) else -1
    if int(match["action"]) not in ACTIONS:
        known = ", ".join(map(str, ACTIONS))
        raise refused(path, f"action {match['action']} in its name", f"actions are {known}")
    return ACTIONS.index(int(match["action"]))


def sniff(path: Path) -> bool:
    """Whether it is a JSON object that soon speaks of skeletons."""
    head = read_head(path)
    return head.lstrip().startswith(b"{") and b'"skeletons"' in head


FORMAT = Format(
    name="ucla",
    description="Northwestern-UCLA .json (Kinect v1, 20 joints)",
    suffixes=(".json",),
    sniff=sniff,
    read=read,
)
