from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halpose.errors import DataError
from halpose.evaluate.draws import draw_labels, remarks


@given(
    st.lists(st.integers(1, 30), min_size=2, max_size=6),
    st.floats(0.001, 1.0),
    st.integers(0, 5),
)
def test_stratified_counts_are_the_share_of_each_class_and_at_least_one(
    counts: list[int], share: float, number: int
) -> None:
    labels = np.repeat(np.arange(len(counts)) * 2, counts)
    chosen = draw_labels(labels, share, number=number)
    assert len(np.unique(chosen)) == len(chosen)
    found = np.bincount(labels[chosen], minlength=2 * len(counts))[::2]
    assert found.tolist() == [max(1, round(share * count)) for count in counts]


def test_an_unstratified_draw_has_the_share_of_all_and_leaves_classes_out() -> None:
    labels = np.repeat(np.arange(20), 10)
    drawn = [draw_labels(labels, 0.05, stratified=False, number=number) for number in range(20)]
    assert {len(chosen) for chosen in drawn} == {10}
    classes = [len(np.unique(labels[chosen])) for chosen in drawn]
    assert min(classes) < 10 and len(set(classes)) > 1
    # Each clip is as likely as any other.
    often = np.bincount(np.concatenate([draw_labels(labels, 0.5, stratified=False, number=n) for n in range(400)]))
    assert often.min() > 140 and often.max() < 260


@pytest.mark.parametrize("stratified", [True, False])
def test_draws_differ_repeat_and_are_nested(stratified: bool) -> None:
    labels = np.random.default_rng(0).integers(0, 5, 200)
    some = [draw_labels(labels, 0.1, stratified=stratified, number=number) for number in range(3)]
    assert not np.array_equal(some[0], some[1])
    np.testing.assert_array_equal(some[1], draw_labels(labels, 0.1, stratified=stratified, number=1))
    assert not np.array_equal(some[1], draw_labels(labels, 0.1, stratified=stratified, number=1, seed=1))
    assert set(some[2]) < set(draw_labels(labels, 0.3, stratified=stratified, number=2))


def test_a_draw_of_one_class_is_refused() -> None:
    with pytest.raises(DataError, match="a draw of 1 % of 100 labels holds 1 clips of one class"):
        draw_labels(np.repeat([0, 1], 50), 0.01, stratified=False)


def test_too_small_a_share_and_missing_classes_are_told() -> None:
    labels = np.repeat(np.arange(27), 16)
    one = [draw_labels(labels, 0.01, number=number) for number in range(5)]
    assert remarks(labels, 0.01, one) == (
        "1 % is too little for a clip of each of 27 classes; with one of each it is 27 of 432 clips, 6.2 %",
    )
    assert remarks(labels, 0.25, [draw_labels(labels, 0.25)]) == ()
    loose = [draw_labels(labels, 0.01, stratified=False, number=number) for number in range(5)]
    assert "of 27 classes on average; the others count as wrong" in remarks(labels, 0.01, loose)[0]
