"""The data sets that anybody can download: small ones, trained on in minutes."""

from __future__ import annotations

from halpose.data import classes
from halpose.data.spec import PAIRED, UNTURNED, DatasetSpec, FileForm
from halpose.data.splits import SplitRule, by_subject, every_fifth


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


UTD = DatasetSpec(
    name="utd-mhad",
    title="UTD-MHAD",
    classes=classes.UTD_MHAD,
    layout="kinect20",
    people=1,
    forms=(FileForm("utd", r"a\d+_s\d+_t\d+_skeleton\.mat", "Skeleton/a1_s1_t1_skeleton.mat"),),
    splits={"x-sub": by_subject((1, 3, 5, 7))},
    default_split="x-sub",
    licence='"Freely available" by its paper; no licence text. Do not redistribute.',
    source="https://personal.utdallas.edu/~kehtar/UTD-MHAD.html (Skeleton.zip)",
    citation="Chen, Jafari, Kehtarnavaz: UTD-MHAD: A Multimodal Dataset for Human Action Recognition. ICIP 2015.",
    files=861,
    clips=861,
    counts={"x-sub": (431, 430)},
)

UCLA = DatasetSpec(
    name="nw-ucla",
    title="Northwestern-UCLA Multiview Action3D",
    classes=classes.NW_UCLA,
    layout="kinect20",
    people=1,
    forms=(FileForm("ucla", r"a\d\d_s\d\d_e\d\d_v\d\d\.json", "all_sqe/a01_s01_e00_v01.json"),),
    splits={
        "x-view": SplitRule(
            "camera",
            frozenset("12"),
            validation=every_fifth(map(str, range(1, 11))),
            why="subjects 5 and 10 in views 1 and 2, both of them hard; they say little about an unseen view",
        ),
        "x-view-2": SplitRule(
            "camera",
            frozenset("12"),
            validation=frozenset("2"),
            validation_by="camera",
            why="view 2, whole: the same training and test parts as x-view, with a validation part that asks for what "
            "the test part asks for, an unseen view",
        ),
        # In the copy that everybody uses, view 3 of actions 2 and 3 is view 2 of them, number for number.
        "x-view-distinct": SplitRule(
            "camera",
            frozenset("12"),
            validation=frozenset("2"),
            validation_by="camera",
            left_out=r"a0[23]_s\d\d_e\d\d_v03",
            why="view 2, whole: x-view-2 without the 95 test clips that are copies of training clips",
        ),
        "x-sub": by_subject((1, 3, 5, 7, 9)),
    },
    default_split="x-view",
    licence="None stated (research benchmark). Do not redistribute.",
    source="https://wangjiangb.github.io/my_data.html; the skeletons as CTR-GCN uses them, all_sqe/*.json",
    citation="Wang, Nie, Xia, Wu, Zhu: Cross-view Action Modeling, Learning and Recognition. CVPR 2014.",
    files=1_484,
    clips=1_484,
    counts={"x-view": (1_020, 464), "x-view-2": (1_020, 464), "x-view-distinct": (1_020, 369), "x-sub": (724, 760)},
)

MSR = DatasetSpec(
    name="msr-action3d",
    title="MSR-Action3D",
    classes=classes.MSR_ACTION3D,
    layout="kinect20",
    people=1,
    forms=(
        FileForm(
            "msr",
            r"a\d\d_s\d\d_e\d\d_skeleton3D\.txt",
            "MSRAction3DSkeletonReal3D/a01_s01_e01_skeleton3D.txt",
        ),
    ),
    splits={"x-sub": by_subject((1, 3, 5, 7, 9))},
    default_split="x-sub",
    licence="None found (Microsoft Research). Research use; do not redistribute.",
    source="https://wangjiangb.github.io/my_data.html (MSRAction3DSkeletonReal3D)",
    citation="Li, Zhang, Liu: Action Recognition Based on a Bag of 3D Points. CVPR Workshops 2010.",
    files=567,
    clips=557,
    counts={"x-sub": (284, 273)},
    prune=_words(
        "a02_s03_e02 a04_s03_e01 a07_s04_e01 a13_s09_e01 a13_s09_e02 a13_s09_e03 a14_s03_e01 a20_s07_e01 "
        "a20_s07_e03 a20_s10_e03"
    ),
    prune_why="not among the 557 files that the literature uses (skeleton missing or badly wrong)",
    normalisation=UNTURNED,
    notes=("Every subject faces the camera: turning clips by the torso loses accuracy here.",),
)

_SBU_FOLDS = (
    "s01s02 s03s04 s05s02 s06s04",
    "s02s03 s02s07 s03s05 s05s03",
    "s01s03 s01s07 s07s01 s07s03",
    "s02s01 s02s06 s03s02 s03s06",
    "s04s02 s04s03 s04s06 s06s02 s06s03",
)
_SBU_SIZES = (55, 52, 56, 54, 65)


def _sbu_fold(test: int) -> SplitRule:
    following = (test + 1) % len(_SBU_FOLDS)
    folds = [frozenset(fold.split()) for fold in _SBU_FOLDS]
    train = frozenset().union(*(fold for i, fold in enumerate(folds) if i != test))
    return SplitRule(
        "subject",
        train,
        folds[test],
        folds[following],
        why=f"the pairs of fold {following + 1}, whole: by pair",
    )


SBU_KINECT = DatasetSpec(
    name="sbu",
    title="SBU Kinect Interaction",
    classes=classes.SBU,
    layout="kinect15",
    people=2,
    forms=(FileForm("sbu", r"s\d\ds\d\d/\d\d/\d{3}/skeleton_pos\.txt", "s01s02/01/001/skeleton_pos.txt"),),
    splits={f"fold{i + 1}": _sbu_fold(i) for i in range(5)},
    default_split="fold1",
    licence="None found (Stony Brook University). Research use; do not redistribute.",
    source="https://www3.cs.stonybrook.edu/~kyun/research/kinect_interaction (clean version)",
    citation="Yun, Honorio, Chattopadhyay, Berg, Samaras: Two-person Interaction Detection Using Body-Pose "
    "Features and Multiple Instance Learning. CVPR Workshops 2012.",
    files=282,
    clips=282,
    counts={f"fold{i + 1}": (sum(_SBU_SIZES) - size, size) for i, size in enumerate(_SBU_SIZES)},
    normalisation=PAIRED,
    notes=("Quote the mean of the five folds. People occur in several pairs: folds separate pairs, not people.",),
)

HDM = DatasetSpec(
    name="hdm05",
    title="HDM05, 11 classes",
    classes=classes.HDM05,
    layout="hdm31",
    people=1,
    forms=(FileForm("hdm05-npz", r"hdm05[^/]*\.npz", "hdm05_11_30fps.npz"),),
    splits={"x-sub": by_subject(("bd", "bk", "dg"))},
    default_split="x-sub",
    licence="CC BY-SA 3.0",
    source="https://resources.mpi-inf.mpg.de/HDM05 (the 11-class cut, every fourth of 120 frames a second)",
    citation="Mueller, Roeder, Clausen, Eberhardt, Krueger, Weber: Documentation Mocap Database HDM05. "
    "Universitaet Bonn, CG-2007-2.",
    clips=287,
    counts={"x-sub": (188, 99)},
)

_BANDAI_TERMS = "CC BY-NC 4.0"
_BANDAI_SOURCE = "https://github.com/BandaiNamcoResearchInc/Bandai-Namco-Research-Motiondataset"
_BANDAI_CITATION = "Kobayashi, Liao, Inoue, Yojima, Takahashi: Motion Capture Dataset for Practical Use of AI-based Motion Editing and Stylization. 2023."  # noqa: E501 # fmt: skip

BANDAI = DatasetSpec(
    name="bandai-namco",
    title="Bandai Namco Research Motiondataset 2",
    classes=classes.BANDAI_2,
    layout="bandai21",
    people=1,
    forms=(FileForm("bandai-npz", r"bandai2[^/]*\.npz", "bandai2_30fps.npz"),),
    splits={
        "x-style": SplitRule(
            "style",
            _words("active elderly masculine normal"),
            _words("exhausted feminine youthful"),
            _words("elderly"),
            validation_by="style",
            why="style elderly: the files name no subject, and the test part is styles too",
        )
    },
    default_split="x-style",
    licence=_BANDAI_TERMS,
    source=_BANDAI_SOURCE,
    citation=_BANDAI_CITATION,
    files=1,
    clips=2_902,
    counts={"x-style": (1_742, 1_160)},
    notes=(
        "Data set 1 (other actors' styles, other classes) is a data set of its own here: bandai-namco-1.",
        "No published split: the held-out styles are halpose's choice.",
    ),
)

BANDAI_SMALL = DatasetSpec(
    name="bandai-namco-1",
    title="Bandai Namco Research Motiondataset 1",
    classes=classes.BANDAI_1,
    layout="bandai21",
    people=1,
    forms=(FileForm("bandai-npz", r"bandai1[^/]*\.npz", "bandai1_30fps.npz"),),
    splits={
        "x-style": SplitRule(
            "style",
            _words("active childish feminine happy musical normal old sad"),
            _words("angry chimpira giant masculinity not-confident proud tired"),
            _words("musical sad"),
            validation_by="style",
            why="styles musical and sad: the files name no subject, and the test part is styles too",
        )
    },
    default_split="x-style",
    licence=_BANDAI_TERMS,
    source=_BANDAI_SOURCE,
    citation=_BANDAI_CITATION,
    files=1,
    counts={"x-style": (97, 77)},
    clips=174,
    notes=(
        "No published split: the held-out styles are halpose's choice. Some classes exist in style normal only, "
        "which trains.",
    ),
)
