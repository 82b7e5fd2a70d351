"""The clips of coming batches, read by a thread while the device works on the present one.

A store that does not fit the device stays on disk. A memory map reads it page by page at the moment of need, and the
whole program waits for every page, because numpy holds the interpreter meanwhile. Here a thread reads each batch's
clips whole, one read a clip, which lets the interpreter go; so many batches ahead, and no more, that memory is bounded.
Which clips are read is a function of the step, so that a training that is resumed goes on with the same batches.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from halpose.data.store import Store
from halpose.data.store_files import FRAMES, StoreError


@dataclass(frozen=True)
class RawBatch:
    """The clips of one step, as they are in the store.

    Attributes:
        step: whose batch it is.
        chosen: (B,) positions of its clips, as `batches` gave them.
        frames: (F, M, V, C) all of their frames, one clip after another, of the store's type; NaN is missing. In
            pinned memory where that was asked for, so that a copy to the device need not wait.
        lengths: (B,) frames of each clip.
    """

    step: int
    chosen: Int[np.ndarray, " b"]
    frames: Float[Tensor, "f m v c"]
    lengths: Int[np.ndarray, " b"]

    @property
    def bytes(self) -> int:
        """What its frames take."""
        return self.frames.numel() * self.frames.element_size()


class Stream:
    """Batches of whole clips in the order of the steps, read ahead by a thread.

        with Stream(store, clips, batches, first, last, ahead=4) as stream:
            for batch in stream:
                ...

    At most `ahead` batches wait, one is being read and one is in the caller's hands. The thread ends with the block,
    however it ends. What goes wrong in the thread is raised where the batch is taken.

    Args:
        store: the recordings.
        clips: (N,) which of its clips are trained on; `batches` gives positions among these.
        batches: step -> (B,) positions of its clips. Called in the thread, once a step, in order.
        first: step to begin with.
        last: step to end before.
        ahead: how many batches may wait.
        pinned: whether frames are put into pinned memory (for a GPU).

    Attributes:
        waited: seconds that the caller has waited for batches.
    """

    def __init__(
        self,
        store: Store,
        clips: Int[np.ndarray, " n"],
        batches: Callable[[int], Int[Tensor, " b"]],
        first: int,
        last: int,
        ahead: int = 4,
        pinned: bool = False,
    ) -> None:
        if ahead < 1:
            raise ValueError(f"ahead is {ahead}; a stream reads one batch ahead at least")
        self._store, self._clips, self._batches = store, clips, batches
        self._next, self._last, self._ahead, self._pinned = first, last, ahead, pinned
        self._change = threading.Condition()
        self._ready: deque[RawBatch] = deque()
        self._error: BaseException | None = None
        self._is_over = False
        self._thread = threading.Thread(target=self._run, args=(first,), name="halpose stream", daemon=True)
        self.waited = 0.0

    def __enter__(self) -> Stream:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the thread, after the clip that it is reading."""
        with self._change:
            self._is_over = True
            self._ready.clear()
            self._change.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def __iter__(self) -> Iterator[RawBatch]:
        while self._next < self._last:
            yield self.take(self._next)

    def take(self, step: int) -> RawBatch:
        """The batch of a step; steps are taken in order, each once.

        Raises:
            StoreError: the store could not be read; or whatever else went wrong in the thread.
        """
        if step != self._next or not step < self._last:
            raise ValueError(f"step {step} was asked for; this stream's next is {self._next}, its end {self._last}")
        begun = time.perf_counter()
        with self._change:
            self._change.wait_for(lambda: self._ready or self._error or self._is_over)
            self.waited += time.perf_counter() - begun
            if not self._ready:
                raise self._error or ValueError("this stream is closed")
            batch = self._ready.popleft()
            self._change.notify_all()
        self._next += 1
        return batch

    def _run(self, first: int) -> None:
        try:
            with (self._store.path / FRAMES).open("rb", buffering=0) as file:
                for step in range(first, self._last):
                    batch = self._read(file, step)
                    with self._change:
                        self._change.wait_for(lambda: self._is_over or len(self._ready) < self._ahead)
                        if self._is_over:
                            return
                        self._ready.append(batch)
                        self._change.notify_all()
                    del batch  # else it would stay while the next one is read
        except BaseException as error:
            if isinstance(error, OSError):
                error = StoreError(f"{self._store.path / FRAMES}: cannot be read ({error.strerror or error})")
            with self._change:
                self._error = error
                self._change.notify_all()

    def _read(self, file: BinaryIO, step: int) -> RawBatch:
        """One batch; its clips are read in the order in which they lie on disk."""
        chosen = self._batches(step).cpu().numpy()
        clips = self._clips[chosen]
        starts = self._store.clips.offsets[clips]
        lengths = self._store.clips.offsets[clips + 1] - starts
        ends = np.cumsum(lengths)
        mapped = self._store.frames
        dtype = torch.float16 if mapped.dtype == np.float16 else torch.float32
        frames = torch.empty(int(ends[-1]), *mapped.shape[1:], dtype=dtype, pin_memory=self._pinned)
        rows = frames.numpy().reshape(len(frames), -1).view(np.uint8)
        for at in np.argsort(starts, kind="stable"):
            if self._is_over:
                break
            file.seek(int(mapped.offset + starts[at] * rows.shape[1]))
            self._fill(file, rows[ends[at] - lengths[at] : ends[at]].data.cast("B"))
        return RawBatch(step, chosen, frames, lengths)

    def _fill(self, file: BinaryIO, buffer: memoryview) -> None:
        """Read as many bytes as the buffer holds; a read may bring fewer."""
        while len(buffer):
            count = file.readinto(buffer)  # type: ignore[attr-defined]
            if not count:
                raise StoreError(f"{self._store.path / FRAMES}: shorter than it was when the store was opened")
            buffer = buffer[count:]
