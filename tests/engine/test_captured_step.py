"""A captured step is the step: to the bit, in every phase of every method, over checkpoints; on a CPU by a recording.

`RecordedGraphs` stands for CUDA graphs there. The last test does the same with real ones, where there is a GPU.
"""

from __future__ import annotations

import contextlib
import gc
import inspect
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from outcome import assert_same, final_state
from recorded_graph import RecordedGraphs
from torch import Tensor, nn

from halpose.config import Config, EncoderConfig, HalpConfig, OptimizerConfig, ViewConfig
from halpose.data.crop import crop_by_tensors
from halpose.data.store import Store
from halpose.engine.captured_step import CapturedStep, CudaGraphs, fit_capture
from halpose.engine.checkpoint import pack_optimizer, unpack_optimizer
from halpose.engine.schedule import build_optimizer, set_rate
from halpose.engine.step import Step
from halpose.engine.trainer import Trainer, fit_config, train
from halpose.errors import TrainingError
from halpose.methods import METHODS
from halpose.methods.base import Method, Moment
from halpose.parts.ranks import ALONE, Ranks
from small import SMALL

CPU = torch.device("cpu")
STEPS = 16
# HaLP begins with the sixth step, with a clustering from scratch at the end of the fifth; a warm one follows every
# third step. The fourth step and the ninth are captured.
HALP = HalpConfig(start=0.3, newest=16, prototypes=4, positives=6, refresh=3)
GRAPH = replace(
    SMALL,
    cuda_graph=True,
    steps=STEPS,
    checkpoint_every=8,
    log_every=4,
    views=ViewConfig(crop=(0.5, 1.0), least_frames=8),
    halp=HALP,
    crosclr=replace(SMALL.crosclr, mine_after=0.4),
    aimclr=replace(SMALL.aimclr, mine_after=0.4),
    optimizer=OptimizerConfig(learning_rate=1e-2, warmup=3),
)
RATES = {"sgd": 0.1, "adamw": 1e-2, "lars": 1.0}


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[RecordedGraphs]:
    """A CPU takes for captured what `cuda_graph` asks for; the recordings, as they are made."""
    monkeypatch.setattr("halpose.engine.trainer.CudaGraphs", RecordedGraphs)
    monkeypatch.setattr("halpose.engine.trainer.fit_capture", lambda config, device, ranks: (config.cuda_graph, ()))
    # A CUDA device crops by tensors and has cuDNN's GRU; a CPU's own loops are no operations of torch's, which no
    # recording sees.
    monkeypatch.setattr("halpose.data.window.crop", crop_by_tensors)
    monkeypatch.setattr("halpose.encoders.gru.is_ours", lambda inputs: False)
    monkeypatch.setattr(RecordedGraphs, "made", [])
    return RecordedGraphs.made


def trainer(store: Store, config: Config, device: torch.device = CPU, is_eager: bool = False) -> Trainer:
    """With the optimizer of a captured step in either case: what differs is who takes the step."""
    made = Trainer(store, fit_config(store, config)[0], Path("nowhere"), device)
    assert isinstance(made.work, CapturedStep)
    if is_eager:
        made.work = made.work.step
    return made


def state(trainer: Trainer) -> dict[str, Tensor]:
    """All that a step moves."""
    found = trainer.method.state_dict() | pack_optimizer(trainer.optimizer, trainer.names)
    found |= {"views": trainer.batches.generator.get_state(), "method": trainer.method_generator.get_state()}
    found |= {f"scaler.{name}": torch.tensor(value) for name, value in trainer.scaler.state_dict().items()}
    return {name: value.clone() for name, value in found.items()}


def assert_equal(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name


def take_both(eager: Trainer, captured: Trainer, steps: int = STEPS) -> None:
    """So many steps of each; values to log and all that is moved stay alike."""
    with eager.batches.coming(eager.step, eager.step + steps), captured.batches.coming(eager.step, eager.step + steps):
        for _ in range(steps):
            ours, theirs = eager.take_step(), captured.take_step()
            assert_equal(ours, theirs)
            assert all(bool(value.isfinite()) for value in ours.values())
    assert_equal(state(eager), state(captured))


def check(store: Store, config: Config, made: list[RecordedGraphs], phases: int) -> None:
    take_both(trainer(store, config, is_eager=True), trainer(store, config))
    graphs = made[-1]
    assert (graphs.warmed, len(graphs.recordings), graphs.replays) == (3 * phases, phases, STEPS - 3 * phases)


def of_method(config: Config, method: str) -> Config:
    streams = ("joint",) if method in ("moco", "halp") else ("joint", "motion")
    return replace(config, method=method, streams=("joint:gru", "joint:stgcn") if method == "isc" else streams)


VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("moco", {}),
    ("halp", {"estimator": "expected"}),
    ("halp", {"estimator": "sampled", "placement": "inside", "rejected": "negatives", "warm_start": False}),
    ("halp", {"estimator": "exact", "interval": "published", "follow": "contrast"}),
    ("halp", {"estimator": "sampled", "toward": "query"}),
    ("cmd", {}),
    ("halp_cmd", {"estimator": "expected", "placement": "inside", "prototypes_from": "carried"}),
    ("halp_cmd", {"estimator": "sampled", "nearest": 2}),
]
GRID = [
    pytest.param(
        *variant,
        optimizer,
        id="-".join([variant[0], *map(str, variant[1].values()), optimizer]),
        marks=() if variant[0] == "moco" or row % 3 == column else pytest.mark.slow,
    )
    for row, variant in enumerate(VARIANTS)
    for column, optimizer in enumerate(RATES)
]


@pytest.mark.parametrize(("method", "halp", "optimizer"), GRID)
def test_a_replayed_step_is_the_step(
    store: Store, recorded: list[RecordedGraphs], method: str, halp: dict[str, Any], optimizer: str
) -> None:
    config = of_method(replace(GRAPH, halp=replace(HALP, **halp)), method)
    settings = OptimizerConfig(name=optimizer, learning_rate=RATES[optimizer], warmup=3)  # type: ignore[arg-type]
    check(store, replace(config, optimizer=settings), recorded, phases=2 if "halp" in method else 1)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_names_its_phases(store: Store, recorded: list[RecordedGraphs], method: str) -> None:
    begins = method.startswith("halp") or method in ("pull", "aimclr", "crosclr_b")
    check(store, of_method(GRAPH, method), recorded, phases=2 if begins else 1)


ALL_VIEWS = ViewConfig(
    crop=(0.3, 1.0), tilt=20.0, mirror=0.5, reverse=0.5, noise=0.01, blur=0.5, mask_axis=0.3, mask_part=0.3
)  # fmt: skip


OTHERS: list[dict[str, Any]] = [
    {"views": ALL_VIEWS, "data": replace(GRAPH.data, confidence="channel")},
    {"views": ViewConfig(published=True), "data": replace(GRAPH.data, confidence="mask")},
    {"precision": "bfloat16", "diagnose": True},
    {"precision": "float16"},
    {"precision": "float16", "optimizer": replace(GRAPH.optimizer, name="sgd", learning_rate=0.1, clip_norm=0.5)},
    {"optimizer": replace(GRAPH.optimizer, accumulate=4, clip_norm=0.1)},
    {"optimizer": replace(GRAPH.optimizer, name="sgd", momentum=0.0)},
    {"encoder": replace(GRAPH.encoder, dropout=0.3)},
    {"encoder": EncoderConfig(name="gru", width=8, layers=2, input_norm=True, pooling="last")},
    {"encoder": EncoderConfig(name="bigru", width=8, layers=1, pooling="final")},
    {"encoder": EncoderConfig(name="lstm", width=8, layers=1, pooling="mean")},
    {"encoder": EncoderConfig(name="stgcn", width=8, layers=2, segments=2, input_norm=True, dropout=0.2)},
    {"encoder": EncoderConfig(name="hcn", width=8, layers=2, segments=2, dropout=0.2)},
    {"encoder": EncoderConfig(name="st_transformer", width=8, layers=1, heads=2, segments=2, dropout=0.2)},
    {"data": replace(GRAPH.data, resident_gigabytes=0.0)},
    {"data": replace(GRAPH.data, resident_gigabytes=0.0, prefetch=0)},
]


def name_of(changes: dict[str, Any]) -> str:
    return "-".join(f"{key} {getattr(value, 'name', value)!s:.20}" for key, value in changes.items())


@pytest.mark.parametrize("changes", OTHERS, ids=name_of)
def test_other_settings_are_captured_too(store: Store, recorded: list[RecordedGraphs], changes: dict[str, Any]) -> None:
    halp = replace(HALP, estimator="sampled")
    check(store, replace(GRAPH, halp=halp, **changes), recorded, phases=2)


def test_python_is_run_for_the_first_steps_of_a_phase_and_its_capture_only(
    store: Store, recorded: list[RecordedGraphs], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    original = Method.forward

    def counted(self: Method, views: Any, clips: Tensor, moment: Moment) -> Any:
        steps.append(moment.step)
        return original(self, views, clips, moment)

    monkeypatch.setattr(Method, "forward", counted)
    made = trainer(store, GRAPH)
    for _ in range(STEPS):
        made.take_step()
    assert steps == [0, 1, 2, 3, 5, 6, 7, 8]


def test_a_weight_that_always_moves_is_never_captured(store: Store, recorded: list[RecordedGraphs]) -> None:
    eager, captured = trainer(store, GRAPH, is_eager=True), trainer(store, GRAPH)
    for made in (eager, captured):
        term = made.method.term_list()[0]
        term.weight = lambda moment: 1.0 + moment.progress  # type: ignore[method-assign]
    take_both(eager, captured)
    assert (recorded[-1].warmed, recorded[-1].replays) == (STEPS, 0)


@pytest.mark.parametrize("optimizer", RATES)
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_captured_run_resumes(
    store: Store, recorded: list[RecordedGraphs], tmp_path: Path, optimizer: str, precision: str
) -> None:
    settings = OptimizerConfig(name=optimizer, learning_rate=RATES[optimizer], warmup=3)  # type: ignore[arg-type]
    halp = replace(HALP, estimator="sampled")
    config = replace(GRAPH, optimizer=settings, precision=precision, halp=halp)  # type: ignore[arg-type]
    if optimizer == "lars" and precision == "float16":
        return  # is not captured
    train(store, config, tmp_path / "whole", device="cpu")
    assert recorded[-1].replays == STEPS - 6
    for stop in (5, 10, None):
        train(store, config, tmp_path / "parts", device="cpu", resume=stop != 5, stop_at=stop)
    assert_same(tmp_path / "whole", tmp_path / "parts")
    rows = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [4, 8, 12, 16] and "halp" in rows[-1]


def test_what_is_loaded_goes_where_the_graphs_read_it(
    store: Store, recorded: list[RecordedGraphs], tmp_path: Path
) -> None:
    for name in RATES:
        settings = OptimizerConfig(name=name, learning_rate=RATES[name], warmup=3)  # type: ignore[arg-type]
        config = replace(GRAPH, optimizer=settings)
        train(store, config, tmp_path / name, device="cpu")
        used = trainer(store, config)
        for _ in range(STEPS - 1):  # all is captured
            used.take_step()
        used.load(tmp_path / name)
        fresh = trainer(store, config, is_eager=True)
        fresh.load(tmp_path / name)
        used.step = fresh.step = STEPS - 4
        take_both(fresh, used, 4)
        assert recorded[-2].replays == STEPS - 1 - 6 + 4


def last_loss(run: Path) -> float:
    return float(json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])["loss"])


@pytest.mark.parametrize("name", RATES)
def test_runs_with_and_without_go_on_from_each_other(
    store: Store, recorded: list[RecordedGraphs], tmp_path: Path, name: str
) -> None:
    settings = OptimizerConfig(name=name, learning_rate=RATES[name], warmup=3)  # type: ignore[arg-type]
    captured = replace(GRAPH, method="moco", optimizer=settings)
    plain = replace(captured, cuda_graph=False)
    train(store, plain, tmp_path / "plain", device="cpu")
    for first, second, run in ((captured, plain, "captured first"), (plain, captured, "captured last")):
        train(store, first, tmp_path / run / "half", device="cpu", stop_at=8)
        train(store, second, tmp_path / run / "whole", device="cpu", fork=tmp_path / run / "half")
        expected, found = (last_loss(tmp_path / each) for each in ("plain", f"{run}/whole"))
        assert found == pytest.approx(expected, rel=1e-3) and (name != "lars" or found == expected)
        ours, theirs = final_state(tmp_path / run / "whole"), final_state(tmp_path / "plain")
        assert ours.keys() == theirs.keys()
        for key, value in theirs.items():
            assert (value.shape, value.dtype) == (ours[key].shape, ours[key].dtype)
            if key.endswith(("/step", "queue.clips", "queue.seen")) or "generator" in key:
                assert torch.equal(value, ours[key]), key


@pytest.mark.parametrize("name", RATES)
def test_a_rate_in_a_tensor_is_that_rate(name: str) -> None:
    built = []
    for captured in (False, True):
        torch.manual_seed(0)
        parameters = [nn.Parameter(torch.randn(shape)) for shape in ((5, 3), (4,))]
        config = OptimizerConfig(name=name, weight_decay=0.01)  # type: ignore[arg-type]
        optimizer = build_optimizer(config, [(str(i), p) for i, p in enumerate(parameters)], captured)
        for step in range(6):
            set_rate(optimizer, RATES[name] / (1 + step))
            for number, parameter in enumerate(parameters):
                parameter.grad = torch.randn(
                    parameter.shape, generator=torch.Generator().manual_seed(9 * step + number)
                )
            optimizer.step()
        assert isinstance(optimizer.param_groups[0]["lr"], Tensor) == captured
        built.append(parameters)
    for plain, tensor in zip(*built, strict=True):
        torch.testing.assert_close(tensor, plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("captured", [False, True])
def test_counters_are_loaded_to_where_they_are_read(captured: bool) -> None:
    weight = nn.Parameter(torch.zeros(2, device="meta"))
    optimizer = build_optimizer(OptimizerConfig(), [("w", weight)])
    optimizer.param_groups[0]["fused"] = captured
    packed = {"step": torch.tensor(3.0), "exp_avg": torch.zeros(2), "exp_avg_sq": torch.zeros(2)}
    unpack_optimizer(optimizer, ["w"], {f"optimizer/w/{key}": value for key, value in packed.items()})
    places = {key: value.device.type for key, value in optimizer.state[weight].items()}
    assert places == {"step": "meta" if captured else "cpu", "exp_avg": "meta", "exp_avg_sq": "meta"}


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_a_captured_step_that_overflows_is_left_out(store: Store, recorded: list[RecordedGraphs], name: str) -> None:
    settings = replace(GRAPH.optimizer, name=name)  # type: ignore[arg-type]
    made = trainer(store, replace(GRAPH, method="moco", precision="float16", optimizer=settings))
    for taken in (0, 4):  # the very first step, then one that is replayed
        while made.step < taken + 1:
            made.take_step()
        made.scaler.load_state_dict(made.scaler.state_dict() | {"scale": 1e38})
        before = dict(made.method.named_parameters()) | pack_optimizer(made.optimizer, made.names)
        before = {key: value.detach().clone() for key, value in before.items() if ".key." not in key}
        made.take_step()
        after = state(made)
        assert after["scaler.scale"] < 1e38
        assert_equal(before, {key: after[key] for key in before})


def nothing(made: Trainer, patch: pytest.MonkeyPatch) -> None:
    pass


def freeze_rate(made: Trainer, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("halpose.engine.trainer.set_rate", lambda optimizer, rate: None)


def freeze_clips(made: Trainer, patch: pytest.MonkeyPatch) -> None:
    assert isinstance(made.work, CapturedStep) and made.work._batch is not None
    fixed = made.work._batch
    patch.setattr(made.work, "_filled", lambda batch: fixed)


def freeze_draws(made: Trainer, patch: pytest.MonkeyPatch) -> None:
    rewind(made.method_generator, patch)


def freeze_views(made: Trainer, patch: pytest.MonkeyPatch) -> None:
    rewind(made.batches.generator, patch)


def rewind(generator: torch.Generator, patch: pytest.MonkeyPatch) -> None:
    original = RecordedGraphs.replay

    def replay(self: RecordedGraphs, recording: Any) -> None:
        before = generator.get_state()
        original(self, recording)
        generator.set_state(before)

    patch.setattr(RecordedGraphs, "replay", replay)


def freeze_phase(made: Trainer, patch: pytest.MonkeyPatch) -> None:
    assert isinstance(made.work, CapturedStep)
    (phase,) = made.work._captured
    patch.setattr(made.work, "phase", lambda moment: phase)


def freeze_terms(made: Trainer, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Method, "move_terms", lambda self, moment, batch: None)


@pytest.mark.parametrize(
    "spoil", [nothing, freeze_rate, freeze_clips, freeze_draws, freeze_views, freeze_phase, freeze_terms]
)
def test_what_a_graph_must_be_told_is_noticed_if_it_is_not(
    store: Store,
    recorded: list[RecordedGraphs],
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Trainer, pytest.MonkeyPatch], None],
) -> None:
    config = replace(GRAPH, halp=replace(HALP, estimator="sampled"))
    if spoil is not freeze_phase:
        config = replace(config, halp=replace(config.halp, start=0.0, newest=8))  # HaLP from the second step on
    eager, captured = trainer(store, config, is_eager=True), trainer(store, config)
    take_both(eager, captured, 5)
    with monkeypatch.context() as patch:
        spoil(captured, patch)
        for _ in range(5):
            captured.take_step()
    for _ in range(5):
        eager.take_step()
    ours, theirs = state(eager), state(captured)
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items()) == (spoil is nothing)


def test_a_recording_freezes_what_the_host_says_and_refuses_what_cuda_refuses() -> None:
    generator, place = torch.Generator().manual_seed(0), torch.zeros(3)
    graphs = RecordedGraphs(CPU, [generator])
    number = 1.0

    def work() -> Tensor:
        place.add_(number)
        drawn = place + torch.rand(3, generator=generator)
        return drawn

    before = generator.get_state()
    replay, made = graphs.capture(work)
    assert torch.equal(place, torch.zeros(3)) and torch.equal(generator.get_state(), before) and made.isnan().all()
    number = 5.0
    expected = torch.Generator().manual_seed(0)
    for count in (1, 2):
        replay()
        assert torch.equal(place, torch.full((3,), float(count)))
        assert torch.equal(made, place + torch.rand(3, generator=expected))
    for refused, message in (
        (lambda: float(place.sum()), "would wait for _local_scalar_dense"),
        (lambda: place[place > 0], "would wait for index"),
        (lambda: place + torch.tensor([1.0, 2.0, 3.0]), "would have to be copied"),
        (lambda: place + torch.rand(3, generator=torch.Generator()), "does not know"),
    ):
        with pytest.raises(RuntimeError, match=message):
            graphs.capture(refused)


def test_what_cannot_be_captured_is_said(store: Store, recorded: list[RecordedGraphs]) -> None:
    made = trainer(store, GRAPH)
    assert isinstance(made.work, CapturedStep)
    taken = made.work.step
    assert isinstance(taken, Step)

    def asks(batch: Any, moment: Moment) -> dict[str, Tensor]:
        values = taken(batch, moment)
        return values | {"loss": torch.tensor(float(values["loss"]))}

    made.work.step = asks
    for _ in range(3):
        made.take_step()
    with pytest.raises(TrainingError, match=r"cannot be captured .* \(the host would wait .*cuda_graph=false"):
        made.take_step()


def test_cuda_is_asked_in_the_order_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    @contextlib.contextmanager
    def inside(name: str) -> Iterator[None]:
        told.append(f"in {name}")
        yield
        told.append(f"out of {name}")

    class Stream:
        def __init__(self, name: Any) -> None:
            self.name = "side" if isinstance(name, torch.device) else name

        def wait_stream(self, other: Stream) -> None:
            told.append(f"{self.name} waits for {other.name}")

    class Graph:
        def register_generator_state(self, generator: torch.Generator) -> None:
            told.append(f"draws from {generator.initial_seed()}")

        def replay(self) -> None:
            told.append("replay")

    def capture(*args: Any, **kwargs: Any) -> Any:
        given = inspect.signature(genuine).bind(*args, **kwargs).arguments
        assert (given["pool"], given["stream"].name) == ("pool", "side") and gc.isenabled()
        return inside(f"capture, {given['capture_error_mode']}")

    genuine = torch.cuda.graph
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", capture)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: "pool")
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream("main"))
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: inside(stream.name))
    monkeypatch.setattr(torch.cuda, "device", lambda device: inside(str(device)))
    graphs = CudaGraphs(torch.device("cuda:1"), [torch.Generator().manual_seed(seed) for seed in (7, 8)])
    assert graphs.warm(lambda: told.append("work") or 5) == 5
    assert told == ["side waits for main", "in side", "work", "out of side", "main waits for side"]
    told.clear()
    replay, made = graphs.capture(lambda: told.append("work, no collection" if not gc.isenabled() else "work") or 6)
    assert made == 6 and gc.isenabled()
    capture_told = ["in capture, thread_local", "work, no collection", "out of capture, thread_local"]
    assert told == ["draws from 7", "draws from 8", "in cuda:1", *capture_told, "out of cuda:1"]
    replay()
    assert told[-1] == "replay"


def test_where_there_is_nothing_to_capture_a_note_says_so(store: Store, tmp_path: Path) -> None:
    config = replace(GRAPH, steps=6)
    summary = train(store, config, tmp_path / "asked", device="cpu", stop_at=4)
    assert summary.notes == ("steps are taken without a CUDA graph: the device is cpu",)
    again = train(store, config, tmp_path / "asked", device="cpu", resume=True)  # the setting stays as it was
    assert again.notes == summary.notes
    assert train(store, replace(config, cuda_graph=False), tmp_path / "not", device="cpu").notes == ()
    assert_same(tmp_path / "asked", tmp_path / "not")


def test_cuda_steps_are_captured_unless_something_is_in_the_way() -> None:
    cuda = torch.device("cuda")
    lstm, dropout = replace(GRAPH.encoder, name="lstm"), replace(GRAPH.encoder, dropout=0.1)
    lars = replace(GRAPH.optimizer, name="lars")
    for config, ranks, word in (
        (GRAPH, ALONE, ""),
        (replace(GRAPH, cuda_graph=False), Ranks(0, 2), ""),
        (GRAPH, Ranks(1, 2), "several processes"),
        (replace(GRAPH, precision="float16"), ALONE, ""),
        (replace(GRAPH, optimizer=lars), ALONE, ""),
        (replace(GRAPH, optimizer=lars, precision="float16"), ALONE, "LARS"),
        (replace(GRAPH, encoder=dropout), ALONE, ""),
        (replace(GRAPH, encoder=lstm), ALONE, ""),
        (replace(GRAPH, encoder=replace(lstm, dropout=0.1, layers=2)), ALONE, "cuDNN"),
        (replace(GRAPH, encoder=replace(dropout, layers=2), streams=("joint:lstm",)), ALONE, "cuDNN"),
    ):
        is_captured, notes = fit_capture(config, cuda, ranks)
        assert is_captured == (config.cuda_graph and not word)
        assert all(word in note for note in notes) and len(notes) == bool(word)


@pytest.mark.gpu
@pytest.mark.parametrize("optimizer", RATES)
@pytest.mark.parametrize("method", METHODS)
def test_a_cuda_graph_is_the_step(store: Store, method: str, optimizer: str) -> None:
    settings = OptimizerConfig(name=optimizer, learning_rate=RATES[optimizer], warmup=3)  # type: ignore[arg-type]
    config = of_method(replace(GRAPH, halp=replace(HALP, estimator="sampled"), optimizer=settings), method)
    check_on_gpu(store, config)


@pytest.mark.gpu
@pytest.mark.parametrize("changes", OTHERS, ids=name_of)
def test_other_settings_make_cuda_graphs_too(store: Store, changes: dict[str, Any]) -> None:
    check_on_gpu(store, replace(GRAPH, halp=replace(HALP, estimator="sampled"), **changes))


def check_on_gpu(store: Store, config: Config) -> None:
    """As `check`. A GPU may add the same numbers in another order each time: then two trainings say how far apart."""
    runs = []
    for is_eager in (True, True, False):
        made = trainer(store, config, torch.device("cuda"), is_eager)
        values: dict[str, Tensor] = {}
        with made.batches.coming(0, STEPS):
            for step in range(STEPS):
                values |= {f"{name} of step {step}": value.clone() for name, value in made.take_step().items()}
        runs.append(values | state(made))
        assert is_eager or (isinstance(made.work, CapturedStep) and made.work._captured)
    eager, again, captured = runs
    assert eager.keys() == captured.keys()
    is_repeatable = all(torch.equal(value, again[name]) for name, value in eager.items())
    for name, value in eager.items():
        if is_repeatable or not value.is_floating_point():
            assert torch.equal(captured[name], value), name
        else:
            apart = float((again[name] - value).abs().max())
            torch.testing.assert_close(captured[name], value, rtol=1e-3, atol=1e-4 + 10 * apart, msg=name)
