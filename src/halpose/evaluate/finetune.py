"""Fine-tuning: the whole encoder and a linear head are trained with labels."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from halpose.data.views import random_view
from halpose.data.window import Window
from halpose.engine.schedule import build_optimizer, learning_rate
from halpose.errors import DataError, TrainingError
from halpose.evaluate.base import Outcome, Part, Settings, TuningSettings
from halpose.evaluate.features import fixed_views
from halpose.evaluate.learner import Learner
from halpose.methods.base import Method

_TELL_EVERY = 5  # steps


class Classifier(nn.Module):
    """The encoders of a method under one linear layer.

    Features are standardised by a BatchNorm without parameters, so that one learning rate suits encoders of any scale.

    Args:
        method: whose query encoders are used.
        streams: of which streams, side by side.
        classes: (K,) class index of each output.
    """

    classes: Tensor

    def __init__(self, method: Method, streams: tuple[str, ...], classes: Int[np.ndarray, " k"]) -> None:
        super().__init__()
        self.method = method
        self.streams = streams
        self.register_buffer("classes", torch.from_numpy(classes))
        width = sum(method.stream_table()[name].query.encoder.feature_dim for name in streams)
        self.norm = nn.BatchNorm1d(width, affine=False)
        self.head = nn.Linear(width, len(classes))

    def forward(self, x: Float[Tensor, "n m t v c"]) -> Float[Tensor, "n k"]:
        """Scores of the classes."""
        scores: Tensor = self.head(self.norm(self.method.features(x, self.streams)))
        return scores

    def trained(self) -> list[tuple[str, nn.Parameter]]:
        """What is trained: the encoders of the streams, and the head."""
        table = self.method.stream_table()
        encoders = [item for name in self.streams for item in table[name].query.encoder.named_parameters(prefix=name)]
        return [*encoders, *self.head.named_parameters(prefix="head")]


def tune(
    learner: Learner, clips: Int[np.ndarray, " n"], rate: float, settings: Settings, seed: int, what: str
) -> Classifier:
    """Train an encoder with labels, for a number of steps that is known before.

    A step sees one random view of each clip of its batch, as pre-training draws them. Every epoch is a permutation;
    nothing is stopped early and nothing is kept but the last step.

    Args:
        learner: where it begins.
        clips: labelled clips of the learner's store.
        rate: the learning rate.
        settings: `settings.tuning` says the rest.
        seed: of the head, the order and the views.
        what: name of this training, for the progress.

    Raises:
        DataError: all clips are of one class.
        TrainingError: the loss is not finite.
    """
    tuning = settings.tuning
    classes, targets = np.unique(learner.labels(clips), return_inverse=True)
    if len(classes) < 2:
        raise DataError(f"{len(clips)} labelled clips of {len(classes)} class; tuning needs at least two classes")
    window = Window.load(learner.store, clips, learner.config.data, learner.device)
    labels = torch.from_numpy(targets).to(learner.device)
    batch, steps = length_of(tuning, len(clips))
    optimizer_config = replace(
        tuning.optimizer, learning_rate=rate, warmup=min(tuning.optimizer.warmup, max(1, steps // 10))
    )
    views = torch.Generator(learner.device).manual_seed(seed)
    order = torch.Generator().manual_seed(seed)
    # The head and dropout draw from torch's global state; it is borrowed and given back.
    with torch.random.fork_rng(devices=[learner.device] if torch.device(learner.device).type == "cuda" else []):
        torch.manual_seed(seed)
        model = Classifier(learner.start(), learner.streams, classes).to(learner.device).train()
        optimizer = build_optimizer(optimizer_config, model.trained())
        loss, shuffled = torch.zeros(()), torch.zeros(0)
        for step in range(steps):
            position = step % (len(clips) // batch)
            if not position:
                shuffled = torch.randperm(len(clips), generator=order).to(learner.device)
            chosen = shuffled[position * batch : (position + 1) * batch]
            view = random_view(window, chosen, learner.config.data.frames, learner.config.views, views)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(optimizer_config, step, steps)
            loss = nn.functional.cross_entropy(model(view), labels[chosen])
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            if optimizer_config.clip_norm:
                nn.utils.clip_grad_norm_([value for _, value in model.trained()], optimizer_config.clip_norm)
            optimizer.step()
            if (step + 1) % _TELL_EVERY == 0 or step + 1 == steps:
                learner.progress(what, step + 1, steps)
    if not math.isfinite(loss.item()):
        raise TrainingError(f"{what}: the loss is {loss.item()}; try a lower learning rate than {rate:g}")
    return model.eval()


def length_of(tuning: TuningSettings, clips: int) -> tuple[int, int]:
    """Batch size and steps of a training on so many clips."""
    batch = min(tuning.batch_size, clips)
    epoch = clips // batch
    if tuning.epochs:
        return batch, max(1, math.ceil(tuning.epochs * epoch))
    return batch, max(tuning.steps, tuning.least_epochs * epoch)


@torch.no_grad()
def predict(model: Classifier, learner: Learner, clips: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Most probable class of each clip, from the fixed view of evaluation."""
    model.eval()
    with closing(fixed_views(learner.store, clips, learner.config.data, learner.device)) as views:
        return np.concatenate([model.classes[model(view).argmax(dim=1)].cpu().numpy() for view in views])


def choose_rate(
    learner: Learner, clips: Int[np.ndarray, " n"], settings: Settings, what: str
) -> tuple[float, dict[str, float]]:
    """The learning rate that is best on the validation part, tried on clips of train; one rate is taken as it is.

    Args:
        learner: where it begins.
        clips: of the train part.
        settings: `settings.tuning.learning_rates`.
        what: name of this training, for the progress.

    Returns:
        The rate, and the validation accuracy of each (empty where there was no choice).

    Raises:
        DataError: the validation part is empty.
    """
    rates = settings.tuning.learning_rates
    if len(rates) == 1:
        return rates[0], {}
    validation = learner.roles("validation")[1]
    if not len(validation):
        raise DataError(
            "the validation part has no labelled clip, so the learning rate cannot be chosen; give one learning rate"
        )
    tried = {}
    for rate in rates:
        model = tune(learner, clips, rate, settings, settings.seed, f"{what}, choosing the rate")
        found = predict(model, learner, validation)
        tried[f"{rate:g}"] = float((found == learner.labels(validation)).mean())
    return max(rates, key=lambda rate: tried[f"{rate:g}"]), tried


def about_tuning(tuning: TuningSettings, rate: float, tried: dict[str, float], clips: int) -> dict[str, object]:
    """What was set and chosen, for a result."""
    batch, steps = length_of(tuning, clips)
    known = {"optimizer": tuning.optimizer.name, "learning_rate": rate, "steps": steps, "batch_size": batch}
    return known | ({"validation_by_learning_rate": tried} if tried else {})


def finetune(learner: Learner, part: Part, settings: Settings) -> Outcome:
    """The whole encoder and a linear head, trained with all labels; the last step is scored.

    For an untrained encoder this is supervised training from scratch with the same views, steps and rate: what
    pre-training brought is the difference.

    Reference:
        HaLP, section 4.4; CMD, section 4.
    """
    learned, scored = learner.roles(part)
    rate, tried = choose_rate(learner, learner.roles("validation")[0], settings, "finetune")
    model = tune(learner, learned, rate, settings, settings.seed, "finetune")
    chosen_here = ("the learning rate was chosen on the clips that are scored here",)
    return Outcome(
        predictions=predict(model, learner, scored),
        settings=about_tuning(settings.tuning, rate, tried, len(learned)),
        selected_on="validation" if tried else "none",
        notes=chosen_here if tried and part == "validation" else (),
    )
