"""`Embedder`: recordings in, vectors out, in scikit-learn's manners.

Beneath it are the modules that the command line uses: `halpose.engine.trainer.train` on a store in memory, and
`halpose.inference`. What it saves is a run directory like any other.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from halpose.config import Config
from halpose.data.memory import memory_store
from halpose.data.upright import Upright, find_uprights
from halpose.engine.device import resolve_device
from halpose.engine.run import Run, Shape
from halpose.engine.trainer import train
from halpose.errors import CheckpointError, DataError
from halpose.evaluate.knn import similarities
from halpose.inference.clips import Window, recording_windows, seconds_of
from halpose.inference.embed import Embeddings, embed
from halpose.inference.embedding_file import load_embeddings
from halpose.inference.kept import contents, plain, read_index, read_parameters, write_contents, write_parameters
from halpose.inference.samples import is_matrix, mean_of_windows, most_people, read_samples, signals
from halpose.inference.search import Neighbour, check_maker, search
from halpose.settings import DEFAULT_RECIPE, load_recipe, override
from halpose.skeleton import Layout, Sequence

__all__ = ["Embedder", "automatic_steps"]

_MOST_PEOPLE = 2


class Embedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Learns what movements are from recordings that nobody labelled, and turns recordings into vectors.

    Recordings are arrays (frames, joints, coordinates) or (people, frames, joints, coordinates) of any length, NaN
    where a joint was not seen; `halpose.Sequence`s; or paths of files. They come in a list; of an array the first axis
    counts recordings. A plain matrix (samples, features) is taken, too: each row is the path of one point, a number for
    each frame.

    Args:
        method: a name in `halpose.methods.METHODS`; None: the recipe's, or `moco`.
        recipe: a name of `halpose recipes`, or a `.toml` file; None: that of the method.
        encoder: a name in `halpose.encoders.ENCODERS`; None: the recipe's.
        streams: what is encoded, such as `("joint", "motion")`; None: the recipe's.
        steps: of the training; None: those of a recipe that is named, else from the number of clips
            (`automatic_steps`).
        layout: joints of arrays, and of files that do not name theirs: a name, a `.toml` file or a `halpose.Layout`;
            None: guessed from their number.
        fps: frames per second, where a recording does not say.
        people: who are kept of each recording, those who move most; None: as many as there are, at most 2.
        window: cut recordings into windows of so long, in seconds or as `2s`; a recording's vector is the mean of its
            windows'. None: whole.
        stride: from one window to the next; None: as long as a window.
        settings: further settings by name, such as `{"encoder.width": 64}`; all are in `halpose.Config`.
        seed: of everything random: the same seed and recordings give the same vectors.
        device: auto, cpu, cuda or cuda:N.
        out: run directory to make; None: a temporary one, which `save` keeps.
        verbose: show a bar while training.

    Attributes:
        run_: the trained `halpose.Run`.
        index_: embeddings of the recordings it was fitted on, which `search` searches; None after `from_run`.
        n_features_in_: of a matrix.
    """

    run_: Run
    index_: Embeddings | None

    def __init__(
        self,
        method: str | None = None,
        *,
        recipe: str | None = None,
        encoder: str | None = None,
        streams: tuple[str, ...] | str | None = None,
        steps: int | None = None,
        layout: str | Path | Layout | None = None,
        fps: float = 0.0,
        people: int | None = None,
        window: float | str | None = None,
        stride: float | str | None = None,
        settings: Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str = "auto",
        out: str | Path | None = None,
        verbose: bool = False,
    ) -> None:
        self.method = method
        self.recipe = recipe
        self.encoder = encoder
        self.streams = streams
        self.steps = steps
        self.layout = layout
        self.fps = fps
        self.people = people
        self.window = window
        self.stride = stride
        self.settings = settings
        self.seed = seed
        self.device = device
        self.out = out
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Embedder:
        """Train on recordings, without labels.

        Args:
            X: recordings.
            y: not looked at.

        Raises:
            DataError: there are fewer than two clips, or one of them cannot be used; it is named.
            ConfigError: a parameter is not what it may be.
            TrainingError: the loss is no longer finite.
        """
        recordings = self._recordings(X, reset=True)
        shape = self._shape(recordings)
        # What a matrix holds are no bodies.
        upright = {shape.layout.name: Upright()} if is_matrix(X) else find_uprights(recordings)
        clips = [window for _, window in self._windows(recordings, shape, upright)]
        if len(clips) < 2:
            raise DataError(f"{len(clips)} clip to fit (n_samples = {len(recordings)}); contrast needs at least 2")
        store = memory_store([window.clip for window in clips], shape.layout, upright=upright)
        config = self._config(len(clips))
        with tempfile.TemporaryDirectory() as temporary:
            out = Path(temporary) / "run" if self.out is None else Path(self.out)
            summary = train(store, config, out, device=self.device, watchers=_watchers(self.verbose))
            if summary.interrupted:
                raise KeyboardInterrupt(f"stopped at step {summary.steps}")
            self.run_ = Run.load(out, resolve_device(self.device))
            self.index_ = Embeddings.join(list(embed(self.run_, clips)))
            write_parameters(out, self._parameters(), self.index_)
            self.files_ = contents(out) if self.out is None else None
        return self

    def transform(self, X: Any) -> Float[np.ndarray, "n d"]:
        """Vectors of recordings: features before the projector, one row for each.

        Raises:
            DataError: a recording cannot be used; it is named.
        """
        check_is_fitted(self)
        recordings = self._recordings(X)
        embeddings, numbers = self._embed(recordings)
        return mean_of_windows(embeddings.vectors, numbers, len(recordings))

    def fit_transform(self, X: Any, y: Any = None) -> Float[np.ndarray, "n d"]:
        """Train on recordings, and give their vectors."""
        X = X if is_matrix(X) else read_samples(X, self.layout, self.fps)
        vectors: np.ndarray = self.fit(X, y).transform(X)
        return vectors

    def embed(self, X: Any) -> Embeddings:
        """Vectors of recordings, or of each of their windows, with names and places.

        Raises:
            DataError: a recording cannot be used; it is named.
        """
        check_is_fitted(self)
        return self._embed(self._recordings(X))[0]

    def similarity(self, a: Any, b: Any = None) -> Float[np.ndarray, "n m"]:
        """Cosines of all pairs.

        Args:
            a: vectors (N, D) or one vector, or recordings.
            b: likewise; None: `a` with itself.
        """
        check_is_fitted(self)
        ours = self._vectors(a)
        theirs = ours if b is None else self._vectors(b)
        blocks = [block.cpu().numpy() for _, block in similarities(ours, theirs)]
        return np.concatenate(blocks)

    def search(self, queries: Any, k: int = 5, index: Any = None) -> list[list[Neighbour]]:
        """The most similar recordings for each query, most similar first; a recording finds itself.

        Args:
            queries: recordings, or embeddings.
            k: at most so many.
            index: what is searched: recordings, embeddings, or a file of them; None: what was fitted.

        Raises:
            DataError: there is nothing to search, or embeddings are of another run, step or streams.
        """
        check_is_fitted(self)
        if index is None:
            index = self.index_
            if index is None:
                raise DataError(f"{self.run_.path}: this run keeps no recordings to search; give some as index=")
        elif isinstance(index, str | Path) and Path(index).suffix in (".npz", ".parquet"):
            index = load_embeddings(Path(index))
        return search(self._embeddings(queries, "queries"), self._embeddings(index, "index"), k, itself=True)

    def save(self, path: str | Path) -> Path:
        """Keep it as a run directory, which every halpose command reads.

        Raises:
            CheckpointError: something is there already.
        """
        check_is_fitted(self)
        path = Path(path)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise CheckpointError(f"{path}: there is something here already; save to another folder")
        if self.files_ is None:
            shutil.copytree(self.run_.path, path, ignore=shutil.ignore_patterns("features"), dirs_exist_ok=True)
        else:
            write_contents(path, self.files_)
        write_parameters(path, self._parameters(), self.index_)
        return path

    @classmethod
    def load(cls, path: str | Path, device: str = "auto") -> Embedder:
        """The inverse of `save`.

        Raises:
            CheckpointError: this is no run directory, or it is damaged.
        """
        return cls.from_run(path, device)

    @classmethod
    def from_run(cls, run: Run | str | Path, device: str = "auto") -> Embedder:
        """A run as an estimator, whatever trained it.

        Raises:
            CheckpointError: this is no run directory, or it is damaged.
        """
        loaded = run if isinstance(run, Run) else Run.load(run, resolve_device(device))
        config = loaded.config
        given = read_parameters(loaded.path) or {
            "method": config.method, "streams": config.streams, "encoder": config.encoder.name, "steps": config.steps,
            "seed": config.seed,
        }  # fmt: skip
        made = cls(**{name: value for name, value in given.items() if name in cls().get_params()}, device=device)
        made.run_, made.files_ = loaded, None
        made.index_ = read_index(loaded.path)
        features = given.get("n_features_in_")
        if features is not None:
            made.n_features_in_ = int(features)
        return made

    @property
    def _n_features_out(self) -> int:
        method = self.run_.method
        return sum(int(stream.query.encoder.feature_dim) for stream in method.stream_table().values())

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True  # a joint that was not seen
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _recordings(self, X: Any, reset: bool = False) -> list[Sequence]:
        if not is_matrix(X):
            return read_samples(X, self.layout, self.fps)
        least = 2 if reset else 1
        return signals(
            validate_data(
                self, X, reset=reset, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=least
            )
        )

    def _shape(self, recordings: list[Sequence]) -> Shape:
        """What the run will take."""
        if not recordings:
            raise DataError("there is no recording to fit; give two or more")
        first = recordings[0]
        channels = first.positions.shape[-1]
        for sequence in recordings:
            if sequence.positions.shape[-1] != channels:
                raise DataError(
                    f"{sequence.name}: {sequence.positions.shape[-1]}-D, but {first.name} is {channels}-D; fit "
                    "recordings of one kind"
                )
        return Shape(first.skeleton, plain(self.people) or min(_MOST_PEOPLE, most_people(recordings)), channels)

    def _windows(
        self, recordings: list[Sequence], shape: Shape, upright: Mapping[str, Upright]
    ) -> Iterator[tuple[int, Window]]:
        """Clips, each with the number of its recording."""
        window = 0.0 if self.window is None else seconds_of(self.window)
        stride = 0.0 if self.stride is None else seconds_of(self.stride)
        for number, sequence in enumerate(recordings):
            for found in recording_windows(sequence, shape, window, stride, upright):
                yield number, found

    def _embed(self, recordings: list[Sequence]) -> tuple[Embeddings, Int[np.ndarray, " w"]]:
        """Their embeddings, and of which recording each is."""
        if not recordings:
            raise DataError("there is no recording to embed")
        numbers: list[int] = []

        def told() -> Iterator[Window]:
            for number, window in self._windows(recordings, self.run_.shape, self.run_.upright):
                numbers.append(number)
                yield window

        return Embeddings.join(list(embed(self.run_, told()))), np.array(numbers)

    def _embeddings(self, given: Any, what: str) -> Embeddings:
        """Embeddings as they are, if they are of this run, or those of recordings."""
        if not isinstance(given, Embeddings):
            return self.embed(given)
        check_maker(self.run_, given, what)
        return given

    def _vectors(self, given: Any) -> Float[np.ndarray, "n d"]:
        """Vectors as they are, embeddings', or those of recordings."""
        if isinstance(given, Embeddings):
            return given.vectors
        if isinstance(given, np.ndarray) and given.ndim < 3 and given.shape[-1:] == (self._n_features_out,):
            return np.atleast_2d(given)
        return self.transform(given)

    def _config(self, clips: int) -> Config:
        """Every setting of the training."""
        config = load_recipe(self.recipe or self.method or DEFAULT_RECIPE)
        steps = self.steps if self.steps is not None else None if self.recipe else automatic_steps(clips)
        streams = (self.streams,) if isinstance(self.streams, str) else self.streams
        given = {
            "method": self.method, "encoder.name": self.encoder, "streams": streams, "steps": steps, "seed": self.seed,
            "data.split": "", "epochs": None if steps is None else 0.0,
        }  # fmt: skip
        config = override(
            config, {name: plain(value) for name, value in given.items() if value is not None}, "Embedder"
        )
        return override(config, plain(self.settings or {}), "Embedder(settings=...)")

    def _parameters(self) -> dict[str, Any]:
        """What a run directory does not say of an estimator."""
        parameters = {name: value for name, value in self.get_params().items() if name not in ("out", "device")}
        return parameters | {"n_features_in_": getattr(self, "n_features_in_", None)}


def automatic_steps(clips: int) -> int:
    """Two steps for each clip, but no fewer than 200 and no more than 2000: a minute or two on two cores."""
    return min(2000, max(200, 2 * clips))


def _watchers(verbose: bool) -> tuple[Any, ...]:
    if not verbose:
        return ()
    from halpose.cli.console import TrainingBar

    return (TrainingBar(),)
