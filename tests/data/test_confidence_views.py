"""The confidence of a view: the last channel, where the joints are and as sure as they were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from halpose.config import DataConfig, ViewConfig
from halpose.data.memory import memory_store
from halpose.data.normalise import CleanClip, clean
from halpose.data.store import Store, StoreWriter
from halpose.data.views import evaluation_view, random_view
from halpose.data.window import MappedWindow, Window
from halpose.skeleton import Sequence, bone_confidence, load_layout, motion_confidence

LAYOUT = load_layout("kinect20")
STILL = ViewConfig(
    crop=(1.0, 1.0), least_frames=1, shear=0.0, yaw=0.0, mirror=0.0, pose=0.0, offset=0.0, drift=0.0, noise=0.0,
    mask_joints=0.0, mask_part=0.0,
)  # fmt: skip
MOVING = replace(STILL, shear=0.5, yaw=30.0, tilt=10.0, pose=1.0, offset=0.1, drift=0.1, noise=0.1, blur=0.5)
MASKING = replace(STILL, mask_joints=0.3, mask_probability=0.7, mask_part=0.3)
EVERYTHING = replace(MOVING, crop=(0.3, 1.0), mirror=0.5, reverse=0.5, mask_axis=0.5, mask_joints=0.3, mask_part=0.3)
EVERY = {"moving": MOVING, "masking": MASKING, "all": EVERYTHING, "published": ViewConfig(published=True)}


def clips(sure: bool = True, missing: bool = True) -> list[CleanClip]:
    """Five clips of 30 to 50 frames; the second person is in two of them."""
    rng, found = np.random.default_rng(0), []
    for number in range(5):
        positions = rng.normal(size=(1 + number % 2, 30 + 5 * number, 20, 3)).astype(np.float32)
        if missing:
            positions[rng.random(positions.shape[:3]) < 0.1] = np.nan
            positions[:, :, 7] = np.nan
        told = rng.uniform(0.1, 1, positions.shape[:3]) if sure else None
        found.append(clean(Sequence(positions, "kinect20", f"clip{number}", confidence=told), people=2))
    return found


def window_of(found: list[CleanClip], kind: str) -> Window:
    # Not centred, so that no joint that is there is zero.
    data = DataConfig(centre="none", align="torso", scale="rms", confidence=kind)  # type: ignore[arg-type]
    return Window.load(memory_store(found, LAYOUT), np.arange(len(found)), data)


def draw(window: Window, config: ViewConfig, frames: int = 16) -> Tensor:
    return random_view(window, torch.arange(len(window)).repeat(8), frames, config, torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("kind", ["mask", "channel"])
def test_coordinates_are_those_of_views_without_confidence(name: str, kind: str) -> None:
    """To the bit, on disk as in memory; and what is told of them lies in 0..1."""
    found = clips()
    plain, beside = (draw(window_of(found, which), EVERY[name]) for which in ("none", kind))
    assert beside.shape == (*plain.shape[:-1], 4)
    assert torch.equal(beside[..., :3], plain)
    assert beside[..., 3].min() >= 0 and beside[..., 3].max() <= 1
    if kind == "mask":
        assert ((beside[..., 3] == 0) | (beside[..., 3] == 1)).all() and 0 < beside[..., 3].mean() < 1
    still = evaluation_view(window_of(found, kind), torch.arange(5), 16)
    assert torch.equal(still[..., :3], evaluation_view(window_of(found, "none"), torch.arange(5), 16))


@pytest.mark.parametrize("kind", ["mask", "channel"])
@pytest.mark.parametrize("sure", [True, False])
def test_what_is_seen_whole_is_all_ones(kind: str, sure: bool) -> None:
    """But for the second person where there is nobody; nothing that moves joints changes it."""
    found = clips(sure=False, missing=False)
    if sure:
        found = [replace(clip, confidence=np.isfinite(clip.positions[..., 0]).astype(np.float32)) for clip in found]
    view = draw(window_of(found, kind), replace(EVERYTHING, mask_joints=0.0, mask_part=0.0))
    people = torch.tensor([clip.people for clip in found]).repeat(8)
    assert (view[:, 0, ..., 3] == 1).all() and (view[people == 2, 1, ..., 3] == 1).all()
    assert (view[people == 1, 1] == 0).all()


@pytest.mark.parametrize("name", ["masking", "published"])
@pytest.mark.parametrize("kind", ["mask", "channel"])
def test_what_a_view_sets_to_zero_is_not_known(name: str, kind: str) -> None:
    """Joints that are zero have confidence zero, all others what they had before."""
    window = window_of(clips(), kind)
    settings = replace(EVERY[name], crop=(1.0, 1.0), least_frames=1, jitter_joints=0.5)
    before, view = draw(window, STILL), draw(window, settings)
    is_zero = (view[..., :3] == 0).all(-1)
    was_zero = (before[..., :3] == 0).all(-1)
    assert is_zero.sum() > was_zero.sum() + 100  # else nothing is tested
    assert (view[..., 3][is_zero] == 0).all()
    assert torch.equal(view[..., 3][~is_zero], before[..., 3][~is_zero])


def test_confidence_goes_with_the_joints_of_mirror_images_and_reversals() -> None:
    window = window_of(clips(), "channel")
    before = draw(window, STILL)[..., 3]
    reverse = draw(window, replace(STILL, reverse=1.0))[..., 3]
    mirror = draw(window, replace(STILL, mirror=1.0))[..., 3]
    assert torch.equal(reverse, before.flip(2)) and not torch.equal(reverse, before)
    assert torch.equal(mirror, before[:, :, :, list(LAYOUT.mirror)]) and not torch.equal(mirror, before)


@pytest.mark.parametrize("kind", ["mask", "channel"])
def test_confidence_is_resized_as_frames_are(kind: str) -> None:
    """Frame by frame, in float64: 0 where a position is missing; seen or not as the nearer frame says."""
    found = clips()
    window = window_of(found, kind)
    start, length, frames = [3, 0, 10], [20, 35, 7], 16
    x = window.sample(torch.arange(3), torch.tensor(start), torch.tensor(length), frames)
    got = window.confidence(torch.arange(3), torch.tensor(start), torch.tensor(length), frames)
    assert got is not None and got.shape == (3, 1, frames, 2, 20)
    for clip in range(3):
        told = found[clip].confidence
        assert told is not None
        sure = told[:, start[clip] :][:, : length[clip]].swapaxes(0, 1).astype(np.float64)
        for frame in range(frames):
            at = min(max((frame + 0.5) * length[clip] / frames - 0.5, 0), length[clip] - 1)
            below = int(at)
            above = min(below + 1, length[clip] - 1)
            if kind == "channel":
                expected = (1 - at + below) * sure[below] + (at - below) * sure[above]
                np.testing.assert_allclose(got[clip, 0, frame].numpy(), expected, atol=0.003)
            elif abs(at - below - 0.5) > 1e-3:  # in the middle, rounding decides
                nearer = sure[above if at - below > 0.5 else below] > 0
                np.testing.assert_array_equal(got[clip, 0, frame].numpy() > 0, nearer)
    view = evaluation_view(window, torch.arange(5), 16)
    assert (view[..., 3][(view[..., :3] == 0).all(-1)] == 0).all() and x.isnan().any()


def test_between_a_frame_with_a_person_and_one_without_nobody_is_known() -> None:
    """A frame that is resized from both is zero, and so is its confidence, which would lie between 0 and 1."""
    positions = np.random.default_rng(0).normal(size=(2, 20, 20, 3)).astype(np.float32)
    positions[1, 10:] = np.nan
    for kind in ("mask", "channel"):
        window = window_of([clean(Sequence(positions, "kinect20", "c"), people=2)], kind)
        view = random_view(window, torch.zeros(1, dtype=torch.int64), 33, STILL, torch.Generator())
        gone = (view[..., :3] == 0).all(-1)
        assert torch.equal(view[..., 3], (~gone).float()) and 0 < gone.float().mean() < 1


@pytest.mark.parametrize("kind", ["mask", "channel"])
@pytest.mark.parametrize("sure", [True, False])
def test_on_disk_as_in_memory(tmp_path: Path, kind: str, sure: bool) -> None:
    with StoreWriter(tmp_path / "store", layout=LAYOUT, people=2) as writer:
        for clip in clips(sure):
            writer.append(clip if sure else replace(clip, confidence=None))
    store = Store.open(tmp_path / "store")
    assert (store.confidence is None) != sure
    data = DataConfig(centre="first", align="torso", scale="rms", confidence=kind)  # type: ignore[arg-type]
    chosen = np.array([4, 0, 3])
    resident = Window.load(store, chosen, data)
    mapped = Window.load(store, chosen, replace(data, resident_gigabytes=0.0))
    assert isinstance(mapped, MappedWindow) and not isinstance(resident, MappedWindow)
    assert torch.equal(draw(mapped, EVERYTHING), draw(resident, EVERYTHING))


def test_a_motion_and_a_bone_are_as_sure_as_the_less_sure_of_two() -> None:
    sure = torch.rand(2, 2, 5, 20, 1, generator=torch.Generator().manual_seed(0))
    parents = torch.tensor(LAYOUT.parents)
    motion, bone = motion_confidence(sure), bone_confidence(sure, parents)
    for frame in range(5):
        for joint in range(20):
            here = sure[:, :, frame, joint]
            later = sure[:, :, frame + 1, joint] if frame < 4 else torch.zeros(2, 2, 1)
            assert torch.equal(motion[:, :, frame, joint], torch.minimum(here, later))
            parent = sure[:, :, frame, LAYOUT.parents[joint]]
            assert torch.equal(bone[:, :, frame, joint], torch.minimum(here, parent))
