"""The data sets that one signs for: NTU RGB+D and PKU-MMD, which the paper trains on."""

from __future__ import annotations

from halpose.data import classes
from halpose.data.spec import PUBLISHED, DatasetSpec, FileForm
from halpose.data.splits import SplitRule, by_subject, every_fifth

_NTU60_TRAIN = (1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38)
_NTU120_TRAIN = (
    *_NTU60_TRAIN,
    *(45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91),
    *(92, 93, 94, 95, 97, 98, 100, 103),
)
_NTU_TERMS = "Free for academic research after signing the release agreement; no redistribution."
_NTU_SOURCE = "https://rose1.ntu.edu.sg/dataset/actionRecognition (request; the skeleton archives are enough)"

NTU_60 = DatasetSpec(
    name="ntu60",
    title="NTU RGB+D 60",
    classes=classes.NTU60,
    layout="kinect25",
    people=2,
    forms=(
        FileForm(
            "ntu",
            r"S0(0\d|1[0-7])C\d{3}P\d{3}R\d{3}A0([0-5]\d|60)\.skeleton",
            "nturgb+d_skeletons/S001C001P001R001A001.skeleton",
        ),
        FileForm("pyskl", r"ntu60_3danno\.pkl", "ntu60_3danno.pkl"),
    ),
    splits={
        "x-sub": by_subject(_NTU60_TRAIN),
        "x-view": SplitRule(
            "camera",
            frozenset("23"),
            validation=every_fifth(map(str, range(1, 41))),
            why="subjects 5, 10, ... 40 in the training cameras: held out by subject, so that both cameras "
            "stay in the training part",
        ),
    },
    default_split="x-sub",
    licence=_NTU_TERMS,
    source=_NTU_SOURCE,
    citation="Shahroudy, Liu, Ng, Wang: NTU RGB+D: A Large Scale Dataset for 3D Human Activity Analysis. CVPR 2016.",
    files=56_880,
    clips=56_578,
    counts={"x-sub": (40_091, 16_487), "x-view": (37_646, 18_932)},
    missing_list="NTU_RGBD_samples_with_missing_skeletons.txt (302 names)",
    normalisation=PUBLISHED,
    family="ntu",
    notes=("With the 302 clips of the published list, x-sub is 40 320 / 16 560 and x-view 37 920 / 18 960.",),
)

NTU_120 = DatasetSpec(
    name="ntu120",
    title="NTU RGB+D 120",
    classes=classes.NTU120,
    layout="kinect25",
    people=2,
    forms=(
        FileForm(
            "ntu",
            r"S0[0-3]\dC\d{3}P\d{3}R\d{3}A(0\d\d|1[01]\d|120)\.skeleton",
            "nturgb+d_skeletons/S018C001P008R001A061.skeleton",
        ),
        FileForm("pyskl", r"ntu120_3danno\.pkl", "ntu120_3danno.pkl"),
    ),
    splits={
        "x-sub": by_subject(_NTU120_TRAIN),
        "x-set": SplitRule(
            "setup",
            frozenset(map(str, range(2, 33, 2))),
            validation=every_fifth(map(str, range(1, 107))),
            why="subjects 5, 10, ... 105 in the training setups: held out by subject, so that every setup "
            "stays in the training part",
        ),
    },
    default_split="x-sub",
    licence=_NTU_TERMS,
    source=_NTU_SOURCE,
    citation="Liu, Shahroudy, Perez, Wang, Duan, Kot: NTU RGB+D 120: A Large-Scale Benchmark for 3D Human "
    "Activity Understanding. TPAMI 2019.",
    files=114_480,
    clips=113_945,
    counts={"x-sub": (63_026, 50_919), "x-set": (54_468, 59_477)},
    missing_list="NTU_RGBD120_samples_with_missing_skeletons.txt (535 names)",
    normalisation=PUBLISHED,
    family="ntu",
    notes=("Contains NTU RGB+D 60: its training subjects contain those of NTU-60 x-sub.",),
)

_PKU_TERMS = "Free for academic research after an agreement; no redistribution."
_PKU_SOURCE = "https://struct002.github.io/PKUMMD (skeletons, labels and split files)"
_PKU_CITATION = "Liu, Hu, Li, Song, Liu: PKU-MMD: A Large Scale Benchmark for Continuous Multi-Modal Human Action Understanding. 2017."  # noqa: E501 # fmt: skip

PKUMMD_1 = DatasetSpec(
    name="pkummd1",
    title="PKU-MMD I",
    classes=classes.PKUMMD,
    layout="kinect25",
    people=2,
    forms=(FileForm("pkummd", r"[^/]*[Ss][Kk][Ee][Ll][^/]*/\d{4}-[LMR]\.txt", "skeleton/0002-L.txt"),),
    splits={
        "x-sub": SplitRule(
            "video",
            videos="cross_subject.txt",
            validation_by="recording",
            why="every fifth recording of the training part, with all its cameras: file names hold no subject",
        ),
        "x-view": SplitRule(
            "video",
            videos="cross_view.txt",
            validation_by="recording",
            why="every fifth recording, with all its training cameras: file names hold no subject",
        ),
    },
    default_split="x-sub",
    licence=_PKU_TERMS,
    source=_PKU_SOURCE,
    citation=_PKU_CITATION,
    files=1_076,
    clips=21_545,
    counts={"x-sub": (18_841, 2_704), "x-view": (14_357, 7_188)},
    normalisation=PUBLISHED,
)

PKUMMD_2 = DatasetSpec(
    name="pkummd2",
    title="PKU-MMD II",
    classes=classes.PKUMMD,
    layout="kinect25",
    people=2,
    forms=(FileForm("pkummd", r"[^/]*[Ss][Kk][Ee][Ll][^/]*/A\d+N\d+-[LMR]\.txt", "skeleton/A01N01-L.txt"),),
    splits={
        "x-sub": SplitRule(
            "video",
            videos="cross_subject_v2.txt",
            why="every fifth subject (N in the file name) of the training part",
        ),
        "x-view": SplitRule(
            "video",
            videos="cross_view_v2.txt",
            why="every fifth subject (N in the file name) of the training part",
        ),
    },
    default_split="x-sub",
    licence=_PKU_TERMS,
    source=_PKU_SOURCE,
    citation=_PKU_CITATION,
    clips=6_945,
    counts={"x-sub": (5_332, 1_613)},
    normalisation=PUBLISHED,
    notes=("51 classes are named; phase II shows 41 of them.",),
)
