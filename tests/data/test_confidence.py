"""How sure the source was of each joint goes where the joint goes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from halpose.data.normalise import clean
from halpose.errors import DataError
from halpose.skeleton import Sequence

Walk = Callable[..., np.ndarray]


def recording(rows: list[np.ndarray], confidence: np.ndarray | None = None) -> Sequence:
    return Sequence(np.stack(rows).astype(np.float32), "kinect20", "clip", confidence=confidence)


# --- cleaning


def test_what_is_seen_whole_needs_no_confidence(walk: Walk) -> None:
    """Neither absent people nor joints that are never seen say more than NaN does."""
    row = walk(40)
    row[:, 7] = np.nan
    assert clean(recording([row]), people=2).confidence is None


def test_what_was_filled_is_not_sure_and_everything_else_is(walk: Walk) -> None:
    row, other = walk(40), walk(40, x=1.0, seed=1)
    row[:, 7], row[3:6, 2], row[20] = np.nan, np.nan, np.nan
    other[:10] = np.nan
    clip = clean(recording([row, other]), people=3)
    first = int(np.isfinite(clip.positions[1, 0]).all())  # who moves more comes first
    expected = np.zeros((3, 40, 20), np.float32)
    expected[[first, 1 - first]] = np.isfinite(np.stack([row, other])[..., 0])
    np.testing.assert_array_equal(clip.confidence, expected)


@pytest.mark.parametrize("missing", [np.nan, np.inf])
def test_confidence_is_the_sources_where_there_is_a_joint(walk: Walk, missing: float) -> None:
    """Within 0..1, NaN is none, and frames that are cut off take theirs with them."""
    rng, row = np.random.default_rng(0), walk(30)
    row[:4], row[10, 5, 1] = np.nan, missing
    sure = rng.random((1, 30, 20))
    sure[0, 12, 3], sure[0, 13, 3], sure[0, 14, 3] = np.nan, 1.5, -0.5
    clip = clean(recording([row], sure), people=1)
    expected = sure[:, 4:].astype(np.float32)
    expected[0, [8, 10], [3, 3]], expected[0, 9, 3], expected[0, 6, 5] = 0, 1, 0
    assert clip.begin == 4
    np.testing.assert_array_equal(clip.confidence, expected)


def test_unsure_joints_that_are_not_believed_have_none(walk: Walk) -> None:
    sure = np.random.default_rng(0).random((1, 30, 20)).astype(np.float32)
    clip = clean(recording([walk(30)], sure), people=1, least_confidence=0.25)
    np.testing.assert_array_equal(clip.confidence, np.where(sure >= 0.25, sure, 0))


def test_confidence_follows_people_who_change_places_and_come_back(walk: Walk) -> None:
    """Of three numbers: the first two change places, the third is the first person again. Each person's is constant."""
    a, b = walk(60, speed=0.03), walk(60, x=0.9, speed=0.01, seed=1)
    one, two, three = a.copy(), b.copy(), a.copy()
    one[20:], two[20:] = b[20:], a[20:]
    one_sure, two_sure, three_sure = np.full((3, 60, 20), 0.25)
    one_sure[20:], two_sure[:20] = 0.75, 0.75
    two[45:], three[:45] = np.nan, np.nan
    two_sure[45:] = three_sure[:45] = 0.5  # of nobody
    clip = clean(recording([one, two, three], np.stack([one_sure, two_sure, three_sure])), people=2)
    assert clip.repairs == {"people_swapped": 1, "people_merged": 1}
    np.testing.assert_array_equal(clip.positions, [a, b])
    np.testing.assert_array_equal(clip.confidence, np.broadcast_to([[[0.25]], [[0.75]]], (2, 60, 20)))


def test_confidence_of_other_joints_is_refused(walk: Walk) -> None:
    with pytest.raises(DataError, match=r"confidence of shape \(1, 30, 19\), but there are"):
        clean(recording([walk(30)], np.ones((1, 30, 19))), people=1)
