"""The only training loop. It knows nothing of any method's inside."""

from __future__ import annotations

import contextlib
import json
import math
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch
from torch import Tensor

import halpose
from halpose.config import Config, ViewConfig
from halpose.data.store import Store
from halpose.data.views import random_view
from halpose.data.window import Window, resolve_data
from halpose.engine.checkpoint import (
    latest_step,
    load_checkpoint,
    pack_optimizer,
    save_checkpoint,
    unpack_optimizer,
    write_json,
)
from halpose.engine.metrics import Log, keep_rows
from halpose.engine.run import Shape, check_shape, fresh_method, load_weights, read_run_config
from halpose.engine.schedule import build_optimizer, learning_rate
from halpose.engine.seen import read_lines, seen_lines, write_lines
from halpose.errors import CheckpointError, ConfigError, DataError, TrainingError
from halpose.methods.base import Moment

# Streams of random numbers that must not disturb each other: two methods see the same views under one seed.
_VIEWS, _METHOD, _ORDER = 1, 2, 3
# Rows whose mean loss is a training's outcome.
_RECENT = 5
_TAMER = "try a lower optimizer.learning_rate, or optimizer.clip_norm=1"


class Watcher(Protocol):
    """What is told about a training while it runs (progress bar, trackers)."""

    def begin(self, step: int, steps: int) -> None:
        """Training starts at `step`."""

    def row(self, values: dict[str, float]) -> None:
        """A row was logged."""

    def end(self) -> None:
        """Training ends, for whatever reason."""


@dataclass(frozen=True)
class Summary:
    """What a training came to.

    Attributes:
        run: the run directory.
        steps: steps taken in all.
        clips_per_second: clips seen per second (each in two views), over this call, after the first steps.
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

    Raises:
        ConfigError: the settings do not fit the data or each other.
        CheckpointError: `out` holds a run, or holds none to resume, or it is of other settings.
        TrainingError: the loss is no longer finite, or memory or disk are full; the last good checkpoint is kept.
    """
    origin = out if resume else fork
    if origin is not None:
        check_shape(origin, read_run_config(origin)[2], store)
    config, notes = fit_config(store, config)
    where = resolve_device(device)
    with _enough_memory(out, lambda: "nothing was written"):
        trainer = Trainer(store, config, out, where)
    if resume:
        trainer.resume()
    elif latest_step(out) is not None or (out / "config.json").exists():
        raise CheckpointError(f"{out}: there is a run here already; use --resume to go on, or another --out")
    if fork is not None and not resume:
        trainer.load(fork, ignore="terms.")
    with _enough_memory(out, trainer.kept):
        return replace(trainer.fit(watchers, stop_at), notes=notes)


def fit_config(store: Store, config: Config) -> tuple[Config, tuple[str, ...]]:
    """Resolve what depends on the data: the split, steps from epochs, a batch no larger than the data.

    Returns:
        The settings as they will be used, and a sentence for each that had to change.
    """
    notes = []
    data = resolve_data(store, config.data)
    config = replace(config, data=data)
    clips = len(store.part(data.split, data.part))
    if clips < 2:
        raise DataError(
            f"{store.path}: {clips} clips in part {data.part!r} of split {data.split!r}; contrast needs at least 2"
        )
    if config.batch_size > clips:
        notes.append(f"batch_size lowered from {config.batch_size} to {clips}, the number of clips")
        config = replace(config, batch_size=clips)
    if config.epochs:
        steps = max(1, math.ceil(config.epochs * (clips // config.batch_size)))
        config = replace(config, steps=steps, epochs=0.0)
    return config, tuple(notes)


@contextlib.contextmanager
def _enough_memory(out: Path, kept: Callable[[], str]) -> Iterator[None]:
    """Say what takes less where memory runs out; torch tells it in a RuntimeError among others."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        first = str(error).partition("\n")[0]
        raise TrainingError(
            f"{out}: not enough memory ({first:.160}); {kept()}; "
            "try a smaller batch_size, data.frames, contrast.queue or encoder.width"
        ) from error


def resolve_device(name: str) -> torch.device:
    """auto: CUDA where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"--device {name}: no such device; use auto, cpu, cuda or cuda:0")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        found = f"{torch.cuda.device_count()} CUDA devices" if torch.cuda.is_available() else "no CUDA device"
        raise ConfigError(f"--device {name}: torch {torch.__version__} sees {found} here; use --device cpu")
    return device


class Trainer:
    """State of one training: what a checkpoint must hold, and nothing else."""

    def __init__(self, store: Store, config: Config, out: Path, device: torch.device) -> None:
        self.config, self.out, self.device = config, out, device
        self.shape = Shape.of_store(store)
        self.store = {"path": str(store.path), "name": store.name, "clips": len(store)}
        clips = store.part(config.data.split, config.data.part)
        self.seen = seen_lines(store, clips)
        self.window = Window.load(store, clips, config.data, device)
        self.method = fresh_method(config, self.shape).to(device).train()
        named = self.method.query_parameters()
        self.names = [name for name, _ in named]
        self.optimizer = build_optimizer(config.optimizer, named)
        self.view_generator = self._generator(_VIEWS)
        self.method_generator = self._generator(_METHOD)
        self.step = 0
        self.stop_requested = False

    def fit(self, watchers: tuple[Watcher, ...] = (), stop_at: int | None = None) -> Summary:
        """Run until the last step, `stop_at`, a signal, or a loss that is not finite."""
        config = self.config
        last = min(config.steps, stop_at or config.steps)
        write_json(self.out / "config.json", self._about())
        write_lines(self.out, self.seen)
        metrics = self.out / "metrics.jsonl"
        recent = keep_rows(metrics, self.step)[-_RECENT:]
        for watcher in watchers:
            watcher.begin(self.step, last)
        begun, first = time.perf_counter(), self.step
        log, stopping = Log(config.batch_size), False
        try:
            with self._signals(), metrics.open("a", encoding="utf-8") as file:
                while self.step < last and not stopping:
                    log.add(self.take_step())
                    stopping = self.stop_requested  # asked once: a signal that comes later finds its step saved, too
                    saves = self.step % config.checkpoint_every == 0 or self.step == last or stopping
                    if self.step % config.log_every == 0 or saves:
                        row = {"step": self.step, **log.row(), "learning_rate": self._rate(self.step - 1)}
                        row["seconds"] = round(time.perf_counter() - begun, 3)
                        self._check_finite(row)
                        file.write(json.dumps(row) + "\n")
                        file.flush()
                        recent = [*recent, row["loss"]][-_RECENT:]
                        for watcher in watchers:
                            watcher.row(row)
                    if saves:
                        self.save()
        except OSError as error:
            raise TrainingError(f"{self.out}: cannot be written ({error.strerror or error}); {self.kept()}") from error
        except RuntimeError:
            self._check_weights()
            raise
        finally:
            for watcher in watchers:
                watcher.end()
        seconds = time.perf_counter() - begun
        summary = Summary(
            run=str(self.out),
            steps=self.step,
            clips_per_second=round((self.step - first) * config.batch_size / max(seconds, 1e-9), 1),
            loss=sum(recent) / len(recent) if recent else math.nan,
            seconds=round(seconds, 1),
            interrupted=stopping and self.step < last,
        )
        if self.step > first:  # a finished run that is asked to go on keeps its outcome
            write_json(self.out / "run.json", asdict(summary) | {"finished": self.step >= config.steps})
        return summary

    def take_step(self) -> dict[str, Tensor]:
        """One batch: two views, forward, backward, optimizer, then the method's own state."""
        chosen = self.batch(self.step)
        moment = self._moment()
        query_view, key_view = self._view(chosen.repeat(2), self.config.views).chunk(2)
        views = {"query": query_view, "key": key_view}
        views |= {name: self._view(chosen, settings) for name, settings in self.method.further_views().items()}
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate(self.step)
        output = self.method(views, chosen, moment)
        self.optimizer.zero_grad(set_to_none=True)
        output.loss.backward()
        if self.config.optimizer.clip_norm:
            parameters = [parameter for _, parameter in self.method.query_parameters()]
            torch.nn.utils.clip_grad_norm_(parameters, self.config.optimizer.clip_norm)
        self.optimizer.step()
        self.method.after_step(output, chosen, moment)
        self.step += 1
        values: dict[str, Tensor] = output.values
        return values

    def _moment(self) -> Moment:
        return Moment(self.step, self.config.steps, self.step * self.config.batch_size, self.method_generator)

    def _view(self, chosen: Tensor, settings: ViewConfig) -> Tensor:
        return random_view(self.window, chosen, self.config.data.frames, settings, self.view_generator)

    def batch(self, step: int) -> Tensor:
        """Clips of a step: every epoch is a permutation that depends on the seed and the epoch alone."""
        size, clips = self.config.batch_size, len(self.window)
        epoch, position = divmod(step, clips // size)
        generator = torch.Generator().manual_seed(_seed(self.config.seed, _ORDER, epoch))
        order = torch.randperm(clips, generator=generator)
        return order[position * size : (position + 1) * size].to(self.device)

    def save(self) -> Path:
        """Write a checkpoint of this moment."""
        training = pack_optimizer(self.optimizer, self.names)
        training["generator/views"] = self.view_generator.get_state()
        training["generator/method"] = self.method_generator.get_state()
        return save_checkpoint(
            self.out,
            self.step,
            {"device": self.device.type, **self._about()},
            self.method.state_dict(),
            training,
            self.config.keep,
        )

    def load(self, run: Path, ignore: str = "") -> None:
        """Take over weights, optimizer, generators and step of a run's newest checkpoint."""
        checkpoint = load_checkpoint(run)
        load_weights(self.method, checkpoint.weights, checkpoint.path, ignore)
        unpack_optimizer(self.optimizer, self.names, checkpoint.training)
        if checkpoint.about.get("device") == self.device.type:
            self.view_generator.set_state(checkpoint.training["generator/views"])
            self.method_generator.set_state(checkpoint.training["generator/method"])
        self.seen = list(dict.fromkeys((*read_lines(run), *self.seen)))
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
        if latest_step(self.out) is not None:
            self.load(self.out)

    def _rate(self, step: int) -> float:
        return learning_rate(self.config.optimizer, step, self.config.steps)

    def _generator(self, purpose: int) -> torch.Generator:
        return torch.Generator(self.device).manual_seed(_seed(self.config.seed, purpose))

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
        step = latest_step(self.out)
        return f"the checkpoint of step {step} is kept" if step is not None else "no checkpoint was written yet"

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM end the loop after the running step, with a checkpoint."""

        def stop(number: int, frame: FrameType | None) -> None:
            self.stop_requested = True

        previous = {}
        # Only the main thread may set handlers; elsewhere the caller stops the training its own way.
        with contextlib.suppress(ValueError):
            for number in (signal.SIGINT, signal.SIGTERM):
                previous[number] = signal.signal(number, stop)
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def _seed(*parts: int) -> int:
    """One seed from several numbers, far from those of their neighbours (splitmix64)."""
    state = 0
    for part in parts:
        state = (state + part + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state >> 1
