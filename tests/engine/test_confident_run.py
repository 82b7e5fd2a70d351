"""A run that reads confidence: every encoder learns with it, and whatever comes after training gives it the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from halpose.data.normalise import clean
from halpose.data.store import Store
from halpose.encoders import ENCODERS
from halpose.engine.exchange import export_published
from halpose.engine.run import Run
from halpose.engine.trainer import train
from halpose.errors import CheckpointError
from halpose.evaluate.base import Settings, TuningSettings
from halpose.evaluate.features import clip_features, extract, fixed_views
from halpose.evaluate.run import evaluate_run
from halpose.inference.clips import fit, store_clip, windows
from halpose.inference.embed import embed
from halpose.skeleton import Sequence, bone_confidence, motion_confidence
from small import SMALL

STREAMS = ("joint", "motion+bone")
Trained = Callable[..., Run]


@pytest.fixture
def trained(store: Store, tmp_path: Path) -> Trained:
    """A function that trains for four steps."""

    def make(kind: str = "mask", encoder: str = "transformer", streams: tuple[str, ...] = STREAMS) -> Run:
        config = replace(
            SMALL, method="halp", steps=4, streams=streams, encoder=replace(SMALL.encoder, name=encoder),
            data=replace(SMALL.data, confidence=kind),
        )  # fmt: skip
        out = tmp_path / f"{kind}-{encoder}"
        train(store, config, out, device="cpu")
        return Run.load(out)

    return make


def test_the_toy_recordings_have_something_to_tell(store: Store) -> None:
    assert store.confidence is not None and 0 < (store.confidence[:, 0] == 0).mean() < 0.1


@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_encoder_reads_it(trained: Trained, store: Store, encoder: str) -> None:
    """In every stream: features change with it. The layout, people and coordinates of the run are as ever."""
    run = trained(encoder=encoder)
    assert run.shape.channels == 3 and run.method.has_confidence
    (view,) = fixed_views(store, np.arange(6), run.config.data, "cpu")
    doubted = view.clone()
    doubted[..., 3:] = 0
    with torch.no_grad():
        for stream in STREAMS:
            before, after = (run.method.features(x, [stream]) for x in (view, doubted))
            assert before.isfinite().all() and not torch.allclose(before, after, atol=1e-4)


@pytest.mark.parametrize("kind", ["mask", "channel"])
def test_forms_are_those_of_coordinates_each_with_its_own_confidence(trained: Trained, store: Store, kind: str) -> None:
    plain, run = trained("none").method, trained(kind)
    (view,) = fixed_views(store, np.arange(6), run.config.data, "cpu")
    for name in ("joint", "motion", "bone"):
        form = run.method.form(view, name)
        assert torch.equal(form[..., :3], plain.form(view[..., :3], name))
        sure = view[..., 3:]
        known = {"joint": sure, "motion": motion_confidence(sure), "bone": bone_confidence(sure, run.method.parents)}
        assert torch.equal(form[..., 3:], known[name])
    both = run.method.form(view, "motion", "bone")
    assert torch.equal(both, torch.cat((run.method.form(view, "motion"), run.method.form(view, "bone")), dim=-1))


def test_recordings_are_embedded_as_the_stores_clips_are(
    trained: Trained, store: Store, toy_recordings: list[Sequence]
) -> None:
    """The store of these recordings, the clips of that store, and the recordings themselves: joints were missing."""
    run, some = trained(), np.array([0, 5, 17])
    expected = extract(run.method, store, some, run.config.data)
    cleaned = [fit(toy_recordings[at], run.shape) for at in some]
    for clips in ([store_clip(store, at) for at in some], cleaned):
        (found,) = embed(run, [window for clip in clips for window in windows(clip, store.layout)])
        np.testing.assert_allclose(found.vectors, expected, atol=1e-5)
    assert all(clip.confidence is not None for clip in cleaned)
    (blind,) = embed(
        run, [window for clip in cleaned for window in windows(replace(clip, confidence=None), store.layout)]
    )
    assert not np.allclose(blind.vectors, expected, atol=1e-4)


def test_kept_features_are_those_of_this_confidence(trained: Trained, store: Store) -> None:
    run = trained(streams=("joint",))
    (_, first), *_ = clip_features(run, store, np.arange(20))
    other = replace(store, confidence=np.asarray(store.confidence) // 255 * 0)  # type: ignore[arg-type]
    (_, second), *_ = clip_features(run, other, np.arange(20))
    (_, again), *_ = clip_features(run, store, np.arange(20))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, second)


def test_scores_and_tuning(trained: Trained, store: Store) -> None:
    settings = Settings(tuning=TuningSettings(steps=4, least_epochs=1))
    results = evaluate_run(trained(), store, protocols=["knn", "finetune"], kinds=["trained"], settings=settings)
    assert {result.protocol for result in results} == {"knn", "finetune"}


def test_forms_without_room_for_it_are_refused(trained: Trained, tmp_path: Path) -> None:
    run = trained("channel", "gru")
    with pytest.raises(CheckpointError, match="data.confidence is 'channel', there it is 'none'"):
        export_published(run, tmp_path / "weights.pth.tar")
    assert not (tmp_path / "weights.pth.tar").exists()


def test_clean_recordings_say_nothing_new(trained: Trained, toy_recordings: list[Sequence]) -> None:
    """Of a recording that was seen whole the mask is ones: any confidence of one gives the same vector."""
    run = trained()
    whole = replace(toy_recordings[0], positions=clean(toy_recordings[0], 2).positions[:1], confidence=None)
    certain = replace(whole, confidence=np.ones(whole.positions.shape[:3], np.float32))
    found = [
        next(embed(run, windows(fit(sequence, run.shape), run.shape.layout))).vectors for sequence in (whole, certain)
    ]
    np.testing.assert_array_equal(found[0], found[1])
