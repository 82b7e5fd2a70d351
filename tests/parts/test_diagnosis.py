"""What is measured beside a training: against loops and gradients on paper; and the training never knows of it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from halpose.config import Config
from halpose.engine.run import Shape, fresh_method
from halpose.methods import Method, base
from halpose.methods.base import Moment, Output
from halpose.parts.diagnosis import alignment, uniformity
from halpose.skeleton import load_layout
from small import SMALL

CONFIG = replace(SMALL, streams=("joint", "motion"), halp=replace(SMALL.halp, start=0.0, refresh=1))
CASES = ["halp", "pull", "halp_cmd", "halp_simclr", "halp_barlow", "aimclr", "multicrop"]


def build(config: Config) -> Method:
    return fresh_method(config, Shape(load_layout("kinect20"), 1, 3)).train()


def step(method: Method, number: int) -> Output:
    generator = torch.Generator().manual_seed(number)
    names = ("query", "key", *method.further_views())
    x = torch.randn(len(names), 8, 1, 12, 20, 3, generator=generator)
    moment = Moment(number, 10, 8 * number, generator)
    output: Output = method(dict(zip(names, x, strict=True)), torch.arange(8), moment)
    method.zero_grad()
    output.loss.backward()
    with torch.no_grad():
        for _, parameter in method.query_parameters():
            parameter.sub_(0.05 * parameter.grad)
    method.after_step(output, torch.arange(8), moment)
    return output


@pytest.mark.parametrize("name", CASES)
def test_training_is_the_same_to_the_bit(name: str) -> None:
    config = replace(CONFIG, method=name, halp=replace(CONFIG.halp, estimator="sampled"))
    plain, diagnosed = build(config), build(replace(config, diagnose=True))
    for number in range(4):
        ours, theirs = step(diagnosed, number).values, step(plain, number).values
        assert {"alignment", "uniformity"} <= set(ours) - set(theirs)
        for key, value in theirs.items():
            assert torch.equal(ours[key], value), key
    for key, value in plain.state_dict().items():
        assert torch.equal(diagnosed.state_dict()[key], value), key
    shares = {key: float(value) for key, value in ours.items() if key.startswith("share.")}
    assert set(shares) == {f"share.{term.name}" for term in plain.term_list()[1:]}
    assert all(0 <= share < 1 for share in shares.values())
    assert name == "aimclr" or all(share > 0 for share in shares.values())


def test_off_it_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "diagnose", None)
    step(build(replace(CONFIG, method="halp")), 0)


def test_alignment_and_uniformity_as_the_paper_writes_them() -> None:
    generator = torch.Generator().manual_seed(0)
    query, key = torch.nn.functional.normalize(torch.randn(2, 7, 5, generator=generator, dtype=torch.float64), dim=2)
    x, y = query.numpy(), key.numpy()
    assert alignment(query, key).item() == pytest.approx(
        sum(2 - 2 * float(a @ b) for a, b in zip(x, y, strict=True)) / 7
    )
    pairs = [math.exp(-2 * float(((a - b) ** 2).sum())) for i, a in enumerate(x) for b in x[:i]]
    assert uniformity(query).item() == pytest.approx(math.log(sum(pairs) / len(pairs)))
    assert uniformity(query[:1].expand(4, -1)) == 0 and uniformity(query[:1]) == 0
    spread = torch.nn.functional.normalize(torch.randn(600, 400, generator=generator, dtype=torch.float64), dim=1)
    assert uniformity(spread).item() == pytest.approx(-4, abs=0.05)
    assert alignment(spread[:300], spread[300:]).item() == pytest.approx(2, abs=0.05)


def test_the_share_of_the_gradient_on_paper() -> None:
    """The pull beside InfoNCE: its gradient is -mu k / tau, that of InfoNCE the expected key minus the own one."""
    config = replace(CONFIG, method="pull", diagnose=True, halp=replace(CONFIG.halp, weight=0.3))
    method = build(config).double()
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(2, 8, 1, 12, 20, 3, generator=generator, dtype=torch.float64)
    views = {"query": x[0], "key": x[1]}
    values = method(views, torch.arange(8), Moment(5, 10, 999, generator)).values
    pulls, contrasts, near, spread = 0.0, 0.0, [], []
    for name, stream in method.stream_table().items():
        output = stream(method.form(x[0], name), method.form(x[1], name), torch.arange(8))
        near.append(alignment(output.query, output.key).item())
        spread.append(uniformity(output.query).item())
        for q, k in zip(output.query.detach().numpy(), output.key.numpy(), strict=True):
            every = np.vstack([k, output.queue.numpy()])  # nothing of these clips is in the queue yet
            chance = np.exp(every @ q / 0.1)
            contrasts += float((((chance / chance.sum()) @ every - k) ** 2).sum())
            pulls += float(((0.3 * k) ** 2).sum())
    share = math.sqrt(pulls) / (math.sqrt(pulls) + math.sqrt(contrasts))
    assert values["share.pull"].item() == pytest.approx(share, rel=1e-9)
    assert values["alignment"].item() == pytest.approx(np.mean(near)) and np.mean(near) > 0
    assert values["uniformity"].item() == pytest.approx(np.mean(spread))


def test_both_views_of_siamese_streams_are_measured_apart() -> None:
    method = build(replace(CONFIG, method="simclr", streams=("joint",), diagnose=True))
    x = torch.randn(2, 8, 1, 12, 20, 3, generator=torch.Generator().manual_seed(1))
    values = method({"query": x[0], "key": x[1]}, torch.arange(8), Moment(0, 10, 0, torch.Generator())).values
    found = [uniformity(method.stream_table()["joint"].query(view)).item() for view in x]
    assert values["uniformity"].item() == pytest.approx(sum(found) / 2, rel=1e-5)
    assert not any(name.startswith("share.") for name in values)
