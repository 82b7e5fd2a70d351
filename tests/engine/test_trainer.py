"""The loop: resuming equals never stopping, interruption saves, a broken loss stops, repairs are said."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from outcome import assert_same, final_state
from safetensors.torch import load_file
from torch import Tensor

from halpose.config import ContrastConfig, EncoderConfig, HalpConfig, OptimizerConfig, ViewConfig
from halpose.data.store import Store
from halpose.engine.checkpoint import latest_step, load_checkpoint
from halpose.engine.run import Run
from halpose.engine.schedule import learning_rate
from halpose.engine.trainer import Trainer, fit_config, train
from halpose.errors import CheckpointError, ConfigError, TrainingError
from halpose.methods.halp import HaLP
from small import SMALL

LOOP = replace(
    SMALL,
    steps=24,
    checkpoint_every=8,
    log_every=4,
    views=ViewConfig(crop=(0.5, 1.0), least_frames=8),
    encoder=EncoderConfig(width=16, layers=1, segments=4, heads=2),
    contrast=ContrastConfig(embedding=16, queue=64),
    halp=HalpConfig(start=0.25, newest=32, prototypes=6, estimator="sampled", positives=8),
)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lars"])
def test_resumed_run_equals_one_never_stopped(store: Store, tmp_path: Path, optimizer: str) -> None:
    config = replace(LOOP, optimizer=OptimizerConfig(name=optimizer, learning_rate=1e-2, warmup=3))
    train(store, config, tmp_path / "whole", device="cpu")
    for stop in (5, 16, None):
        train(store, config, tmp_path / "parts", device="cpu", resume=stop != 5, stop_at=stop)
    assert_same(tmp_path / "whole", tmp_path / "parts")
    rows = [
        [json.loads(line) for line in (tmp_path / run / "metrics.jsonl").read_text().splitlines()]
        for run in ("whole", "parts")
    ]
    assert [row["step"] for row in rows[0]] == [4, 8, 12, 16, 20, 24]
    losses = {row["step"]: row["loss"] for row in rows[1]}
    assert losses[12] == rows[0][2]["loss"] and losses[24] == rows[0][-1]["loss"]


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precision_resumes_and_learns_as_well(store: Store, tmp_path: Path, precision: str) -> None:
    config = replace(LOOP, optimizer=OptimizerConfig(learning_rate=3e-3, warmup=3, clip_norm=1.0))
    full = train(store, config, tmp_path / "full", device="cpu")
    lower = replace(config, precision=precision)
    whole = train(store, lower, tmp_path / "whole", device="cpu")
    for stop in (5, None):
        train(store, lower, tmp_path / "parts", device="cpu", resume=stop is None, stop_at=stop)
    assert_same(tmp_path / "whole", tmp_path / "parts")
    assert whole.loss != full.loss and whole.loss == pytest.approx(full.loss, abs=0.2)
    state = final_state(tmp_path / "whole")
    assert {value.dtype for name, value in state.items() if value.is_floating_point() and "step" not in name} <= {
        torch.float32, torch.float64
    }  # fmt: skip
    assert ("scaler/scale" in state) == (precision == "float16")


def test_gradients_that_overflow_cost_a_step_and_a_smaller_scale(store: Store, tmp_path: Path) -> None:
    config, _ = fit_config(store, replace(LOOP, precision="float16"))
    trainer = Trainer(store, config, tmp_path, torch.device("cpu"))
    trainer.scaler.load_state_dict(trainer.scaler.state_dict() | {"scale": 1e38})
    before = [parameter.detach().clone() for _, parameter in trainer.method.query_parameters()]
    with trainer.batches.coming(0, 1):
        trainer.take_step()
    for old, (name, new) in zip(before, trainer.method.query_parameters(), strict=True):
        assert torch.equal(old, new), name
    assert trainer.scaler.get_scale() < 1e38


def test_dropout_is_drawn_from_the_seed_and_resumes(store: Store, tmp_path: Path) -> None:
    config = replace(LOOP, steps=8, encoder=replace(LOOP.encoder, dropout=0.3))
    for run, noise in (("whole", 1), ("again", 2)):
        torch.manual_seed(noise)  # what a process drew before is none of a training's business
        train(store, config, tmp_path / run, device="cpu")
    assert_same(tmp_path / "whole", tmp_path / "again")
    for stop in (5, None):
        torch.rand(3)
        train(store, config, tmp_path / "parts", device="cpu", resume=stop is None, stop_at=stop)
    assert_same(tmp_path / "whole", tmp_path / "parts")


def test_a_fork_may_be_of_another_precision(store: Store, tmp_path: Path) -> None:
    train(store, LOOP, tmp_path / "warm", device="cpu", stop_at=4)
    lower = replace(LOOP, precision="float16")
    train(store, lower, tmp_path / "run", device="cpu", fork=tmp_path / "warm", stop_at=8)
    state = final_state(tmp_path / "run")
    assert state["scaler/scale"] >= 1 and state["streams.joint.queue.seen"] == 8 * LOOP.batch_size


def test_resume_after_a_kill_forgets_rows_that_will_be_written_again(store: Store, tmp_path: Path) -> None:
    train(store, LOOP, tmp_path / "run", device="cpu", stop_at=16)
    metrics = tmp_path / "run" / "metrics.jsonl"
    with metrics.open("a") as file:
        file.write('{"step": 20, "loss": 1.0}\n{"step": 22, "lo')  # killed in the middle of a row
    train(store, LOOP, tmp_path / "run", device="cpu", resume=True)
    assert [json.loads(line)["step"] for line in metrics.read_text().splitlines()] == [4, 8, 12, 16, 20, 24]


def test_training_changes_and_learns(store: Store, tmp_path: Path) -> None:
    config = replace(LOOP, method="moco", steps=120, optimizer=OptimizerConfig(learning_rate=3e-3))
    summary = train(store, config, tmp_path / "run", device="cpu")
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert summary.steps == 120 and not summary.interrupted
    # The queue begins with random keys, which are easy negatives: learning shows once it holds real ones.
    full = [row for row in rows if row["step"] * config.batch_size > 2 * config.contrast.queue]
    assert full[-1]["loss"] < full[0]["loss"] - 0.2
    assert full[-1]["accuracy"] > full[0]["accuracy"]
    assert rows[-1]["clips_per_second"] > 0 and rows[-1]["learning_rate"] < 1e-4


def test_halp_is_the_baseline_until_it_begins(store: Store, tmp_path: Path) -> None:
    config = replace(LOOP, halp=replace(LOOP.halp, start=0.5))
    train(store, config, tmp_path / "halp", device="cpu", stop_at=12)
    train(store, replace(config, method="moco"), tmp_path / "moco", device="cpu", stop_at=12)
    halp, moco = (load_checkpoint(tmp_path / run).weights for run in ("halp", "moco"))
    for name, value in moco.items():
        assert torch.equal(value, halp[name]), name


def test_a_fork_past_the_start_of_halp_has_prototypes_at_once(store: Store, tmp_path: Path) -> None:
    train(store, replace(LOOP, method="moco"), tmp_path / "warm", device="cpu", stop_at=14)
    forked = Trainer(store, fit_config(store, LOOP)[0], tmp_path / "halp", torch.device("cpu"))
    forked.load(tmp_path / "warm", ignore="terms.")
    term = forked.method.terms[1]
    assert isinstance(term, HaLP)
    torch.testing.assert_close(term.of_stream("joint").norm(dim=1), torch.ones(6))
    early = Trainer(store, fit_config(store, LOOP)[0], tmp_path / "early", torch.device("cpu"))
    early.step = 0
    early.method.begin_terms(early._moment())
    first = early.method.terms[1]
    assert isinstance(first, HaLP) and first.of_stream("joint").abs().max() == 0


def test_fork_shares_the_warm_up(store: Store, tmp_path: Path) -> None:
    config = replace(LOOP, halp=replace(LOOP.halp, start=0.5, estimator="expected", warm_start=False))
    moco = replace(config, method="moco")
    train(store, moco, tmp_path / "warm", device="cpu", stop_at=8)
    train(store, moco, tmp_path / "moco", device="cpu", fork=tmp_path / "warm")
    train(store, moco, tmp_path / "straight", device="cpu")
    assert_same(tmp_path / "moco", tmp_path / "straight")
    train(store, config, tmp_path / "halp", device="cpu", fork=tmp_path / "warm")
    rows = [json.loads(line) for line in (tmp_path / "halp" / "metrics.jsonl").read_text().splitlines()]
    assert rows[0]["step"] == 12 and "halp" not in rows[0] and "halp" in rows[-1]


def test_every_epoch_sees_every_clip_once(store: Store, tmp_path: Path) -> None:
    trainer = Trainer(store, replace(fit_config(store, LOOP)[0], batch_size=18), tmp_path / "run", torch.device("cpu"))
    clips = len(trainer.batches.window)
    per_epoch = clips // 18
    epochs = [torch.cat([trainer.batches.clips(e * per_epoch + i) for i in range(per_epoch)]) for e in range(2)]
    for epoch in epochs:
        assert len(epoch.unique()) == per_epoch * 18
    assert not torch.equal(epochs[0], epochs[1])


def test_loss_that_is_not_finite_stops_and_keeps_the_last_good_checkpoint(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Trainer.take_step

    def broken(self: Trainer) -> dict[str, Tensor]:
        values = original(self)
        return values | {"loss": torch.tensor(math.nan)} if self.step > 10 else values

    monkeypatch.setattr(Trainer, "take_step", broken)
    with pytest.raises(TrainingError, match=r"loss is nan at step 12 .* checkpoint of step 8 is kept.*learning_rate"):
        train(store, LOOP, tmp_path / "run", device="cpu")
    assert latest_step(tmp_path / "run") == 8


def test_divergence_is_noticed_in_earnest(store: Store, tmp_path: Path) -> None:
    config = replace(LOOP, optimizer=OptimizerConfig(name="sgd", learning_rate=1e30, warmup=0, schedule="constant"))
    with pytest.raises(TrainingError, match="no longer|is nan|is inf"):
        train(store, config, tmp_path / "run", device="cpu")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_saves_and_exits_and_resume_goes_on(toy_store: Path, tmp_path: Path, number: int) -> None:
    run = tmp_path / "run"
    script = (
        "import sys; from pathlib import Path;"
        "from halpose.config import Config; from halpose.settings import override;"
        "from halpose.data.store import Store; from halpose.engine.trainer import train;"
        f"config = override(Config(), {replace(LOOP, steps=100_000).to_dict()!r});"
        f"summary = train(Store.open({str(toy_store)!r}), config, Path({str(run)!r}), device='cpu');"
        "print('interrupted', summary.interrupted, summary.steps)"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not latest_step(run) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and output.startswith("interrupted True")
    step = int(output.split()[-1])
    assert latest_step(run) == step > 0
    store = Store.open(toy_store)
    config = replace(LOOP, steps=100_000)
    assert train(store, config, run, device="cpu", resume=True, stop_at=step + 2).steps == step + 2


def test_full_disk_costs_the_new_checkpoint_only(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import halpose.engine.checkpoint as module

    run = tmp_path / "run"
    train(store, LOOP, run, device="cpu", stop_at=8)
    before = final_state(run)

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "save_file", full)
    with pytest.raises(CheckpointError, match="No space left.*checkpoint of step 8 is whole.*--resume"):
        train(store, LOOP, run, device="cpu", resume=True)
    monkeypatch.undo()
    assert latest_step(run) == 8
    assert all(torch.equal(before[name], value) for name, value in final_state(run).items())
    assert not list((run / "checkpoints").glob(".*"))
    train(store, LOOP, run, device="cpu", resume=True)


def test_half_written_checkpoint_is_not_seen(store: Store, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(store, LOOP, run, device="cpu", stop_at=8)
    partial = run / "checkpoints" / ".step-00000016.partial"
    partial.mkdir()
    (partial / "weights.safetensors").write_bytes(b"half")
    assert latest_step(run) == 8
    assert train(store, LOOP, run, device="cpu", resume=True).steps == 24


def test_damaged_checkpoint_is_named(store: Store, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(store, LOOP, run, device="cpu", stop_at=8)
    weights = run / "checkpoints" / "step-00000008" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="step-00000008: damaged or incomplete"):
        Run.load(run)


def test_only_the_newest_checkpoints_are_kept(store: Store, tmp_path: Path) -> None:
    train(store, replace(LOOP, checkpoint_every=4), tmp_path / "run", device="cpu")
    names = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert names == ["step-00000020", "step-00000024"]


def test_checkpoints_hold_no_code(store: Store, tmp_path: Path) -> None:
    train(store, LOOP, tmp_path / "run", device="cpu", stop_at=8)
    folder = tmp_path / "run" / "checkpoints" / "step-00000008"
    assert {path.suffix for path in folder.iterdir()} == {".safetensors", ".json"}
    weights = load_file(folder / "weights.safetensors")
    for part in ("query.encoder", "key.encoder", "queue.keys", "queue.cursor", "queue.seen", "prototypes_joint"):
        assert any(part in name for name in weights), part


def test_existing_run_is_not_overwritten_nor_resumed_with_other_settings(store: Store, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(store, LOOP, run, device="cpu", stop_at=8)
    with pytest.raises(CheckpointError, match="use --resume"):
        train(store, LOOP, run, device="cpu")
    with pytest.raises(CheckpointError, match=r"other settings \(batch_size, seed differ\)"):
        train(store, replace(LOOP, seed=1, batch_size=8), run, device="cpu", resume=True)
    with pytest.raises(CheckpointError, match="not a run directory"):
        train(store, LOOP, tmp_path / "nothing", device="cpu", resume=True)


def test_fewer_clips_than_a_batch_is_repaired_and_said(store: Store, tmp_path: Path) -> None:
    summary = train(store, replace(LOOP, batch_size=4096, steps=2), tmp_path / "run", device="cpu")
    clips = len(store.part("x-sub", "official"))
    assert summary.notes == (f"batch_size lowered from 4096 to {clips}, the number of clips",)
    assert Run.load(tmp_path / "run").config.batch_size == clips


def test_queue_smaller_than_a_batch_trains(store: Store, tmp_path: Path) -> None:
    config = replace(LOOP, contrast=replace(LOOP.contrast, queue=10), halp=replace(LOOP.halp, newest=10))
    assert math.isfinite(train(store, config, tmp_path / "run", device="cpu").loss)


def test_epochs_become_steps(store: Store) -> None:
    clips = len(store.part("x-sub", "train"))
    config = replace(LOOP, epochs=3.0, data=replace(LOOP.data, part="train"))
    assert fit_config(store, config)[0].steps == 3 * (clips // 16)


def test_bad_split_part_and_device_are_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no split named 'x-view'"):
        train(store, replace(LOOP, data=replace(LOOP.data, split="x-view")), tmp_path / "run")
    with pytest.raises(ConfigError, match="no such device"):
        train(store, LOOP, tmp_path / "run", device="tpu9")
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="sees no CUDA device here; use --device cpu"):
            train(store, LOOP, tmp_path / "run", device="cuda")


def test_run_refuses_a_store_of_another_layout(store: Store, tmp_path: Path, toy_store: Path) -> None:
    train(store, replace(LOOP, steps=2), tmp_path / "run", device="cpu")
    run = Run.load(tmp_path / "run")
    run.check_store(store)
    other = replace(store, meta={**store.meta, "layout": {**store.meta["layout"], "name": "other"}})
    run.check_store(other)  # a name does not matter, the joints do
    joints = [joint + "'" for joint in store.layout.joints]
    table = store.layout.to_dict()
    renamed = {
        "name": "renamed", "joints": joints, "parents": [p + "'" for p in table["parents"]],
        "centre": table["centre"] + "'", "spine": [j + "'" for j in table["spine"]],
        "sides": [[a + "'", b + "'"] for a, b in table["sides"]],
    }  # fmt: skip
    with pytest.raises(CheckpointError, match=r"joints differ \(kinect20, renamed\)"):
        run.check_store(replace(store, meta={**store.meta, "layout": renamed}))


def test_learning_rate_schedules() -> None:
    cosine = OptimizerConfig(learning_rate=1.0, warmup=10)
    rates = [learning_rate(cosine, step, 110) for step in range(110)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == pytest.approx(1.0)
    assert rates[60] == pytest.approx(0.5) and rates[-1] < 0.001
    stepped = OptimizerConfig(learning_rate=0.01, warmup=0, schedule="step", milestones=(351 / 451,), gamma=0.1)
    assert learning_rate(stepped, 350, 451) == pytest.approx(0.01)
    assert learning_rate(stepped, 351, 451) == pytest.approx(0.001)
    assert learning_rate(replace(stepped, schedule="constant"), 440, 451) == pytest.approx(0.01)
