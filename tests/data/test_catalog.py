"""The catalogue and its splits: published numbers, disjoint parts, validation carved from training."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from halpose.config import DataConfig
from halpose.data.catalog import DATASETS, find_spec
from halpose.data.splits import SplitRule, by_subject, every_fifth, numbered, resolve_videos, video_keys
from halpose.errors import ConfigError, DataError
from halpose.io import FORMATS
from halpose.skeleton import load_layout

TRAIN, VALIDATION, TEST, NOWHERE = 0, 1, 2, -1
NTU60_XSUB = {1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38}


@pytest.mark.parametrize("spec", DATASETS.values(), ids=lambda spec: spec.name)
class TestEverySpec:
    def test_is_registered_under_its_name(self, spec):
        assert DATASETS[spec.name] is spec
        assert find_spec(spec.name) is spec

    def test_names_things_that_exist(self, spec):
        load_layout(spec.layout)
        assert {form.format for form in spec.forms} <= set(FORMATS)
        assert spec.default_split in spec.splits
        assert set(spec.counts) <= set(spec.splits)

    def test_examples_match_their_patterns(self, spec):
        for form in spec.forms:
            assert re.search(rf"(?:^|/)(?:{form.pattern})\Z", form.example)

    def test_classes_are_distinct_and_named(self, spec):
        assert len(set(spec.classes)) == len(spec.classes)
        assert all(name and name == name.strip() for name in spec.classes)

    def test_says_where_from_and_on_what_terms(self, spec):
        assert spec.licence
        assert spec.source
        assert spec.citation

    def test_normalisation_is_one_that_training_knows(self, spec):
        choices = get_type_hints(DataConfig)
        allowed = {key: set(get_args(choices[key])) - {"store"} for key in ("centre", "align", "scale")}
        assert set(spec.normalisation) == set(allowed)
        assert all(value in allowed[key] for key, value in spec.normalisation.items())

    def test_published_counts_add_up(self, spec):
        if spec.clips is not None:
            for name, (train, test) in spec.counts.items():
                # A split leaves clips out only where its rule names them.
                assert train + test == spec.clips or (train + test < spec.clips and spec.splits[name].left_out)

    def test_rules_divide(self, spec):
        for rule in spec.splits.values():
            assert rule.why
            if rule.videos:
                continue
            assert rule.validation, "a validation part is carved from every training part"
            if rule.validation_by == rule.by:
                assert rule.validation < rule.train
            assert not rule.test or not rule.test & rule.train


@pytest.mark.parametrize(
    ("name", "classes", "first", "last"),
    [
        ("ntu60", 60, "drink water", "walking apart from each other"),
        ("ntu120", 120, "drink water", "finger-guessing game (playing rock-paper-scissors)"),
        ("pkummd1", 51, "bow", "writing"),
        ("pkummd2", 51, "bow", "writing"),
        ("utd-mhad", 27, "swipe left", "squat"),
        ("nw-ucla", 10, "pick up with one hand", "carry"),
        ("msr-action3d", 20, "high arm wave", "pickup and throw"),
        ("sbu", 8, "approaching", "punching"),
        ("hdm05", 11, "depositFloorR", "throwBasketball"),
        ("bandai-namco", 10, "raise-up-both-hands", "wave-right-hand"),
        ("bandai-namco-1", 16, "bow", "walk-right"),
    ],
)
def test_class_lists(name, classes, first, last):
    names = DATASETS[name].classes
    assert (len(names), names[0], names[-1]) == (classes, first, last)


def test_ntu120_extends_ntu60():
    assert DATASETS["ntu120"].classes[:60] == DATASETS["ntu60"].classes
    small, large = (DATASETS[name].splits["x-sub"] for name in ("ntu60", "ntu120"))
    assert small.train < large.train
    assert small.validation < large.validation, "what validates on 60 must not train on 120"


def test_ntu60_cross_subject_is_the_published_one():
    rule = DATASETS["ntu60"].splits["x-sub"]
    for subject in range(1, 41):
        official = rule.part({"subject": str(subject), "camera": "1", "setup": "1"})
        assert (official in (TRAIN, VALIDATION)) == (subject in NTU60_XSUB)
    assert rule.validation == {"8", "16", "27", "38"}


def test_ntu60_cross_view_trains_on_cameras_two_and_three():
    rule = DATASETS["ntu60"].splits["x-view"]
    assert [rule.part({"subject": "1", "camera": camera}) for camera in "123"] == [TEST, TRAIN, TRAIN]
    assert [rule.part({"subject": "5", "camera": camera}) for camera in "123"] == [TEST, VALIDATION, VALIDATION]


def test_ntu120_cross_set_trains_on_even_setups():
    rule = DATASETS["ntu120"].splits["x-set"]
    parts = [rule.part({"subject": "1", "setup": str(setup)}) for setup in range(1, 33)]
    assert parts == [TEST, TRAIN] * 16
    assert len(DATASETS["ntu120"].splits["x-sub"].train) == 53


def test_sbu_tests_every_pair_once():
    rules = DATASETS["sbu"].splits
    pairs = sorted(pair for rule in rules.values() for pair in rule.test)
    assert len(pairs) == len(set(pairs)) == 21
    for rule in rules.values():
        assert rule.train | rule.test == set(pairs)


@pytest.mark.parametrize(
    ("text", "number"), [("s01", "1"), ("P012", "12"), ("7", "7"), ("010", "10"), ("bd", "bd"), ("s01s02", "s01s02")]
)
def test_numbered(text, number):
    assert numbered(text) == number


def test_every_fifth_counts_as_people_do():
    assert every_fifth(str(n) for n in range(1, 13)) == {"5", "10"}
    assert every_fifth(["bd", "dg", "bk"]) == {"dg"}
    assert every_fifth([]) == frozenset()


def test_a_rule_leaves_out_what_it_does_not_know():
    rule = SplitRule("style", frozenset("ab"), frozenset("c"), frozenset("b"), validation_by="style")
    assert [rule.part({"style": style}) for style in "abcd"] == [TRAIN, VALIDATION, TEST, NOWHERE]
    assert rule.part({}) == NOWHERE
    assert by_subject((1, 2)).part({"subject": ""}) == NOWHERE


def test_unknown_data_set_names_the_known_ones():
    with pytest.raises(ConfigError, match="nw-ucla"):
        find_spec("ucla")


class TestVideoLists:
    RULE = SplitRule("video", videos="cross_subject_v2.txt")

    def write(self, folder: Path, train: list[str], test: list[str]) -> None:
        (folder / "Split").mkdir()
        lines = ["Training videos:", ", ".join(train), "Validation videos:", ", ".join(test), ""]
        (folder / "Split" / "cross_subject_v2.txt").write_text("\r\n".join(lines))

    def test_reads_lines_two_and_four(self, tmp_path):
        train = [f"A{a:02}N{n:02}-{c}" for n in range(1, 7) for a in (1, 2) for c in "LMR"]
        self.write(tmp_path, train, ["A01N07-L", "A01N08-R"])
        rule = resolve_videos(self.RULE, tmp_path)
        assert rule.validation == {"5"}
        part = {video: rule.part({"video": video, **video_keys(video)}) for video in [*train, "A01N07-L", "A09N09-M"]}
        assert {video for video, code in part.items() if code == VALIDATION} == {v for v in train if "N05" in v}
        assert part["A01N01-M"] == TRAIN
        assert part["A01N07-L"] == TEST
        assert part["A09N09-M"] == NOWHERE

    def test_list_beside_the_source(self, tmp_path):
        self.write(tmp_path, ["A01N01-L"], ["A01N02-L"])
        assert resolve_videos(self.RULE, tmp_path / "Split").train == {"A01N01-L"}
        (tmp_path / "Split" / "skeleton").mkdir()
        assert resolve_videos(self.RULE, tmp_path / "Split" / "skeleton").train == {"A01N01-L"}

    def test_says_what_is_missing(self, tmp_path):
        with pytest.raises(DataError, match=r"cross_subject_v2\.txt is not there"):
            resolve_videos(self.RULE, tmp_path)
        self.write(tmp_path, ["A01N01-L"], ["A01N01-L"])
        with pytest.raises(DataError, match="1 in both"):
            resolve_videos(self.RULE, tmp_path)
        (tmp_path / "Split" / "cross_subject_v2.txt").write_text("one line")
        with pytest.raises(DataError, match="second line"):
            resolve_videos(self.RULE, tmp_path)

    def test_video_names(self):
        assert video_keys("A03N11-R") == {"subject": "11", "camera": "R"}
        assert video_keys("0042-M") == {"recording": "42", "camera": "M"}
        assert video_keys("somewhere") == {}
