"""Recordings from files: one module per format, and `FORMATS` that names them all.

    for sequence in io.read(Path("S001C001P001R001A001.skeleton")):
        ...

A reader gives `Sequence`s of shape (people, frames, joints, coordinates), in metres with y up where the source
allows, NaN where something is missing. It keeps what the file says and repairs nothing. Whatever is wrong with a
file comes as `FormatError`, which names the file, the fault and what would work.

To add a format, write a module with a `Format`, and its line in `FORMATS`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path

from halpose.errors import ConfigError
from halpose.io import (
    agcn,
    alphapose,
    amc,
    archive,
    arrays,
    blazepose,
    bvh,
    c3d,
    coco,
    joint_csv,
    keraal,
    mmpose,
    msr,
    ntu,
    openpose,
    pkummd,
    posed_text,
    pyskl,
    sbu,
    ucla,
    utd,
)
from halpose.io.base import NUMBERED, Format, refused
from halpose.skeleton import Sequence

__all__ = ["FORMATS", "Format", "find_format", "read", "recordings", "sniff", "write"]

FORMATS: dict[str, Format] = {
    "ntu": ntu.FORMAT,
    "pkummd": pkummd.FORMAT,
    "utd": utd.FORMAT,
    "ucla": ucla.FORMAT,
    "msr": msr.FORMAT,
    "sbu": sbu.FORMAT,
    "hdm05-npz": archive.HDM05,
    "bandai-npz": archive.BANDAI,
    "pyskl": pyskl.FORMAT,
    "agcn": agcn.FORMAT,
    "openpose": openpose.FORMAT,
    "alphapose": alphapose.FORMAT,
    "blazepose": blazepose.FORMAT,
    "coco": coco.FORMAT,
    "mmpose": mmpose.FORMAT,
    "keraal": keraal.FORMAT,
    "bvh": bvh.FORMAT,
    "amc": amc.FORMAT,
    "c3d": c3d.FORMAT,
    "arrays": arrays.FORMAT,
    "csv": joint_csv.FORMAT,
    "kinect-txt": posed_text.KINECT,
    "vicon-txt": posed_text.VICON,
}


def find_format(name: str) -> Format:
    """A format by name.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in FORMATS:
        near = get_close_matches(name, FORMATS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"no format named {name!r}; halpose reads {', '.join(FORMATS)}{hint}")
    return FORMATS[name]


def recordings(files: Iterable[Path]) -> list[Path]:
    """What to give to `read`, of files that were found: themselves, or the folder of those that hold one frame each.

    Args:
        files: paths of files; a path is judged by its name. Of those that are called by a number, as `012.json` or
            `walk_012.json`, the first of a folder is opened to see whether it holds a single frame.

    Returns:
        Files and folders in the order in which they come first, none twice.
    """
    listed = list(files)
    patterns = [format.frame_name for format in FORMATS.values() if format.frame_name is not None]
    numbered = Counter(file.parent for file in listed if NUMBERED.fullmatch(file.name))
    framed: dict[Path, bool] = {}

    def is_frame(file: Path) -> bool:
        if any(known.fullmatch(file.name) for known in patterns):
            return True
        if numbered[file.parent] < 2 or not NUMBERED.fullmatch(file.name):
            return False
        if file.parent not in framed:
            framed[file.parent] = any(
                format.holds_frame(file)
                for format in FORMATS.values()
                if format.holds_frame is not None and file.suffix.lower() in format.suffixes
            )
        return framed[file.parent]

    return list(dict.fromkeys(file.parent if is_frame(file) else file for file in listed))


def sniff(path: str | Path) -> str:
    """Name of the format that a file is in, by its ending and its content; or a folder, by a file that holds a frame.

    Raises:
        FormatError: it is none of those that halpose reads, or is not there.
    """
    path = Path(path)
    if path.is_dir():
        return _sniff_folder(path)
    if not path.is_file():
        raise refused(path, "no such file", "give the path of a recording")
    if not path.stat().st_size:
        raise refused(path, "the file is empty", "copy or download it again")
    fitting = [format for format in FORMATS.values() if path.suffix.lower() in format.suffixes]
    for format in fitting:
        if format.sniff(path):
            return format.name
    if fitting:
        names = ", ".join(f"{format.name} ({format.description})" for format in fitting)
        raise refused(path, f"does not look like {names}", "name its format if you know better")
    endings = ", ".join(sorted({ending for format in FORMATS.values() for ending in format.suffixes}))
    raise refused(path, f"no format ends in {path.suffix or 'nothing'!r}", f"known endings: {endings}")


def _sniff_folder(path: Path) -> str:
    """Name of the format of a folder whose files hold one frame each."""
    framed = [format for format in FORMATS.values() if format.frame_name is not None]
    for format in framed:
        if format.sniff(path):
            return format.name
    known = ", ".join(f"{format.name} ({format.description})" for format in framed) or "none"
    raise refused(path, f"a folder without files of one frame each; known are {known}", "give a file in it")


def read(path: str | Path, format: str | None = None) -> Iterator[Sequence]:
    """The clips of a file, one after another.

    Args:
        path: the file; or the folder, in formats that keep each frame in a file of its own.
        format: a name in `FORMATS`; found out by `sniff` if not given.

    Raises:
        FormatError: the file is damaged or in no known format; raised while iterating where only part of a file
            is at fault, after the clips before it.
        ConfigError: there is no such format.
    """
    path = Path(path)
    return find_format(format if format is not None else sniff(path)).read(path)


def write(path: str | Path, sequences: list[Sequence], format: str) -> None:
    """Write clips to a file.

    Args:
        path: the file; replaced if it is there.
        sequences: clips that the format can hold.
        format: a name in `FORMATS`.

    Raises:
        ConfigError: there is no such format, or halpose does not write it.
        FormatError: the clips do not fit the format.
    """
    writer = find_format(format).write
    if writer is None:
        able = ", ".join(name for name, known in FORMATS.items() if known.write is not None)
        raise ConfigError(f"halpose does not write {format}; it writes {able}")
    writer(Path(path), sequences)
