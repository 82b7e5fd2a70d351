"""A folder that appears whole or not at all, at a place that one process writes to at a time."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from halpose.data.store_files import META, StoreError


class WholeFolder:
    """The folder of a store while it is written: `.NAME.partial` beside its place, renamed at the end.

    Whatever stops the program, there is a whole store or none. What a killed program left is removed by the next one
    for the same place.

    Args:
        path: the place, absolute.
        overwrite: replace a store that is there; nothing but a store or an empty folder is ever replaced.

    Attributes:
        partial: where to write.
    """

    def __init__(self, path: Path, overwrite: bool) -> None:
        self.path = path
        self.partial = path.parent / f".{path.name}.partial"
        self._replaced = path.parent / f".{path.name}.replaced"
        self._overwrite = overwrite
        self._lock: int | None = None
        self._is_ours = False

    def begin(self) -> None:
        """Make the partial folder, empty and ours.

        Raises:
            StoreError: there is something at the place that may not be replaced, or another process writes there.
            OSError: the disk refuses.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self._replaced.exists() and not self.path.exists():
            self._replaced.rename(self.path)  # a replacement was killed between its two renames
        self._check_place()
        self._claim()

    def put_in_place(self) -> None:
        """Let the partial folder be the store, in place of one that is there.

        Raises:
            StoreError: what is at the place by now may not be replaced.
            OSError: the disk refuses; what was there is there again.
        """
        self._check_place()
        if self.path.exists():
            shutil.rmtree(self._replaced, ignore_errors=True)
            self.path.rename(self._replaced)
        try:
            self.partial.rename(self.path)
        except BaseException:
            if self._replaced.exists():
                self._replaced.rename(self.path)
            raise
        self._is_ours = False
        shutil.rmtree(self._replaced, ignore_errors=True)

    def let_go(self) -> None:
        """Remove the partial folder if it is still ours, and the lock."""
        if self._is_ours:
            shutil.rmtree(self.partial, ignore_errors=True)
            self._is_ours = False
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _check_place(self) -> None:
        if not self.path.exists():
            return
        if self.path.is_dir() and not any(self.path.iterdir()):
            self.path.rmdir()
        elif not (self.path / META).is_file():
            raise StoreError(f"{self.path}: not a store, so it is left alone; choose another place")
        elif not self._overwrite:
            raise StoreError(f"{self.path}: there is a store already; choose another place or ask to overwrite it")

    def _claim(self) -> None:
        """Make the partial folder ours and empty, unless a living process holds it."""
        self.partial.mkdir(exist_ok=True)
        with suppress(ImportError):  # Windows has no fcntl: there, two writers at once are not noticed
            import fcntl

            self._lock = os.open(self.partial, os.O_RDONLY)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(self._lock)
                self._lock = None
                raise StoreError(f"{self.path}: another process is writing this store; wait for it") from None
            except OSError:  # a file system without locks
                pass
        self._is_ours = True
        for leftover in self.partial.iterdir():
            leftover.unlink()
