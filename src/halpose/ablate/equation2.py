"""`halpose ablate solver`: the keys and prototypes of trained runs, given to the closed forms and to Eq. 2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from halpose.ablate.hardness import TOLERANCE, Keys, Objective, Space, Walks, compare_spaces, walk_all
from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.errors import ConfigError
from halpose.evaluate.base import Progress, silent
from halpose.methods.halp import HaLP
from halpose.parts.stream import Stream

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table

ANCHORS = 64
OBJECTIVES: dict[Objective, str] = {
    "anchor": "the anchor (Fig. 3 and the text)",
    "prototype": "the anchor's prototype (Eqs. 2, 5 and 6 as printed)",
}


@dataclass(frozen=True)
class Verdict:
    """What was found on the keys of one run.

    Attributes:
        seed: of the run.
        walks: the closed form and the search of the same plane.
        spaces: objective -> what each search space holds.
    """

    seed: int
    walks: Walks
    spaces: dict[str, list[Space]]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        found = {objective: [space.to_dict() for space in spaces] for objective, spaces in self.spaces.items()}
        return {"seed": self.seed, "walks": self.walks.to_dict(), "spaces": found}


def keys_of(run: Run, store: Store, anchors: int = ANCHORS) -> Keys:
    """The newest keys of a run's first stream, its prototypes, and the classes of the clips that the keys are of.

    Args:
        run: trained on `store`.
        store: for the classes.
        anchors: how many at most; they are the newest.

    Raises:
        ConfigError: the run has no prototypes.
    """
    name, stream = next(iter(run.method.stream_table().items()))
    term = next((term for term in run.method.term_list() if isinstance(term, HaLP)), None)
    if term is None or not bool(term.of_stream(name).norm(dim=1).min() > 0):
        raise ConfigError(
            f"{run.path}: has no prototypes (HaLP began at no step of it); train longer with --steps, "
            "or let it begin earlier with --set halp.start=0.2"
        )
    keys, clips = seen_keys(stream)
    labels = store.clips.label[store.part(run.config.data.split, run.config.data.part)][clips]
    prototypes = _unit(term.of_stream(name).cpu().double().numpy())
    return Keys(keys[:anchors], prototypes, clips[:anchors], labels[:anchors], keys, clips, labels)


def seen_keys(stream: Stream) -> tuple[Float[np.ndarray, "k d"], Int[np.ndarray, " k"]]:
    """The keys in a stream's queue, newest first, and the clip of each; places that no key has filled are left out."""
    queue = stream.queue
    order = (int(queue.cursor) - 1 - np.arange(queue.size)) % queue.size
    keys, clips = queue.keys.cpu().double().numpy()[order], queue.clips.cpu().numpy()[order]
    return _unit(keys[clips >= 0]), clips[clips >= 0]


def solve(runs: Sequence[Path], store: Store, anchors: int = ANCHORS, progress: Progress = silent) -> list[Verdict]:
    """Solve Eq. 2 at the newest keys of each run.

    Args:
        runs: run directories, trained on `store` with HaLP.
        store: for the classes of the clips.
        anchors: of each run, at most.
        progress: told what is being worked on.

    Raises:
        ConfigError: a run has no prototypes.
    """
    found = []
    for path in runs:
        run = Run.load(path)
        keys = keys_of(run, store, anchors)
        what = f"seed {run.config.seed}"
        progress(f"{what}: every pair in its plane", 0, 0)
        walks = walk_all(keys)
        spaces = {}
        for objective in OBJECTIVES:
            told = partial(progress, f"{what}: {objective} least similar")
            spaces[str(objective)] = compare_spaces(keys, walks, objective, run.config.halp.hardness, told)
        found.append(Verdict(run.config.seed, walks, spaces))
    return found


def verdict_table(verdicts: Sequence[Verdict], title: str, captions: Sequence[str]) -> Group:
    """A table for each objective; means over the seeds, within 80 columns."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(title, "bold")]
    for objective, about in OBJECTIVES.items():
        parts += [Text(f"\nLeast similar to {about}"), _objective_table(verdicts, objective)]
    return Group(*parts, *(Text(note, "dim") for note in captions))


def _objective_table(verdicts: Sequence[Verdict], objective: Objective) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    view = Table(box=box.SIMPLE_HEAD, padding=0)
    measures = ("Similarity", "Quartiles", "Closed\nas hard %", "To real\nclip", "Same\nclass %")
    for column in ("Search space", *measures, "ms an\nanchor"):
        view.add_column(Text(column), justify="left" if column == "Search space" else "right", no_wrap=True)
    for name in [space.name for space in verdicts[0].spaces[objective]]:
        rows = [s.to_dict() for v in verdicts for s in v.spaces[objective] if s.name == name]
        mean = {key: float(np.mean([row[key] for row in rows])) for key in rows[0] if key != "space"}
        view.add_row(
            name, f"{mean['similarity']:.3f}", f"{mean['similarity_low']:.2f} to {mean['similarity_high']:.2f}",
            f"{100 * mean['as_hard']:.0f}", f"{mean['real']:.2f}", f"{100 * mean['same_class']:.0f}",
            f"{mean['milliseconds']:.2g}",
        )  # fmt: skip
    return view


def sentences(verdicts: Sequence[Verdict]) -> list[str]:
    """What the numbers say, in words."""
    walks = [verdict.walks for verdict in verdicts]
    gap, pairs = max(w.gap for w in walks), sum(w.searched for w in walks)
    agree = float(np.average([w.agree for w in walks], weights=[w.searched for w in walks]))
    ratio = float(np.mean([w.search_seconds * w.ends.shape[1] / w.seconds for w in walks]))
    lost, beyond = (float(np.mean([getattr(w, name) for w in walks])) for name in ("discarded", "beyond"))
    return [
        f"Eq. 5, toward one prototype: closed form and search agree to 1e-6 for {100 * agree:.1f} % of {pairs} pairs "
        f"(largest gap {gap:.1e}); the search takes {ratio:.0f} times as long.",
        f"Eq. 7's t*: for {100 * lost:.0f} % of the pairs it lies beyond that end "
        f"(median {beyond:.2f} times as far), where the rank filter discards it.",
        "Similarity: median over the anchors. Closed as hard: share of the anchors for which the best prototype's end "
        f"is within {TOLERANCE:g} of this space's solution. To real clip: median similarity of the solutions to the "
        "nearest key of another clip; same class: how often that key has the anchor's class.",
        "drawn: as in training, a random prototype and t uniform up to λ times the end. one prototype: the end toward "
        "a random one. between: non-negative combinations of anchor and prototypes, best of many searches. sphere: "
        "Eq. 2 as it stands, solved exactly where its least similarity is negative.",
    ]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
