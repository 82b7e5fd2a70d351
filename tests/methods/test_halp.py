"""HaLP: the published objective to the last digit, the estimators against each other, the options one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from golden_state import GOLDEN_CONFIG, golden_state
from halpose.engine.exchange import prototype_names
from halpose.engine.published import all_names, to_ours
from halpose.engine.run import Shape, fresh_method
from halpose.errors import ConfigError
from halpose.losses import weighted_contrast, weighted_pull
from halpose.methods.base import Method, Moment, StreamOutput
from halpose.methods.halp import HaLP
from halpose.parts.geodesic import Limits, hallucinate, keeps_rank, limits
from halpose.parts.positives import step_size
from halpose.skeleton import load_layout

GOLDEN = Path(__file__).parent.parent / "golden" / "halp_objective.npz"


def moment(step: int = 0, samples: int = 10_000) -> Moment:
    return Moment(step, 10, samples, torch.Generator().manual_seed(step))


def golden_method(golden: dict[str, np.ndarray]) -> Method:
    method = fresh_method(GOLDEN_CONFIG, Shape(load_layout("kinect25"), 2, 3)).train()
    state = method.state_dict()
    state |= to_ours(golden_state(golden), all_names(("joint",), 3, prototype_names(method)))
    method.load_state_dict(state)
    return method


def given_draws(golden: dict[str, np.ndarray], hardness: float) -> tuple[Tensor, Tensor]:
    """The draws of the published step, in the coordinates of `HaLP.draw`."""
    return torch.from_numpy(golden["choice_0"]), torch.from_numpy(golden["uniform_0"]).view(6, 7) / hardness


def test_published_objective(monkeypatch: pytest.MonkeyPatch) -> None:
    golden = dict(np.load(GOLDEN))
    method = golden_method(golden)
    chosen, uniform = given_draws(golden, GOLDEN_CONFIG.halp.hardness)
    order: dict[str, Tensor] = {}

    def draw(self: HaLP, limit: Limits, *of_ranks: object) -> tuple[Tensor, Tensor]:
        # The published code counts prototypes by rising similarity and leaves the last, nearest one out.
        rising = torch.argsort(torch.cos(limit.omega), dim=1)
        order["nearest"] = rising[:, -1]
        assert torch.equal(rising[:, -1], limit.nearest)
        return rising.gather(1, chosen), uniform

    monkeypatch.setattr(HaLP, "draw", draw)
    views = [torch.from_numpy(golden[name]).permute(0, 4, 2, 3, 1) for name in ("x_query", "x_key")]
    streams = method.stream_table()
    streams["joint"].move_key()  # the published step begins with it, ours ends with it
    output = method(dict(zip(("query", "key"), views, strict=True)), torch.arange(6), moment())
    assert output.values["infonce"].item() == pytest.approx(float(golden["loss_infonce"]), rel=1e-5)
    assert output.values["halp"].item() == pytest.approx(float(golden["loss_halp"]), rel=1e-5)
    assert output.loss.item() == pytest.approx(float(golden["loss_total"]), rel=1e-4)
    output.loss.backward()
    gradient = streams["joint"].query.encoder.first[0].weight_hh_l0.grad
    published = torch.from_numpy(golden["grad.encoder_q.encoder.gru.weight_hh_l0"])
    torch.testing.assert_close(gradient, published, atol=1e-6, rtol=1e-3)
    streams["joint"].queue.push(output.keys["joint"], torch.arange(6))
    torch.testing.assert_close(streams["joint"].queue.keys.T, torch.from_numpy(golden["queue_after"]))


def cloud(seed: int, batch: int = 64, dim: int = 16, prototypes: int = 8) -> tuple[StreamOutput, Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def unit(*shape: int) -> Tensor:
        values = torch.randn(*shape, generator=generator, dtype=torch.float64)
        return torch.nn.functional.normalize(values, dim=-1)

    centres = unit(prototypes, dim)
    nearby = centres[torch.randint(prototypes, (batch,), generator=generator)]
    key = torch.nn.functional.normalize(nearby + 0.7 * unit(batch, dim), dim=-1)
    query = torch.nn.functional.normalize(key + 0.5 * unit(batch, dim), dim=-1).requires_grad_()
    queue = unit(40, dim)
    return StreamOutput(query, key, (query * key).sum(1), query @ queue.T, queue), centres


def term(**options: object) -> HaLP:
    return HaLP(replace(GOLDEN_CONFIG, halp=replace(GOLDEN_CONFIG.halp, **options)))


def witness(output: StreamOutput, prototypes: Tensor, selected: Tensor, t: Tensor, inside: bool) -> Tensor:
    """The term with every hallucinated positive formed as a vector and filtered by argmax."""
    limit = limits(output.key @ prototypes.T, prototypes @ prototypes.T)
    points = hallucinate(output.key, prototypes, selected, t)
    kept = keeps_rank(points, prototypes, limit.nearest).double()
    similarity = (points * output.query[:, None]).sum(-1)
    if inside:
        return weighted_contrast(similarity, kept, output.negatives, 0.07)
    return weighted_pull(similarity, kept, 0.07)


@pytest.mark.parametrize("interval", ["paper", "published"])
@pytest.mark.parametrize("placement", ["beside", "inside"])
def test_sampled_term_equals_vectors_and_argmax(interval: str, placement: str) -> None:
    output, prototypes = cloud(0)
    halp = term(interval=interval, placement=placement, positives=50)
    limit = limits(output.key @ prototypes.T, prototypes @ prototypes.T)
    selected, uniform = halp.draw(limit, torch.Generator().manual_seed(5))
    assert (selected != limit.nearest[:, None]).all()
    t = step_size(uniform.double(), limit.pair.gather(1, selected), halp.config)
    loss, kept = halp.of_output(output, prototypes, torch.Generator().manual_seed(5))
    expected = witness(output, prototypes, selected, t, placement == "inside")
    torch.testing.assert_close(loss, expected)
    (ours,) = torch.autograd.grad(loss, output.query, retain_graph=True)
    (theirs,) = torch.autograd.grad(expected, output.query)
    torch.testing.assert_close(ours, theirs)
    assert 0.3 < kept < 1


@pytest.mark.parametrize("interval", ["paper", "published"])
@pytest.mark.parametrize("placement", ["beside", "inside"])
@pytest.mark.parametrize("select", ["others", "all"])
def test_sampled_tends_to_expected(interval: str, placement: str, select: str) -> None:
    output, prototypes = cloud(1, batch=16)
    options = {"interval": interval, "placement": placement, "select": select}
    expected, share = term(estimator="expected", **options).of_output(output, prototypes, torch.Generator())
    errors = []
    for positives in (200, 20_000):
        halp = term(positives=positives, **options)
        sampled, kept = halp.of_output(output, prototypes, torch.Generator().manual_seed(2))
        errors.append(abs(sampled.item() - expected.item()))
    assert errors[1] < 0.004 * abs(expected.item())
    assert errors[1] < 0.01
    # The weight of the arcs is the fraction that the filter keeps.
    assert share.item() == pytest.approx(kept.item(), abs=0.01)


def test_expected_gradient_is_the_mean_of_sampled_gradients() -> None:
    output, prototypes = cloud(3, batch=8)
    loss, _ = term(estimator="expected").of_output(output, prototypes, torch.Generator())
    (expected,) = torch.autograd.grad(loss, output.query, retain_graph=True)
    loss, _ = term(positives=50_000).of_output(output, prototypes, torch.Generator().manual_seed(0))
    (sampled,) = torch.autograd.grad(loss, output.query)
    torch.testing.assert_close(sampled, expected, atol=0.02 * expected.abs().max().item(), rtol=0)


def test_exact_positives_all_pass_the_rank_filter() -> None:
    output, prototypes = cloud(4)
    halp = term(estimator="exact", interval="paper", hardness=1.0, positives=64)
    limit = limits(output.key @ prototypes.T, prototypes @ prototypes.T)
    _, kept = halp.of_output(output, prototypes, torch.Generator().manual_seed(0))
    assert kept == 1
    selected, uniform = halp.draw(limit, torch.Generator().manual_seed(0))
    t = uniform.double() * limit.rank.gather(1, selected)
    assert keeps_rank(hallucinate(output.key, prototypes, selected, t), prototypes, limit.nearest).all()


@pytest.mark.parametrize(("interval", "low", "high"), [("paper", 0.0, 0.4), ("published", 0.3, 0.5)])
def test_step_sizes_cover_their_interval(interval: str, low: float, high: float) -> None:
    hardness = 0.8 if interval == "paper" else 0.4
    config = replace(GOLDEN_CONFIG.halp, interval=interval, hardness=hardness)
    t = step_size(torch.linspace(0, 1, 101)[None], torch.full((1, 101), 0.5), config)
    assert t.min().item() == pytest.approx(low) and t.max().item() == pytest.approx(high)
    hardest = step_size(torch.rand(1, 5), torch.full((1, 5), 0.5), replace(config, hardest=True))
    assert (hardest == 0.5).all()


def test_select_all_walks_toward_the_nearest_too_and_stays_at_the_key() -> None:
    output, prototypes = cloud(6)
    halp = term(select="all", positives=200)
    limit = limits(output.key @ prototypes.T, prototypes @ prototypes.T)
    selected, _ = halp.draw(limit, torch.Generator().manual_seed(0))
    assert (selected == limit.nearest[:, None]).double().mean().item() == pytest.approx(1 / 8, abs=0.02)
    assert set(selected.flatten().tolist()) == set(range(8))


def test_query_as_anchor_gets_no_gradient_through_the_positive() -> None:
    output, prototypes = cloud(7)
    loss, _ = term(anchor="query", estimator="expected").of_output(output, prototypes, torch.Generator())
    (gradient,) = torch.autograd.grad(loss, output.query)
    detached = output.query.detach()
    swapped = replace(output, key=detached)
    same, _ = term(anchor="key", estimator="expected").of_output(swapped, prototypes, torch.Generator())
    (expected,) = torch.autograd.grad(same, output.query)
    torch.testing.assert_close(gradient, expected)


def test_begins_late_and_never_before_enough_keys() -> None:
    halp = term(start=0.5, wait=2.0)
    assert not halp.is_active(moment(4, 10_000))
    assert halp.is_active(moment(5, 10_000))
    assert halp.is_active(moment(5, 2 * 96 + 1)) and not halp.is_active(moment(5, 2 * 96))
    assert halp.weight(moment(4)) == 0 and halp.weight(moment(5)) == halp.config.weight
    assert not term(newest=32).is_active(moment(0, 31))


def test_prototypes_are_ready_when_the_term_begins_and_refreshed_after() -> None:
    config = replace(GOLDEN_CONFIG, halp=replace(GOLDEN_CONFIG.halp, start=0.2, refresh=3), steps=10)
    method = fresh_method(config, Shape(load_layout("kinect20"), 1, 3)).train()
    halp = method.terms[1]
    assert isinstance(halp, HaLP)
    changed = []
    generator = torch.Generator().manual_seed(0)
    for step in range(9):
        at = Moment(step, 10, step * 16, generator)
        x = torch.randn(2, 16, 1, 8, 20, 3, generator=generator)
        before = halp.of_stream("joint").clone()
        output = method({"query": x[0], "key": x[1]}, torch.arange(16), at)
        assert ("halp" in output.values) == (step >= 2)
        method.after_step(output, torch.arange(16), at)
        if not torch.equal(before, halp.of_stream("joint")):
            changed.append(step + 1)
    assert changed == [2, 3, 6, 9]
    torch.testing.assert_close(halp.of_stream("joint").norm(dim=1), torch.ones(8))


def test_the_first_prototypes_owe_nothing_to_what_was_there_before() -> None:
    """A run that is forked, or one whose term begins late, may hold prototypes of nothing; later ones are a start."""
    config = replace(GOLDEN_CONFIG, halp=replace(GOLDEN_CONFIG.halp, start=0.5, refresh=1, warm_start=True))
    method = fresh_method(config, Shape(load_layout("kinect20"), 1, 3))
    streams, halp = method.stream_table(), method.terms[1]
    assert isinstance(halp, HaLP)
    keys = torch.randn(64, 128, generator=torch.Generator().manual_seed(1))[:, : halp.of_stream("joint").shape[1]]
    streams["joint"].queue.push(torch.nn.functional.normalize(keys, dim=1), torch.arange(64))

    def clustered(step: int, seed: int) -> Tensor:
        stale = torch.randn(halp.of_stream("joint").shape, generator=torch.Generator().manual_seed(seed))
        halp.of_stream("joint").copy_(torch.nn.functional.normalize(stale, dim=1))
        halp.after_step(streams, Moment(step, 10, 1000, torch.Generator().manual_seed(0)), 16)
        return halp.of_stream("joint").clone()

    assert torch.equal(clustered(4, seed=2), clustered(4, seed=3))  # the step before it begins
    assert not torch.equal(clustered(5, seed=2), clustered(5, seed=3))


def test_terms_toward_several_streams_are_averaged_and_streams_summed() -> None:
    names = ("joint", "motion", "bone")
    changes = replace(GOLDEN_CONFIG.halp, prototypes_from="direct", estimator="expected", start=0.0)
    halp = HaLP(replace(GOLDEN_CONFIG, streams=names, halp=changes))
    generator, unit = torch.Generator().manual_seed(5), torch.nn.functional.normalize
    outputs = {}
    for name in names:
        prototypes = halp.of_stream(name)
        prototypes.copy_(unit(torch.randn(prototypes.shape, generator=generator), dim=1))
        query, key, queue = (unit(torch.randn(n, prototypes.shape[1], generator=generator), dim=1) for n in (4, 4, 9))
        outputs[name] = StreamOutput(query, key, (query * key).sum(1), query @ queue.T, queue)
    loss, _ = halp(outputs, moment())
    expected = sum(
        halp.of_output(outputs[name], halp.of_stream(other), torch.Generator())[0].item() / 2
        for name in names
        for other in names
        if other != name
    )
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_fewer_keys_than_prototypes_is_refused() -> None:
    with pytest.raises(ConfigError, match="only 6 keys are clustered"):
        term(newest=6)
    with pytest.raises(ConfigError, match="only 4 keys"):
        HaLP(replace(GOLDEN_CONFIG, contrast=replace(GOLDEN_CONFIG.contrast, queue=4)))
