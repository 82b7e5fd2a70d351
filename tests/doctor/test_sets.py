"""What is wrong with a set: units, axes, rates, lengths, layouts, duplicates, balance, leakage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from faults import slow_down, with_positions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from halpose.data.upright import UNITS
from halpose.doctor.body import bodies
from halpose.doctor.checks import CHECKS
from halpose.doctor.duplicates import twins
from halpose.doctor.finding import Finding
from halpose.doctor.measure import Measures, measure
from halpose.doctor.parts import Labelling
from halpose.skeleton import Sequence

Clips = list[Sequence]
CLASSES = tuple(f"action {number}" for number in range(12))

few = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


_measured: dict[int, tuple[Sequence, Measures]] = {}


def remembered(clips: Clips) -> list[Measures]:
    """What is remembered of each; sound clips come again and again, and are measured once."""
    for clip in clips:
        if id(clip) not in _measured:
            _measured[id(clip)] = clip, measure(clip, bodies(clip), "")
    return [_measured[id(clip)][1] for clip in clips]


def lively(clips: Clips) -> Clips:
    """Those in which enough moves for two of them to be one recording."""
    return [clip for clip, measures in zip(clips, remembered(clips), strict=True) if measures.stir > 0.035]


def judged(clips: Clips, check: str, **splits: list[int]) -> list[Finding]:
    """What a check of the set says."""
    find = CHECKS[check].whole
    assert find is not None
    codes = {name: np.array(values, dtype=np.int8) for name, values in splits.items()}
    return list(find(remembered(clips), Labelling(CLASSES, codes)))


def changed(clips: Clips, which: set[int], change: np.ndarray | float) -> Clips:
    """Some clips, their positions multiplied."""
    by = np.asarray(change, dtype=np.float64)
    return [
        with_positions(clip, clip.positions @ by.T if by.ndim else clip.positions * by) if at in which else clip
        for at, clip in enumerate(clips)
    ]


def split_of(clips: Clips) -> list[int]:
    """By subject: no person in both parts."""
    return [2 if clip.subject in ("3", "7", "11") else 0 for clip in clips]


def test_nothing_is_found_in_sound_sets(sound: Clips) -> None:
    for check, of in CHECKS.items():
        if of.whole is not None and check != "balance":
            assert judged(sound, check, mine=split_of(sound)) == [], check
    assert {clip.subject for clip in sound} >= {"3", "7", "11"}


# ---- units and axes


@few
@given(unit=st.sampled_from(["centimetres", "millimetres", "inches"]), which=st.sets(st.integers(0, 39), min_size=1))
def test_units(alone: Clips, unit: str, which: set[int]) -> None:
    clips = changed(alone[:40], which, 1 / UNITS[unit])
    found = {one.kind: one for one in judged(clips, "units")}
    names = {alone[at].name for at in which}
    assert set(found[unit].clips) == names and found[unit].severity == "warning"
    if len(which) < 40:
        several = found["several units"]
        assert several.severity == "error" and set(several.clips) in (names, {c.name for c in clips} - names)


def test_sizes_that_no_unit_explains_and_sets_of_one_wrong_unit(alone: Clips) -> None:
    (found,) = judged(changed(alone[:9], set(range(9)), 1e7), "units")
    assert found.kind == "impossible size" and found.count == 9
    (found,) = judged(changed(alone[:9], set(range(9)), 100), "units")
    assert found.kind == "centimetres" and found.what.startswith("all clips")


def test_pixels_and_shares_of_the_picture(alone: Clips) -> None:
    flat = [
        with_positions(clip, clip.positions[..., :2] * size)
        for clip, size in zip(alone, [0.2] * 5 + [300], strict=False)
    ]
    (found,) = judged(flat, "units")
    assert found.severity == "error" and found.clips == (flat[5].name,)
    assert judged(flat[:5], "units") == []


TURNS = {
    "z": np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "-z": np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "x": np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]]),
    "-y": np.array([[1, 0, 0], [0, -1, 0], [0, 0, -1]]),
}


@pytest.mark.parametrize("axis", TURNS)
def test_axes(alone: Clips, axis: str) -> None:
    (found,) = judged(changed(alone[:20], set(range(20)), TURNS[axis]), "axes")
    kind = "upside down" if axis == "-y" else "up is not y"
    assert (found.kind, found.severity, found.count) == (kind, "warning", 20) and axis in found.what


@few
@given(axis=st.sampled_from(list(TURNS)), which=st.sets(st.integers(0, 39), min_size=1, max_size=12))
def test_some_clips_with_another_axis(alone: Clips, axis: str, which: set[int]) -> None:
    calm = [clip for clip in alone if "pick" not in str(clip.extra["action"])][:40]
    found = judged(changed(calm, which, TURNS[axis]), "axes")
    assert {name for one in found for name in one.clips} == {calm[at].name for at in which}
    lone = axis != "-y" and len(which) <= 2
    assert {one.severity for one in found} == {"note" if lone else "warning"}  # one in twenty may lie there


@pytest.mark.parametrize("turn", [np.eye(3), TURNS["z"], TURNS["-y"]])
@pytest.mark.parametrize("part", [1.0, 0.1])
def test_mirror_images(alone: Clips, turn: np.ndarray, part: float) -> None:
    count = int(40 * part)
    clips = changed(changed(alone[:40], set(range(40)), turn), set(range(count)), np.diag([-1, 1, 1]))
    (found,) = (one for one in judged(clips, "axes") if one.kind == "mirrored")
    assert set(found.clips) <= {clip.name for clip in clips[:count]} and found.count > 0.9 * count


# ---- rates, lengths, layouts


def test_stated_frame_rates(alone: Clips) -> None:
    clips = [replace(clip, fps=60.0) if at in (3, 5) else clip for at, clip in enumerate(alone[:30])]
    (found,) = judged(clips, "rates")
    assert found.kind == "different rates" and set(found.clips) == {clips[3].name, clips[5].name}


def test_a_movement_that_shows_another_frame_rate(alone: Clips) -> None:
    clips = [replace(clip, label=0) for clip in alone]
    for at in (4, 40):
        slow = [slow_down(clip, 4) if number == at else clip for number, clip in enumerate(clips)]
        (found,) = judged(slow, "rates")
        assert (found.kind, found.clips) == ("moves slower", (clips[at].name,))
    # Of clips saved at a quarter of their rate; the others say what is usual.
    smooth = [slow_down(clip, 8) for clip in clips[:24]]
    quick = [
        with_positions(clip, clip.positions[:, ::8]) if number == 7 else clip for number, clip in enumerate(smooth)
    ]
    (found,) = judged(quick, "rates")
    assert (found.kind, found.clips) == ("moves faster", (clips[7].name,))


def test_lengths(alone: Clips) -> None:
    clips = list(alone[:12])
    clips[0] = with_positions(clips[0], clips[0].positions[:, :1])
    clips[1] = with_positions(clips[1], clips[1].positions[:, :5])
    clips[2] = with_positions(clips[2], np.tile(clips[2].positions, (1, 40, 1, 1)))
    found = {one.kind: one.clips for one in judged(clips, "lengths")}
    assert found == {"one frame": (clips[0].name,), "very short": (clips[1].name,), "very long": (clips[2].name,)}


def test_layouts(alone: Clips) -> None:
    other = [replace(clip, positions=clip.positions[:, :, :20], layout="kinect20") for clip in alone[:2]]
    (found,) = judged([*alone[2:10], *other], "layouts")
    assert set(found.clips) == {clip.name for clip in other} and "2 kinect20" in found.what


# ---- duplicates


def copies(clip: Sequence) -> dict[str, Sequence]:
    rng = np.random.default_rng(0)
    x = clip.positions
    return {
        "the same": with_positions(clip, x),
        "moved": with_positions(clip, x + np.array([1.5, 0.2, -2.0])),
        "another unit": with_positions(clip, x * 1000),
        "nearly the same": with_positions(clip, x + rng.normal(0, 0.002, x.shape)),
        "frames in common": with_positions(clip, x[:, 9:-9]),
    }


@pytest.mark.parametrize("how", ["the same", "moved", "another unit", "nearly the same", "frames in common"])
@few
@given(at=st.integers(0, 100), to=st.integers(0, 100))
def test_duplicates(alone: Clips, how: str, at: int, to: int) -> None:
    clips = lively(alone)[:60]
    original = clips[at % len(clips)]
    clips.insert(to % len(clips), replace(copies(original)[how], name="copy"))
    (found,) = judged(clips, "duplicates")
    assert found.kind in (how, "the same", "nearly the same")
    if how in ("the same", "frames in common"):
        assert found.kind == how
    (names,) = found.clips
    assert set(names.split(" = ")) == {"copy", original.name}


def test_people_who_repeat_a_movement_or_stand_still_are_no_duplicates(alone: Clips, standing: np.ndarray) -> None:
    assert twins(remembered(alone)) == []
    rng = np.random.default_rng(1)
    still = [
        Sequence((standing + rng.normal(0, 0.004, (1, 40, 20, 3))).astype(np.float32), "kinect20", f"s{i}")
        for i in range(9)
    ]
    assert twins(remembered(still)) == []


def test_each_pair_is_found_among_many(alone: Clips) -> None:
    rng = np.random.default_rng(2)
    clips = lively(alone)
    noisy = [with_positions(clip, clip.positions + rng.normal(0, 0.002, clip.positions.shape)) for clip in clips]
    found = twins(remembered([*clips, *noisy]))
    assert len(clips) > 100
    assert {(pair.first, pair.second) for pair in found} == {(at, at + len(clips)) for at in range(len(clips))}


# ---- balance and leakage


def test_balance(alone: Clips) -> None:
    usual = [replace(alone[at], label=at % 3, subject=f"s{at % 4}") for at in range(60)]
    rare = replace(alone[60], label=3, subject="s1")
    found = {one.kind: one for one in judged([*usual, rare, replace(alone[62], label=-1)], "balance")}
    assert set(found) == {"unlabelled", "no clip", "few clips", "imbalance", "one performer"}
    assert found["one performer"].what.endswith("action 3") and found["few clips"].what.endswith("action 3")
    assert "8 classes have no clip" in found["no clip"].what
    even = [replace(clip, label=at % 12, subject=f"s{at % 5}") for at, clip in enumerate(alone[:60])]
    assert judged(even, "balance") == []


def test_a_recording_in_both_parts(alone: Clips) -> None:
    clips = [replace(clip, subject=f"s{at % 6}", label=at % 2) for at, clip in enumerate(alone[:60])]
    codes = [2 if clip.subject in ("s4", "s5") else 0 for clip in clips]
    assert judged(clips, "leakage", mine=codes) == []
    copy = replace(copies(clips[4])["nearly the same"], name="copy", subject="s0")
    (found,) = judged([*clips, copy], "leakage", mine=[*codes, 1])  # the validation part is of the training part
    assert (found.kind, found.severity) == ("recordings in both", "error") and "copy" in found.clips[0]
    assert judged([*clips, copy], "leakage", mine=[*codes, -1]) == []


def test_people_in_both_parts(alone: Clips) -> None:
    clips = [replace(clip, subject=f"s{at % 6}", label=0, camera=1 + at // 6 % 3) for at, clip in enumerate(alone[:60])]
    by_view = [2 if clip.camera == 3 else 0 for clip in clips]
    (found,) = judged(clips, "leakage", mine=by_view)
    assert (found.kind, found.severity) == ("people in both", "note")
    mixed = [2 if at % 7 == 0 else 0 for at in range(60)]
    (found,) = judged(clips, "leakage", mine=mixed)
    assert (found.kind, found.severity) == ("people in both", "error")


def test_classes_that_a_part_lacks_and_empty_parts(alone: Clips) -> None:
    clips = [replace(clip, subject=f"s{at}", label=at % 4) for at, clip in enumerate(alone[:40])]
    codes = [2 if clip.label in (0, 3) and at % 2 else 0 for at, clip in enumerate(clips)]
    found = {one.kind: one for one in judged(clips, "leakage", mine=codes)}
    assert {kind: one.severity for kind, one in found.items()} == {
        "classes missing in training": "error", "classes missing in test": "warning",
    }  # fmt: skip
    (found_empty,) = judged(clips, "leakage", mine=[0] * 40)
    assert (found_empty.kind, found_empty.severity) == ("empty part", "note")
