"""`halpose embed`: one file of vectors, what could not be read named, code 2 only where nothing was embedded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from recordings import sound
from terminal import halpose

from halpose.inference.embedding_file import load_embeddings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two recordings and a file that is none."""
    path = tmp_path / "recordings"
    path.mkdir()
    for number in range(2):
        (path / f"S001C001P00{number}R001A001.skeleton").write_text(sound(number))
    (path / "notes.txt").write_text("nothing of it\n")
    return path


def test_embed(run: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "emb.npz"
    outcome = halpose("embed", run, folder, "-o", out, "--window", "1s", "--stride", "200ms", "--json")
    assert outcome.code == 0 and outcome.out.count("\n") == 1, outcome.err
    said, found = outcome.json, load_embeddings(out)
    assert (said["vectors"], said["dimension"]) == found.vectors.shape == (6, said["dimension"])
    assert (said["recordings"], said["window"], said["stride"], said["streams"]) == (2, 1.0, 0.2, ["joint"])
    ((aside,),) = (said["set_aside"],)
    assert aside["source"] == str(folder / "notes.txt") and "does not look like" in aside["reason"]
    assert f"set aside {folder / 'notes.txt'}: does not look like" in outcome.err
    assert f"next: halpose search {run} --index {out} QUERY" in outcome.err.splitlines()


def test_a_store_gives_what_an_evaluation_sees(run: Path, toy_store: Path, tmp_path: Path) -> None:
    halpose("evaluate", run, "--on", toy_store, "--protocol", "knn")
    (kept,) = (np.load(file) for file in (run / "features").iterdir())
    assert halpose("embed", run, toy_store, "-o", tmp_path / "a.npz").code == 0
    np.testing.assert_allclose(load_embeddings(tmp_path / "a.npz").vectors, kept, atol=1e-5)


def test_a_lower_precision_is_said_and_found_by_a_search(run: Path, toy_store: Path, tmp_path: Path) -> None:
    files = {}
    for precision in ("float32", "bfloat16"):
        out = tmp_path / f"{precision}.npz"
        outcome = halpose("embed", run, toy_store, "-o", out, "--precision", precision, "--json")
        assert outcome.code == 0 and outcome.json["precision"] == precision, outcome.err
        files[precision] = load_embeddings(out)
        assert files[precision].about["precision"] == precision
    full, lower = (found.vectors for found in files.values())
    apart = np.linalg.norm(full - lower, axis=1) / np.linalg.norm(full, axis=1)
    assert 0 < apart.max() < 0.02
    outcome = halpose("search", run, "--index", tmp_path / "bfloat16.npz", files["bfloat16"].names[0], "--json")
    assert outcome.code == 0, outcome.err


def test_how_it_fails(run: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "emb.npz"
    outcome = halpose("embed", run, folder / "notes.txt", "-o", out, "--json")
    outcome.fails("set aside", "nothing could be embedded")
    assert outcome.json["kind"] == "DataError"
    halpose("embed", run, folder, "-o", tmp_path / "emb.txt").fails(".npz or .parquet")
    halpose("embed", run, folder, "-o", out, "--window", "two").fails("'two' is no duration; write 2s")
    halpose("embed", run, folder, "-o", out, "--stride", "1s").fails("--window 2s")
    halpose("embed", run, folder, "-o", out, "--format", "bhv").fails("did you mean bvh")
    halpose("embed", run, folder, "-o", out, "--streams", "bone").fails("no stream named 'bone'")
    halpose("embed", run, folder, "-o", out, "--precision", "float16").fails("float16", "float32", "bfloat16")
    halpose("embed", run, tmp_path / "none", "-o", out).fails("no such file")
    halpose("embed", tmp_path, folder, "-o", out).fails("not a run directory")
    assert not out.exists()
