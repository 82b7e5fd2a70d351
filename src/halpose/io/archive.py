"""Motion capture in `.npz`: HDM05 and Bandai-Namco, all clips of a data set in one file, 30 frames a second.

Both hold `length` (frames per clip; clips lie one after another), `label`, `classes`, `name` and `joints`, which is
checked, because it decides the joint order.

- HDM05 has `x` (frames, 1, 31, 3) in inches, y up, and `subject`. Joints are named after the bones that they end:
  `lhipjoint_@_lfemur` is the end of the left femur, the knee.
- Bandai-Namco has `root` (frames, 1, 3) and `rel` (frames, 20, 3), the other joints less the root, in metres, y up,
  and `style`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from halpose.io.base import Format, refused, to_float32
from halpose.io.npy import archive_names, read_archive
from halpose.skeleton import Sequence

FRAMES_PER_SECOND = 30.0
_METRES_PER_INCH = 0.0254
_SHARED = ("length", "label", "classes", "name", "joints")
_REMEDY = "make the archive again from the original files"
_HDM_ARM = "clavicle humerus radius wrist hand fingers thumb"
_HDM_JOINTS = (
    "root",
    *("lhipjoint", "lfemur", "ltibia", "lfoot", "ltoes"),
    *("rhipjoint", "rfemur", "rtibia", "rfoot", "rtoes"),
    *("lowerback", "upperback", "thorax", "lowerneck", "upperneck", "head"),
    *(f"l{bone}" for bone in _HDM_ARM.split()),
    *(f"r{bone}" for bone in _HDM_ARM.split()),
)
_BANDAI_ARM = "Shoulder UpperArm LowerArm Hand"
_BANDAI_LEG = "UpperLeg LowerLeg Foot Toes"
_BANDAI_JOINTS = (
    *("Hips", "Spine", "Chest", "Neck", "Head"),
    *(f"{bone}_{side}" for side in "LR" for bone in _BANDAI_ARM.split()),
    *(f"{bone}_{side}" for side in "LR" for bone in _BANDAI_LEG.split()),
)


def read_hdm05(path: Path) -> Iterator[Sequence]:
    """The clips of an HDM05 archive.

    Raises:
        FormatError: the archive is damaged or its arrays do not belong together.
    """
    arrays = read_archive(path, (*_SHARED, "x", "subject"))
    _check_joints(path, arrays["joints"], _HDM_JOINTS)
    x = arrays["x"]
    if x.ndim != 4 or x.shape[1:] != (1, 31, 3) or x.dtype.kind != "f":
        raise refused(path, f"x is {x.dtype} of shape {x.shape}, not (frames, 1, 31, 3)", _REMEDY)
    for clip, start, end in _clips(path, arrays, len(x), "subject"):
        yield Sequence(
            positions=to_float32(x[start:end].swapaxes(0, 1) * _METRES_PER_INCH),
            layout="hdm31",
            name=str(arrays["name"][clip]).removesuffix(".mat").removesuffix(".amc"),
            label=int(arrays["label"][clip]),
            subject=str(arrays["subject"][clip]),
            people=("1",),
            fps=FRAMES_PER_SECOND,
        )


def read_bandai(path: Path) -> Iterator[Sequence]:
    """The clips of a Bandai-Namco archive.

    Raises:
        FormatError: the archive is damaged or its arrays do not belong together.
    """
    arrays = read_archive(path, (*_SHARED, "root", "rel", "style"))
    _check_joints(path, arrays["joints"], _BANDAI_JOINTS)
    root, rel = arrays["root"], arrays["rel"]
    fits = root.shape[1:] == (1, 3) and rel.shape == (len(root), 20, 3)
    if not fits or root.dtype.kind != "f" or rel.dtype.kind != "f":
        raise refused(path, f"root {root.shape} and rel {rel.shape}, not (frames, 1, 3) and (frames, 20, 3)", _REMEDY)
    for clip, start, end in _clips(path, arrays, len(root), "style"):
        hips = to_float32(root[start:end])
        positions = np.concatenate((hips, hips + to_float32(rel[start:end])), axis=1)
        yield Sequence(
            positions=positions[None],
            layout="bandai21",
            name=str(arrays["name"][clip]),
            label=int(arrays["label"][clip]),
            people=("1",),
            fps=FRAMES_PER_SECOND,
            extra={"style": str(arrays["style"][clip])},
        )


def _check_joints(path: Path, joints: np.ndarray, expected: tuple[str, ...]) -> None:
    """That the joints stand in the order of our layout; HDM05 names them `bone_@_bone`."""
    if tuple(str(joint).rpartition("_@_")[2] for joint in joints.ravel()) != expected:
        raise refused(path, f"its joints are {', '.join(map(str, joints.ravel()[:40]))}", "another order is not known")


def _clips(path: Path, arrays: dict[str, np.ndarray], frames: int, key: str) -> Iterator[tuple[int, int, int]]:
    """Number, first frame and end of every clip."""
    lengths, labels = arrays["length"], arrays["label"]
    if any(arrays[name].shape != lengths.shape or lengths.ndim != 1 for name in ("label", "name", key)):
        raise refused(path, f"length, label, name and {key} have different shapes", _REMEDY)
    if lengths.dtype.kind not in "iu" or labels.dtype.kind not in "iu" or not len(lengths):
        raise refused(path, "length and label should be whole numbers", _REMEDY)
    if (lengths < 1).any() or (lengths > frames).any() or lengths.sum() != frames:
        raise refused(path, f"the lengths of its clips do not add up to its {frames} frames", _REMEDY)
    if (labels < 0).any() or (labels >= len(arrays["classes"].ravel())).any():
        raise refused(path, "a label without a class", _REMEDY)
    ends = np.cumsum(lengths, dtype=np.int64)
    for clip, (length, end) in enumerate(zip(lengths.tolist(), ends.tolist(), strict=True)):
        yield clip, end - length, end


def _sniff_hdm05(path: Path) -> bool:
    return {"x", "subject", *_SHARED} <= archive_names(path)


def _sniff_bandai(path: Path) -> bool:
    return {"root", "rel", "style", *_SHARED} <= archive_names(path)


HDM05 = Format(
    name="hdm05-npz",
    description="HDM05 as one .npz at 30 frames a second (optical motion capture, 31 joints)",
    suffixes=(".npz",),
    sniff=_sniff_hdm05,
    read=read_hdm05,
)
BANDAI = Format(
    name="bandai-npz",
    description="Bandai-Namco motion data as one .npz at 30 frames a second (optical motion capture, 21 joints)",
    suffixes=(".npz",),
    sniff=_sniff_bandai,
    read=read_bandai,
)
