"""What a person sees while something long runs. Everything goes to stderr; stdout is for results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

console = Console(stderr=True, highlight=False)


def bar(*columns: str) -> Progress:
    """A progress bar with further columns of text, each a `task.fields` template."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        *(TextColumn(column) for column in columns),
        console=console,
    )


class TrainingBar:
    """Loss, contrast accuracy, kept fraction, clips per second and time left."""

    def __init__(self) -> None:
        self.progress = bar("{task.fields[values]}")
        self.task: TaskID | None = None

    def begin(self, step: int, steps: int) -> None:
        """Training starts."""
        self.progress.start()
        self.task = self.progress.add_task("train", total=steps, completed=step, values="")

    def row(self, values: dict[str, float]) -> None:
        """A row was logged."""
        shown = [f"loss {values['loss']:.3f}"]
        shown += [f"{name} {values[name]:.0%}" for name in ("accuracy", "kept") if name in values]
        shown.append(f"{values['clips_per_second']:.0f} clips/s")
        assert self.task is not None
        self.progress.update(self.task, completed=int(values["step"]), values="  ".join(shown))

    def end(self) -> None:
        """Training ends."""
        self.progress.stop()


@contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner beside a sentence."""
    with console.status(what):
        yield
