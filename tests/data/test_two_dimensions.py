"""Two dimensions work as three do: what a pose estimator wrote becomes a store, views, features and scores."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from halpose import io
from halpose.config import DataConfig, ViewConfig
from halpose.data.normalise import CleanClip, clean, normalise
from halpose.data.prepare import prepare
from halpose.data.spec import DatasetSpec, FileForm
from halpose.data.store import Store, StoreWriter
from halpose.data.views import evaluation_view, random_view
from halpose.data.window import Window
from halpose.encoders import ENCODERS
from halpose.engine.run import Run
from halpose.engine.trainer import train
from halpose.errors import DataError
from halpose.evaluate.run import evaluate_run
from halpose.mapping import map_joints
from halpose.skeleton import Sequence, load_layout
from small import SMALL

COCO = load_layout("coco17")
EYES = [COCO.index("left_eye"), COCO.index("right_eye")]
PIXELS = 220.0  # a metre in the image


def photograph(clip: Sequence, path: Path, seed: int) -> Path:
    """What AlphaPose would write: pixels with y down, everybody in each frame; never the eyes, some joints lost."""
    rng = np.random.default_rng(seed)
    seen = map_joints(load_layout("kinect20"), COCO).apply(clip.positions[np.isfinite(clip.positions).any((1, 2, 3))])
    image = seen[..., :2] * (PIXELS, -PIXELS) + (640, 700) + rng.normal(0, 1, (*seen.shape[:3], 2))
    entries = []
    for frame in range(clip.frames):
        for person in rng.permutation(len(image)):
            score = np.where(rng.random(17) < 0.05, 0, rng.uniform(0.3, 1, 17))
            score[EYES] = 0
            keypoints = np.column_stack((image[person, frame], score)).round(3)
            entries.append({"image_id": f"{frame}.jpg", "keypoints": keypoints.ravel().tolist(), "score": 2.5})
    path.write_text(json.dumps(entries))
    return path


@pytest.fixture(scope="module")
def clips(toy_store: Path, tmp_path_factory: pytest.TempPathFactory) -> list[CleanClip]:
    """The toy store's recordings as they come from a pose estimator's files, cleaned."""
    folder = tmp_path_factory.mktemp("alphapose")
    found = []
    for number, clip in enumerate(Store.open(toy_store)):
        (flat,) = io.read(photograph(clip, folder / f"{clip.name}.json", number))
        found.append(clean(replace(flat, label=clip.label, subject=clip.subject, fps=30.0), people=2))
    return found


@pytest.fixture(scope="module")
def store(clips: list[CleanClip], toy_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    path, deep = tmp_path_factory.mktemp("flat") / "store", Store.open(toy_store)
    with StoreWriter(path, layout=COCO, people=2, channels=2, classes=deep.classes, synthetic=True) as writer:
        for clip in clips:
            writer.append(clip)
        writer.set_split("x-sub", deep.clips.split["x-sub"])
    return Store.open(path)


def test_clean_clips_are_the_people_of_the_recording(clips: list[CleanClip], toy_store: Path) -> None:
    for clip, deep in zip(clips, Store.open(toy_store), strict=True):
        assert clip.people == np.isfinite(deep.positions).any(axis=(1, 2, 3)).sum()
        assert clip.positions.shape == (2, deep.frames, 17, 2)
        # The eyes were never seen; nothing else is missing.
        missing = np.isnan(clip.positions[: clip.people]).any(axis=(1, 3))
        assert (np.argwhere(missing)[:, 1][:, None] == EYES).any(axis=1).all()
        assert missing.sum() == 2 * clip.people


def test_gaps_are_filled_within_a_pixel_or_two(clips: list[CleanClip], toy_store: Path) -> None:
    """The joints that were lost lie where the recording has them, standing on their feet."""
    errors = []
    for clip, deep in zip(clips, Store.open(toy_store), strict=True):
        truth = map_joints(load_layout("kinect20"), COCO).apply(deep.positions)[:, :, 5:, :2] * PIXELS - (-640, 700)
        if clip.people == 1:
            errors.append(np.abs(clip.positions[0, :, 5:] - truth[0]).mean())
    assert len(errors) > 90 and max(errors) < 6 and np.median(errors) < 2


def test_what_is_not_sure_enough_is_filled_from_what_is(toy_store: Path, tmp_path: Path) -> None:
    """Wild guesses of low confidence do not reach the clean clip; without confidence, or believing all, they do."""
    (flat,) = io.read(photograph(Store.open(toy_store).clip(0), tmp_path / "a.json", 0))
    assert flat.confidence is not None
    wild = replace(flat, positions=flat.positions.copy(), confidence=flat.confidence.copy())
    rng = np.random.default_rng(0)
    guessed = (rng.random(flat.confidence.shape) < 0.2) & (flat.confidence > 0)
    wild.positions[guessed] += 300
    wild.confidence[guessed] = 0.2  # type: ignore[index]
    believed, doubted = clean(wild, 1), clean(wild, 1, least_confidence=0.25)
    truth, body = clean(flat, 1).positions, slice(5, None)
    assert (
        np.abs(doubted.positions - truth)[:, :, body].max() < 40 < np.abs(believed.positions - truth)[:, :, body].max()
    )
    assert doubted.repairs["joints_unsure"] == guessed.sum() and "joints_unsure" not in believed.repairs
    np.testing.assert_array_equal(
        clean(replace(wild, confidence=None), 1, least_confidence=0.25).positions, believed.positions
    )
    lost = replace(wild, confidence=np.full_like(wild.confidence, np.nan))
    with pytest.raises(DataError, match="no body in any frame"):
        clean(lost, 1, least_confidence=0.25)
    with pytest.raises(DataError, match=r"confidence of shape \(1,\), but there are"):
        clean(replace(wild, confidence=np.ones(1)), 1, least_confidence=0.25)


def test_pose_estimators_files_are_prepared(toy_store: Path, tmp_path: Path) -> None:
    """In two dimensions, by a `DatasetSpec`; joints below its least confidence are missing."""
    for number in range(3):
        photograph(Store.open(toy_store).clip(number), tmp_path / f"clip{number}.json", number)
    form = FileForm("alphapose", r"[^/]*\.json", "clip0.json")
    about = {"licence": "none", "source": "here", "citation": "none", "splits": {}, "default_split": ""}
    spec = DatasetSpec("mine", "mine", (), "coco17", 1, (form,), channels=2, least_confidence=0.4, **about)  # type: ignore[arg-type]
    prepare(spec, tmp_path, tmp_path / "store", workers=1)
    store = Store.open(tmp_path / "store")
    assert len(store) == 3 and store.meta["provenance"]["least_confidence"] == 0.4
    for number in range(3):
        (flat,) = io.read(tmp_path / f"clip{number}.json")
        np.testing.assert_array_equal(store.clip(number).positions, clean(flat, 1, least_confidence=0.4).positions)
    assert store.meta["repairs"]["joints_unsure"] > 0


def test_store_gives_back_what_was_cleaned(clips: list[CleanClip], store: Store) -> None:
    assert store.info()["channels"] == 2 and store.layout == COCO
    for number, clip in enumerate(clips):
        np.testing.assert_array_equal(store.clip(number).positions, clip.positions)


@pytest.mark.parametrize("centre", ["none", "first", "frame"])
@pytest.mark.parametrize("align", ["none", "first", "torso", "pair"])
@pytest.mark.parametrize("scale", ["none", "rms"])
def test_window_and_cleaning_agree(clips: list[CleanClip], store: Store, centre: str, align: str, scale: str) -> None:
    """Images have one vertical, that of the camera: no alignment turns them, whatever is asked for."""
    data = DataConfig(centre=centre, align=align, scale=scale, frames=16)  # type: ignore[arg-type]
    window = Window.load(store, np.array([3, 40, 77]), data)
    assert window.up == 1
    for row, number in enumerate((3, 40, 77)):
        length = int(window.lengths[row])
        chosen = torch.tensor([row])
        x = window.sample(chosen, torch.tensor([0]), torch.tensor([length]), length)
        expected = normalise(clips[number], COCO, centre, "none", scale)  # type: ignore[arg-type]
        np.testing.assert_allclose(x[0].permute(2, 1, 3, 0).numpy(), expected, rtol=1e-4, atol=1e-3)


def test_size_and_place_in_the_image_do_not_matter(clips: list[CleanClip]) -> None:
    for clip in clips[:5]:
        sequence = Sequence(clip.positions * 3 + np.float32([100, -50]), "coco17", "far")
        moved = clean(sequence, people=2)
        np.testing.assert_allclose(normalise(moved, COCO), normalise(clip, COCO), atol=1e-4)


EVERYTHING = ViewConfig(
    yaw=30.0, tilt=15.0, mirror=0.5, reverse=0.5, noise=0.1, blur=0.5, mask_axis=0.5, mask_part=0.5, pose=1.0
)


@pytest.mark.parametrize("config", [ViewConfig(), ViewConfig(published=True), EVERYTHING])
def test_views_are_finite_and_missing_joints_stay_out(store: Store, config: ViewConfig) -> None:
    window = Window.load(store, np.arange(30), DataConfig(centre="first", align="torso", scale="rms"))
    assert window.has_missing
    x = random_view(window, torch.arange(30), 16, config, torch.Generator().manual_seed(0))
    assert x.shape == (30, 2, 16, 17, 2) and x.isfinite().all()
    assert (x[:, :, :, EYES] == 0).all()
    absent = torch.from_numpy(store.clips.people[:30] == 1)
    assert (x[absent, 1] == 0).all() and (x[:, 0] != 0).any()


@pytest.mark.parametrize("name", ["yaw", "tilt"])
def test_turns_stay_in_the_plane(store: Store, name: str) -> None:
    """Distances between joints are kept, and so is the sense of rotation: nobody is mirrored."""
    window = Window.load(store, np.arange(8), DataConfig(centre="first", align="torso", scale="rms"))
    off = {item.name: 0.0 for item in fields(ViewConfig) if item.name not in ("crop", "least_frames", "published")}
    still = ViewConfig(crop=(1.0, 1.0), **off)  # type: ignore[arg-type]
    views = [
        random_view(window, torch.arange(8), 16, config, torch.Generator().manual_seed(1))[:, 0].double()
        for config in (still, replace(still, **{name: 40.0}))
    ]
    limbs = [view[:, :, 5:] - view[:, :, 5:6] for view in views]
    before, after = (limb.norm(dim=-1) for limb in limbs)
    torch.testing.assert_close(before, after, rtol=1e-4, atol=1e-4)
    areas = [limb[:, :, 1:-1, 0] * limb[:, :, 2:, 1] - limb[:, :, 1:-1, 1] * limb[:, :, 2:, 0] for limb in limbs]
    torch.testing.assert_close(areas[0], areas[1], rtol=1e-3, atol=1e-3)
    assert not torch.allclose(views[0], views[1], atol=0.05)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_encoder_is_trained(store: Store, tmp_path: Path, encoder: str) -> None:
    """With HaLP, from its second step on, and before that with MoCo alone."""
    config = replace(
        SMALL, method="halp", steps=4, streams=("joint", "motion", "bone"), encoder=replace(SMALL.encoder, name=encoder)
    )
    train(store, config, tmp_path / "run", device="cpu")
    run = Run.load(tmp_path / "run")
    assert run.shape.channels == 2
    window = Window.load(store, np.arange(5), run.config.data)
    features = run.method.eval().features(evaluation_view(window, torch.arange(5), run.config.data.frames))
    assert features.isfinite().all() and features.std(dim=0).max() > 0


def test_scores_of_every_kind(store: Store, tmp_path: Path) -> None:
    """Nearest neighbour and linear probe, of trained features and of the coordinates themselves."""
    config = replace(SMALL, method="halp", steps=30, encoder=replace(SMALL.encoder, width=32))
    train(store, config, tmp_path / "run", device="cpu")
    results = evaluate_run(Run.load(tmp_path / "run"), store, protocols=["knn", "linear"])
    scores = {(result.features, result.protocol): result.headline for result in results}
    assert {("trained", "knn"), ("trained", "linear"), ("raw", "knn")} <= set(scores)
    assert min(scores.values()) > 0.8
