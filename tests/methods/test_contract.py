"""Every method with every encoder: forward, backward, who gets a gradient, saving and loading, determinism."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from halpose.config import AimclrConfig, Config, ContrastConfig, CrosclrConfig, EncoderConfig, HalpConfig
from halpose.encoders import ENCODERS
from halpose.engine.run import Shape, fresh_method
from halpose.errors import ConfigError
from halpose.methods import METHODS, Method
from halpose.methods.base import Moment, Output
from halpose.settings import override
from halpose.skeleton import load_layout
from small import SMALL

BASE = Config(
    streams=("joint", "motion", "bone"),
    encoder=EncoderConfig(width=16, layers=2, segments=4, heads=2),
    contrast=ContrastConfig(embedding=8, queue=24),
    halp=HalpConfig(start=0.0, newest=16, prototypes=4, positives=10),
    crosclr=CrosclrConfig(mine_after=0.0),
    aimclr=AimclrConfig(mine_after=0.0),
)
# For what is trained twice with every pair of method and encoder. After three steps its prototypes were made anew, and
# its queue's cursor is not where it began: 20 is no multiple of a batch.
TWICE = replace(
    BASE,
    streams=("joint", "motion"),
    encoder=SMALL.encoder,
    contrast=replace(BASE.contrast, queue=20),
    halp=replace(BASE.halp, refresh=1),
)


def build(method: str, encoder: str, people: int = 1, channels: int = 3, base: Config = BASE) -> Method:
    config = replace(base, method=method, encoder=replace(base.encoder, name=encoder))
    return fresh_method(config, Shape(load_layout("kinect20"), people, channels)).train()


def step(method: Method, number: int, people: int = 1, channels: int = 3) -> Output:
    """One step of plain gradient descent on views that depend on the number alone."""
    generator = torch.Generator().manual_seed(number)
    names = ("query", "key", *method.further_views())
    x = torch.randn(len(names), 8, people, 12, 20, channels, generator=generator)
    clips = torch.arange(8) + 8 * (number % 2)
    moment = Moment(number, 100, number * 8, generator)
    output: Output = method(dict(zip(names, x, strict=True)), clips, moment)
    method.zero_grad()
    output.loss.backward()
    with torch.no_grad():
        for _, parameter in method.query_parameters():
            parameter.sub_(0.01 * parameter.grad)
    method.after_step(output, clips, moment)
    return output


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize(("people", "channels"), [(1, 3), (2, 3), (1, 2)])
def test_every_method_with_every_encoder(method: str, encoder: str, people: int, channels: int) -> None:
    built = build(method, encoder, people, channels)
    for number in range(4):
        output = step(built, number, people, channels)
    assert output.loss.isfinite()
    assert {"accuracy", "loss"} <= set(output.values)
    assert {term.name for term in built.terms} <= set(output.values)
    for name, parameter in built.named_parameters():
        if ".query." in name:
            assert parameter.grad is not None and parameter.grad.abs().max() > 0, name
        else:
            assert not parameter.requires_grad and parameter.grad is None, name
    features = built.eval().features(torch.randn(2, people, 12, 20, channels))
    assert features.shape[0] == 2 and features.isfinite().all()


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("halp_cmd", {"halp": {"prototypes_from": "carried"}}),
        ("halp_cmd", {"halp": {"prototypes_from": "direct", "estimator": "sampled"}}),
        ("halp", {"halp": {"toward": "query", "estimator": "sampled"}}),
        ("halp", {"halp": {"toward": "own", "placement": "inside"}}),
        ("halp_simclr", {"halp": {"placement": "inside", "refresh": 1}}),
        ("halp", {"halp": {"nearest": 2, "rejected": "negatives", "placement": "inside", "estimator": "sampled"}}),
        ("halp", {"halp": {"nearest": 1, "estimator": "exact", "select": "all"}}),
        ("halp_cmd", {"halp": {"nearest": 2, "rejected": "negatives", "placement": "inside", "follow": "contrast"}}),
        ("pull", {"halp": {"follow": "contrast"}}),
        ("cmd", {"streams": ["joint+bone", "motion"]}),
        ("isc", {"streams": ["joint:gru", "joint:stgcn", "joint:hcn"]}),
        ("crosclr_b", {"crosclr": {"mine_after": 1.0}}),
        ("crosclr_b", {"crosclr": {"context": False, "mined": 3}}),
        ("aimclr", {"aimclr": {"mine_after": 1.0}}),
        ("halp_barlow", {"halp": {"placement": "inside", "refresh": 1, "rejected": "negatives"}}),
        ("multicrop", {"multicrop": {"views": 1}}),
    ],
)
def test_every_variant(method: str, changes: dict[str, object]) -> None:
    built = fresh_method(override(replace(BASE, method=method), changes), Shape(load_layout("kinect20"), 1, 3)).train()
    for number in range(4):
        output = step(built, number)
    assert output.loss.isfinite()
    for name, parameter in built.query_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def assert_same_state(first: Method, second: Method) -> None:
    for (name, a), b in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_save_load_step_is_identical(method: str, encoder: str) -> None:
    first = build(method, encoder, base=TWICE)
    for number in range(3):
        step(first, number)
    # Of another seed: whatever the first has become must come with its state.
    second = build(method, encoder, base=replace(TWICE, seed=1))
    second.load_state_dict({name: value.clone() for name, value in first.state_dict().items()})
    for number in range(3, 5):
        a, b = step(first, number), step(second, number)
        assert torch.equal(a.loss, b.loss)
    assert_same_state(first, second)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_same_seed_same_training(method: str, encoder: str) -> None:
    first, second = build(method, encoder, base=TWICE), build(method, encoder, base=TWICE)
    for number in range(3):
        step(first, number)
        step(second, number)
    assert_same_state(first, second)


def test_negatives_are_the_queue_before_the_step_and_own_keys_are_left_out() -> None:
    method = build("moco", "transformer")
    step(method, 0)
    stream = method.stream_table()["joint"]
    before = stream.queue.keys.clone()
    generator = torch.Generator().manual_seed(9)
    x = torch.randn(2, 8, 1, 12, 20, 3, generator=generator)
    output = stream(x[0], x[1], torch.arange(8))
    assert torch.equal(stream.queue.keys, before)
    own = stream.queue.clips[None] == torch.arange(8)[:, None]
    assert own.sum() == 8
    assert output.negatives[own].eq(-torch.inf).all() and output.negatives[~own].isfinite().all()
    stream.mask_own = False
    assert stream(x[0], x[1], torch.arange(8)).negatives.isfinite().all()


def test_streams_see_their_modality() -> None:
    method = build("moco", "transformer")
    x = torch.randn(2, 1, 12, 20, 3)
    assert torch.equal(method.form(x, "joint"), x)
    moved = method.form(x, "motion")
    torch.testing.assert_close(moved[:, :, 3], x[:, :, 4] - x[:, :, 3])
    assert moved[:, :, -1].abs().max() == 0
    layout = load_layout("kinect20")
    bones = method.form(x, "bone")
    assert torch.equal(method.form(x, "joint", "motion", "bone"), torch.cat([x, moved, bones], dim=-1))
    for child, parent in enumerate(layout.parents):
        torch.testing.assert_close(bones[:, :, :, child], x[:, :, :, child] - x[:, :, :, parent])


def test_pull_is_halp_with_the_real_key() -> None:
    built = build("pull", "transformer")
    for number in range(4):
        output = step(built, number)
    assert output.values["loss"].item() == pytest.approx(
        output.values["infonce"].item() + output.values["pull"].item(), rel=1e-5
    )


def test_same_seed_same_weights_and_global_state_untouched() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, second = build("moco", "gru"), build("moco", "gru")
    assert torch.equal(torch.rand(3), expected)
    assert_same_state(first, second)


def test_unknown_names_are_refused() -> None:
    shape = Shape(load_layout("kinect20"), 1, 3)
    with pytest.raises(ConfigError, match="method is 'byol'; there are: moco, halp, pull, cmd, halp_cmd"):
        fresh_method(replace(BASE, method="byol"), shape)
    with pytest.raises(ConfigError, match="'angle' is no modality"):
        fresh_method(replace(BASE, streams=("angle",)), shape)
