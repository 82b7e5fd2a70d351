from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from halpose.data.people import follow, motion_energy, undo_swaps

Walk = Callable[..., np.ndarray]


def followed(rows: list[np.ndarray], people: int = 2) -> tuple[np.ndarray, dict[str, int]]:
    repairs: Counter[str] = Counter()
    whole = np.stack(rows)
    kept, source = follow(whole, people, repairs)
    # Each frame that is shown is that of the tracked number that it is said to be taken from.
    taken = whole[source, np.arange(whole.shape[1])]
    shown = np.isfinite(kept).any(axis=(2, 3))
    np.testing.assert_array_equal(taken[shown], kept[shown])
    return kept, {what: count for what, count in repairs.items() if count}


def hidden(row: np.ndarray, frames: slice) -> np.ndarray:
    row = row.copy()
    row[frames] = np.nan
    return row


# --- swapped numbers


@pytest.mark.parametrize("times", [[1], [49], [20], [20, 21], [10, 30, 44]])
def test_numbers_that_change_places_are_put_back(walk: Walk, times: list[int]) -> None:
    a, b = walk(50, x=0.0, speed=0.03), walk(50, x=0.9, speed=-0.01, seed=1)
    one, two = a.copy(), b.copy()
    for time in times:
        one[time:], two[time:] = two[time:].copy(), one[time:].copy()
    kept, repairs = followed([one, two])
    np.testing.assert_array_equal(kept, [a, b])
    assert repairs == {"people_swapped": len(times)}


def test_numbers_swapped_while_one_person_is_out_of_sight(walk: Walk) -> None:
    a, b = walk(50, speed=0.03), hidden(walk(50, x=0.9, speed=-0.01, seed=1), slice(20, 25))
    one, two = a.copy(), b.copy()
    one[25:], two[25:] = b[25:], a[25:]
    kept, repairs = followed([one, two])
    np.testing.assert_array_equal(kept, [a, b])
    assert repairs == {"people_swapped": 1}


def test_people_whose_paths_cross_keep_their_numbers(walk: Walk) -> None:
    a = walk(60) + np.linspace(-0.8, 0.8, 60)[:, None, None].astype(np.float32) * [1, 0, 0]
    b = walk(60, seed=1) + np.linspace(0.8, -0.8, 60)[:, None, None].astype(np.float32) * [1, 0, 0]
    kept, repairs = followed([a, b + [0, 0, 0.3]])
    assert not repairs
    assert {motion_energy(row) for row in kept} == {motion_energy(a), motion_energy(b + [0, 0, 0.3])}


def test_three_numbers_that_go_round_are_put_back(walk: Walk) -> None:
    people = [walk(40, x=x, speed=speed, seed=i) for i, (x, speed) in enumerate([(0, 0.04), (1, 0.03), (2, 0.02)])]
    rows = np.stack(people)
    rows[:, 25:] = rows[[1, 2, 0], 25:]
    kept, repairs = followed(list(rows), people=3)
    np.testing.assert_array_equal(kept, people)
    assert repairs["people_swapped"] == 2


def test_noise_and_missing_joints_swap_nobody(walk: Walk) -> None:
    rng = np.random.default_rng(0)
    rows = [walk(200, x=0.5 * i, seed=i) for i in range(2)]
    for row in rows:
        row += rng.normal(0, 0.03, row.shape).astype(np.float32)
        row[rng.random(row.shape[:2]) < 0.5] = np.nan
    assert not followed(rows)[1]


def test_people_in_each_others_arms_are_not_swapped_by_noise(walk: Walk) -> None:
    rng = np.random.default_rng(0)
    a = walk(300, speed=0.001)
    rows = [a + rng.normal(0, 0.05, a.shape) + [x, 0, 0] for x in (0.0, 0.02)]
    assert not followed(rows)[1]


# --- one person, several numbers


@pytest.mark.parametrize("gap", [0, 5])
def test_a_person_found_again_under_another_number_is_one(walk: Walk, gap: int) -> None:
    a = walk(60, speed=0.01)
    rows = [hidden(a, slice(20, None)), hidden(a, slice(None, 20 + gap))]
    kept, repairs = followed(rows)
    np.testing.assert_array_equal(kept, [hidden(a, slice(20, 20 + gap))])
    assert repairs == {"people_merged": 1}


def test_a_number_that_fills_the_gap_of_another_belongs_to_it(walk: Walk) -> None:
    a, b = walk(60, speed=0.01), walk(60, x=1.5, speed=0.02, seed=1)
    inside = np.full_like(a, np.nan)
    inside[25:40] = a[25:40]
    kept, repairs = followed([hidden(a, slice(25, 40)), b, inside])
    np.testing.assert_array_equal(kept, [b, a])
    assert repairs == {"people_merged": 1}


def test_every_handover_has_to_happen_in_one_place(walk: Walk) -> None:
    """The second number starts where the first was lost, but is elsewhere when the first comes back."""
    a = walk(60, speed=0.01)
    leaving = np.full_like(a, np.nan)
    leaving[25:40] = a[25:40] + np.linspace(0, 1.5, 15)[:, None, None].astype(np.float32) * [1, 0, 0]
    for first, second in ((hidden(a, slice(25, 40)), leaving), (leaving[::-1], hidden(a, slice(25, 40))[::-1])):
        assert len(followed([first, second])[0]) == 2


def test_pieces_are_joined_in_order_of_time(walk: Walk) -> None:
    """The first and the last piece are far apart; only the one between, given last, joins them."""
    a = walk(90, speed=0.03)
    pieces = [np.full_like(a, np.nan) for _ in range(3)]
    for piece, part in zip(pieces, [slice(0, 30), slice(60, 90), slice(30, 60)], strict=True):
        piece[part] = a[part]
    kept, repairs = followed(pieces)
    np.testing.assert_array_equal(kept, [a])
    assert repairs == {"people_merged": 2}


def test_somebody_else_who_comes_later_stays_somebody_else(walk: Walk) -> None:
    a, b = hidden(walk(60), slice(30, None)), hidden(walk(60, x=1.0, seed=1), slice(None, 30))
    kept, repairs = followed([a, b])
    assert len(kept) == 2
    assert not repairs


def test_people_seen_together_are_never_one(walk: Walk) -> None:
    a = walk(40)
    b = hidden(a + np.float32(0.01), slice(None, 15))
    kept, _ = followed([hidden(a, slice(16, None)), b])
    assert len(kept) == 2


def test_whether_two_pieces_are_one_does_not_depend_on_the_unit(walk: Walk) -> None:
    a = walk(60)
    for move, expected in ((0.2, 1), (0.8, 2)):
        for unit in (1.0, 1000.0):
            rows = [hidden(a, slice(30, None)), hidden(a + np.float32([move, 0, 0]), slice(None, 30))]
            assert len(followed([row * np.float32(unit) for row in rows])[0]) == expected


# --- ghosts


def test_a_flicker_is_no_person(walk: Walk) -> None:
    a = walk(100)
    for frames, kept in ((11, 1), (12, 2)):
        flicker = np.full_like(a, np.nan)
        flicker[40 : 40 + frames] = walk(frames, x=2.0, seed=1)
        rows, repairs = followed([a, flicker])
        assert len(rows) == kept
        assert repairs.get("ghosts_dropped", 0) == 2 - kept


def test_in_a_short_clip_a_quarter_of_it_is_enough(walk: Walk) -> None:
    a = walk(20)
    for frames, kept in ((4, 1), (5, 2)):
        rows, _ = followed([a, hidden(walk(20, x=2.0, seed=1), slice(frames, None))])
        assert len(rows) == kept


def test_a_body_wider_than_tall_is_furniture(walk: Walk) -> None:
    a = walk(40, speed=0.001)
    table = walk(40, x=2.0, speed=0.05, seed=1)
    table[..., 1] *= 0.1
    for flat, kept in ((28, 2), (29, 1)):
        sometimes = walk(40, x=2.0, speed=0.05, seed=1)
        sometimes[:flat] = table[:flat]
        rows, _ = followed([a, sometimes])
        assert len(rows) == kept
    np.testing.assert_array_equal(followed([table, a])[0], [a])


def test_arms_stretched_out_make_no_ghost(walk: Walk) -> None:
    """Somebody reaches across with both arms throughout: a seventh wider than tall, and still a person."""
    a, b = walk(40, speed=0.03), walk(40, x=1.5, speed=0.03, seed=1)
    height = np.ptp(b[..., 1], axis=1)
    middle = b[:, 0, 0]
    b[:, 7, 0], b[:, 11, 0] = middle + 0.57 * height, middle - 0.57 * height
    assert len(followed([a, b])[0]) == 2


def test_a_person_lying_alone_is_kept(walk: Walk) -> None:
    lying = walk(40)[..., [1, 0, 2]]
    kept, repairs = followed([lying, np.full_like(lying, np.nan)])
    np.testing.assert_array_equal(kept, [lying])
    assert not repairs
    both, _ = followed([lying, lying[::-1] + np.float32(2.0)])
    assert len(both) == 2, "when all look like ghosts, none is dropped"


# --- who matters


def test_who_moves_most_comes_first_and_the_rest_is_dropped(walk: Walk) -> None:
    people = [walk(50, x=1.2 * i, speed=speed, seed=i) for i, speed in enumerate((0.01, 0.04, 0.0, 0.02))]
    kept, repairs = followed(people, people=2)
    np.testing.assert_array_equal(kept, [people[1], people[3]])
    assert repairs == {"people_dropped": 2}


def test_motion_energy_is_the_variance_of_what_is_seen(walk: Walk) -> None:
    a = walk(50)
    np.testing.assert_allclose(motion_energy(a), a.astype(np.float64).var(axis=0).mean(), rtol=1e-5)
    half = hidden(a, slice(25, None))
    np.testing.assert_allclose(motion_energy(half), a[:25].astype(np.float64).var(axis=0).mean() / 2, rtol=1e-5)
    still = np.repeat(a[:1], 50, axis=0)
    assert motion_energy(still + np.float32(0)) < 1e-10


def test_nobody_is_nobody(walk: Walk) -> None:
    assert followed([np.full((5, 20, 3), np.nan)])[0].shape == (0, 5, 20, 3)


def test_rows_given_are_left_alone(walk: Walk) -> None:
    rows = np.stack([walk(30), walk(30, x=1.0, seed=1)])
    rows[:, 10:] = rows[::-1, 10:].copy()
    before = rows.copy()
    repairs: Counter[str] = Counter()
    undo_swaps(rows, repairs)
    follow(rows, 2, repairs)
    assert repairs["people_swapped"] == 2
    np.testing.assert_array_equal(rows, before)


@pytest.mark.data
def test_no_real_person_is_taken_for_a_ghost_or_swapped(halpose_data: Path) -> None:
    """SBU: 282 clips of two real people who hug, kick and push each other, followed without a fault."""
    files = sorted((halpose_data / "sbu").glob("*/*/*/skeleton_pos.txt"))
    if not files:
        pytest.skip("no SBU recordings")
    for file in files:
        lines = [line.replace(",", " ").split() for line in file.read_text().splitlines() if line.strip()]
        image = np.array(lines, dtype=np.float64)[:, 1:].reshape(-1, 2, 15, 3).swapaxes(0, 1)
        metres = image * [-2.56, -1.92, 10 / 7.8125] + [1.28, 0.96, 0]
        kept, repairs = followed(list(metres))
        assert len(kept) == 2, file
        assert not repairs, file
