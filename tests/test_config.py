"""Settings: layers, names and their errors; every recipe loads and says what the paper and the code say."""

from __future__ import annotations

import json

import pytest

from halpose.config import Config
from halpose.errors import ConfigError
from halpose.settings import known_keys, load_recipe, override, override_text, recipe_names


def test_overrides_by_full_and_short_key() -> None:
    config = override_text(Config(), ("steps=100", "halp.weight=2", "hardness=0.4", "views.crop=0.2,0.9"))
    assert (config.steps, config.halp.weight, config.halp.hardness) == (100, 2.0, 0.4)
    assert config.views.crop == (0.2, 0.9)
    assert override_text(config, ("streams=joint,motion",)).streams == ("joint", "motion")
    assert override_text(config, ("mask_own=false",)).contrast.mask_own is False


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("batchsize=3", "no setting 'batchsize'; the nearest is 'batch_size'"),
        ("halp.hardnes=1", "the nearest is 'halp.hardness'"),
        ("momentum=0.9", "in several sections; write one of contrast.momentum, optimizer.momentum"),
        ("steps", "expected key=value"),
        ("steps=many", "is 'many'; expected int"),
        ("steps=0", "above zero"),
        ("halp.interval=both", "it may be 'paper', 'published'"),
        ("views.crop=0.5", "takes 2 values, but 1"),
        ("views.crop=0.9,0.5", "low <= high"),
        ("multicrop.crop=0.9,0.5", r"multicrop\.crop is \(0\.9, 0\.5\); expected 0 < low <= high"),
        ("hardness=1.5", r"lambda lies in \(0, 1\]"),
        ("halp=3", "'halp' is a section"),
        ("mask_own=1", "expected bool"),
    ],
)
def test_bad_settings_say_what_would_work(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        override_text(Config(), (assignment,))


def test_configuration_survives_json() -> None:
    config = override_text(Config(), ("views.crop=0.2,0.9", "streams=joint,bone", "seed=3"))
    assert override(Config(), json.loads(json.dumps(config.to_dict()))) == config


def test_unknown_key_in_a_table_names_the_file() -> None:
    with pytest.raises(ConfigError, match="mine.toml: there is no setting 'halp.lambda'"):
        override(Config(), {"halp": {"lambda": 1}}, "mine.toml")


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_loads(name: str) -> None:
    assert load_recipe(name) == override(Config(), load_recipe(name).to_dict())


def test_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'utd-mhad-halp'"):
        load_recipe("utd-halp")


def test_where_paper_and_published_code_differ() -> None:
    paper, published = load_recipe("ntu60-xsub-halp-paper"), load_recipe("ntu60-xsub-halp-published")
    for config in (paper, published):
        assert (config.encoder.name, config.encoder.width, config.encoder.layers) == ("gru", 1024, 3)
        assert config.encoder.pooling == "last" and config.encoder.input_norm
        contrast = config.contrast
        assert (contrast.temperature, contrast.momentum, contrast.queue, contrast.embedding) == (
            0.07,
            0.999,
            16384,
            128,
        )
        assert not contrast.mask_own and contrast.projector_width == 0
        halp = config.halp
        assert (halp.prototypes, halp.newest, halp.positives, halp.hardness) == (20, 256, 100, 0.8)
        assert halp.estimator == "sampled" and not halp.warm_start
        optimizer = config.optimizer
        assert (optimizer.name, optimizer.learning_rate, optimizer.momentum) == ("sgd", 0.01, 0.9)
        assert optimizer.weight_decay == 1e-4 and config.batch_size == 64 and config.data.frames == 64
        assert config.views.published and config.views.crop == (0.1, 1.0) and config.views.shear == 1.0
        assert (config.data.centre, config.data.align, config.data.scale) == ("frame", "first", "none")
    assert (paper.halp.interval, published.halp.interval) == ("paper", "published")
    assert (paper.halp.weight, published.halp.weight) == (1.0, 2.0)
    assert (paper.halp.refresh, published.halp.refresh) == (5, 10)
    assert (paper.halp.select, published.halp.select) == ("all", "others")
    assert (paper.halp.wait, published.halp.wait) == (0.0, 2.0)
    assert paper.halp.start == pytest.approx(200 / 450) and published.halp.start == pytest.approx(200 / 451)
    assert (paper.epochs, published.epochs) == (450, 451)
    assert published.optimizer.schedule == "step" and paper.optimizer.schedule == "step"
    pku = load_recipe("pkummd2-xsub-halp-published")
    assert pku.epochs == 1001 and pku.halp.weight == 1.0 and pku.halp.start == pytest.approx(500 / 1001)
    assert pku.optimizer.milestones == (pytest.approx(801 / 1001),)


def test_all_keys_are_documented_in_their_class() -> None:
    assert {"steps", "halp.hardness", "contrast.queue", "views.crop"} <= set(known_keys())
