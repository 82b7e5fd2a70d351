"""The only training loop. It knows nothing of any method's inside."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import halpose
from halpose.config import Config
from halpose.data.store import Store
from halpose.data.window import Window
from halpose.engine.averaging import GradientMean
from halpose.engine.batches import Batches
from halpose.engine.captured_step import CapturedStep, CudaGraphs, fit_capture
from halpose.engine.checkpoint import (
    latest_step,
    load_checkpoint,
    pack_optimizer,
    save_checkpoint,
    unpack_optimizer,
    write_json,
)
from halpose.engine.device import enough_memory, resolve_device
from halpose.engine.distributed import Launch, join, own_copy
from halpose.engine.fitted_config import fit_config
from halpose.engine.metrics import Journal, Log, Watcher
from halpose.engine.run import Shape, check_shape, fresh_method, load_weights, read_run_config
from halpose.engine.schedule import build_optimizer, learning_rate, set_rate
from halpose.engine.seeds import DROPOUT, METHOD, seed_of
from halpose.engine.seen import seen_lines, write_lines
from halpose.engine.step import Step
from halpose.engine.stopping import Stop
from halpose.errors import CheckpointError, TrainingError
from halpose.methods.base import Moment
from halpose.model_card import write_card
from halpose.parts.ranks import ALONE, Ranks
from halpose.settings import override

__all__ = ["Summary", "Trainer", "Watcher", "fit_config", "resolve_device", "train"]

_TAMER = "try a lower optimizer.learning_rate, or optimizer.clip_norm=1"


@dataclass(frozen=True)
class Summary:
    """What a training came to.

    Attributes:
        run: the run directory.
        steps: steps taken in all.
        clips_per_second: clips seen per second (each in two views), over all steps of this call.
        loss: mean of the last logged rows.
        seconds: wall time of this call.
        interrupted: whether a signal ended it early; then `--resume` goes on.
        notes: repairs of the settings that were made to fit the data.
    """

    run: str
    steps: int
    clips_per_second: float
    loss: float
    seconds: float
    interrupted: bool = False
    notes: tuple[str, ...] = ()


def train(
    store: Store,
    config: Config,
    out: Path,
    *,
    device: str = "auto",
    resume: bool = False,
    fork: Path | None = None,
    watchers: tuple[Watcher, ...] = (),
    stop_at: int | None = None,
    launch: Launch | None = None,
) -> Summary:
    """Pre-train on a store, without labels.

    Args:
        store: the recordings.
        config: every setting.
        out: run directory; must not hold a run unless `resume`.
        device: auto, cpu, cuda or cuda:N.
        resume: go on from the newest checkpoint in `out`, bit for bit as if never stopped.
        fork: begin from the newest checkpoint of another run (weights, queue, optimizer, generators, step); the
            method's terms may differ. Comparisons of methods share their warm-up this way.
        watchers: are told of progress.
        stop_at: save and stop after this many steps of the whole schedule (to make a fork's starting point).
        launch: this process is one of several that torchrun started, and all of them call this alike. `resume` then
            begins anew where there is nothing to resume: a restart is the same command as the start.

    Raises:
        ConfigError: the settings do not fit the data or each other.
        CheckpointError: `out` holds a run, or holds none to resume, or it is of other settings.
        TrainingError: the loss is no longer finite, memory or disk are full, or another rank was lost; the last good
            checkpoint is kept.
    """
    where = resolve_device(device, launch)
    with join(launch, where, lambda: _kept(out)) as ranks:
        # Rank 0 may write to `out` before the last of them has looked: it decides for all what there is.
        is_new = launch is not None and not (out / "config.json").exists()
        settings, resume = ranks.told_by_first((config.to_dict(), resume and not is_new))
        config = config if ranks.is_first else override(Config(), settings, "rank 0")
        trainer, notes = _prepare(store, config, out, where, resume, fork, ranks)
        with enough_memory(out, trainer.kept):
            return replace(trainer.fit(watchers, stop_at), notes=notes)


def _prepare(
    store: Store, config: Config, out: Path, device: torch.device, resume: bool, fork: Path | None, ranks: Ranks
) -> tuple[Trainer, tuple[str, ...]]:
    """A trainer that stands where training begins or goes on, and what had to be said of its settings."""
    origin = out if resume else fork
    if origin is not None:
        check_shape(origin, read_run_config(origin)[2], store)
    config, notes = fit_config(store, config, ranks.world)
    with enough_memory(out, lambda: "nothing was written"):
        trainer = Trainer(store, config, out, device, ranks)
    if resume:
        trainer.resume()
    elif ranks.is_first and (latest_step(out) is not None or (out / "config.json").exists()):
        raise CheckpointError(f"{out}: there is a run here already; use --resume to go on, or another --out")
    if fork is not None and not resume:
        trainer.load(fork, ignore="terms.")
    return trainer, notes + trainer.notes


def _kept(run: Path) -> str:
    """What is left if training cannot go on."""
    step = latest_step(run)
    return f"the checkpoint of step {step} is kept" if step is not None else "no checkpoint was written yet"


class Trainer:
    """State of one training: what a checkpoint must hold, and nothing else."""

    def __init__(self, store: Store, config: Config, out: Path, device: torch.device, ranks: Ranks = ALONE) -> None:
        self.config, self.out, self.device, self.ranks = config, out, device, ranks
        self.shape = Shape.of_store(store)
        self.store = {"path": str(store.path), "name": store.name, "clips": len(store)}
        if "upright" in store.meta["provenance"]:
            self.store["upright"] = store.meta["provenance"]["upright"]
        clips = store.part(config.data.split, config.data.part)
        self.seen = partial(seen_lines, store, clips)
        self.former: Path | None = None  # the run that this one goes on from
        window = Window.load(store, clips, config.data, device)
        self.method = own_copy(fresh_method(config, self.shape), ranks, device)
        self.batches = Batches(window, config, self.method.further_views(), ranks)
        named = self.method.query_parameters()
        self.names = [name for name, _ in named]
        is_captured, self.notes = fit_capture(config, device, ranks)
        self.optimizer = build_optimizer(config.optimizer, named, is_captured)
        # Gradients in float16 would fall below its smallest number; with any other precision this does nothing.
        self.scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "float16")
        self.method_generator = torch.Generator(device).manual_seed(seed_of(config.seed, METHOD))
        averaging = GradientMean(named, ranks)
        work = Step(self.batches, self.method, self.optimizer, self.scaler, averaging, config.optimizer)
        self.work: Step | CapturedStep = work
        if is_captured:
            graphs = CudaGraphs(device, (self.batches.generator, self.method_generator))
            self.work = CapturedStep(work, self.method.phase, graphs)
        self.step = 0
        self.stop = Stop(ranks)

    def fit(self, watchers: tuple[Watcher, ...] = (), stop_at: int | None = None) -> Summary:
        """Run until the last step, `stop_at`, a signal, or a loss that is not finite."""
        config = self.config
        last = min(config.steps, stop_at or config.steps)
        if self.ranks.is_first:
            write_json(self.out / "config.json", self._about())
            write_lines(self.out, self.seen(), self.former)
        journal = Journal(self.out, self.step, watchers, self.ranks)
        begun, first = time.perf_counter(), self.step
        log, stopping = Log(config.batch_size, self.ranks), False
        try:
            with self.stop.listening(), journal.writing(self.step, last), self.batches.coming(self.step, last):
                while self.step < last and not stopping:
                    self.stop.ask()
                    log.add(self.take_step())
                    stopping = self.stop.is_decided()
                    saves = self.step % config.checkpoint_every == 0 or self.step == last or stopping
                    if self.step % config.log_every == 0 or saves:
                        row = {"step": self.step, **log.row(), "learning_rate": self._rate(self.step - 1)}
                        row["seconds"] = round(time.perf_counter() - begun, 3)
                        self._check_finite(row)
                        journal.write(row)
                    if saves:
                        self.save()
        except OSError as error:
            raise TrainingError(f"{self.out}: cannot be written ({error.strerror or error}); {self.kept()}") from error
        except RuntimeError:
            self._check_weights()
            raise
        seconds = time.perf_counter() - begun
        summary = Summary(
            run=str(self.out),
            steps=self.step,
            clips_per_second=round((self.step - first) * config.batch_size / max(seconds, 1e-9), 1),
            loss=journal.loss,
            seconds=round(seconds, 1),
            interrupted=stopping and self.step < last,
        )
        if self.step > first and self.ranks.is_first:  # a finished run that is asked to go on keeps its outcome
            write_json(self.out / "run.json", asdict(summary) | {"finished": self.step >= config.steps})
            write_card(self.out)
        self.ranks.meet()  # a rank that left while the first still writes would be taken for lost
        return summary

    def take_step(self) -> dict[str, Tensor]:
        """One batch: two views, forward, backward, optimizer, then the method's own state.

        Returns:
            What is worth logging; if steps are captured, the next one overwrites it.
        """
        self._follow_step()
        moment = self._moment()
        set_rate(self.optimizer, self._rate(self.step))
        values = self.work(self.batches.given(self.step), moment)
        self.method.move_terms(moment, self.config.batch_size)
        self.step += 1
        return values

    def _moment(self) -> Moment:
        samples = self.step * self.config.batch_size
        return Moment(self.step, self.config.steps, samples, self.method_generator, self.ranks)

    def _follow_step(self) -> None:
        """Draws of dropout follow from seed and step; with several ranks those of the method, too, alike on all."""
        seed, rank = self.config.seed, self.ranks.rank
        if not self.ranks.is_alone:
            self.method_generator.manual_seed(seed_of(seed, METHOD, self.step))
        if self.config.encoder.dropout:  # torch's dropout draws from its global state, which no checkpoint keeps
            torch.manual_seed(seed_of(seed, DROPOUT, rank, self.step))

    def save(self) -> None:
        """Write a checkpoint of this moment; all that a rank has is what the first one has."""
        if not self.ranks.is_first:
            return
        training = pack_optimizer(self.optimizer, self.names)
        training["generator/views"] = self.batches.generator.get_state()
        training["generator/method"] = self.method_generator.get_state()
        training |= {f"scaler/{name}": torch.tensor(value) for name, value in self.scaler.state_dict().items()}
        save_checkpoint(
            self.out,
            self.step,
            {"device": self.device.type, **self._about()},
            self.method.state_dict(),
            training,
            self.config.keep,
        )

    def load(self, run: Path, ignore: str = "") -> None:
        """Take over weights, optimizer, generators and step of a run's newest checkpoint."""
        checkpoint = load_checkpoint(run, self.ranks.told_by_first(latest_step(run)))
        load_weights(self.method, checkpoint.weights, checkpoint.path, ignore)
        unpack_optimizer(self.optimizer, self.names, checkpoint.training)
        scaler = {name: checkpoint.training.get(f"scaler/{name}") for name in self.scaler.state_dict()}
        known = {name: value.item() for name, value in scaler.items() if value is not None}
        if known:  # none where float16 goes on from another precision, or from an imported checkpoint
            self.scaler.load_state_dict(known)
        if checkpoint.about.get("device") == self.device.type:
            self.batches.generator.set_state(checkpoint.training["generator/views"])
            self.method_generator.set_state(checkpoint.training["generator/method"])
        self.former = run
        self.step = checkpoint.step
        if ignore:
            self.method.begin_terms(self._moment())

    def resume(self) -> None:
        """Go on in `out`, whose settings must be these."""
        _, config, shape = read_run_config(self.out)
        if shape != self.shape:
            raise CheckpointError(f"{self.out}: this run was trained on another layout; give the store it began with")
        ours, theirs = self.config.to_dict(), config.to_dict()
        changed = [key for key in ours if ours[key] != theirs[key]]
        if changed:
            raise CheckpointError(
                f"{self.out}: cannot resume with other settings ({', '.join(changed)} differ); "
                "resume without --recipe and --set, or start anew with another --out"
            )
        if self.ranks.told_by_first(latest_step(self.out)) is not None:
            self.load(self.out)

    def _rate(self, step: int) -> float:
        return learning_rate(self.config.optimizer, step, self.config.steps, self.config.batch_size)

    def _about(self) -> dict[str, Any]:
        return {
            "config": self.config.to_dict(),
            "shape": self.shape.to_dict(),
            "store": self.store,
            "versions": {"halpose": halpose.__version__, "torch": str(torch.__version__)},
        }

    def _check_finite(self, row: dict[str, float]) -> None:
        if math.isfinite(row["loss"]):
            return
        raise TrainingError(
            f"{self.out}: the loss is {row['loss']} at step {self.step} "
            f"({', '.join(f'{k} {v:.3g}' for k, v in row.items() if k not in ('step', 'seconds'))}); "
            f"{self.kept()}; {_TAMER}"
        )

    def _check_weights(self) -> None:
        """What torch stumbles over may be a loss that diverged since the last row."""
        for name, parameter in self.method.query_parameters():
            if not bool(torch.isfinite(parameter).all()):
                raise TrainingError(
                    f"{self.out}: {name} is no longer finite at step {self.step + 1}; {self.kept()}; {_TAMER}"
                )

    def kept(self) -> str:
        """What is left if training cannot go on."""
        return _kept(self.out)
