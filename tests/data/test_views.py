"""Crops to the published numbers; every random part does what its name says, and nothing when it is off."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from halpose.config import DataConfig, ViewConfig
from halpose.data import views
from halpose.data.store import Store
from halpose.data.transforms import Transforms
from halpose.data.window import MappedWindow, Window, batch_axes
from halpose.errors import DataError
from halpose.skeleton import load_layout

GOLDEN = Path(__file__).parent.parent / "golden" / "augment.npz"
OFF = ViewConfig(
    crop=(1.0, 1.0), least_frames=1, shear=0.0, yaw=0.0, mirror=0.0, pose=0.0, offset=0.0, drift=0.0, noise=0.0,
    mask_joints=0.0, mask_part=0.0,
)  # fmt: skip

PUBLISHED_WHOLE = ViewConfig(published=True, crop=(1.0, 1.0), shear=0.7)


def window_of(positions: np.ndarray, lengths: list[int], layout: str = "kinect20") -> Window:
    """(F, M, V, C) frames of several clips, not normalised."""
    clips = np.split(positions.astype(np.float32).transpose(3, 0, 1, 2), np.cumsum(lengths)[:-1], axis=1)
    table = np.concatenate([clip.reshape(-1, clip.shape[2] * clip.shape[3]) for clip in clips])
    _, people, joints, channels = positions.shape
    return Window(torch.from_numpy(table), (channels, people, joints), np.array(lengths), load_layout(layout))


@pytest.fixture
def window() -> Window:
    rng = np.random.default_rng(0)
    return window_of(rng.normal(size=(300, 2, 20, 3)), [100, 1, 39, 160])


def planes_of(window: Window) -> torch.Tensor:
    """(F, C, M, V) frames of a resident window, clip after clip."""
    clips = window.table.split((window.shape[0] * window.lengths).tolist())
    return torch.cat([clip.view(window.shape[0], -1, *window.shape[1:]).transpose(0, 1) for clip in clips])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_published_crops() -> None:
    golden = np.load(GOLDEN)
    window = window_of(golden["input"].transpose(1, 3, 2, 0), [150], "kinect25")
    for i in range(3):
        for start, length, frames in [golden[f"crop{i}_start_length_frames"]]:
            assert start + length <= frames
            crop = window.sample(torch.tensor([0]), torch.tensor([start]), torch.tensor([length]), 64)
            expected = torch.from_numpy(golden[f"crop{i}_out"]).permute(3, 1, 2, 0)
            torch.testing.assert_close(batch_axes(crop)[0], expected, atol=1e-5, rtol=1e-5)


def test_crops_are_interpolated_frame_by_frame_and_missing_stays_missing() -> None:
    rng = np.random.default_rng(0)
    positions, lengths = rng.normal(size=(93, 2, 20, 3)), [40, 1, 52]
    positions[:25, 1] = positions[30, 0, 7] = positions[60::3, 1, 4] = np.nan
    window = window_of(positions, lengths)
    chosen, start, length = [0, 2, 1, 2, 0], [5, 0, 0, 11, 0], [32, 52, 1, 7, 16]
    crops = batch_axes(window.sample(*map(torch.tensor, (chosen, start, length)), 16))
    for crop, clip, begin, size in zip(crops, chosen, start, length, strict=True):
        frames = positions[sum(lengths[:clip]) + begin :][:size]
        for frame in range(16):
            at = min(max((frame + 0.5) * size / 16 - 0.5, 0), size - 1)
            below = int(at)
            above = frames[min(below + 1, size - 1)]  # where it is missing, so is what lies between, however close
            expected = (1 - at + below) * frames[below] + (at - below) * above
            np.testing.assert_allclose(crop[:, frame], expected, atol=1e-5)
    assert crops.isnan().any() and crops[:, 0].isfinite().any()


def test_published_evaluation_view() -> None:
    golden = np.load(GOLDEN)
    frames = int(golden["eval_crop_frames"])
    window = window_of(golden["input"].transpose(1, 3, 2, 0)[:frames], [frames], "kinect25")
    view = views.evaluation_view(window, torch.tensor([0]), 64)
    expected = torch.from_numpy(golden["eval_crop_out"]).permute(3, 1, 2, 0)
    torch.testing.assert_close(view[0], expected, atol=1e-5, rtol=1e-5)


def test_published_shear() -> None:
    golden = np.load(GOLDEN)
    window = window_of(golden["shear_in"].transpose(1, 3, 2, 0), [64], "kinect25")
    matrix = torch.from_numpy(golden["shear_matrix"]).float()[None]
    x = window.sample(torch.tensor([0]), torch.tensor([0]), torch.tensor([64]), 64, matrix)
    expected = torch.from_numpy(golden["shear_out"]).float().permute(3, 1, 2, 0)
    torch.testing.assert_close(batch_axes(x)[0], expected, atol=1e-5, rtol=1e-5)


def test_published_view_shears_or_jitters_never_both(window: Window) -> None:
    config = ViewConfig(published=True, crop=(1.0, 1.0), shear=1.0)
    chosen = torch.zeros(400, dtype=torch.long)
    plain = views.composed_view(window, chosen[:1], 32, OFF, seeded())[0]
    seen = {"shear": 0, "zero": 0, "mixed": 0}
    for view in views.published_view(window, chosen, 32, config, seeded()):
        changed = (view - plain).abs().amax(dim=(0, 1, 3)) > 1e-5
        count = int(changed.sum())
        if count == 20:
            # One linear map explains every joint.
            solution = torch.linalg.lstsq(plain.reshape(-1, 3), view.reshape(-1, 3)).solution
            torch.testing.assert_close(plain @ solution, view, atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(solution.diagonal(), torch.ones(3), atol=1e-4, rtol=1e-4)
            seen["shear"] += 1
        else:
            assert count == 12  # 60 % of 20, as 15 of 25
            seen["zero" if view[:, :, changed].abs().max() == 0 else "mixed"] += 1
    assert 160 < seen["shear"] < 240 and seen["zero"] > 60 and seen["mixed"] > 60


def test_published_view_is_what_was_drawn(window: Window) -> None:
    batch, generator = 24, seeded(3)
    view = views.published_view(window, torch.zeros(batch, dtype=torch.long), 32, PUBLISHED_WHOLE, seeded(3))
    plain = views.composed_view(window, torch.tensor([0]), 32, OFF, seeded())[0].double()
    torch.rand(2 * batch, generator=generator)  # the crop, which is whole
    kinds = torch.rand(2, batch, generator=generator)
    matrices = 2 * torch.rand(batch, 3, 3, generator=generator).double() - 1
    order = torch.rand(batch, 20, generator=generator)
    for n in range(batch):
        expected = plain.clone()
        if kinds[0, n] < 0.5:
            shear = 0.7 * matrices[n]
            shear.fill_diagonal_(1.0)
            expected = plain @ shear.T
        else:
            touched = [joint for joint in range(20) if int(order[n].argsort()[joint]) < 12]
            mixed = plain @ matrices[n].T if kinds[1, n] >= 0.5 else torch.zeros_like(plain)
            expected[:, :, touched] = mixed[:, :, touched]
        torch.testing.assert_close(view[n].double(), expected, atol=1e-5, rtol=1e-5)


def test_windows_know_whether_anything_is_missing(toy_store: Path) -> None:
    rng = np.random.default_rng(0)
    positions = rng.normal(size=(30, 1, 20, 3))
    assert not window_of(positions, [10, 20]).has_missing
    positions[29, 0, 19, 2] = np.nan
    assert window_of(positions, [10, 20]).has_missing
    store = Store.open(toy_store)  # mapped, nothing is looked for
    assert Window.load(
        store, np.arange(3), DataConfig("", "all", "first", "none", "none", resident_gigabytes=1e-9)
    ).has_missing


def test_crop_lengths_and_places() -> None:
    lengths = torch.tensor([150] * 4000 + [40] * 10 + [1] * 10)
    start, length = views.random_crop(lengths, ViewConfig(crop=(0.1, 1.0), least_frames=64), seeded())
    assert (start >= 0).all() and (start + length <= lengths).all()
    assert (length[:4000] >= 64).all() and length[:4000].max() >= 145
    assert (length[:4000] == 64).float().mean().item() == pytest.approx((64 / 150 - 0.1) / 0.9, abs=0.03)
    assert (length[4000:4010] == 40).all() and (length[4010:] == 1).all()
    free = (lengths - length)[:4000] > 0
    assert start[:4000][free].float().div((lengths - length)[:4000][free]).mean() == pytest.approx(0.5, abs=0.03)


def test_everything_off_is_the_clip_itself(window: Window) -> None:
    view = views.random_view(window, torch.tensor([0]), 100, OFF, seeded())
    torch.testing.assert_close(view[0], planes_of(window)[:100].permute(2, 0, 3, 1))


def test_seed_decides_and_the_two_views_of_a_clip_differ(window: Window) -> None:
    chosen = torch.tensor([0, 3, 0, 3])
    first, again = (views.random_view(window, chosen, 16, ViewConfig(), seeded(5)) for _ in range(2))
    other = views.random_view(window, chosen, 16, ViewConfig(), seeded(6))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert not torch.equal(first[:2], first[2:])


def test_yaw_keeps_lengths_and_heights(window: Window) -> None:
    chosen = torch.tensor([0, 0, 3])
    plain = views.random_view(window, chosen, 16, OFF, seeded())
    turned = views.random_view(window, chosen, 16, replace(OFF, yaw=180.0), seeded())
    torch.testing.assert_close(turned[..., 1], plain[..., 1])
    torch.testing.assert_close(turned.norm(dim=-1), plain.norm(dim=-1))
    assert not torch.allclose(turned[..., 0], plain[..., 0], atol=0.1)
    window.up = 2
    turned = views.random_view(window, chosen, 16, replace(OFF, yaw=180.0), seeded())
    torch.testing.assert_close(turned[..., 2], plain[..., 2])


def test_mirror_twice_is_nothing_and_swaps_hands(window: Window) -> None:
    x = views.random_view(window, torch.tensor([0]), 8, OFF, seeded())
    always = torch.tensor([True])
    planes = x.permute(0, 4, 2, 1, 3)
    mirrored = batch_axes(views.mirrored(planes, window, always))
    twice = views.mirrored(views.mirrored(planes, window, always), window, always)
    torch.testing.assert_close(twice, planes)
    layout = window.layout
    left, right = layout.index("left_hand"), layout.index("right_hand")
    torch.testing.assert_close(mirrored[..., left, :], x[..., right, :] * torch.tensor([-1.0, 1, 1]))
    assert torch.equal(views.mirrored(planes, window, torch.tensor([False])), planes)


def test_tilt_is_a_rotation_about_many_axes_and_keeps_lengths(window: Window) -> None:
    chosen = torch.tensor([0] * 64)
    plain = views.random_view(window, chosen, 16, OFF, seeded())
    tilted = views.random_view(window, chosen, 16, replace(OFF, tilt=40.0), seeded(2))
    torch.testing.assert_close(tilted.norm(dim=-1), plain.norm(dim=-1))
    matrices = views.tilt_matrix(500, 3, 40.0, seeded(3), torch.device("cpu"))
    torch.testing.assert_close(torch.linalg.det(matrices), torch.ones(500))
    angle = torch.rad2deg(torch.acos(((matrices.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2).clamp(-1, 1)))
    assert 35 < angle.max() < 40.001 and angle.min() < 3
    # Every coordinate axis moves in some clip and stays nearly where it is in another.
    own = matrices.diagonal(dim1=1, dim2=2)
    assert (own.amin(0) < 0.85).all() and (own.amax(0) > 0.999).all()


def test_reversal_runs_time_backward_in_the_asked_share(window: Window) -> None:
    chosen = torch.tensor([0] * 400)
    plain = views.random_view(window, chosen, 16, OFF, seeded())
    turned = views.random_view(window, chosen, 16, replace(OFF, reverse=0.3), seeded(1))
    is_turned = (turned == plain.flip(2)).flatten(1).all(1)
    assert (is_turned | (turned == plain).flatten(1).all(1)).all()
    assert is_turned.double().mean().item() == pytest.approx(0.3, abs=0.07)


def test_blur_smooths_keeps_constants_and_is_a_gaussian() -> None:
    x = torch.zeros(200, 3, 31, 1, 2)
    x[:, :, 15] = 1.0
    y = views.blurred(x, 1.0, seeded())
    weight = y[:, 0, :, 0, 0]
    # Logarithms of neighbouring weights of a Gaussian fall by odd multiples of 1 / (2 sigma^2).
    first, second = (weight[:, 15] / weight[:, 16]).log(), (weight[:, 16] / weight[:, 17]).log()
    wide = weight[:, 17] > 1e-12
    assert wide.sum() > 100
    torch.testing.assert_close(second[wide], 3 * first[wide], rtol=1e-3, atol=1e-3)
    assert (weight[:, 23:] == 0).all() and (weight[:, 8] >= 0).all()
    steady = torch.full((5, 3, 9, 1, 2), 2.5)
    torch.testing.assert_close(views.blurred(steady, 1.0, seeded()), steady)
    changed = (views.blurred(x, 0.25, seeded()) != x).flatten(1).any(1).double().mean().item()
    assert changed == pytest.approx(0.25, abs=0.1)


def test_axis_mask_zeroes_one_axis_of_all_joints(window: Window) -> None:
    chosen = torch.tensor([0] * 300)
    masked = views.random_view(window, chosen, 8, replace(OFF, mask_axis=0.5), seeded())
    gone = (masked == 0).flatten(1, 3).all(1)
    assert gone.sum(1).max() == 1
    assert gone.any(1).double().mean().item() == pytest.approx(0.5, abs=0.1)
    assert (gone.sum(0) > 30).all()


def test_pose_shift_moves_the_mean_and_not_the_motion(window: Window) -> None:
    chosen = torch.tensor([0, 2, 3])
    plain = views.random_view(window, chosen, 16, OFF, seeded())
    moved = views.random_view(window, chosen, 16, replace(OFF, pose=1.0), seeded(1))
    difference = moved - plain
    torch.testing.assert_close(difference, difference[:, :, :1].expand_as(difference), atol=1e-5, rtol=0)
    assert difference.abs().max() > 1e-3


@pytest.mark.parametrize("people", [1, 2])
def test_pose_shift_is_along_the_difference_of_the_mean_poses_that_were_seen(people: int) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 30, people, 20)).astype(np.float32)
    last = people - 1
    x[0, :, :10, last] = x[1, :, ::3, 0, 5] = x[1, :, :, last, 6] = np.nan
    shift = views.pose_shift(torch.from_numpy(x), 0.8, seeded(1)).numpy()  # a seed that swaps the two clips
    mean = np.stack([np.nanmean(np.where(np.isnan(clip).all(1, keepdims=True), 0, clip), 1) for clip in x])
    mean[1, :, last, 6] = np.nan  # it was never seen
    if people > 1:  # each person's pose, wherever it stands
        mean -= np.nanmean(mean, axis=3, keepdims=True)
    difference = np.delete(mean[1] - mean[0], 6, axis=2).ravel()
    ours = [np.delete(one[:, 0], 6, axis=2).ravel() for one in shift]
    for one, sign in zip(ours, (1, -1), strict=True):
        share = one @ difference / (difference @ difference)
        assert 0 < sign * share < 0.8
        np.testing.assert_allclose(one, share * difference, atol=1e-5)
    assert (shift[:, :, 0, last, 6] == 0).all()


def test_people_stay_where_they_are_while_their_poses_move() -> None:
    x = torch.randn(6, 3, 10, 2, 20, generator=seeded()) + torch.randn(6, 3, 1, 2, 1, generator=seeded(2))
    moved = x + views.pose_shift(x, 1.0, seeded(1))
    torch.testing.assert_close(moved.mean(4), x.mean(4), atol=1e-5, rtol=0)
    assert (moved - x).abs().amax() > 0.5
    x[2, :, :, 1] = torch.nan  # nobody is there: whoever takes on that pose keeps its own, and nobody stays nobody
    shift = views.pose_shift(x, 1.0, seeded(1))
    assert shift.isfinite().all() and (shift[2, :, :, 1] == 0).all()


def test_drift_is_slow_and_has_the_asked_size(window: Window) -> None:
    x = torch.zeros(200, 3, 64, 1, 20)
    wander = views.drifted(x, 0.1, seeded())
    assert wander.std().item() == pytest.approx(0.1 * (3 / 2) ** 0.5, rel=0.05)
    assert (wander[:, :, 1:] - wander[:, :, :-1]).std() < 0.2 * wander.std()


def test_masks_zero_the_asked_share(window: Window) -> None:
    chosen = torch.zeros(500, dtype=torch.long)
    view = views.random_view(window, chosen, 8, replace(OFF, mask_joints=0.15, mask_probability=0.5), seeded())
    masked = (view == 0).all(dim=4).all(dim=2).all(dim=1)
    assert set(masked.sum(1).tolist()) == {0, 3}
    assert (masked.sum(1) > 0).float().mean().item() == pytest.approx(0.5, abs=0.07)
    view = views.random_view(window, chosen, 8, replace(OFF, mask_part=0.5), seeded())
    masked = (view == 0).all(dim=4).all(dim=2).all(dim=1)
    parts = {frozenset(members) for members in window.layout.parts.values()} | {frozenset()}
    assert {frozenset(row.nonzero()[:, 0].tolist()) for row in masked} == parts


def test_missing_person_and_joint_stay_zero_under_every_augmentation() -> None:
    rng = np.random.default_rng(0)
    positions = rng.normal(size=(80, 2, 20, 3)) + 5
    positions[:, 1] = np.nan
    positions[:40, 0, 7] = np.nan
    window = window_of(positions, [40, 40])
    strong = ViewConfig(noise=0.1, mirror=0.0, mask_part=0.2, tilt=30.0, reverse=0.5, blur=1.0, mask_axis=0.3)
    for config in (strong, ViewConfig(published=True)):
        view = views.random_view(window, torch.tensor([0, 1] * 8), 16, config, seeded())
        assert view.isfinite().all()
        assert (view[:, 1] == 0).all()
        assert (view[0::2, 0, :, 7] == 0).all()
        assert (view[1::2, 0, :, 7] != 0).any()


@pytest.mark.parametrize("channels", [2, 3])
@pytest.mark.parametrize("published", [True, False])
def test_two_dimensions_and_one_frame_clips(channels: int, published: bool) -> None:
    rng = np.random.default_rng(0)
    window = window_of(rng.normal(size=(12, 1, 20, channels)), [1, 11])
    config = ViewConfig(published=published, mirror=0.5, noise=0.1, tilt=30.0, reverse=0.5, blur=1.0, mask_axis=0.5)
    view = views.random_view(window, torch.tensor([0, 1, 0]), 16, config, seeded())
    assert view.shape == (3, 1, 16, 20, channels) and view.isfinite().all()


def test_normalisation_switches(toy_store: Path) -> None:
    store = Store.open(toy_store)
    chosen = torch.arange(len(store))
    centre = store.layout.centre

    def view(**options: str) -> tuple[torch.Tensor, Window]:
        window = Window.load(store, np.arange(len(store)), DataConfig(**options))
        return views.evaluation_view(window, chosen, 32), window

    x, _ = view(centre="frame", align="none", scale="none")
    assert x[:, 0, :, centre].abs().max() < 1e-5
    x, _ = view(centre="first", align="torso", scale="rms")
    assert x[:, 0].square().mean(dim=(1, 2, 3)).sqrt().mean().item() == pytest.approx(1.0, abs=0.1)
    across = torch.stack([x[:, 0, :, left] - x[:, 0, :, right] for right, left in store.layout.sides]).mean(dim=(0, 2))
    assert (across[:, 0] > 0).all() and (across[:, 2].abs() < 0.15 * across[:, 0]).all()
    x, window = view(centre="none", align="none", scale="none")
    torch.testing.assert_close(x.nan_to_num(), views.evaluation_view(window, chosen, 32))
    _, window = view(align="first")
    assert window.up == 2


def test_unseen_centre_joint_is_replaced_by_the_mean_of_the_seen(toy_store: Path) -> None:
    store = Store.open(toy_store)
    frames = np.array(store.frames)
    frames[:, 0, store.layout.centre] = np.nan
    window = Window.load(replace(store, frames=frames), np.arange(3), DataConfig("", "all", "frame", "none", "none"))
    assert planes_of(window)[:, :, 0].nan_to_num().mean(dim=2).abs().max() < 1e-4


@pytest.mark.parametrize(
    "switches",
    [("first", "torso", "rms"), ("frame", "first", "none"), ("none", "none", "none"), ("frame", "pair", "rms")],
)
def test_mapped_window_equals_the_resident_one(toy_store: Path, switches: tuple[str, str, str]) -> None:
    store = Store.open(toy_store)
    clips = np.array([5, 3, 80, 17])
    resident = Window.load(store, clips, DataConfig("", "all", *switches))
    mapped = Window.load(store, clips, DataConfig("", "all", *switches, resident_gigabytes=1e-9))
    assert isinstance(mapped, MappedWindow) and not isinstance(resident, MappedWindow)
    chosen = torch.tensor([0, 2, 3, 1, 1])
    for config in (ViewConfig(), ViewConfig(published=True)):
        ours, theirs = (views.random_view(w, chosen, 16, config, seeded(2)) for w in (resident, mapped))
        assert torch.equal(ours, theirs)
    ours, theirs = (views.evaluation_view(w, chosen, 16) for w in (resident, mapped))
    assert torch.equal(ours, theirs)
    assert not hasattr(mapped, "table")


def test_mapped_window_reads_each_frame_that_is_needed_once_and_no_other(
    toy_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(toy_store)
    clips = np.array([5, 3, 80, 17])
    computed: list[list[int]] = []
    original = Transforms.of

    def noted(store: Store, clips: np.ndarray, data: DataConfig) -> Transforms:
        computed.append(clips.tolist())
        return original(store, clips, data)

    monkeypatch.setattr(Transforms, "of", noted)
    mapped = Window.load(store, clips, DataConfig("", "all", "first", "torso", "rms", resident_gigabytes=0.0))
    assert isinstance(mapped, MappedWindow)
    asked: list[list[int]] = []
    read = mapped._read
    monkeypatch.setattr(mapped, "_read", lambda rows: asked.append(rows.tolist()) or read(rows))
    start, length = torch.tensor([4, 9, 2]), torch.tensor([2, 3, 12])
    mapped.sample(torch.tensor([3, 1, 1]), start, length, 4)
    first, other = store.clips.offsets[[17, 3]].tolist()
    # 3 of 12 frames a step: taps at 1, 4, 7 and 10 and behind them; of the shorter crops, every frame.
    assert asked == [sorted({first + 4, first + 5} | {other + at for at in (9, 10, 11, 3, 4, 6, 7, 12, 13)})]
    assert computed[1:] == [[3, 17]], "a transform is computed for the clips of a batch, each once"


def test_window_of_no_clips_is_refused(toy_store: Path) -> None:
    with pytest.raises(DataError, match="has no clips"):
        Window.load(Store.open(toy_store), np.array([], dtype=np.int64), DataConfig())


def test_window_of_some_clips_holds_those(toy_store: Path) -> None:
    store = Store.open(toy_store)
    picked = np.array([3, 17, 4])
    window = Window.load(store, picked, DataConfig(centre="none", align="none", scale="none"))
    for position, index in enumerate(picked):
        length = int(window.lengths[position])
        start = int(window.starts[position])
        expected = store.clip(int(index)).positions.swapaxes(0, 1)
        np.testing.assert_array_equal(planes_of(window)[start : start + length].numpy(), expected.transpose(0, 3, 1, 2))
