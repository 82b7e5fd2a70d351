"""A run's card says what it is and how good it is, keeps its owner's notes, and leaves a README of their own alone."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree

import pytest

from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.engine.trainer import train
from halpose.errors import CheckpointError
from halpose.model_card import model_card, write_card


@pytest.fixture
def run(toy_run: Path, tmp_path: Path) -> Path:
    return Path(copytree(toy_run, tmp_path / "run"))


def scored(run: Path, **changed: object) -> None:
    """What `halpose evaluate` leaves beside a run."""
    row = {
        "protocol": "knn", "features": "trained", "split": "x-sub", "part": "test", "top1": 0.8125, "low": 0.7,
        "high": 0.9, "clips": 30,
    }  # fmt: skip
    rows = [row, row | {"features": "untrained", "top1": 0.5}]
    content = {"steps": 4, "data_set": "toy", "store": "toy-store", "results": rows} | changed
    (run / "evaluation-toy-x-sub-test.json").write_text(json.dumps(content))


def header(text: str) -> dict[str, object]:
    """The metadata; each line is a key and JSON."""
    lines = text.split("---\n")[1].splitlines()
    return {key: json.loads(value) for key, _, value in (line.partition(": ") for line in lines)}


def test_training_leaves_a_card(run: Path) -> None:
    text = (run / "README.md").read_text()
    assert text.startswith("---\n") and text.endswith("## Notes\n\nNone yet.\n")
    for said in (
        "by `halp` on toy (4 steps)", "up to 2 people", "`kinect20` (20 joints)", "Synthetic: generated",
        "Not scored yet", "streams=joint,motion", "encoder.width=8", "Embedder.from_run", "Identifying people",
        "The terms of the recordings are not stated here",
    ):  # fmt: skip
        assert said in text, said
    found = header(text)
    assert found["library_name"] == "halpose" and found["datasets"] == ["toy"] and "model-index" not in found
    assert {"halp", "transformer"} <= set(found["tags"])  # type: ignore[call-overload]


def test_the_header_is_yaml(run: Path) -> None:
    yaml = pytest.importorskip("yaml")
    scored(run)
    text = model_card(run)
    assert yaml.safe_load(text.split("---\n")[1]) == header(text)


def test_scores_stand_in_it_with_their_intervals(run: Path) -> None:
    scored(run)
    assert write_card(run) == run / "README.md"
    text = (run / "README.md").read_text()
    assert "| toy | x-sub, test | trained | knn | 30 | 81.2 | 70.0 to 90.0 |" in text
    assert "| toy | x-sub, test | untrained | knn | 30 | 50.0 | 70.0 to 90.0 |" in text
    (model,) = header(text)["model-index"]  # type: ignore[misc]
    (result,) = model["results"]
    assert model["name"] == "run" and result["dataset"]["split"] == "x-sub"
    assert result["metrics"] == [{"type": "accuracy", "name": "knn top-1", "value": 81.25}]


def test_scores_of_another_step_do_not_count(run: Path) -> None:
    scored(run, steps=2)
    assert "Not scored yet" in model_card(run)


def test_a_public_data_set_is_cited_with_its_terms(run: Path) -> None:
    about = json.loads((run / "config.json").read_text())
    about["store"] = {"path": "gone", "name": "nw-ucla", "clips": 1484}
    (run / "config.json").write_text(json.dumps(about))
    text = model_card(run)
    assert "Northwestern" in text and "- Cite: " in text and "- Source: https://" in text
    assert "Terms of the data set: " in text and "Synthetic" not in text


def test_notes_are_kept_and_a_readme_of_ones_own_is_left_alone(run: Path) -> None:
    file = run / "README.md"
    file.write_text(file.read_text().replace("None yet.", "Ours.\n\n## More\n\nStays."))
    scored(run)
    write_card(run)
    text = file.read_text()
    assert "81.2" in text and text.endswith("## Notes\n\nOurs.\n\n## More\n\nStays.\n") and text.count("## Notes") == 1
    file.write_text("# Mine\n")
    assert write_card(run) is None and file.read_text() == "# Mine\n"
    file.write_bytes("# Größe\n".encode("latin-1"))
    assert write_card(run) is None and file.read_bytes() == b"# Gr\xf6\xdfe\n"
    assert write_card(run, overwrite=True) == file and file.read_text().startswith("---")
    assert sorted(path.name for path in run.glob(".*")) == []


def test_classifiers_are_listed(run: Path) -> None:
    folder = run / "heads" / "moves"
    folder.mkdir(parents=True)
    held = {"accuracy": {"value": 0.9, "low": 0.8, "high": 0.95}}
    table = {"classes": ["a", "b"], "about": {"clips": 12, "held_out": held}}
    (folder / "head.json").write_text(json.dumps(table))
    assert "- `moves`: 2 classes from 12 clips, 90.0 % (80.0 to 95.0) of held-out clips right" in model_card(run)
    (folder / "head.json").write_text("{}")
    assert "## Classifiers" not in model_card(run)


def test_no_run_no_card(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not a run directory"):
        write_card(tmp_path)


def test_a_resumed_training_writes_it_again(toy_store: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    from small import SMALL

    config, out = replace(SMALL, method="moco", steps=4), tmp_path / "run"
    train(Store.open(toy_store), config, out, device="cpu", stop_at=2)
    assert "(2 steps)" in (out / "README.md").read_text()
    train(Store.open(toy_store), config, out, device="cpu", resume=True)
    assert "(4 steps)" in (out / "README.md").read_text()
    assert Run.load(out).step == 4
