"""Which ablations there are, what each varies, and what the paper found. Nothing here needs torch."""

from __future__ import annotations

from dataclasses import dataclass

PAPER_SETTING = "NTU RGB+D 60 x-sub, joint stream, linear probe, top-1 %"
"""What the paper's numbers were measured on; they are not comparable with those of another data set."""

PAPER_BASELINE = 78.0
PAPER_HALP = 79.7


@dataclass(frozen=True)
class Variant:
    """One row of an ablation.

    Attributes:
        name: as the table shows it.
        settings: `key=value` texts beyond the recipe's.
        paper: what the paper found for it (`PAPER_SETTING`); None where its text gives no number.
    """

    name: str
    settings: tuple[str, ...]
    paper: float | None = None


@dataclass(frozen=True)
class Ablation:
    """What is varied, and why.

    Attributes:
        question: that it answers.
        where: in the paper.
        variants: beside the recipe itself and the same method without HaLP.
        note: what a reader of the paper's numbers should know.
    """

    question: str
    where: str
    variants: tuple[Variant, ...] = ()
    note: str = ""


def _each(symbol: str, key: str, found: dict[float, float | None]) -> tuple[Variant, ...]:
    return tuple(Variant(f"{symbol} = {value:g}", (f"{key}={value:g}",), paper) for value, paper in found.items())


ABLATIONS = {
    "lambda": Ablation(
        question="How hard should the hardest hallucinated positive be?",
        where="Table 5",
        variants=(
            *_each("λ", "halp.hardness", {1: 79.7, 0.8: 79.7, 0.6: 79.6, 0.4: 79.6, 0.2: 79.5}),
            Variant("always t*", ("halp.hardness=1", "halp.hardest=true"), 79.4),
        ),
        note="Table 5 fits halp.interval = published, what the published code draws, better than the paper's text.",
    ),
    "prototypes": Ablation(
        question="How many prototypes?",
        where="Table 6",
        variants=_each("N", "halp.prototypes", {10: 79.5, 20: 79.7, 40: 79.5, 60: 79.5}),
    ),
    "anchor": Ablation(
        question="Which vector walks, the key or the query?",
        where="Sec. 4.4, Which anchor to use?",
        variants=(
            Variant("anchor key", ("halp.anchor=key",), PAPER_HALP),
            Variant("anchor query", ("halp.anchor=query",), 77.9),
        ),
    ),
    "query-key": Ablation(
        question="Is a walk from the key to its own query as good as one toward a prototype?",
        where="Sec. 4.4, Can query-key be used to hallucinate positives?",
        variants=(
            Variant("to prototypes", ("halp.toward=prototypes",), PAPER_HALP),
            Variant("to the query", ("halp.toward=query",), 77.92),
        ),
    ),
    "hardest": Ablation(
        question="Are the hardest positives alone enough?",
        where="Sec. 4.4, Ablation on λ",
        variants=(
            Variant("a range", ("halp.hardest=false",), PAPER_HALP),
            Variant("always t*", ("halp.hardest=true",), 79.4),
        ),
    ),
    "topk": Ablation(
        question="How many of the newest keys should be clustered?",
        where="supplement, the effect of top-K",
        variants=_each("K", "halp.newest", dict.fromkeys((32, 64, 128, 256, 512, 1024))),
        note="The paper's numbers for top-K stand in its supplement; the paper itself gives none.",
    ),
    "solver": Ablation(
        question="Does the closed form find as hard a positive as Eq. 2 itself, how often, and at what cost?",
        where="Sec. 3.2 to 3.4",
        note="The paper names Riemannian solvers as too slow and gives no number.",
    ),
    "overhead": Ablation(
        question="What do HaLP and two more streams cost in time and memory?",
        where="Table 4",
        note="The paper's ratios are of GPU time per epoch and GPU memory, with a GRU on NTU RGB+D 60.",
    ),
}


@dataclass(frozen=True)
class PaperCost:
    """A row of Table 4: time per epoch and training memory as multiples of the baseline's, and accuracy."""

    time: float
    memory: float
    top1: float


PAPER_COSTS = {
    "moco": PaperCost(1.0, 1.0, 78.0),
    "halp": PaperCost(1.13, 1.0, 79.7),
    "cmd": PaperCost(3.0, 1.94, 79.8),
    "halp_cmd": PaperCost(3.32, 1.94, 82.1),
}
