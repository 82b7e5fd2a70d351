"""An exported run gives what the run gives, in any number of clips of any length, and says what it is."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from untrained import EVERY_ENCODER, untrained_run

from halpose.config import EncoderConfig
from halpose.data.store import Store
from halpose.encoders import ENCODERS
from halpose.encoders.base import Encoder
from halpose.engine.run import Run
from halpose.errors import ConfigError, DataError, ExportError
from halpose.export.check import TOLERANCE, batch, difference, padded, random_cases
from halpose.export.network import Network
from halpose.export.onnx_graph import OPSET, infer_onnx, to_onnx
from halpose.export.program import capture
from halpose.export.run import Exported, describe, export_run
from halpose.skeleton import Layout, load_layout

pytest.importorskip("onnxscript")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

ROOT = Path(__file__).parent.parent.parent


STREAMS = ("joint", "bone+motion:gru")


@pytest.fixture(scope="module")
def run() -> Run:
    """Two encoders side by side, two people in 3-D; the other encoders have their turn in the slow tests."""
    return untrained_run(STREAMS)


@pytest.fixture(scope="module")
def traced(run: Run) -> ExportedProgram:
    """Traced once, since that takes seconds; the run stays as it was."""
    before = {name: value.clone() for name, value in run.method.state_dict().items()}
    fused = torch.backends.mha.get_fastpath_enabled()
    program = capture(Network.of(run), run)
    after = run.method.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert torch.backends.mha.get_fastpath_enabled() == fused
    return program


@pytest.fixture(scope="module")
def written(run: Run, traced: ExportedProgram, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Exported]:
    folder = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("halpose.export.run.capture", lambda network, run: traced)
        found = export_run(run, folder / "run.onnx", folder / "run.pt2")
    assert sorted(path.name for path in folder.iterdir()) == ["run.onnx", "run.pt2"]
    return {exported.form: exported for exported in found}


def test_the_same_embeddings_after_export(run: Run, written: dict[str, Exported]) -> None:
    cases = random_cases(run, seed=5)
    infer = infer_onnx(written["onnx"].path.read_bytes())
    assert difference(run, infer, cases) < TOLERANCE / 10
    assert all(0 < exported.difference < TOLERANCE / 10 for exported in written.values())
    columns = json.loads(written["onnx"].about["halpose.columns"])
    found = infer(*batch(cases))
    for stream, (start, end) in columns.items():
        assert difference(run, lambda *x, a=start, b=end: infer(*x)[:, a:b], cases[:3], (stream,)) < TOLERANCE / 10
    assert found.shape == (len(cases), max(end for _, end in columns.values()))


def test_a_loaded_program_takes_any_number_and_length(run: Run, written: dict[str, Exported]) -> None:
    module = torch.export.load(written["torch"].path).module()
    for clips, frames in ((1, 1), (1, 250), (3, 17)):
        x = torch.randn(clips, 2, frames, len(run.shape.layout), 3)
        torch.testing.assert_close(module(x), Network.of(run)(x), atol=1e-5, rtol=1e-4)


def test_a_model_says_what_it_is(run: Run, written: dict[str, Exported]) -> None:
    data = written["onnx"].path.read_bytes()
    model = onnx.load_from_string(data)
    onnx.checker.check_model(model)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", OPSET)]
    assert model.producer_name == "halpose"
    shapes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    width = sum(stream.query.encoder.feature_dim for stream in run.method.stream_table().values())
    assert shapes == {"positions": ["batch", 2, "frames", 20, 3], "embeddings": ["batch", width]}
    about = {entry.key.removeprefix("halpose."): entry.value for entry in model.metadata_props}
    assert Layout.from_dict(json.loads(about["layout"])) == run.shape.layout
    assert json.loads(about["streams"]) == list(STREAMS)
    assert json.loads(about["normalisation"]) == {"centre": "first", "align": "torso", "scale": "rms"}
    assert (about["run"], about["people"], about["channels"], about["frames"]) == ("untrained", "2", "3", "12")
    assert (about["fps"], about["seconds"], about["opset"]) == ("0.0", "0.0", str(OPSET))
    for form in written.values():
        assert str(ROOT).encode() not in form.path.read_bytes()


def test_a_program_carries_the_same_words(written: dict[str, Exported]) -> None:
    extra = {"halpose.json": ""}
    torch.export.load(written["torch"].path, extra_files=extra)
    assert json.loads(extra["halpose.json"]) == written["onnx"].about


def test_frame_rate_and_length_are_those_of_the_clips(toy_run: Path, store: Store, toy_store: Path) -> None:
    trained = Run.load(toy_run)
    told = [describe(trained, ("joint",)), describe(untrained_run(), ("joint",), store)]
    for about in told:
        assert about["halpose.fps"] == "30.0"
        assert 20 / 30 < float(about["halpose.seconds"]) < 2
    gone = replace(trained, about={"store": {"path": str(toy_store / "gone")}})
    assert describe(gone, ("joint",))["halpose.fps"] == "0.0"


def test_the_example_needs_neither_torch_nor_halpose(run: Run, written: dict[str, Exported], tmp_path: Path) -> None:
    cases = [case.inputs[0] for case in random_cases(run)]
    np.save(tmp_path / "two.npy", cases[3])
    np.save(tmp_path / "one.npy", cases[2][0])
    script = ROOT / "examples" / "onnx_embeddings.py"
    assert script.read_text().rstrip() in (ROOT / "docs" / "export.md").read_text()
    assert len([line for line in script.read_text().split('"""')[2].splitlines() if line.strip()]) <= 22
    alone = f"import sys, runpy; sys.modules['torch'] = sys.modules['halpose'] = None; runpy.run_path({str(script)!r})"
    words = [sys.executable, "-c", alone, str(written["onnx"].path), "two.npy", "one.npy"]
    told = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True).stdout
    assert "hip_center, spine" in told
    found = np.load(tmp_path / "embeddings.npy")
    infer = infer_onnx(written["onnx"].path.read_bytes())
    first = cases[2].copy()
    first[1:] = np.nan
    np.testing.assert_allclose(found, infer(padded([cases[3], first])), atol=1e-5)


def test_what_differs_is_not_written(
    run: Run, traced: ExportedProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(run, method=untrained_run(STREAMS, seed=1).method)
    monkeypatch.setattr("halpose.export.run.capture", lambda network, run: traced)
    with pytest.raises(ExportError, match="not written: its embeddings differ"):
        export_run(other, program=tmp_path / "run.pt2")
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(
    run: Run, traced: ExportedProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("halpose.export.run.capture", lambda network, run: traced)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DataError, match=r"file/run.pt2: cannot be written"):
        export_run(run, program=tmp_path / "file" / "run.pt2")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_store_of_another_kind_cannot_check(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="trained on 2-D"):
        export_run(untrained_run(channels=2), program=tmp_path / "run.pt2", check=store)
    with pytest.raises(ConfigError, match="no stream named 'bone'"):
        export_run(untrained_run(), program=tmp_path / "run.pt2", streams=("bone",))


class Counting(Encoder):
    """What depends on values is no graph."""

    def __init__(self, layout: Layout, config: EncoderConfig) -> None:
        super().__init__(3, 4, config)
        self.layer = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.layer(x.mean((1, 2, 3)))
        return pooled if x.sum() > 0 else -pooled


def test_an_encoder_that_cannot_be_exported_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENCODERS, "counting", lambda config, layout, people, channels: Counting(layout, config))
    with pytest.raises(ExportError, match="joint:counting cannot be exported: .*tensor operations alone"):
        export_run(untrained_run(("joint:counting",)), program=tmp_path / "run.pt2")
    assert not list(tmp_path.iterdir())


def test_missing_packages_say_how_to_get_them(
    traced: ExportedProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package, call in (("onnxscript", lambda: to_onnx(traced, {})), ("onnxruntime", lambda: infer_onnx(b""))):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(ConfigError, match=r"pip install 'halpose\[onnx\]'"):
            call()


@pytest.mark.slow
@pytest.mark.parametrize(("confidence", "names"), [("mask", ["positions"]), ("channel", ["positions", "confidence"])])
def test_runs_that_read_confidence(confidence: str, names: list[str], store: Store, tmp_path: Path) -> None:
    run = untrained_run(("bone+motion:hcn",), confidence=confidence)
    for exported in export_run(run, tmp_path / "run.onnx", tmp_path / "run.pt2", check=store):
        assert exported.difference < TOLERANCE / 10
    model = onnx.load(tmp_path / "run.onnx")
    assert [value.name for value in model.graph.input] == names
    axes = [dim.dim_param or dim.dim_value for dim in model.graph.input[-1].type.tensor_type.shape.dim]
    assert axes[:4] == ["batch", 2, "frames", 20]


KINDS = [
    (1, 3, "kinect25", "mean"),
    (2, 3, "kinect20", "final"),
    (1, 2, "coco17", "segments"),
    (2, 2, "openpose18", "last"),
]


@pytest.mark.slow
@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize(("people", "channels", "layout", "pooling"), KINDS)
def test_each_encoder(name: str, people: int, channels: int, layout: str, pooling: str, tmp_path: Path) -> None:
    run = untrained_run((f"joint:{name}",), people, channels, load_layout(layout), pooling)
    for exported in export_run(run, tmp_path / "run.onnx", tmp_path / "run.pt2"):
        assert exported.difference < TOLERANCE / 10


@pytest.mark.slow
def test_all_encoders_beside_each_other(tmp_path: Path) -> None:
    for exported in export_run(untrained_run(EVERY_ENCODER), tmp_path / "run.onnx", tmp_path / "run.pt2"):
        assert exported.difference < TOLERANCE / 10
