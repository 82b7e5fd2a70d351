"""`Embedder` keeps scikit-learn's contract, and is a run like any other beneath it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import halpose
from halpose import Embedder, HalposeError, Run, Sequence, Store
from halpose.api import automatic_steps
from halpose.config import Config
from halpose.errors import CheckpointError, ConfigError, DataError
from halpose.evaluate.features import extract
from halpose.inference.embedding_file import save_embeddings
from halpose.settings import flatten
from small import SMALL

_USUAL = dict(flatten(Config().to_dict()))
TINY = {key: value for key, value in flatten(SMALL.to_dict()) if value != _USUAL[key]}


def tiny(**parameters: Any) -> Embedder:
    return Embedder(**{"steps": 2, "settings": TINY, "device": "cpu", **parameters})


@pytest.fixture(scope="module")
def clips(toy_recordings: list[Sequence]) -> list[np.ndarray]:
    """Forty recordings of one or two people as arrays of unequal length."""
    return [sequence.positions for sequence in toy_recordings[:40]]


@pytest.fixture(scope="module")
def fitted(clips: list[np.ndarray]) -> Embedder:
    """On those recordings; nobody changes it."""
    return tiny().fit(clips)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([tiny(steps=1)])
def test_scikit_learn(estimator: Embedder, check: Callable[[Embedder], None]) -> None:
    """All of scikit-learn's checks, on matrices as it makes them: none is expected to fail.

    Two do not apply. NaN is a joint that nobody saw, not a mistake, so the tag `allow_nan` leaves out the check that it
    is refused. And with NumPy's arrays alone there is nothing to check of other libraries', which scikit-learn skips.
    """
    check(estimator)


def test_vectors_are_those_of_a_store(fitted: Embedder, toy_recordings: list[Sequence], store: Store) -> None:
    given = toy_recordings[:40]
    vectors = fitted.transform(given)
    assert vectors.dtype == np.float32 and len(vectors) == 40
    found = extract(fitted.run_.method, store, np.arange(40), fitted.run_.config.data)
    np.testing.assert_allclose(vectors, found, atol=1e-5)
    np.testing.assert_array_equal(fitted.get_feature_names_out()[:2], ["embedder0", "embedder1"])
    assert len(fitted.get_feature_names_out()) == vectors.shape[1]


def test_the_same_seed_gives_the_same_vectors(fitted: Embedder, clips: list[np.ndarray]) -> None:
    ours = fitted.transform(clips)
    np.testing.assert_array_equal(tiny().fit_transform(clips), ours)
    np.testing.assert_array_equal(clone(fitted).fit(clips).transform(clips), ours)
    assert np.abs(tiny(seed=1).fit_transform(clips) - ours).max() > 1e-3


def test_training_moves_the_vectors(fitted: Embedder, clips: list[np.ndarray]) -> None:
    longer = tiny(steps=6).fit(clips)
    assert longer.run_.step == 6 and fitted.run_.step == 2
    assert np.abs(longer.transform(clips) - fitted.transform(clips)).max() > 1e-3


def test_every_form_of_a_recording(fitted: Embedder, clips: list[np.ndarray], tmp_path: Path) -> None:
    expected = fitted.transform(clips[:2])
    sequences = [Sequence(clip, "kinect20", "any") for clip in clips[:2]]
    files = []
    for number, clip in enumerate(clips[:2]):
        np.save(tmp_path / f"{number}.npy", clip)
        files.append(tmp_path / f"{number}.npy")
    for given in (sequences, files, [str(file) for file in files], tmp_path, tuple(clips[:2])):
        np.testing.assert_allclose(fitted.transform(given), expected, atol=1e-5)
    for given in (clips[0][0], sequences[0], str(files[0])):
        assert fitted.transform(given).shape == (1, expected.shape[1])
    same_length = np.stack([clip[0, :20] for clip in clips[:3]])
    np.testing.assert_array_equal(fitted.transform(same_length), fitted.transform(list(same_length)))
    objects = np.empty(2, dtype=object)
    objects[:] = clips[:2]
    np.testing.assert_array_equal(fitted.transform(objects), expected)


def test_a_store_is_a_list_of_recordings(fitted: Embedder, store: Store) -> None:
    np.testing.assert_allclose(fitted.transform(store)[:5], fitted.transform(list(store)[:5]), atol=1e-5)
    np.testing.assert_array_equal(fitted.transform(store), fitted.transform(store.path))


def test_missing_joints_and_short_and_long_recordings(fitted: Embedder, clips: list[np.ndarray]) -> None:
    gappy = clips[0].copy()
    gappy[:, 3:7] = np.nan
    long = np.tile(clips[0], (1, 50, 1, 1))
    vectors = fitted.transform([gappy, clips[0][:, :1], long])
    assert np.isfinite(vectors).all()
    with pytest.raises(DataError, match="recording 1: no body in any frame"):
        fitted.transform([clips[0], np.full_like(clips[0], np.nan)])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([np.zeros((9, 20, 3)), np.zeros((9, 7, 3))], "recording 1: 7 joints, and no layout of so many"),
        ([np.ones((9, 20, 3)), np.ones((9, 17, 2))], "recording 1: 2-D, but recording 0 is 3-D"),
        ([np.ones((9, 20, 3)), np.ones((9, 20))], "recording 1: an array of float64"),
        ([np.ones((9, 20, 3))], "n_samples = 1"),
        ([np.ones((9, 20, 3)), "none.bvh"], "none.bvh"),
    ],
)
def test_what_cannot_be_fitted_is_named(given: list[Any], says: str) -> None:
    with pytest.raises(HalposeError, match=says):
        tiny().fit(given)


def test_other_layouts_are_mapped_by_name(fitted: Embedder) -> None:
    rng = np.random.default_rng(0)
    assert fitted.transform([rng.normal(size=(9, 25, 3))]).shape[0] == 1
    with pytest.raises(DataError, match="25 joints, but layout kinect20 has 20"):
        tiny(layout="kinect20").fit([rng.normal(size=(9, 25, 3))] * 2)


def test_parameters_that_are_none(clips: list[np.ndarray]) -> None:
    with pytest.raises(ConfigError, match="did you mean 'halp'"):
        tiny(method="hal").fit(clips)
    with pytest.raises(ConfigError, match="nearest is 'encoder.width'"):
        tiny(settings={"encoder.widht": 3}).fit(clips)
    with pytest.raises(ConfigError, match="transformr|there are"):
        tiny(encoder="transformr").fit(clips)
    with pytest.raises(DataError, match="frame rate is not known"):
        tiny(window="1s").fit(clips)


def test_parameters_reach_the_run(clips: list[np.ndarray], tmp_path: Path) -> None:
    made = tiny(recipe="utd-mhad-moco", encoder="gru", streams=("joint", "bone"), seed=3, out=tmp_path / "run").fit(
        clips
    )
    config = Run.load(tmp_path / "run").config
    assert (config.method, config.encoder.name, config.streams, config.seed) == ("moco", "gru", ("joint", "bone"), 3)
    assert made.run_.path == tmp_path / "run" and made.run_.shape.people == 2
    assert tiny(people=1, streams="motion").fit(clips).run_.shape.people == 1


def test_numbers_of_numpy_are_numbers(clips: list[np.ndarray], tmp_path: Path) -> None:
    settings = {**TINY, "batch_size": np.int64(4)}
    made = tiny(
        steps=np.int64(2), seed=np.int32(3), fps=np.float32(30), people=np.int64(1), settings=settings,
        out=tmp_path / "run",
    )  # fmt: skip
    made.fit(clips[:6])
    config = made.run_.config
    assert (config.steps, config.seed, config.batch_size) == (2, 3, 4)
    assert Embedder.load(tmp_path / "run").get_params()["fps"] == 30.0


def test_steps_follow_from_the_number_of_clips() -> None:
    assert [automatic_steps(clips) for clips in (2, 300, 10**6)] == [200, 600, 2000]
    assert Embedder()._config(300).steps == 600
    assert Embedder(recipe="utd-mhad-halp")._config(300).steps == 4000
    assert Embedder(recipe="halp-paper")._config(300).epochs > 0
    assert Embedder(recipe="halp-paper", steps=7)._config(300).epochs == 0


def test_windows(clips: list[np.ndarray]) -> None:
    made = tiny(window="0.5s", stride=0.25, fps=30).fit(clips[:6])
    found = made.embed(clips[:2])
    assert len(made.index_) > 12 and len(found) > 2  # type: ignore[arg-type]
    vectors = made.transform(clips[:2])
    for number in range(2):
        rows = [row for row, name in enumerate(found.names) if name == f"recording {number}"]
        np.testing.assert_allclose(vectors[number], found.vectors[rows].mean(axis=0), atol=1e-5)


def test_similarity(fitted: Embedder, clips: list[np.ndarray]) -> None:
    vectors = fitted.transform(clips[:5])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.similarity(vectors), unit @ unit.T, atol=1e-5)
    np.testing.assert_allclose(fitted.similarity(clips[:2], clips[2:5]), unit[:2] @ unit[2:].T, atol=1e-5)
    np.testing.assert_allclose(
        fitted.similarity(vectors[0], fitted.embed(clips[1:2])), unit[:1] @ unit[1:2].T, atol=1e-5
    )


def test_search(fitted: Embedder, clips: list[np.ndarray], tmp_path: Path) -> None:
    similar = fitted.similarity(clips[:3], clips)
    for query, found in enumerate(fitted.search(clips[:3], k=4)):
        assert found[0].row == query and found[0].cosine == pytest.approx(1, abs=1e-5)
        assert [one.row for one in found] == np.argsort(-similar[query], kind="stable")[:4].tolist()
    assert [one.row for one in fitted.search(clips[5:6], k=9, index=clips[5:7])[0]] == [0, 1]


def test_embeddings_of_another_run_are_not_searched(
    fitted: Embedder, toy_run: Path, clips: list[np.ndarray], tmp_path: Path
) -> None:
    other = tiny(seed=1).fit(clips[:6])
    save_embeddings(tmp_path / "other.npz", other.embed(clips[:6]))
    assert other.embed(clips[:1]).vectors.shape == fitted.embed(clips[:1]).vectors.shape
    for index in (tmp_path / "other.npz", other.index_):
        with pytest.raises(DataError, match="index: made by .* nothing in common"):
            fitted.search(clips[:1], index=index)
    with pytest.raises(DataError, match="queries: made by"):
        fitted.search(other.index_)


def test_a_saved_one_is_a_run(fitted: Embedder, clips: list[np.ndarray], toy_store: Path, tmp_path: Path) -> None:
    path = fitted.save(tmp_path / "kept")
    again = Embedder.load(path, device="cpu")
    np.testing.assert_array_equal(again.transform(clips), fitted.transform(clips))
    assert again.get_params() == fitted.get_params()
    assert [one.row for one in again.search(clips[:1])[0]] == [one.row for one in fitted.search(clips[:1])[0]]
    assert Run.load(path).step == 2
    assert len((path / "seen.tsv").read_text().splitlines()) == 40
    twice = again.save(tmp_path / "twice")
    assert {f.relative_to(path) for f in path.rglob("*")} == {f.relative_to(twice) for f in twice.rglob("*")}
    with pytest.raises(CheckpointError, match="save to another folder"):
        fitted.save(path)
    (result, *_) = halpose.evaluate_run(Run.load(path), Store.open(toy_store), protocols=["knn"], kinds=["trained"])
    assert 0 <= result.top1 <= 1


def test_any_run_is_an_embedder(toy_run: Path, clips: list[np.ndarray]) -> None:
    made = Embedder.from_run(toy_run, device="cpu")
    assert made.streams == ("joint", "motion") and made.transform(clips[:2]).shape[0] == 2
    np.testing.assert_array_equal(made.transform(clips), Embedder.from_run(Run.load(toy_run)).transform(clips))
    with pytest.raises(DataError, match="give some as index="):
        made.search(clips[:1])
    with pytest.raises(CheckpointError, match="not a run directory"):
        Embedder.load(toy_run / "checkpoints")


def test_copies_and_pickles_are_whole(fitted: Embedder, clips: list[np.ndarray], tmp_path: Path) -> None:
    for again in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(again.transform(clips[:3]), fitted.transform(clips[:3]))
        again.save(tmp_path / str(id(again)))


def test_what_is_not_fitted_says_so(clips: list[np.ndarray], tmp_path: Path) -> None:
    for use in (tiny().transform, tiny().embed, tiny().similarity, tiny().search):
        with pytest.raises(NotFittedError):
            use(clips)
    with pytest.raises(NotFittedError):
        tiny().save(tmp_path / "run")


def test_in_a_pipeline_and_a_grid(clips: list[np.ndarray], toy_recordings: list[Sequence]) -> None:
    labels = np.array([sequence.label % 2 for sequence in toy_recordings[:40]])
    pipeline = make_pipeline(tiny(), StandardScaler(), LogisticRegression(max_iter=200))
    grid = GridSearchCV(pipeline, {"embedder__steps": [1, 3]}, cv=2, error_score="raise").fit(clips, labels)
    assert grid.best_params_["embedder__steps"] in (1, 3)
    assert grid.best_estimator_.named_steps["embedder"].run_.step == grid.best_params_["embedder__steps"]
    assert grid.predict(clips).shape == (40,)


def test_a_matrix_holds_signals() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(20, 30))
    made = tiny().fit(matrix)
    vectors = made.transform(matrix)
    np.testing.assert_allclose(made.transform(1e8 * matrix), vectors, atol=1e-4)  # a scale is no movement
    np.testing.assert_allclose(made.transform(matrix + 1e-9), vectors, atol=1e-4)
    assert np.abs(made.transform(matrix[:, ::-1]) - vectors).max() > 1e-2
    with pytest.raises(ValueError, match="30 features"):
        made.transform(matrix[:, :5])
    with pytest.raises(DataError, match="row 0: no body"):
        made.transform(np.full((1, 30), np.nan))
