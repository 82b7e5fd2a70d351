"""People keep who they are from frame to frame, by where they are going; nobody is two people at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halpose.io.linking import FARTHEST, PATIENCE, link

# A body a hundred pixels high, about its middle.
BODY = np.random.default_rng(5).uniform((-20, -50), (20, 50), (17, 2))


def walks(paths: list[np.ndarray], seed: int = 0, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames, poses and true identities of people whose middles move as given, in random order within each frame.

    NaN in a path: nobody is seen there.
    """
    rng = np.random.default_rng(seed)
    frames, poses, people = [], [], []
    for frame in range(len(paths[0])):
        for person in rng.permutation(len(paths)):
            if np.isfinite(paths[person][frame]).all():
                frames.append(frame)
                poses.append(BODY + paths[person][frame] + rng.normal(0, noise, BODY.shape))
                people.append(person)
    return np.array(frames), np.array(poses), np.array(people)


def straight(frames: int, start: tuple[float, float], step: tuple[float, float]) -> np.ndarray:
    return np.array(start, float) + np.arange(frames)[:, None] * np.array(step, float)


def is_same(found: np.ndarray, true: np.ndarray) -> bool:
    """Whether two numberings name the same people."""
    pairs = set(zip(found.tolist(), true.tolist(), strict=True))
    return len(pairs) == len(set(found.tolist())) == len(set(true.tolist()))


@pytest.mark.parametrize("offset", [0.0, 2.0, 10.0])
def test_two_people_who_cross_keep_their_identities(offset: float) -> None:
    """They pass through each other in the image: only where each is going tells them apart."""
    left, right = straight(60, (0, 0), (5, 0)), straight(60, (295, offset), (-5, 0))
    frames, poses, people = walks([left, right])
    assert is_same(link(frames, poses), people)


@pytest.mark.parametrize("seed", range(4))
def test_crossing_unseen_for_some_frames(seed: int) -> None:
    """One hides the other where they meet."""
    left, right = straight(60, (0, 0), (5, 0)), straight(60, (295, 0), (-5, 0))
    right[28:33] = np.nan
    frames, poses, people = walks([left, right], seed)
    assert is_same(link(frames, poses), people)


def test_two_people_who_meet_and_turn_back_keep_their_identities() -> None:
    """Where they came from says nothing any more: the course follows the newest steps."""
    left = np.stack((147 * np.sin(np.linspace(0, np.pi, 80)), np.zeros(80)), axis=1)
    frames, poses, people = walks([left, (300, 0) - left])
    assert is_same(link(frames, poses), people)


@pytest.mark.parametrize("hidden", [range(2, 6), range(20, 26), [*range(20, 26), *range(27, 33)]])
def test_a_runner_is_found_where_the_run_would_lead(hidden: range | list[int]) -> None:
    path = straight(60, (0, 0), (20, 0))
    path[hidden] = np.nan
    frames, poses, _ = walks([path])
    assert (link(frames, poses) == 0).all()


def test_one_person_alone_is_one_number_however_the_joints_come_and_go() -> None:
    frames, poses, _ = walks([straight(50, (0, 0), (3, 1))])
    poses[np.random.default_rng(1).random(poses.shape[:2]) < 0.4] = np.nan
    assert (link(frames, poses) == 0).all()


@pytest.mark.parametrize("bystanders", [0, 1])
def test_a_jump_is_somebody_new_and_so_is_a_late_return(bystanders: int) -> None:
    """Whether or not somebody else is seen all the while."""
    others = [straight(80, (900, 0), (0, 0))] * bystanders
    path = straight(80, (0, 0), (0, 0))
    path[20:] += 150
    for absent, returns in ((PATIENCE - 1, 1), (PATIENCE, 2)):
        hidden = path.copy()
        hidden[40 : 40 + absent] = np.nan
        frames, poses, people = walks([hidden, *others])
        numbers = link(frames, poses)
        own = [
            np.unique(numbers[(people == 0) & (frames >= at) & (frames < to)])
            for at, to in ((0, 20), (20, 40), (40, 80))
        ]
        assert [len(found) for found in own] == [1, 1, 1]
        assert len(np.unique(own)) == 1 + returns and len(np.unique(numbers)) == 1 + returns + bystanders


def test_whoever_appears_far_away_takes_nobodys_place() -> None:
    """The nearest of two is the one found, though the sum of all distances would be less with the other."""
    numbers = link(np.array([0, 0, 1, 1]), np.stack([BODY, BODY + (60, 0), BODY + (45, 0), BODY + (400, 0)]))
    assert numbers.tolist() == [0, 1, 1, 2]


def test_how_far_somebody_may_be_from_where_they_are_expected() -> None:
    size = np.ptp(BODY, axis=0).max()
    for share, number in ((0.9, 0), (1.1, 1)):
        poses = np.stack([BODY, BODY, BODY + (share * FARTHEST * size, 0)])
        assert link(np.arange(3), poses).tolist() == [0, 0, number]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), people=st.integers(1, 4))
def test_numbers_do_not_depend_on_units_or_place(seed: int, people: int) -> None:
    rng = np.random.default_rng(seed)
    paths = [straight(12, tuple(rng.uniform(0, 400, 2)), tuple(rng.normal(0, 6, 2))) for _ in range(people)]
    frames, poses, _ = walks(paths, seed)
    numbers = link(frames, poses)
    # Exact in binary, so that no tie is broken differently.
    np.testing.assert_array_equal(link(frames, poses * 0.25), numbers)
    np.testing.assert_array_equal(link(frames + 1000, poses), numbers)
    for frame in range(12):
        there = numbers[frames == frame]
        assert len(set(there.tolist())) == len(there) == people
    appear = [int(np.flatnonzero(numbers == number)[0]) for number in range(numbers.max() + 1)]
    assert appear == sorted(appear)


def test_bodies_without_joints_or_size_do_no_harm() -> None:
    nothing = np.full((3, 17, 2), np.nan)
    assert link(np.array([0, 1, 1]), nothing).tolist() == [0, 1, 2]
    assert link(np.empty(0, int), np.empty((0, 17, 2))).tolist() == []
    assert link(np.arange(3), np.zeros((3, 17, 2))).tolist() == [0, 0, 0]


def test_three_dimensions() -> None:
    frames, poses, people = walks([straight(60, (0, 0), (5, 0)), straight(60, (295, 0), (-5, 0))])
    deep = np.concatenate((poses, np.zeros((*poses.shape[:2], 1))), axis=-1)
    assert is_same(link(frames, deep), people)
