"""What a person sees: results on stdout; progress and remarks on stderr, where they disturb no pipe."""

from __future__ import annotations

import shlex

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

console = Console(stderr=True, highlight=False, markup=False)
_results = Console(highlight=False, markup=False)


def remark(text: str) -> None:
    """A line on stderr, as it is: a path or a command in it is neither broken nor taken for markup."""
    console.print(text, soft_wrap=True)


def show(result: RenderableType, as_json: bool = False) -> None:
    """A result for people: on stdout, but on stderr where stdout is for a machine."""
    target = console if as_json else _results
    target.print(result, soft_wrap=isinstance(result, str))


def command(*words: object) -> str:
    """A command to run next, quoted so that a shell reads it as meant."""
    return shlex.join(["halpose", *map(str, words)])


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


class WorkingBar:
    """What is being worked on, with a bar where it is known how much there is."""

    def __init__(self) -> None:
        self.progress = bar()
        self.task: TaskID | None = None
        self.what = ""

    def __enter__(self) -> WorkingBar:
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.task is not None:
            self.progress.remove_task(self.task)  # the result that follows says what was done
        self.progress.stop()

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None:
        """So much of it is done."""
        if self.task is None or what != self.what:
            if self.task is not None:
                self.progress.remove_task(self.task)
            self.task, self.what = self.progress.add_task(what, total=total or None), what
        self.progress.update(self.task, completed=done, total=total or None)
