"""Stores and runs that do not fit each other or this program: refused or repaired in words, and left as they were."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from terminal import TINY, halpose, set_words

from halpose.data.normalise import clean
from halpose.data.store import PART_CODES, Store, StoreWriter
from halpose.engine.checkpoint import latest_step
from halpose.engine.run import Run
from halpose.errors import HalposeError
from halpose.skeleton import Sequence, load_layout


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def random_store(path: Path, clips: int, layout: str = "kinect25", frames: int = 5) -> Path:
    """A store of noise; every third clip is tested, two classes."""
    rng = np.random.default_rng(0)
    joints = len(load_layout(layout))
    with StoreWriter(path, layout=load_layout(layout), people=2, name="noise", classes=("a", "b")) as writer:
        for at in range(clips):
            positions = rng.normal(size=(1, frames, joints, 3)) * [0.2, 1, 0.2]
            writer.append(clean(Sequence(positions.astype(np.float32), layout=layout, name=f"c{at}", label=at % 2), 2))
        parts = ("train", "validation", "test")
        writer.set_split("halves", np.array([PART_CODES[parts[at // 2 % 3]] for at in range(clips)]))
    return path


def test_a_store_of_another_version(toy_store: Path, run: Path, tmp_path: Path) -> None:
    store = Path(shutil.copytree(toy_store, tmp_path / "store"))
    meta = json.loads((store / "store.json").read_text())
    (store / "store.json").write_text(json.dumps(meta | {"format_version": 99}))
    before = content(store)
    for words in (
        ("data", "info", store),
        ("train", store, *set_words(*TINY), "--out", tmp_path / "other"),
        ("train", store, "--out", run, "--resume"),
        ("evaluate", run, "--on", store),
    ):
        halpose(*words).fails(
            f"StoreError: {store}: store format 99, but this halpose reads format 1", "prepare the data set again"
        )
    assert content(store) == before
    assert not (tmp_path / "other").exists() and latest_step(run) == 4


def test_a_checkpoint_of_another_layout(toy_store: Path, run: Path, tmp_path: Path) -> None:
    other = random_store(tmp_path / "noise", 18)
    before = content(run)
    halpose("train", other, "--out", run, "--resume").fails(
        f"CheckpointError: {run}: ", "joints differ (kinect20, kinect25)"
    )
    halpose("train", other, *set_words(*TINY), "--fork", run, "--out", tmp_path / "fork").fails(
        f"CheckpointError: {run}: ", "joints differ (kinect20, kinect25)"
    )
    assert content(run) == before
    assert not (tmp_path / "fork").exists()
    assert halpose("evaluate", run, "--on", toy_store, "--protocol", "knn").code == 0


def test_joints_of_other_names_are_another_layout_even_if_as_many(run: Path, tmp_path: Path) -> None:
    """The weights would fit, and mean nothing."""
    store = random_store(tmp_path / "noise", 18, layout="kinect20")
    meta = json.loads((store / "store.json").read_text())
    (store / "store.json").write_text(json.dumps(meta).replace("left_hand", "left_flipper"))
    assert "left_flipper" in Store.open(store).layout.joints
    halpose("train", store, *set_words(*TINY), "--fork", run, "--out", "x").fails("CheckpointError: ", "joints differ")
    assert not Path("x").exists()
    (store / "store.json").write_text(json.dumps(meta).replace("left_", "port_").replace("right_", "starboard_"))
    halpose("evaluate", run, "--on", store, "--split", "x-sub").fails("no split named 'x-sub'")


@pytest.mark.parametrize("clips", [2, 3, 7])
def test_fewer_clips_than_a_batch(clips: int, tmp_path: Path) -> None:
    store = random_store(tmp_path / "noise", clips)
    outcome = halpose(
        "train", store, *set_words(*TINY, "data.part=all", "steps=12"), "--out", tmp_path / "run", "--json"
    )
    assert outcome.code == 0, outcome.err
    assert f"note: batch_size lowered from 16 to {clips}, the number of clips" in outcome.err.splitlines()
    assert outcome.json["notes"] == [f"batch_size lowered from 16 to {clips}, the number of clips"]
    assert math.isfinite(outcome.json["loss"])
    assert Run.load(tmp_path / "run").config.batch_size == clips


def test_a_single_clip_cannot_be_contrasted(tmp_path: Path) -> None:
    store = random_store(tmp_path / "noise", 1)
    outcome = halpose("train", store, *set_words(*TINY, "data.part=all"), "--out", tmp_path / "run")
    outcome.fails(f"DataError: {store}: 1 clips in part 'all'", "contrast needs at least 2")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("queue", [4, 10, 15])
def test_a_queue_smaller_than_a_batch_holds_the_newest_keys(queue: int, toy_store: Path, tmp_path: Path) -> None:
    words = set_words(*TINY, f"contrast.queue={queue}", "steps=6")
    outcome = halpose("train", toy_store, *words, "--out", tmp_path / "run", "--json")
    assert outcome.code == 0, outcome.err
    assert math.isfinite(outcome.json["loss"])
    weights = Run.load(tmp_path / "run").method.state_dict()
    [keys] = [value for name, value in weights.items() if name.endswith("queue.keys")]
    assert queue in keys.shape
    assert halpose("evaluate", tmp_path / "run", "--on", toy_store, "--protocol", "knn").code == 0


@pytest.mark.parametrize(("setting", "available"), [("halp.newest=3", 3), ("contrast.queue=2", 2)])
def test_fewer_keys_than_prototypes(setting: str, available: int, toy_store: Path, tmp_path: Path) -> None:
    outcome = halpose("train", toy_store, "--recipe", "halp", *set_words(*TINY, setting), "--out", tmp_path / "run")
    outcome.fails(
        f"ConfigError: halp.prototypes is 4, but only {available} keys are clustered",
        "(the smaller of halp.newest and contrast.queue); raise those or lower the prototypes",
    )
    assert not (tmp_path / "run").exists()
    moco = halpose("train", toy_store, "--recipe", "moco", *set_words(*TINY, setting), "--out", tmp_path / "run")
    assert moco.code == 0, moco.err  # without prototypes there is nothing to refuse


def test_clips_without_labels_train_but_have_no_score(tmp_path: Path) -> None:
    rng, store = np.random.default_rng(0), tmp_path / "store"
    with StoreWriter(store, layout=load_layout("kinect20"), people=1) as writer:
        for at in range(20):
            positions = rng.normal(size=(1, 6, 20, 3)).astype(np.float32)
            writer.append(clean(Sequence(positions, layout="kinect20", name=f"c{at}"), people=1))
        writer.set_split("any", np.arange(20) % 3)
    outcome = halpose("train", store, *set_words(*TINY), "--out", tmp_path / "run")
    assert outcome.code == 0 and f"next: halpose report {tmp_path / 'run'}" in outcome.err.splitlines()
    halpose("evaluate", tmp_path / "run", "--on", store).fails("DataError: ", "label")


def damage(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def harm(run: Path) -> None:
        [file] = run.rglob(name) if "step" not in name else [run / name]
        file.write_bytes(change(file.read_bytes()))

    return harm


def without(key: str) -> Callable[[bytes], bytes]:
    return lambda data: json.dumps({k: v for k, v in json.loads(data).items() if k != key}).encode()


def replaced(**values: object) -> Callable[[bytes], bytes]:
    return lambda data: json.dumps(json.loads(data) | values).encode()


NEWEST = "checkpoints/step-00000004"
DAMAGES = {
    "empty config": damage("config.json", lambda data: b""),
    "half a config": damage("config.json", lambda data: data[: len(data) // 2]),
    "config is a list": damage("config.json", lambda data: b"[]"),
    "no settings": damage("config.json", without("config")),
    "settings are text": damage("config.json", replaced(config="x")),
    "settings are nothing": damage("config.json", replaced(config=None)),
    "settings of a later version": damage("config.json", replaced(config={"steps": 4, "warp": 9})),
    "no shape": damage("config.json", without("shape")),
    "shape of nothing": damage("config.json", replaced(shape={"layout": {}, "people": 1, "channels": 3})),
    "half the weights": damage(f"{NEWEST}/weights.safetensors", lambda data: data[: len(data) // 2]),
    "empty weights": damage(f"{NEWEST}/weights.safetensors", lambda data: b""),
    "half the optimizer": damage(f"{NEWEST}/training.safetensors", lambda data: data[: len(data) // 2]),
    "checkpoint of another version": damage(f"{NEWEST}/checkpoint.json", replaced(version=99)),
    "checkpoint without a version": damage(f"{NEWEST}/checkpoint.json", without("version")),
    "checkpoint is a list": damage(f"{NEWEST}/checkpoint.json", lambda data: b"[]"),
    "checkpoint is nothing": damage(f"{NEWEST}/checkpoint.json", lambda data: b"null"),
    "weights of another width": damage("config.json", lambda data: data.replace(b'"width": 8', b'"width": 16')),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_run_is_named(name: str, run: Path, toy_store: Path) -> None:
    DAMAGES[name](run)
    before = content(run)
    for words in (("evaluate", run, "--on", toy_store), ("train", toy_store, "--out", run, "--resume")):
        outcome = halpose(*words)
        outcome.fails("Error: ", str(run))
    with pytest.raises(HalposeError, match="; |nearest"):
        Run.load(run)
    assert content(run) == before


def test_the_checkpoint_before_a_damaged_one_goes_on(run: Path, toy_store: Path) -> None:
    """What the message advises works."""
    DAMAGES["half the weights"](run)
    assert "delete this directory to go on from an earlier one" in halpose("evaluate", run, "--on", toy_store).err
    shutil.rmtree(run / NEWEST)
    outcome = halpose("train", toy_store, "--out", run, "--resume", "--json")
    assert outcome.code == 0 and outcome.json["steps"] == 4


def test_damaged_settings_are_whole_in_the_checkpoint(run: Path, toy_store: Path) -> None:
    """What the message advises works."""
    before = halpose("evaluate", run, "--on", toy_store, "--protocol", "knn", "--json").json["results"]
    DAMAGES["half a config"](run)
    copy = f"{run / NEWEST / 'checkpoint.json'} holds the same and more: copy it there"
    halpose("evaluate", run, "--on", toy_store).fails(copy)
    shutil.copy(run / NEWEST / "checkpoint.json", run / "config.json")
    after = halpose("evaluate", run, "--on", toy_store, "--protocol", "knn", "--json").json["results"]
    assert [result["confusion"] for result in after] == [result["confusion"] for result in before]
    assert halpose("train", toy_store, "--out", run, "--resume").code == 0


@pytest.mark.parametrize("line", [b"", b"null", b"[]", b"3", b'{"step": 2}', b"\xff\xfe", b'{"step": "x", "loss": 1}'])
def test_a_damaged_row_of_the_metrics_costs_that_row(line: bytes, run: Path, toy_store: Path) -> None:
    metrics = run / "metrics.jsonl"
    rows = metrics.read_bytes().splitlines()
    metrics.write_bytes(b"\n".join([rows[0], line, *rows[1:]]) + b"\n")
    assert halpose("train", toy_store, "--out", run, "--resume").code == 0
    assert metrics.read_bytes().splitlines() == rows
