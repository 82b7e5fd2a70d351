"""Files, folders and stores come in, one file of vectors comes out, and what could not be read is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.errors import ConfigError, DataError
from halpose.inference.embed import embed_store
from halpose.inference.embedding_file import load_embeddings
from halpose.inference.sources import Embedded, Reading, embed_sources, find_sources


def embedded(run: Run, paths: list[Path], out: Path, reading: Reading | None = None) -> Embedded:
    return embed_sources(run, find_sources(paths), out, reading)


def test_a_folder_is_embedded_without_what_cannot_be_read(run: Run, folder: Path, tmp_path: Path) -> None:
    (folder / "SYNTHETIC.json").write_text("{}")  # says what the files are, and is none of them
    made = embedded(run, [folder], tmp_path / "a.npz")
    found = load_embeddings(tmp_path / "a.npz")
    names = [f"S001C001P00{number}R001A001" for number in (0, 2, 3, 4)]
    assert list(found.names) == names
    assert [Path(source).stem for source in found.sources] == names
    assert (made.vectors, made.recordings, made.dimension) == (4, 4, found.vectors.shape[1])
    ((source, reason),) = made.set_aside
    assert source.endswith("first/S001C001P001R001A001.skeleton") and source not in reason
    np.testing.assert_allclose(found.ends, [40 / 30, 42 / 30, 43 / 30, 44 / 30])


def test_whatever_is_named_goes_into_one_file(run: Run, folder: Path, toy_store: Path, tmp_path: Path) -> None:
    file = next((folder / "second").iterdir())
    made = embedded(run, [toy_store, file, folder / "second"], tmp_path / "a.npz")
    found = load_embeddings(tmp_path / "a.npz")
    assert made.vectors == 122  # the file that is named twice is embedded once
    store = embed_store(run, Store.open(toy_store))
    np.testing.assert_allclose(found.vectors[:120], store.vectors, atol=1e-5)
    assert found.labels[:120] == store.labels and set(found.labels[120:]) == {""}


def test_windows_say_where_they_are_and_how_they_were_cut(run: Run, folder: Path, tmp_path: Path) -> None:
    made = embedded(run, [folder / "second"], tmp_path / "a.npz", Reading(window=1.0, stride=0.2))
    found = load_embeddings(tmp_path / "a.npz")
    assert made.vectors == len(found) == 4 + 4 and made.recordings == 2
    np.testing.assert_allclose(found.ends - found.starts, 1.0)
    np.testing.assert_allclose(found.starts[:4], [0, 0.2, 0.4, 13 / 30])
    assert (found.about["window"], found.about["stride"]) == (1.0, 0.2)


def test_where_nothing_can_be_embedded_there_is_no_file(run: Run, folder: Path, tmp_path: Path) -> None:
    damaged = folder / "first" / "S001C001P001R001A001.skeleton"
    flat = folder / "flat.npy"
    np.save(flat, np.zeros((5, 17, 2)))
    for path, reason in ((damaged, "nothing could be embedded: .*P001"), (flat, "no body|2-D")):
        with pytest.raises(DataError, match=reason):
            embedded(run, [path], tmp_path / "a.npz")
    assert not list(tmp_path.glob("*.npz"))


def test_what_is_asked_for_is_checked_before_anything_is_read(run: Run, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        find_sources([tmp_path / "none"])
    with pytest.raises(ConfigError, match="--window"):
        Reading(stride=1.0)
    with pytest.raises(DataError, match=r"\.npz or \.parquet"):
        embedded(run, [folder], tmp_path / "a.txt")
    with pytest.raises(ConfigError, match="no stream"):
        embed_sources(run, find_sources([folder]), tmp_path / "a.npz", streams=["bone"])


def test_a_store_that_the_run_cannot_take_is_set_aside(run: Run, folder: Path, toy_store: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "store.json").write_text("{}")
    made = embedded(run, [broken, folder / "second"], tmp_path / "a.npz")
    assert made.vectors == 2 and made.set_aside[0][0] == str(broken)
