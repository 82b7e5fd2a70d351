"""Search spaces that hold each other, the closed form against a search, and what solutions are worth."""

from __future__ import annotations

import numpy as np
import pytest

from halpose.ablate.hardness import Keys, compare_spaces, walk_all

NAMES = ["anchor itself", "drawn", "one prototype", "best prototype", "between", "sphere"]


def made_keys(dimensions: int, prototypes: int = 6, anchors: int = 12) -> Keys:
    rng = np.random.default_rng(dimensions)
    centre = rng.normal(size=dimensions)
    cloud = centre / np.linalg.norm(centre) + rng.normal(size=(anchors + prototypes + 40, dimensions)) / dimensions**0.5
    cloud /= np.linalg.norm(cloud, axis=1, keepdims=True)
    keys, clips = cloud[prototypes:], np.arange(anchors + 40) % 30
    labels = clips % 3
    return Keys(keys[:anchors], cloud[:prototypes], clips[:anchors], labels[:anchors], keys, clips, labels)


@pytest.fixture(scope="module")
def keys() -> Keys:
    return made_keys(24)


def test_the_closed_form_is_the_solution_of_its_plane(keys: Keys) -> None:
    walks = walk_all(keys, rounds=2)
    assert walks.searched == 12 * 5
    assert (walks.agree, walks.gap) == (1.0, pytest.approx(0, abs=1e-7))
    assert 0 < walks.discarded < 1 and walks.beyond > 1
    assert walks.seconds > 0 and walks.search_seconds > 0
    # Witness for what is discarded: t* of Eq. 7 on vectors, then the argmax filter.
    lost = []
    for anchor, star in zip(keys.anchors, walks.nearest, strict=True):
        for j in set(range(6)) - {int(star)}:
            angle = np.arccos(anchor @ keys.prototypes[j])
            gap = anchor @ (keys.prototypes[star] - keys.prototypes[j])
            reach = 1 - keys.prototypes[j] @ keys.prototypes[star]
            t = np.arctan2(gap * np.sin(angle), reach + gap * np.cos(angle)) / angle - 1e-7
            point = np.sin((1 - t) * angle) * anchor + np.sin(t * angle) * keys.prototypes[j]
            lost.append((keys.prototypes @ point).argmax() != star)
    assert walks.discarded == pytest.approx(np.mean(lost))


@pytest.mark.parametrize("objective", ["anchor", "prototype"])
def test_a_larger_space_holds_a_harder_positive(keys: Keys, objective: str) -> None:
    walks = walk_all(keys, rounds=1)
    told: list[tuple[int, int]] = []
    spaces = compare_spaces(keys, walks, objective, 0.8, lambda done, total: told.append((done, total)))  # type: ignore[arg-type]
    assert [space.name for space in spaces] == NAMES
    anchor, drawn, one, best, between, sphere = (space.similarity for space in spaces)
    for larger, smaller in ((best, one), (best, anchor), (between, best), (sphere, between)):
        assert (larger <= smaller + 1e-7).all()
    if objective == "anchor":
        np.testing.assert_allclose(anchor, 1)
        assert ((one <= drawn) & (drawn <= 1)).all()
    assert sphere.max() < 0 and between.min() > 0
    assert spaces[5].certain == 1 and spaces[4].certain == 0
    assert told[-1] == (12, 12)
    for space in spaces:
        assert space.as_hard == pytest.approx(np.mean(best <= space.similarity + 0.01))


def test_prototypes_that_depend_on_each_other_have_no_between() -> None:
    keys = made_keys(4)
    spaces = compare_spaces(keys, walk_all(keys, rounds=1), "anchor")
    assert [space.name for space in spaces] == [name for name in NAMES if name != "between"]


def test_the_nearest_real_key_is_of_another_clip() -> None:
    others = np.eye(4)
    keys = Keys(
        others[:2], others, np.array([0, 1]), np.array([7, 8]), others, np.array([0, 1, 0, 1]), np.array([7, 8, 7, 7])
    )
    points = np.array([[0.9, 0.2, 0.1, 0.3], [0.2, 0.9, 0.3, 0.1]])
    similarity, same = keys.nearest_real(points)
    assert similarity.tolist() == [0.3, 0.3]  # the clip's own keys, much nearer, do not count
    assert same == 0.5
