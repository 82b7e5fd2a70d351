"""What a head says of recordings, whole or window by window."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from halpose.engine.run import Run
from halpose.evaluate.base import Progress, silent
from halpose.heads.head import UNKNOWN, Head
from halpose.inference.clips import Window
from halpose.inference.embed import embed
from halpose.inference.sources import Reading, source_windows
from halpose.whole_file import whole_file


@dataclass(frozen=True)
class Prediction:
    """One clip.

    Attributes:
        source: file or store.
        name: of the recording.
        start: seconds from its beginning; NaN where the frame rate is not known.
        end: likewise.
        answer: name of the class, or `unknown`.
        likeliest: the class that it would be if it had to be one.
        confidence: its calibrated probability.
        distance: cosine distance to the nearest class's centre.
    """

    source: str
    name: str
    start: float
    end: float
    answer: str
    likeliest: str
    confidence: float
    distance: float

    @property
    def is_unknown(self) -> bool:
        """Whether there was no answer."""
        return self.answer == UNKNOWN


def predict(
    run: Run,
    head: Head,
    sources: Sequence[Path],
    reading: Reading | None = None,
    set_aside: Callable[[str, str], None] | None = None,
    progress: Progress = silent,
) -> Iterator[Prediction]:
    """Answers for recordings, block by block: memory does not grow with their number.

    Args:
        run: on the device where it was loaded.
        head: one of its heads.
        sources: of `halpose.inference.sources.find_sources`.
        reading: how recordings are read and cut.
        set_aside: told what cannot be embedded and why, and the others go on.
        progress: told how many sources are done.

    Raises:
        DataError: something cannot be embedded and nobody is to be told.
    """

    def windows() -> Iterator[Window]:
        for done, source in enumerate(sources):
            progress("predict", done, len(sources))
            yield from source_windows(source, run, reading or Reading(), set_aside)

    for block in embed(run, windows(), head.streams):
        said = head.answer(block.vectors)
        for row in range(len(block)):
            likeliest = head.classes[said.columns[row]]
            yield Prediction(
                block.sources[row], block.names[row], float(block.starts[row]), float(block.ends[row]),
                UNKNOWN if said.is_unknown[row] else likeliest, likeliest, float(said.confidence[row]),
                float(said.distance[row]),
            )  # fmt: skip


def write_predictions(path: Path, predictions: Iterable[Prediction]) -> list[Prediction]:
    """Write a `.csv`, a line for each prediction, whole or not at all.

    Returns:
        The predictions.

    Raises:
        DataError: it cannot be written.
    """
    kept: list[Prediction] = []
    with whole_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(field.name for field in fields(Prediction))
        for prediction in predictions:
            kept.append(prediction)
            table.writerow(_cell(value) for value in asdict(prediction).values())
    return kept


def _cell(value: str | float) -> str:
    """Numbers to four places, nothing for NaN."""
    if isinstance(value, str):
        return value
    return f"{value:.4f}" if value == value else ""
