"""The frames of a store, and their confidence, read from their files where they lie.

A memory map brings a page at a time, at the moment of need; a read brings a whole stretch of frames at once, several
times as fast where they are not in memory yet. Nor does what was read stay mapped: the process grows by what it keeps
and by nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import BinaryIO

import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8

from halpose.data.confidence import of_positions
from halpose.data.store import Store
from halpose.data.store_files import CONFIDENCE, FRAMES, StoreError

# Frames this far apart are read in one go: to copy as many bytes takes about as long as to ask once more.
_GAP_BYTES = 16 << 10

FrameReader = Callable[[Int[np.ndarray, " f"]], Float[np.ndarray, "f m v c"]]
ConfidenceReader = Callable[[Int[np.ndarray, " f"]], UInt8[np.ndarray, "f m v"]]


def frame_reader(store: Store) -> FrameReader:
    """What reads frames by their numbers, which ascend: of a file, or of whatever stands for it in a store."""
    return FrameFile(store).read if isinstance(store.frames, np.memmap) else store.frames.__getitem__


def confidence_reader(store: Store) -> ConfidenceReader:
    """What reads bytes of confidence by the frames' numbers; of a store without them, what the frames tell."""
    if store.confidence is None:
        read = frame_reader(store)
        return lambda rows: of_positions(read(rows))
    if isinstance(store.confidence, np.memmap):
        return FrameFile(store, CONFIDENCE).read
    return store.confidence.__getitem__


class FrameFile:
    """`frames.npy` or `confidence.npy` of an open store.

    Args:
        store: whose file is memory-mapped; only where the data begin and their type are taken from the map.
        name: of the file.

    Raises:
        StoreError: the store has no such file.
    """

    def __init__(self, store: Store, name: str = FRAMES) -> None:
        self.path = store.path / name
        mapped = store.frames if name == FRAMES else store.confidence
        if mapped is None:
            raise StoreError(f"{self.path}: the store has no such file")
        self._offset, self._shape, self._dtype = mapped.offset, mapped.shape[1:], mapped.dtype
        self._opened = self.path.stat()

    def read(self, rows: Int[np.ndarray, " f"]) -> Shaped[np.ndarray, "f m v *c"]:
        """Frames of the store's type.

        Args:
            rows: their numbers in the store, ascending.

        Raises:
            StoreError: the file cannot be read, or is another one than when this was made.
        """
        found = np.empty((len(rows), *self._shape), self._dtype)
        size = found.itemsize * int(np.prod(self._shape))
        breaks = np.flatnonzero(np.diff(rows) > 1 + _GAP_BYTES // size) + 1
        stretches = np.split(rows, breaks) if len(rows) else []
        longest = max((int(stretch[-1] - stretch[0]) + 1 for stretch in stretches), default=0)
        buffer, at = np.empty((longest, *self._shape), self._dtype), 0
        try:
            with self.path.open("rb", buffering=0) as file:
                if not os.path.samestat(os.fstat(file.fileno()), self._opened):
                    raise StoreError(f"{self.path}: another file than when the store was opened; open the store again")
                for stretch in stretches:
                    first, count = int(stretch[0]), int(stretch[-1] - stretch[0]) + 1
                    file.seek(self._offset + first * size)
                    self._fill(file, buffer[:count].reshape(-1).view(np.uint8).data)
                    found[at : at + len(stretch)] = buffer[stretch - first]
                    at += len(stretch)
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be read ({error.strerror or error})") from error
        return found

    def _fill(self, file: BinaryIO, buffer: memoryview) -> None:
        """Read as many bytes as the buffer holds; a read may bring fewer."""
        while len(buffer):
            count = file.readinto(buffer)  # type: ignore[attr-defined]
            if not count:
                raise StoreError(f"{self.path}: shorter than it was when the store was opened")
            buffer = buffer[count:]
