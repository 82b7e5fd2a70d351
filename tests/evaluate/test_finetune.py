from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from halpose.config import OptimizerConfig
from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.errors import ConfigError, DataError, TrainingError
from halpose.evaluate.base import Settings, TuningSettings, tuning_settings
from halpose.evaluate.finetune import Classifier, choose_rate, finetune, length_of, predict, tune
from halpose.evaluate.learner import Learner
from halpose.evaluate.run import evaluate_run
from halpose.evaluate.semi import semi

Runs = Callable[..., Run]
# The package gives these names to the functions in them.
finetune_module, semi_module = (importlib.import_module(f"halpose.evaluate.{name}") for name in ("finetune", "semi"))
QUICK = Settings(tuning=TuningSettings(steps=3, least_epochs=0, batch_size=16), shares=(0.1, 0.4), draws=2)


@pytest.fixture
def learner(runs: Runs, store: Store) -> Learner:
    run = runs("joint")
    return Learner(run.untrained, run.config, store, "x-sub", ("joint",))


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_tuning_learns_the_toy_classes(learner: Learner, store: Store) -> None:
    settings = replace(QUICK, tuning=TuningSettings(steps=50, least_epochs=0, batch_size=32))
    outcome = finetune(learner, "test", settings)
    truth = store.clips.label[store.part("x-sub", "test")]
    assert (outcome.predictions == truth).mean() > 0.7
    assert outcome.settings == {"optimizer": "adamw", "learning_rate": 1e-3, "steps": 50, "batch_size": 32}
    assert outcome.selected_on == "none"


def test_the_same_seed_gives_the_same_encoder_and_another_another(learner: Learner, store: Store) -> None:
    clips = learner.roles("test")[0]
    short = replace(QUICK, tuning=replace(QUICK.tuning, steps=4))
    state = torch.get_rng_state()
    a, b, c = (weights(tune(learner, clips, 1e-3, short, seed, "x")) for seed in (0, 0, 1))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["head.weight"], c["head.weight"])
    assert torch.equal(torch.get_rng_state(), state)  # nobody else's random numbers were used up


def test_what_is_tuned_is_the_query_encoder_and_the_head(runs: Runs, store: Store) -> None:
    run = runs("joint", "motion")
    learner = Learner(run.untrained, run.config, store, "x-sub", ("motion",))
    short = replace(QUICK, tuning=replace(QUICK.tuning, steps=3))
    before = weights(run.untrained())
    model = tune(learner, learner.roles("test")[0], 1e-3, short, 0, "x")
    changed = {name for name, value in weights(model.method).items() if not torch.equal(value, before[name])}
    encoder = {name for name in before if name.startswith("streams.motion.query.encoder.")}
    assert changed and changed <= encoder
    assert {name for name, _ in model.method.named_parameters()} & encoder == changed
    assert model.head.in_features == 2 * 8  # segments by width


def test_a_trained_run_is_not_changed_by_tuning(runs: Runs, store: Store) -> None:
    run = runs("joint")
    before = weights(run.method)
    short = replace(QUICK, tuning=replace(QUICK.tuning, steps=3))
    evaluate_run(run, store, protocols=["finetune"], kinds=["trained"], settings=short)
    assert all(torch.equal(value, before[name]) for name, value in weights(run.method).items())


def test_the_last_step_is_scored_and_no_test_label_is_read(
    learner: Learner, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = replace(QUICK, tuning=replace(QUICK.tuning, steps=6, learning_rates=(1e-2, 1e-3)))
    test = store.part("x-sub", "test")
    rolled = store.clips.label.copy()
    rolled[test] = np.roll(rolled[test], 1)
    lied = replace(learner, store=replace(store, clips=replace(store.clips, label=rolled)))
    honest, shuffled = finetune(learner, "test", short), finetune(lied, "test", short)
    np.testing.assert_array_equal(honest.predictions, shuffled.predictions)
    assert honest.settings == shuffled.settings
    # The test part is predicted once, after the last step.
    told: list[tuple[str, int]] = []
    real = predict

    def watched(model: Classifier, one: Learner, clips: np.ndarray) -> np.ndarray:
        told.append(("test" if np.array_equal(clips, test) else "validation", len(told)))
        return real(model, one, clips)

    monkeypatch.setattr(finetune_module, "predict", watched)
    finetune(learner, "test", short)
    assert [part for part, _ in told] == ["validation", "validation", "test"]


def test_the_rate_is_chosen_on_validation_with_clips_of_train(learner: Learner, store: Store) -> None:
    several = replace(QUICK, tuning=replace(QUICK.tuning, steps=12, learning_rates=(1e-7, 3e-3)))
    train = learner.roles("validation")[0]
    rate, tried = choose_rate(learner, train, several, "x")
    assert rate == 3e-3 and set(tried) == {"1e-07", "0.003"}
    model = tune(learner, train, 3e-3, several, 0, "x")
    validation = learner.roles("validation")[1]
    assert tried["0.003"] == (predict(model, learner, validation) == learner.labels(validation)).mean()
    outcome = finetune(learner, "validation", several)
    assert outcome.selected_on == "validation" and outcome.settings["learning_rate"] == 3e-3
    assert outcome.notes == ("the learning rate was chosen on the clips that are scored here",)


def test_steps_follow_from_epochs_or_have_a_floor() -> None:
    tuning = TuningSettings(steps=600, least_epochs=10, batch_size=64)
    assert length_of(tuning, 431) == (64, 600)
    assert length_of(tuning, 40_000) == (64, 6250)
    assert length_of(tuning, 27) == (27, 600)
    assert length_of(replace(tuning, epochs=2.5), 640) == (64, 25)
    assert length_of(replace(tuning, epochs=0.001), 640) == (64, 1)


def test_a_rate_that_diverges_is_named(learner: Learner) -> None:
    wild = replace(
        QUICK, tuning=TuningSettings((1e30,), OptimizerConfig(name="sgd", warmup=0), steps=4, least_epochs=0)
    )
    with pytest.raises(TrainingError, match="try a lower learning rate than 1e"):
        finetune(learner, "test", wild)


def test_untrained_is_training_from_scratch_with_the_same_steps(runs: Runs, store: Store) -> None:
    told: list[str] = []
    results = evaluate_run(
        runs("joint"),
        store,
        protocols=["finetune", "semi"],
        kinds=["trained", "untrained"],
        settings=QUICK,
        progress=lambda what, done, total: told.append(what),
    )
    assert [(result.features, result.protocol, result.variant) for result in results] == [
        (kind, protocol, variant)
        for kind in ("trained", "untrained")
        for protocol, variant in (("finetune", ""), ("semi", "10 %"), ("semi", "40 %"))
    ]
    for first, second in zip(results[:3], results[3:], strict=True):
        assert first.settings == second.settings and first.confusion != second.confusion
    assert all(result.seconds > 0 for result in results)
    assert "trained finetune" in told and "untrained semi 40 %, draw 2 of 2" in told


def test_semi_tunes_on_the_drawn_clips_alone(learner: Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[np.ndarray] = []
    real = tune

    def watched(one: Learner, clips: np.ndarray, *rest: object) -> Classifier:
        drawn.append(clips)
        return real(one, clips, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(semi_module, "tune", watched)
    few = replace(QUICK, tuning=replace(QUICK.tuning, steps=2))
    for part in ("test", "validation"):
        drawn.clear()
        outcomes = semi(learner, part, few)  # type: ignore[arg-type]
        pool = learner.roles(part)[0]  # type: ignore[arg-type]
        assert [outcome.predictions.shape[0] for outcome in outcomes] == [2, 2]
        assert all(np.isin(clips, pool).all() for clips in drawn)
        assert [len(clips) for clips in drawn] == [outcome.settings["labelled"] for outcome in outcomes for _ in "12"]
        assert not np.array_equal(drawn[2], drawn[3])


def test_clips_without_a_label_are_neither_learned_nor_scored(learner: Learner, store: Store) -> None:
    label = store.clips.label.copy()
    hidden = [int(store.part("x-sub", part)[0]) for part in ("train", "validation", "test")]
    label[hidden] = -1
    some = replace(learner, store=replace(store, clips=replace(store.clips, label=label)))
    for part in ("test", "validation"):
        for clips in some.roles(part):  # type: ignore[arg-type]
            assert len(clips) and not np.isin(clips, hidden).any()


def test_what_cannot_be_tuned_is_refused(learner: Learner, runs: Runs, store: Store) -> None:
    one = learner.roles("test")[0]
    one = one[learner.labels(one) == 2]
    with pytest.raises(DataError, match="tuning needs at least two classes"):
        tune(learner, one, 1e-3, QUICK, 0, "x")
    with pytest.raises(ConfigError, match="several runs cannot be tuned as one"):
        evaluate_run([runs("joint", name="a"), runs("joint", name="b")], store, protocols=["finetune"])
    for wrong in ({"learning_rates": ()}, {"learning_rates": (-1.0,)}, {"epochs": -1.0}, {"steps": 0}):
        with pytest.raises(ConfigError):
            TuningSettings(**wrong)  # type: ignore[arg-type]


def test_the_papers_optimizer_is_a_word_away() -> None:
    assert tuning_settings("sgd").learning_rates == (1e-2,)
    assert tuning_settings("sgd").optimizer.name == "sgd"
    assert tuning_settings("sgd", 3, (0.1, 0.2)).learning_rates == (0.1, 0.2)
    assert tuning_settings().optimizer.name == "adamw"
