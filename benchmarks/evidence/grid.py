"""Which variants are compared, on what, with which settings: the grids of the evidence."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Grid:
    """Variants that fork from one warm-up per data set and seed.

    Attributes:
        about: the question that the grid answers.
        recipe: data set -> recipe that every variant begins with.
        shared: settings of every variant.
        variants: name -> settings beyond the shared ones; a variant whose `warm` is not shared trains from scratch.
        seeds: how many, from 0.
        forks: whether variants begin from the shared MoCo warm-up, at the step where HaLP begins.
        baseline: the variant that paired differences are taken from.
    """

    about: str
    recipe: dict[str, str]
    shared: tuple[str, ...] = ()
    variants: dict[str, tuple[str, ...]] = field(default_factory=dict)
    seeds: int = 5
    forks: bool = True
    baseline: str = "moco"


SMALL_SETS = {"utd-mhad": "utd-mhad-halp", "nw-ucla": "nw-ucla-halp"}

GRIDS = {
    "halp": Grid(
        about="Does HaLP add to MoCo on small sets, and does it add more than its control, a pull toward the real key?",
        recipe=SMALL_SETS,
        shared=("steps=800", "halp.weight=1", "placement=beside"),
        variants={
            "moco": ("method=moco",),
            "pull": ("method=pull",),
            "halp paper": ("estimator=sampled", "interval=paper"),
            "halp published": ("estimator=sampled", "interval=published"),
            "halp exact": ("estimator=exact",),
            "halp expected": ("estimator=expected",),
            "halp inside": ("estimator=expected", "placement=inside"),
            "pull inside": ("method=pull", "placement=inside"),
        },
    ),
    "settings": Grid(
        about="Which settings of the baseline do best on the validation part?",
        recipe=SMALL_SETS,
        shared=("steps=800", "method=moco"),
        variants={
            "base": (),
            "rate 1e-3": ("learning_rate=1e-3",),
            "rate 4e-3": ("learning_rate=4e-3",),
            "queue 1024": ("queue=1024",),
            "crop 0.6": ("views.crop=0.6,1",),
            "yaw 45": ("yaw=45",),
        },
        seeds=2,
        forks=False,
        baseline="base",
    ),
}
