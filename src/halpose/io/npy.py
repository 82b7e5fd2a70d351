"""NumPy files from strangers: no pickles, and no array larger than its file says it is."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from halpose.errors import FormatError
from halpose.io.base import read_head, refused

_LARGEST = 1 << 31  # bytes of one array in an archive, unpacked
_MAGIC = b"\x93NUMPY"
_REMEDY = "download or make it again"


def read_archive(path: Path, wanted: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Some arrays of a `.npz`.

    Raises:
        FormatError: it is damaged, lacks one of them, or one is not a plain array of a size that fits its data.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            missing = [name for name in wanted if f"{name}.npy" not in archive.namelist()]
            if missing:
                raise refused(path, f"no array {', '.join(missing)} in it", f"it needs {', '.join(wanted)}")
            return {name: _member(path, archive, f"{name}.npy") for name in wanted}
    except FormatError:
        raise
    except OSError as error:
        raise refused(path, f"cannot be read ({error.strerror or error})", _REMEDY) from None
    except Exception as error:  # on a damaged file zipfile raises whatever it stumbles over
        raise refused(path, f"damaged ({str(error)[:80] or type(error).__name__})", _REMEDY) from None


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> np.ndarray:
    size = archive.getinfo(name).file_size
    if size > _LARGEST:
        raise refused(path, f"{name} would take {size >> 20} MiB", "give a smaller archive")
    with archive.open(name) as file:
        content = io.BytesIO(file.read(size))
    shape, fortran, dtype = _header(path, content)
    content_left = len(content.getvalue()) - content.tell()
    if math.prod(shape) * dtype.itemsize != content_left:
        raise refused(path, f"{name} says {shape} but holds {content_left} bytes", _REMEDY)
    array = np.frombuffer(content.getvalue(), dtype=dtype, offset=content.tell())
    return array.reshape(shape, order="F" if fortran else "C")


def open_array(path: Path) -> np.ndarray:
    """A `.npy`, memory-mapped, for reading.

    Raises:
        FormatError: it is damaged, holds objects, or is shorter than it says.
    """
    try:
        with path.open("rb") as file:
            shape, fortran, dtype = _header(path, file)
            start, size = file.tell(), path.stat().st_size
        if not math.prod(shape) or math.prod(shape) * dtype.itemsize != size - start:
            raise refused(path, f"it says {shape} of {dtype} but holds {size - start} bytes", _REMEDY)
        return np.memmap(path, dtype=dtype, mode="r", offset=start, shape=shape, order="F" if fortran else "C")
    except FormatError:
        raise
    except OSError as error:
        raise refused(path, f"cannot be read ({error.strerror or error})", _REMEDY) from None


def _header(path: Path, file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type of the array that a file holds."""
    try:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
        else:
            raise ValueError(f"version {version} of the format")
    except Exception as error:  # the header is a Python expression; a damaged one fails in many ways
        raise refused(path, f"no array header ({str(error).splitlines()[0][:80]})", _REMEDY) from None
    if dtype.kind not in "fiuU" or not dtype.itemsize or any(length < 0 for length in shape):
        raise refused(path, f"an array of {dtype}", "numbers or text are expected; objects are not read")
    return shape, fortran, dtype


def array_shape(path: Path) -> tuple[int, ...]:
    """Shape of the array in a `.npy`, or () if it is none; for `sniff`."""
    head = read_head(path)
    if not head.startswith(_MAGIC):
        return ()
    try:
        return _header(path, io.BytesIO(head))[0]
    except FormatError:
        return ()


def archive_names(path: Path) -> set[str]:
    """Names of the arrays in a `.npz`, or none if it is none; for `sniff`."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")}
    except Exception:  # see read_archive
        return set()
