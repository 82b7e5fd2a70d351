"""Which variants are compared, on what, with which settings: the grids of the evidence."""

from __future__ import annotations

from dataclasses import dataclass, field

from halpose.ablate.cells import PARTS, PROTOCOLS
from halpose.evaluate.base import Part


@dataclass(frozen=True)
class Grid:
    """Variants that fork from one warm-up per data set and seed.

    Attributes:
        about: the question that the grid answers.
        prediction: what was expected, written down before the first cell ran.
        recipe: data set -> recipe that every variant begins with.
        shared: settings of every variant.
        variants: name -> settings beyond the shared ones; a variant whose `warm` is not shared trains from scratch.
        seeds: how many, from 0.
        forks: whether variants begin from the shared MoCo warm-up, at the step where HaLP begins.
        baseline: the variant that paired differences are taken from.
        controls: variants that a gain has to beat, too: they do something else with the same steps.
        folds: cross-validation over people in so many groups; seed s tests group s mod folds. 0: the recipe's split.
        supervised: also the same encoder trained from scratch with all labels, once a seed.
        parts: which are scored: test alone where nothing is chosen.
        protocols: by which.
        splits: of the store that are scored, each as a data set of its own; none: the one that was trained on.
        raw: whether raw coordinates are scored, too; of many thousand clips that takes longer than all the rest.
    """

    about: str
    recipe: dict[str, str]
    prediction: str = ""
    shared: tuple[str, ...] = ()
    variants: dict[str, tuple[str, ...]] = field(default_factory=dict)
    seeds: int = 5
    forks: bool = True
    baseline: str = "moco"
    controls: tuple[str, ...] = ()
    folds: int = 0
    supervised: bool = False
    parts: tuple[Part, ...] = PARTS
    protocols: tuple[str, ...] = PROTOCOLS
    splits: tuple[str, ...] = ()
    raw: bool = True


# What recipes had when these grids were run; `retuned` and `rates` are why they have half of it now.
RATE = "learning_rate=2e-3"


def people_sets(recipe: str) -> dict[str, str]:
    """One recipe for the three sets that are cross-validated over people; HDM05 is solved: 97 to 100 %."""
    return dict.fromkeys(("utd-mhad", "nw-ucla", "msr-action3d"), recipe)


SMALL_SETS = {"utd-mhad": "utd-mhad-halp", "nw-ucla": "nw-ucla-halp"}

# The term in its three forms, and what could look like a gain of it: a pull toward the real key, other rates, other
# temperatures.
HALP_AND_CONTROLS: dict[str, tuple[str, ...]] = {
    "moco": ("method=moco",),
    "pull": ("method=pull", "placement=beside"),
    "pull inside": ("method=pull", "placement=inside"),
    "halp beside": ("placement=beside",),
    "halp inside": ("placement=inside",),
    "halp own inside": ("placement=inside", "toward=own"),
    "moco rate 5e-4": ("method=moco", "learning_rate=5e-4"),
    "moco rate 1e-3": ("method=moco", "learning_rate=1e-3"),
    "moco rate 4e-3": ("method=moco", "learning_rate=4e-3"),
    "moco temperature 0.07": ("method=moco", "contrast.temperature=0.07"),
    "moco temperature 0.2": ("method=moco", "contrast.temperature=0.2"),
    # A second query of each clip makes a step 1.75 times as long (7 passes through the encoder instead of 4).
    "multicrop": ("method=multicrop", "multicrop.views=1", "steps=343"),
}
TERMS = ("moco", "pull", "pull inside", "halp beside", "halp inside", "halp own inside")
CONTROLS = tuple(name for name in HALP_AND_CONTROLS if not name.startswith("halp") and name != "moco")

# What 43 200 clips are trained with in minutes: short views, a narrow encoder, a queue and prototypes to match.
MANY_CLIPS = (
    "data.frames=16",
    "encoder.width=64",
    "contrast.queue=4096",
    "halp.newest=1024",
    "halp.prototypes=60",
    "data.split=x-sub",
)

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
        controls=("pull", "pull inside"),
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
    "rates": Grid(
        about="Which learning rate at the recipes' own length, where `settings` and `people` train for a fifth of it?",
        prediction="Half of the rate, by a point or less: a longer training forgives a rate that is too high, because "
        "more of it is spent below.",
        recipe={"utd-mhad": "utd-mhad-moco", "nw-ucla": "nw-ucla-moco", "msr-action3d": "moco"},
        shared=(RATE, "data.split=fold"),
        variants={"base": (), "rate 1e-3": ("learning_rate=1e-3",), "rate 5e-4": ("learning_rate=5e-4",)},
        seeds=5,
        folds=5,
        forks=False,
        baseline="base",
        raw=False,
    ),
    "people": Grid(
        about="Small sets, ten seeds, cross-validation over people: does HaLP bring more than MoCo and the controls?",
        prediction="No: with 300 to 1 500 clips a pull of any kind makes clips of one person alike as much as clips of "
        "one action. Differences within a point of zero, their signs different from set to set.",
        recipe=people_sets("halp"),
        shared=(RATE, "steps=600", "data.split=fold"),
        variants=HALP_AND_CONTROLS,
        controls=CONTROLS,
        seeds=10,
        folds=5,
        supervised=True,
    ),
    "retuned": Grid(
        about="The same at the learning rate that did best on the validation parts of `people`, half of the recipe's: "
        "does the term do better beside a baseline that was tuned?",
        prediction="MoCo itself gains one to two points. No form of HaLP gains over it or over the pull: a lower rate "
        "leaves the walks as they were, and the mean of Eq. 8's positives beside the key.",
        recipe=people_sets("halp"),
        shared=("steps=600", "data.split=fold", "learning_rate=1e-3"),
        variants={name: HALP_AND_CONTROLS[name] for name in TERMS},
        controls=("pull", "pull inside"),
        seeds=10,
        folds=5,
    ),
    "variants": Grid(
        about="Which form of the term does best, and which measure of the diagnosis foretells it?",
        prediction="A mean over walks to all other prototypes is the key and a little of the mean of all prototypes: "
        "a pull and less spread, so `halp beside` and `pull` stay alike. What could differ: walks to neighbours only, "
        "and walks to the anchor's own prototype, the one direction in which other clips of its class lie. Own inside: "
        "up to a point of k-NN where most nearest keys are of the same class; a loss where prototypes mix classes.",
        recipe=people_sets("halp"),
        shared=(RATE, "steps=600", "data.split=fold", "diagnose=true"),
        variants={
            "moco": ("method=moco",),
            "pull inside": ("method=pull", "placement=inside"),
            "inside": (),
            "nearest 1": ("nearest=1",),
            "nearest 3": ("nearest=3",),
            "hard": ("interval=published", "hardness=0.2"),
            "rejected": ("rejected=negatives",),
            "own": ("toward=own",),
            "own near": ("toward=own", "hardness=0.4"),
            "own 60": ("toward=own", "halp.prototypes=60"),
            "own beside": ("toward=own", "placement=beside", "halp.weight=0.3"),
            "own early": ("toward=own", "halp.start=0.15"),
            "inside 60": ("halp.prototypes=60",),
            "inside strong": ("halp.weight=3",),
            "follow": ("follow=contrast",),
        },
        controls=("pull inside",),
        seeds=5,
        folds=5,
    ),
    "on simclr": Grid(
        about="HaLP on SimCLR: does the term help where both views share one encoder and there is no queue?",
        prediction="No: within a point of zero, as inside MoCo.",
        recipe=people_sets("halp_simclr"),
        shared=("steps=600", "data.split=fold"),
        variants={"simclr": ("method=simclr",), "halp simclr": ()},
        seeds=5,
        folds=5,
        forks=False,
        baseline="simclr",
    ),
    "on barlow": Grid(
        about="HaLP on Barlow Twins: does the term help where nothing is pushed apart?",
        prediction="Perhaps: nobody spreads the embeddings of this baseline, and the hallucinated InfoNCE brings "
        "negatives of its own. A point or two, owed to those and not to where the positives lie.",
        recipe=people_sets("halp_barlow"),
        shared=("steps=600", "data.split=fold"),
        # Walks of no length: the same negatives, and nothing hallucinated.
        variants={"barlow": ("method=barlow",), "halp barlow": (), "contrast barlow": ("hardness=1e-6",)},
        controls=("contrast barlow",),
        seeds=5,
        folds=5,
        forks=False,
        baseline="barlow",
    ),
    "on cmd": Grid(
        about="HaLP in three streams that distil into each other, with prototypes of its own or of the other streams?",
        prediction="Nothing over CMD: `carried` and `direct` walk toward means of about the same clips.",
        recipe=people_sets("halp_cmd"),
        shared=("steps=400", "data.split=fold"),
        variants={
            "cmd": ("method=cmd",),
            "halp cmd": (),
            "carried": ("prototypes_from=carried",),
            "direct": ("prototypes_from=direct",),
        },
        seeds=5,
        folds=5,
        forks=False,
        baseline="cmd",
    ),
    "weak views": Grid(
        about="The published views (crop, shear, jitter) instead of strong ones: does HaLP make up for what they lack?",
        prediction="Yes, if anywhere: the paper's own setting. Under weak views contrast is solved by what a person "
        "keeps (build, place, tempo), so that positives beside the key are the only ones that differ in it. Two points "
        "of k-NN for walks to the own prototype, one for the paper's.",
        recipe=people_sets("halp"),
        shared=(RATE, "steps=600", "data.split=fold", "diagnose=true", "views.published=true", "views.crop=0.5,1"),
        variants=HALP_AND_CONTROLS | {"halp own beside": ("toward=own", "placement=beside")},
        controls=CONTROLS,
        seeds=10,
        folds=5,
    ),
    "synthetic": Grid(
        about="43 200 synthetic clips, 60 actions, 40 people: does HaLP bring more where there are many clips?",
        prediction="Yes, if the paper's reason holds: with 700 clips an action a prototype's neighbourhood holds "
        "performances by many people, so that a walk toward it leaves the person behind and keeps the action. Half a "
        "point to two points of k-NN over MoCo; less over the pull.",
        recipe={"synthetic-60": "halp"},
        shared=(RATE, "steps=2000", *MANY_CLIPS),
        parts=("test",),
        protocols=("knn",),  # a linear probe of 17 280 clips takes several times as long as the training
        raw=False,
        variants=HALP_AND_CONTROLS,
        controls=CONTROLS,
        seeds=10,
    ),
    "synthetic long": Grid(
        about="The same clips, four times as long: does HaLP come into its own once neighbours are mostly right?",
        prediction="Walks to the own prototype gain up to a point, for more keys have neighbours of their class by "
        "then; Eq. 8 stays with the pull, whatever the length, because its mean point stays beside the key.",
        recipe={"synthetic-60": "halp"},
        shared=(RATE, "steps=8000", "diagnose=true", *MANY_CLIPS),
        parts=("test",),
        protocols=("knn",),
        raw=False,
        variants=HALP_AND_CONTROLS,
        controls=CONTROLS,
        seeds=3,
    ),
    "published": Grid(
        about="The paper's own regime, scaled: 43 200 synthetic clips, its GRU, views, queue, optimizer and schedule.",
        prediction="Eq. 8 and the pull end within half a point of each other, whatever they do to MoCo: the mean point "
        "lies beside the key here as everywhere. 2 000 steps are three epochs instead of 450, so that the contrast is "
        "far from solved: a pull may help by up to two points of the linear probe, as the paper reports of Eq. 8.",
        recipe={"synthetic-60": "halp-paper"},
        shared=("epochs=0", "steps=2000", "encoder.width=64", "data.split=x-sub"),
        parts=("test",),
        raw=False,
        variants={
            "moco": ("method=moco",),
            "halp paper": (),
            "pull": ("method=pull",),
            "halp published": ("interval=published", "select=others", "refresh=10", "halp.weight=2"),
            "pull twice": ("method=pull", "halp.weight=2"),
        },
        controls=("pull", "pull twice"),
        seeds=3,
    ),
    "levels": Grid(
        about="How good is the recipe on the official splits, in one stream and in three, beside raw coordinates, an "
        "untrained encoder and the same encoder trained with all labels?",
        prediction="UTD-MHAD 0.92, NW-UCLA 0.85, MSR-Action3D 0.78, SBU 0.90 with a linear probe; three streams a "
        "point or two more. Half of the way from untrained to supervised or more, where there is a way.",
        recipe={"utd-mhad": "utd-mhad-halp", "nw-ucla": "nw-ucla-halp", "msr-action3d": "halp", "sbu": "halp"},
        shared=(RATE, "steps=2500"),
        variants={
            "halp": (),
            "moco": ("method=moco",),
            "three streams": ("streams=joint,motion,bone", "steps=1200"),
        },
        seeds=2,
        forks=False,
        supervised=True,
    ),
    "further": Grid(
        about="Pairs of people, motion capture of five people, motion capture in other styles: is anything else found?",
        prediction="No: HDM05 is solved before HaLP begins, the other two are as small as the sets of `people`.",
        recipe={"sbu": "halp", "hdm05": "halp", "bandai-namco": "halp"},
        shared=(RATE, "steps=600", "diagnose=true"),
        variants=HALP_AND_CONTROLS,
        controls=CONTROLS,
        seeds=3,
        supervised=True,
    ),
    "union": Grid(
        about="UTD-MHAD, NW-UCLA and MSR-Action3D as one unlabelled set of kinect20, scored apart: do more people and "
        "more kinds of movement help the term?",
        prediction="A point or two for MSR, as the prototype saw; no more for HaLP than for MoCo.",
        recipe={"union": "halp"},
        shared=(
            RATE,
            "steps=1200",
            "data.split=merged",
            "data.centre=first",
            "data.align=torso",
            "data.scale=rms",
            "diagnose=true",
        ),  # fmt: skip
        parts=("test",),
        splits=("utd-mhad/x-sub", "nw-ucla/x-view", "msr-action3d/x-sub"),
        raw=False,
        variants=HALP_AND_CONTROLS,
        controls=CONTROLS,
        seeds=3,
    ),
}
