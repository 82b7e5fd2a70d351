"""What is exported sees a clip as the run does: cleaned, normalised, cut and resized alike, to rounding."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from untrained import LAYOUT, untrained_run

from halpose.data.align import first_rotation
from halpose.data.memory import memory_store
from halpose.data.normalise import CleanClip
from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.evaluate.features import fixed_views
from halpose.export.check import Case, batch, difference, padded, random_cases, stored_cases
from halpose.export.network import Network
from halpose.export.normalisation import _smallest_rotation
from halpose.inference.clips import fit
from halpose.skeleton import Sequence, load_layout

SWITCHES = list(product(("first", "frame", "none"), ("torso", "pair", "first", "none"), ("rms", "none")))


def seen(run: Run, *positions: np.ndarray) -> np.ndarray:
    """What the encoders see of clips."""
    view, _ = Network.of(run).view(torch.from_numpy(padded([x.astype(np.float32) for x in positions])))
    return view.numpy()


def seen_of(run: Run, cases: list[Case]) -> np.ndarray:
    view, _ = Network.of(run).view(*map(torch.from_numpy, batch(cases)))
    return view.numpy()


def expected(run: Run, *clips: CleanClip) -> np.ndarray:
    """The same by way of a store."""
    store = memory_store(clips, run.shape.layout)
    return torch.cat(list(fixed_views(store, np.arange(len(clips)), run.config.data, "cpu"))).numpy()


@pytest.mark.parametrize(("centre", "align", "scale"), SWITCHES)
@pytest.mark.parametrize(("people", "channels", "layout"), [(2, 3, "kinect20"), (1, 2, "coco17"), (3, 3, "smpl24")])
def test_views_are_those_of_a_store(
    centre: str, align: str, scale: str, people: int, channels: int, layout: str
) -> None:
    run = untrained_run(
        people=people, channels=channels, layout=load_layout(layout), centre=centre, align=align, scale=scale
    )
    for seed in range(3):
        cases = random_cases(run, seed)
        assert any(np.isnan(case.inputs[0]).any() for case in cases)
        np.testing.assert_allclose(seen_of(run, cases), expected(run, *(case.clean for case in cases)), atol=2e-5)


@pytest.mark.parametrize("kind", ["mask", "channel"])
def test_confidence_is_that_of_a_store(kind: str) -> None:
    run = untrained_run(confidence=kind)
    for seed in range(5):
        cases = random_cases(run, seed)
        found, wanted = seen_of(run, cases), expected(run, *(case.clean for case in cases))
        assert found.shape[-1] == 4
        np.testing.assert_allclose(found[..., :3], wanted[..., :3], atol=2e-5)
        np.testing.assert_allclose(found[..., 3], wanted[..., 3], atol=1e-6)
        assert 0 < found[..., 3].mean() < 1
        if kind == "mask":
            assert set(np.unique(found[..., 3])) == {0, 1}


def test_clips_of_a_store_are_compared_as_they_were_recorded(store: Store) -> None:
    run = untrained_run(("joint", "motion"), confidence="mask")
    cases = list(stored_cases(store, run))
    assert any(np.isnan(case.inputs[0][0]).any() and np.isfinite(case.clean.positions[0]).all() for case in cases)
    network = Network.of(run)
    assert difference(run, lambda *x: network(*map(torch.from_numpy, x)).detach().numpy(), cases) < 1e-5


def test_every_length_is_cut_and_resized_alike() -> None:
    run = untrained_run(people=1, centre="none", align="none", scale="none", frames=7)
    ramp = np.broadcast_to(np.arange(1000.0)[None, :, None, None], (1, 1000, len(LAYOUT), 3)).astype(np.float32)
    clips = [fit(Sequence(ramp[:, :frames], LAYOUT, str(frames)), run.shape) for frames in range(1, 1001, 9)]
    for at in range(0, len(clips), 64):
        block = clips[at : at + 64]
        np.testing.assert_allclose(seen(run, *(c.positions for c in block)), expected(run, *block), rtol=1e-6)


def test_what_a_clip_is_padded_with_does_not_matter() -> None:
    run = untrained_run()
    positions = random_cases(run)[4].inputs[0]
    nothing = np.full_like(positions[:, :5], np.nan)
    before, after = (np.concatenate(parts, axis=1) for parts in ((nothing, positions), (positions, nothing)))
    np.testing.assert_array_equal(seen(run, before, after), seen(run, positions, positions))


def test_absurd_coordinates_are_missing() -> None:
    run = untrained_run(people=1)
    positions = random_cases(run)[6].inputs[0]
    gap, absurd, infinite = positions.copy(), positions.copy(), positions.copy()
    gap[0, 10:14, 5] = np.nan
    absurd[0, 10:14, 5, 1] = -3e7
    infinite[0, 10:14, 5, 2] = np.inf
    found = seen(run, gap, absurd, infinite)
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])
    assert not np.array_equal(seen(run, positions)[0], found[0])


def test_a_clip_without_anybody_has_no_embedding() -> None:
    run = untrained_run(("joint", "motion"))
    positions = random_cases(run)[3].inputs[0]
    batch = torch.from_numpy(padded([positions, np.full_like(positions, np.nan)]))
    somebody, nobody = Network.of(run)(batch)
    assert somebody.isfinite().all() and nobody.isnan().all()


@pytest.mark.parametrize("height", [1.0, -1.0])
@pytest.mark.parametrize("slant", [1e-5, 3e-4, 1e-3, 0.1, 1.0])
def test_a_spine_near_the_vertical_is_turned_to_the_last_digit(height: float, slant: float) -> None:
    pose = np.random.default_rng(0).normal(size=(len(LAYOUT), 3))
    lower, upper = LAYOUT.spine
    pose[upper] = pose[lower] + [slant, -slant / 2, height]
    spine = (pose[upper] - pose[lower]).astype(np.float32)
    rotation = _smallest_rotation(torch.from_numpy(spine[None]), axis=2)[0].double().numpy()
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=5e-6)
    np.testing.assert_allclose(rotation @ (spine / np.linalg.norm(spine)), [0, 0, 1], atol=5e-6)
    run = untrained_run(people=1, align="first", scale="none", centre="none")
    clip = fit(Sequence(pose[None, None].astype(np.float32), LAYOUT, "pose"), run.shape)
    exact = pose.astype(np.float32) @ first_rotation(pose.astype(np.float32), LAYOUT).T
    np.testing.assert_allclose(seen(run, clip.positions)[0, 0, 0], exact, atol=1e-4)


def test_the_difference_notices_what_is_wrong() -> None:
    run = untrained_run(("joint", "motion"))
    network, cases = Network.of(run), random_cases(run)

    def infer(positions: np.ndarray) -> np.ndarray:
        return network(torch.from_numpy(positions)).detach().numpy()

    assert difference(run, infer, cases) < 1e-5
    assert difference(run, lambda x: infer(x) * 1.01, cases) > 5e-3
    assert difference(run, lambda x: infer(x) + (len(x) == 1), cases) > 0.5
    assert difference(run, lambda x: np.where(np.arange(len(x))[:, None] == 5, np.nan, infer(x)), cases) == np.inf
    assert difference(run, lambda x: infer(x)[:, :16], cases, ("joint",)) < 1e-5
