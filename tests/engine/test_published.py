"""Published checkpoints in and out: golden features, bit-equal round trips, and files that are refused."""

from __future__ import annotations

import json
import os
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from golden_state import golden_state
from halpose.cli import main
from halpose.data.normalise import clean
from halpose.data.store import PART_CODES, StoreWriter
from halpose.engine.checkpoint import load_checkpoint
from halpose.engine.exchange import export_published, import_published
from halpose.engine.published import read_sizes
from halpose.engine.run import Run
from halpose.engine.torch_file import read_torch
from halpose.errors import CheckpointError
from halpose.settings import load_recipe
from halpose.skeleton import MODALITIES, Sequence, load_layout

GOLDEN = Path(__file__).parent.parent / "golden"
KINECT = load_layout("kinect25")
BASE = load_recipe("halp-published")


def golden(name: str) -> dict[str, np.ndarray]:
    return dict(np.load(GOLDEN / f"{name}.npz"))


def published(name: str) -> dict[str, Tensor]:
    """State of the published model that made a golden file."""
    return {key: torch.from_numpy(value) if isinstance(value, np.ndarray) else value for key, value in
            golden_state(golden(name)).items()}  # fmt: skip


def write(path: Path, state: dict[str, Tensor], prefix: str = "", **beside: Any) -> Path:
    """A checkpoint as the published scripts write it."""
    named = OrderedDict((prefix + name, value) for name, value in state.items())
    torch.save({"epoch": 451, "arch": "BIGRU", "state_dict": named, "optimizer": {"state": {}}} | beside, path)
    return path


def bring(file: Path, out: Path, **how: Any) -> Run:
    import_published(file, out, BASE, KINECT, **how)
    return Run.load(out)


def command(*words: object) -> int:
    try:
        main([str(word) for word in words])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_golden_features_through_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = golden("bigru")
    weights = {name: value for name, value in golden_state(file, "w.").items() if not name.startswith("fc.")}
    generator = torch.Generator().manual_seed(0)
    head = {"fc.0.weight": (32, 32), "fc.0.bias": (32,), "fc.2.weight": (12, 32), "fc.2.bias": (12,)}
    weights |= {name: torch.randn(shape, generator=generator) for name, shape in head.items()}
    state = {f"{side}.{name}": value for side in ("encoder_q", "encoder_k") for name, value in weights.items()}
    state |= {"queue": torch.randn(12, 40, generator=generator), "queue_ptr": torch.tensor([8])}
    checkpoint = write(tmp_path / "golden.pth.tar", state, prefix="module.")
    names = [f"j{i}" for i in range(10)]
    body = tmp_path / "body10.toml"
    body.write_text(
        f'name = "body10"\njoints = {names}\nparents = {["j0", *names[:-1]]}\n'
        'centre = "j0"\nspine = ["j0", "j1"]\nsides = [["j2", "j3"]]\n'
    )
    out = tmp_path / "run"
    assert command("import", checkpoint, "--layout", body, "--out", out, "--json") == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (said["method"], said["streams"], said["people"], said["width"]) == ("moco", ["joint"], 1, 16)
    x = torch.from_numpy(file["input"]).view(5, 1, 20, 10, 3)
    features = Run.load(out).method.features(x)
    torch.testing.assert_close(features, torch.from_numpy(file["feature"]), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "method", "streams"),
    [("halp_objective", "halp", ("joint",)), ("halp_cmd_objective", "halp_cmd", MODALITIES)],
)
@pytest.mark.parametrize("has_prototypes", [True, False])
def test_there_and_back_is_bit_equal(
    name: str, method: str, streams: tuple[str, ...], has_prototypes: bool, tmp_path: Path
) -> None:
    state = published(name)
    state["queue_ptr"] = torch.tensor([64])
    state["encoder_q.input_norm.num_batches_tracked"] = torch.tensor(282_326)
    if not has_prototypes:
        state = {key: value for key, value in state.items() if not key.startswith("prototypes")}
        method = {"halp": "moco", "halp_cmd": "cmd"}[method]
    run = bring(write(tmp_path / "there.pth.tar", state, prefix="module."), tmp_path / "run")
    assert (run.config.method, run.config.streams, run.step) == (method, streams, 0)
    assert (run.shape.people, run.shape.channels, run.shape.layout) == (2, 3, KINECT)
    encoder, contrast = run.config.encoder, run.config.contrast
    assert (encoder.name, encoder.width, encoder.layers, encoder.pooling) == ("gru", 8, 3, "last")
    assert (contrast.embedding, contrast.projector_width, contrast.queue) == (16, 0, 96)
    assert (run.config.data.frames, run.config.data.centre, run.config.views.published) == (64, "frame", True)
    if has_prototypes:
        assert run.config.halp.prototypes == 8
    assert run.about["published"]["steps"] == 282_326
    back = tmp_path / "new" / "back.pth.tar"
    export_published(run, back)
    content = read_torch(back)
    assert content["epoch"] == 451
    assert set(content["state_dict"]) == set(state)
    for key, value in state.items():
        found = content["state_dict"][key]
        assert found.dtype == value.dtype and torch.equal(found, value), key
    # The published --resume builds SGD over all of its parameters and loads this.
    parameters = [v for k, v in state.items() if k.startswith("encoder") and "running" not in k and "tracked" not in k]
    resumed = torch.optim.SGD([torch.nn.Parameter(value.clone()) for value in parameters], lr=1.0)
    resumed.load_state_dict(content["optimizer"])
    assert resumed.param_groups[0]["lr"] == 0.01


def test_a_single_stream_is_what_one_says_it_is(tmp_path: Path) -> None:
    state = published("halp_objective")
    run = bring(write(tmp_path / "bone.pth.tar", state), tmp_path / "run", modality="bone", step=7)
    assert (run.config.streams, run.step) == (("bone",), 7)
    keys = load_checkpoint(run.path).weights["streams.bone.queue.keys"]
    assert torch.equal(keys, state["queue"].T)
    export_published(run, tmp_path / "back.pth.tar")
    assert set(read_torch(tmp_path / "back.pth.tar")["state_dict"]) == set(state)


def small_store(path: Path) -> Path:
    """Noise of two people of kinect25, two classes."""
    rng = np.random.default_rng(0)
    with StoreWriter(path, layout=KINECT, people=2, name="noise", classes=("a", "b")) as writer:
        for at in range(24):
            positions = (rng.normal(size=(2, 6, 25, 3)) * [0.2, 1, 0.2]).astype(np.float32)
            writer.append(clean(Sequence(positions, layout="kinect25", name=f"c{at}", label=at % 2), 2))
        writer.set_split("halves", np.array([PART_CODES[("train", "test")[at // 2 % 2]] for at in range(24)]))
    return path


def test_an_imported_run_is_evaluated_and_forked(tmp_path: Path) -> None:
    store = small_store(tmp_path / "store")
    file = write(tmp_path / "cmd.pth.tar", published("halp_cmd_objective"))
    out, further = tmp_path / "run", tmp_path / "further"
    assert command("import", file, "--out", out) == 0
    assert command("evaluate", out, "--on", store, "--protocol", "knn", "--json") == 0
    settings = [f"--set={key}={value}" for key, value in {
        "method": "halp_cmd", "streams": "joint,motion,bone", "encoder.width": 8, "contrast.embedding": 16,
        "contrast.queue": 96, "halp.prototypes": 8, "epochs": 0, "steps": 2, "batch_size": 6, "data.frames": 8,
        "views.least_frames": 4,
    }.items()]  # fmt: skip
    words = ("train", store, "--recipe", "halp-published", *settings, "--device", "cpu")
    assert command(*words, "--fork", out, "--out", further) == 0
    before, after = Run.load(out).method.state_dict(), Run.load(further).method.state_dict()
    name = "streams.bone.query.encoder.first.0.weight_hh_l0"
    assert 0 < (before[name] - after[name]).abs().max() < 0.1
    assert torch.equal(before["streams.joint.queue.keys"][12:], after["streams.joint.queue.keys"][12:])


def refused(path: Path, message: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=message):
        import_published(path, tmp_path / "out", BASE, KINECT)
    assert not (tmp_path / "out").exists()


class Bomb:
    """What a pickle must not get to do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("kind", ["torch", "pickle"])
def test_code_is_not_run(kind: str, tmp_path: Path) -> None:
    file, trace = tmp_path / "bad.pth.tar", tmp_path / "trace"
    content = {"epoch": 1, "state_dict": published("halp_objective"), "args": Bomb(trace)}
    if kind == "torch":
        torch.save(content, file)
        refused(file, r"it names posix\.mkdir, which no weights need", tmp_path)
    else:
        file.write_bytes(pickle.dumps(content["args"]))
        refused(file, "bad.pth.tar: ", tmp_path)
    assert not trace.exists()


def test_numpy_scalars_are_read_by_name_and_nothing_else_of_numpy(tmp_path: Path) -> None:
    file = tmp_path / "numbers.pth.tar"
    before = torch.serialization.get_safe_globals()
    numbers = {"a": np.float64(0.25), "b": np.int64(-3), "c": np.float32(0.5), "d": np.bool_(True), "e": np.uint8(7)}
    torch.save(numbers, file)
    found = read_torch(file)
    assert found == {"a": 0.25, "b": -3, "c": 0.5, "d": True, "e": 7}
    assert {type(value) for value in found.values()} == {float, int, bool}
    run = bring(write(tmp_path / "x.pth.tar", published("halp_objective"), epoch=np.int64(200)), tmp_path / "run")
    assert run.about["published"]["epoch"] == 200
    for value in (np.zeros(3), np.str_("x"), np.array(None, dtype=object)):
        torch.save({"a": value}, file)
        with pytest.raises(CheckpointError, match="numbers.pth.tar: refused"):
            read_torch(file)
    assert set(torch.serialization.get_safe_globals()) == set(before)  # in any order


def test_files_that_are_no_checkpoints(tmp_path: Path) -> None:
    good = write(tmp_path / "good.pth.tar", published("halp_objective")).read_bytes()
    file = tmp_path / "bad.pth.tar"
    for content in (b"", b"hello", b"\x80\x02.", good[: len(good) // 2], b"PK\x03\x04" + bytes(100)):
        file.write_bytes(content)
        refused(file, "bad.pth.tar: (not a whole file of torch.save|refused)", tmp_path)
    for whole, message in (
        ([1, 2], "holds no state_dict, but a list"),
        ({"epoch": 3, "state_dict": 5}, "holds no state_dict"),
        ({"state_dict": {"conv1.weight": torch.zeros(3)}}, "no encoder_q.encoder.gru.weight_hh_l0.*conv1.weight"),
        ({"state_dict": {"a": 5}}, "'a' in its state_dict is no plain tensor"),
        ({"state_dict": {"a": torch.eye(2).to_sparse()}}, "'a' in its state_dict is no plain tensor"),
        ({"state_dict": {"a": torch.empty(1 << 40, device="meta")}}, "'a' in its state_dict is no plain tensor"),
        ({"state_dict": {}}, "not a checkpoint of the published CMD or HaLP code"),
    ):
        torch.save(whole, file)
        refused(file, message, tmp_path)
    assert command("import", tmp_path / "nowhere.pth.tar", "--out", tmp_path / "out") == 2


def changed(how: str) -> dict[str, Tensor]:
    """A published state with one thing wrong."""
    state = published("halp_objective")
    if how == "classifier":
        return {k: v for k, v in state.items() if k.startswith("encoder_q") and ".fc." not in k}
    if how == "linear head":
        state["encoder_q.fc.weight"] = torch.zeros(16, 16)
    elif how == "missing":
        del state["encoder_k.encoder.gru.bias_hh_l1_reverse"]
    elif how == "surplus":
        state["encoder_q.attention.weight"] = torch.zeros(2)
    elif how == "gap in the layers":
        del state["encoder_q.encoder.gru.weight_hh_l1"]
    elif how == "shape":
        state["encoder_k.encoder.gru.weight_hh_l2"] = torch.zeros(24, 9)
    elif how == "kind":
        state["queue_ptr"] = torch.zeros(1)
    elif how == "pointer":
        state["queue_ptr"] = torch.tensor([96])
    elif how == "joints":
        for side in "qk":
            state[f"encoder_{side}.encoder.gru.weight_ih_l0"] = torch.zeros(24, 151)
    elif how == "NaN":
        state["encoder_q.fc.0.bias"] = torch.full((16,), torch.nan)
    elif how == "claim":
        state["encoder_q.encoder.gru.weight_hh_l0"] = torch.zeros(()).expand(3_000_000, 1_000_000)
    elif how == "flat":
        state["queue"] = torch.zeros(96)
    return state


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("classifier", "neither key encoder nor queue.*give the checkpoint of the pre-training"),
        ("linear head", "one linear layer.*--mlp"),
        ("missing", "1 names are missing .first 'encoder_k.encoder.gru.bias_hh_l1_reverse'"),
        ("surplus", "1 are unknown .first 'encoder_q.attention.weight'"),
        ("gap in the layers", "are unknown .first 'encoder_k.encoder.gru.bias_hh_l1'"),
        ("shape", r"encoder_k.encoder.gru.weight_hh_l2 is .* of shape \(24, 9\).*must be .* of shape \(24, 8\)"),
        ("kind", "queue_ptr is torch.float32"),
        ("pointer", "queue_ptr is 96, outside the queue"),
        ("joints", "151 values per frame.*layout kinect25 .25 joints.*--layout"),
        ("NaN", "encoder_q.fc.0.bias is not finite"),
        ("claim", "weight_hh_l0 claims .*more than the file holds"),
        ("flat", "damaged"),
    ],
)
def test_other_checkpoints_are_refused_with_a_reason(how: str, message: str, tmp_path: Path) -> None:
    refused(write(tmp_path / "x.pth.tar", changed(how)), message, tmp_path)


def test_nothing_is_replaced(tmp_path: Path) -> None:
    file = write(tmp_path / "x.pth.tar", published("halp_objective"))
    run = bring(file, tmp_path / "run")
    with pytest.raises(CheckpointError, match="there is a run here already"):
        import_published(file, tmp_path / "run", BASE, KINECT)
    before = file.read_bytes()
    with pytest.raises(CheckpointError, match="exists already"):
        export_published(run, file)
    assert file.read_bytes() == before


def test_what_the_published_code_has_not_is_not_exported(
    toy_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--set=steps=1", "--set=batch_size=4", "--set=encoder.width=8", "--set=contrast.queue=32")
    out, file = tmp_path / "run", tmp_path / "x.pth.tar"
    assert command("train", toy_store, "--recipe", "moco", *words, "--out", out, "--device", "cpu") == 0
    capsys.readouterr()
    assert command("export-weights", out, "--out", file) == 2
    said = capsys.readouterr().err
    assert "the published code has no such network: encoder.name is 'transformer', there it is 'gru'" in said
    assert not file.exists()


def test_sizes_are_read_off_the_shapes() -> None:
    sizes = read_sizes(published("halp_cmd_objective"), "here")
    assert (sizes.inputs, sizes.width, sizes.layers, sizes.head) == (150, 8, 3, 16)
    assert (sizes.embedding, sizes.queue, sizes.prototypes, sizes.streams) == (16, 96, 8, MODALITIES)
