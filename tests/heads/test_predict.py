"""Answers for recordings are those of their embeddings, whole or in windows."""

from __future__ import annotations

import csv
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.errors import DataError
from halpose.heads.fitting import fit_head
from halpose.heads.head import Head
from halpose.heads.labelled import labelled_store
from halpose.heads.predict import Prediction, predict, write_predictions
from halpose.inference.sources import Reading
from halpose.skeleton import Sequence


@pytest.fixture(scope="module")
def run(toy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run.load(copytree(toy_run, tmp_path_factory.mktemp("run") / "run"))


@pytest.fixture(scope="module")
def head(run: Run, store: Store) -> Head:
    return fit_head(labelled_store(run, store, streams=("joint", "motion")), streams=("joint", "motion"))


def test_a_store_is_answered_as_its_embeddings_are(run: Run, head: Head, store: Store, toy_store: Path) -> None:
    clips = labelled_store(run, store)
    said = head.answer(clips.vectors)
    found = list(predict(run, head, [toy_store]))
    assert [one.name for one in found] == list(clips.names)
    assert [one.likeliest for one in found] == [head.classes[column] for column in said.columns]
    assert [one.is_unknown for one in found] == said.is_unknown.tolist()
    assert all(one.answer == ("unknown" if one.is_unknown else one.likeliest) for one in found)
    np.testing.assert_allclose([one.confidence for one in found], said.confidence, atol=1e-5)
    hits = np.array([store.classes.index(one.likeliest) for one in found]) == store.clips.label
    assert hits.mean() > 0.5


def test_windows_have_answers_of_their_own(
    run: Run, head: Head, toy_recordings: list[Sequence], tmp_path: Path
) -> None:
    np.save(tmp_path / "a.npy", toy_recordings[0].positions)
    frames = toy_recordings[0].frames
    found = list(predict(run, head, [tmp_path / "a.npy"], Reading(fps=30.0, window=0.4, stride=0.2)))
    assert len(found) > 1 and found[0].end == pytest.approx(0.4)
    assert found[-1].end == pytest.approx(frames / 30)
    assert {one.source for one in found} == {str((tmp_path / "a.npy").resolve())}


def test_what_cannot_be_read_is_set_aside_or_an_error(run: Run, head: Head, tmp_path: Path) -> None:
    (tmp_path / "bad.npy").write_bytes(b"nothing")
    told: list[str] = []
    assert list(predict(run, head, [tmp_path / "bad.npy"], set_aside=lambda file, reason: told.append(file))) == []
    assert told == [str(tmp_path / "bad.npy")]
    with pytest.raises(DataError):
        list(predict(run, head, [tmp_path / "bad.npy"]))


def test_a_table_of_answers(tmp_path: Path) -> None:
    one = Prediction("f,1.npy", 'the "first"', 0.0, float("nan"), "unknown", "wave", 0.31234567, 0.5)
    file = tmp_path / "new" / "answers.csv"
    assert write_predictions(file, iter([one])) == [one]
    with file.open(encoding="utf-8", newline="") as opened:
        (row,) = csv.DictReader(opened)
    assert row == {
        "source": "f,1.npy", "name": 'the "first"', "start": "0.0000", "end": "", "answer": "unknown",
        "likeliest": "wave", "confidence": "0.3123", "distance": "0.5000",
    }  # fmt: skip

    def broken() -> object:
        yield one
        raise DataError("a recording cannot be read")

    with pytest.raises(DataError, match="cannot be read"):
        write_predictions(file, broken())  # type: ignore[arg-type]
    assert [path.name for path in file.parent.iterdir()] == ["answers.csv"]
    assert "wave" in file.read_text()
    with pytest.raises(DataError, match=r"answers.csv/a.csv: cannot be written"):
        write_predictions(file / "a.csv", iter([one]))
