"""The methods that HaLP is compared with, each against a slow second formulation."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from halpose.config import (
    AimclrConfig,
    BarlowConfig,
    Config,
    ContrastConfig,
    CrosclrConfig,
    HalpConfig,
    MulticropConfig,
)
from halpose.engine.run import Shape, fresh_method
from halpose.errors import ConfigError
from halpose.methods import METHODS
from halpose.methods.aimclr import ExtremeViews, MinedInfoNCE
from halpose.methods.barlow import Barlow
from halpose.methods.base import Moment, StreamOutput
from halpose.methods.crosclr_b import CrossStream
from halpose.methods.halp import HaLP
from halpose.methods.isc import InterSkeleton
from halpose.methods.multicrop import MultiCrop
from halpose.parts.prototypes import group_means
from halpose.parts.stream import SiameseStream
from halpose.skeleton import load_layout

CONFIG = Config(
    streams=("joint", "motion", "bone"),
    contrast=ContrastConfig(embedding=6, temperature=0.2, queue=12),
    crosclr=CrosclrConfig(mine_after=0.5, mined=2),
    aimclr=AimclrConfig(mine_after=0.5, mined=2),
    halp=HalpConfig(start=0.0, newest=12, prototypes=3),
)
LATE = Moment(9, 10, 900, torch.Generator())
EARLY = Moment(0, 10, 0, torch.Generator())


def unit(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(*shape, generator=generator, dtype=torch.float64), dim=-1)


def output(seed: int, extra: bool = False) -> StreamOutput:
    query, key, queue = unit(4, 6, seed=seed), unit(4, 6, seed=seed + 1), unit(12, 6, seed=seed + 2)
    own = torch.zeros(4, 12, dtype=torch.bool)
    own[0, 3] = own[2, 7] = True
    more = {"extreme": unit(4, 6, seed=seed + 3), "dropped": unit(4, 6, seed=seed + 4)} if extra else {}
    return StreamOutput(query, key, (query * key).sum(1), query @ queue.T, queue, own, extra=more)


def outputs() -> dict[str, StreamOutput]:
    return {name: output(10 * i) for i, name in enumerate(CONFIG.streams)}


def row(one: StreamOutput, i: int, query: Tensor | None = None) -> list[float]:
    """Similarities of one query to its key and to what may be its negative."""
    q = one.query[i] if query is None else query[i]
    return [float(q @ one.key[i]), *(float(q @ k) for k, own in zip(one.queue, one.own[i], strict=True) if not own)]


def nearest(values: list[float], count: int) -> list[int]:
    return sorted(range(len(values)), key=lambda j: -values[j])[:count]


def mean_log(values: list[float], positives: list[int]) -> float:
    total = sum(math.exp(v / 0.2) for v in values)
    return -sum(math.log(math.exp(values[j] / 0.2) / total) for j in positives) / len(positives)


def test_crosclr_before_mining_is_info_nce_of_each_stream() -> None:
    made = outputs()
    loss, _ = CrossStream(CONFIG)(made, EARLY)
    slow = sum(mean_log(row(one, i), [0]) / 4 for one in made.values() for i in range(4))
    assert loss.item() == pytest.approx(slow, rel=1e-12)


@pytest.mark.parametrize("context", [True, False])
def test_crosclr_takes_the_teachers_neighbours_as_positives(context: bool) -> None:
    made = outputs()
    loss, _ = CrossStream(replace(CONFIG, crosclr=replace(CONFIG.crosclr, context=context)))(made, LATE)
    slow = 0.0
    for name, student in made.items():
        for other, teacher in made.items():
            if name == other:
                continue
            for i in range(4):
                values, taught = row(student, i), row(teacher, i)
                places = [1 + j for j in nearest(taught[1:], 2)]
                positives = [0, *places]
                if context:
                    # The product of the similarities beside each entry, positive where the entry is.
                    positives += [len(values) - 1 + place for place in places]
                    values = values + [a * b for a, b in zip(values[1:], taught[1:], strict=True)]
                slow += mean_log(values, positives) / 4 / 2
    assert loss.item() == pytest.approx(slow, rel=1e-10)


def test_isc_contrasts_every_ordered_pair() -> None:
    made = outputs()
    loss, metrics = InterSkeleton(CONFIG)(made, EARLY)
    slow, hits = 0.0, 0
    for one in made.values():
        for other in made.values():
            if one is other:
                continue
            for i in range(4):
                values = row(replace(one, key=other.key, queue=other.queue), i)
                slow += mean_log(values, [0]) / 4 / 2
                hits += values[0] > max(values[1:])
    assert loss.item() == pytest.approx(slow, rel=1e-10)
    assert metrics["accuracy"].item() == pytest.approx(hits / 24)


def test_aimclr_mines_with_all_three_queries() -> None:
    made = output(0, extra=True)
    term = MinedInfoNCE(CONFIG)
    loss, _ = term({"joint": made}, LATE)
    slow = 0.0
    for i in range(4):
        queries = (made.query, made.extra["extreme"], made.extra["dropped"])
        found = {1 + j for query in queries for j in nearest(row(made, i, query)[1:], 2)}
        slow += mean_log(row(made, i), [0, *sorted(found)]) / 4
    assert loss.item() == pytest.approx(slow, rel=1e-10)
    early, _ = term({"joint": made}, EARLY)
    assert early.item() == pytest.approx(sum(mean_log(row(made, i), [0]) for i in range(4)) / 4, rel=1e-10)


def test_aimclr_extreme_views_see_what_the_normal_one_sees() -> None:
    made = output(5, extra=True)
    loss, _ = ExtremeViews(CONFIG)({"joint": made}, EARLY)
    slow = 0.0
    for i in range(4):
        reference = [math.exp(v / 0.2) for v in row(made, i)]
        for name in ("extreme", "dropped"):
            values = row(made, i, made.extra[name])
            total = sum(math.exp(v / 0.2) for v in values)
            slow -= sum(
                p / sum(reference) * (v / 0.2 - math.log(total)) for p, v in zip(reference, values, strict=True)
            )
    assert loss.item() == pytest.approx(slow / 4 / 2, rel=1e-10)


def test_the_extreme_view_is_the_normal_one_and_more() -> None:
    config = replace(CONFIG, views=replace(CONFIG.views, yaw=7.0))
    extreme = ExtremeViews(config).views["extreme"]
    assert extreme.yaw == 7.0
    assert (extreme.tilt, extreme.reverse, extreme.blur, extreme.mask_axis) == (30.0, 0.5, 0.5, 0.5)


def test_further_crops_look_for_the_key_of_their_clip() -> None:
    term = MultiCrop(CONFIG)
    made = {name: output(10 * i) for i, name in enumerate(CONFIG.streams)}
    for i, one in enumerate(made.values()):
        one.extra.update({name: unit(4, 6, seed=90 + 2 * i + j) for j, name in enumerate(term.views)})
    loss, metrics = term(made, EARLY)
    slow, hits = 0.0, 0
    for one in made.values():
        for query in (one.query, *one.extra.values()):
            slow += sum(mean_log(row(one, i, query), [0]) for i in range(4)) / 4 / 3
        hits += sum(values[0] > max(values[1:]) for values in (row(one, i) for i in range(4)))
    assert loss.item() == pytest.approx(slow, rel=1e-10)
    assert metrics["accuracy"].item() == pytest.approx(hits / 12)


def test_further_crops_are_the_queries_own_network_and_views() -> None:
    config = replace(CONFIG, method="multicrop", multicrop=MulticropConfig(views=3, crop=(0.2, 0.3)))
    method = fresh_method(config, Shape(load_layout("kinect20"), 1, 3)).eval()
    assert method.further_views() == {f"crop_{i}": replace(config.views, crop=(0.2, 0.3)) for i in range(3)}
    stream, term = method.stream_table()["joint"], method.term_list()[0]
    views = {name: torch.randn(4, 1, 12, 20, 3, generator=LATE.generator) for name in method.further_views()}
    found = term.embed(stream, views)
    for name, view in views.items():
        torch.testing.assert_close(found[name], stream.query(view))
        assert found[name].requires_grad, "the key branch would give the same numbers at first"


def test_barlow_is_numpys_correlation_of_every_stream() -> None:
    config = replace(CONFIG, barlow=BarlowConfig(off_diagonal=0.03))
    made, slow = {}, 0.0
    for seed, name in enumerate(CONFIG.streams):
        one = output(10 * seed)
        generator = torch.Generator().manual_seed(seed)
        projections = torch.randn(2, 20, 6, generator=generator, dtype=torch.float64) * torch.arange(1, 7) + 3
        made[name] = replace(one, projections=projections)
        correlation = np.corrcoef(*projections.numpy(), rowvar=False)[:6, 6:]
        off = (correlation**2).sum() - (np.diag(correlation) ** 2).sum()
        slow += (((1 - np.diag(correlation)) ** 2).sum() + 0.03 * off) / 6
    assert Barlow(config)(made, EARLY)[0].item() == pytest.approx(slow, rel=1e-10)


def test_halp_on_barlow_is_halp_on_simclr_of_standardised_projections() -> None:
    values = []
    for name in ("halp_barlow", "halp_simclr"):
        config = replace(CONFIG, method=name, halp=replace(CONFIG.halp, estimator="sampled", placement="inside"))
        method = fresh_method(config, Shape(load_layout("kinect20"), 1, 3)).eval()
        halp = method.term_list()[1]
        for seed, buffer in enumerate(halp.buffers()):
            buffer.copy_(unit(3, 6, seed=seed))
        for stream in method.stream_table().values():
            assert isinstance(stream, SiameseStream) and stream.is_standardised is (name == "halp_barlow")
            stream.is_standardised = True
        x = torch.randn(2, 8, 1, 12, 20, 3, generator=torch.Generator().manual_seed(1))
        moment = Moment(9, 10, 900, torch.Generator().manual_seed(2))
        values.append(method({"query": x[0], "key": x[1]}, torch.arange(8), moment).values)
    assert torch.equal(values[0]["halp"], values[1]["halp"]) and values[0]["halp"] != 0
    assert torch.equal(values[0]["loss"], values[0]["barlow"] + values[0]["halp"])


def test_carried_prototypes_are_the_other_streams_groups_in_this_streams_space() -> None:
    config = replace(CONFIG, streams=("joint", "motion"), halp=replace(CONFIG.halp, prototypes_from="carried"))
    method = fresh_method(replace(config, method="halp"), Shape(load_layout("kinect20"), 1, 3))
    streams, term = method.stream_table(), method.terms[1]
    assert isinstance(term, HaLP)
    for seed, stream in enumerate(streams.values()):
        keys = torch.nn.functional.normalize(unit(12, 6, seed=seed) + 2 * torch.eye(6)[0], dim=1)
        stream.queue.push(keys.float(), torch.arange(12))
    term.after_step(streams, Moment(4, 10, 100, torch.Generator().manual_seed(0)), 4)
    group = (streams["motion"].queue.keys @ term.of_stream("motion").T).argmax(1)
    for number in set(group.tolist()):
        points = streams["joint"].queue.keys[group == number].double()
        mean = term.of_stream("joint", "motion")[number].double()
        # The Riemannian mean is where the logarithms of the points cancel.
        cosine = (points @ mean).clamp(-1, 1)
        angle = torch.acos(cosine)
        tangent = (angle / torch.sin(angle).clamp_min(1e-9))[:, None] * (points - cosine[:, None] * mean)
        assert tangent.sum(0).norm() < 1e-4 * len(points), number
    assert len(term.sources("joint")) == 1


def test_a_group_without_a_point_gets_the_mean_of_all() -> None:
    points = unit(5, 4, seed=3)
    member = torch.zeros(5, 2, dtype=torch.float64)
    member[:, 0] = 1
    means = group_means(points, member)
    torch.testing.assert_close(means[0], means[1])


@pytest.mark.parametrize("toward", ["query", "own"])
def test_walks_to_the_query_and_to_the_own_prototype(toward: str) -> None:
    config = replace(CONFIG, halp=replace(CONFIG.halp, toward=toward, estimator="sampled", positives=5, hardness=0.6))
    made, prototypes = output(3), unit(3, 6, seed=0)
    made = replace(made, query=made.query.clone().requires_grad_())
    loss, kept = HaLP(config).of_output(made, prototypes, torch.Generator().manual_seed(4))
    t = 0.6 * torch.rand(4, 5, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    slow = 0.0
    for i in range(4):
        k, q = made.key[i], made.query[i].detach()
        own = max(range(3), key=lambda n: float(k @ prototypes[n]))
        goal = q if toward == "query" else prototypes[own]
        omega = math.acos(float(k @ goal))
        for share in t[i].tolist():
            point = (math.sin((1 - share) * omega) * k + math.sin(share * omega) * goal) / math.sin(omega)
            assert float(point.norm()) == pytest.approx(1)
            if toward == "own":
                assert int((prototypes @ point).argmax()) == own  # a cell is convex: nothing to filter
            slow -= float(point @ q) / 0.2 / 20
    assert loss.item() == pytest.approx(slow, rel=1e-10)
    assert kept == 1


@pytest.mark.parametrize("method", ["isc", "crosclr_b", "cmd"])
def test_methods_between_streams_ask_for_more_than_one(method: str) -> None:
    with pytest.raises(ConfigError, match="streams has only joint; try --set streams="):
        METHODS[method](replace(CONFIG, method=method, streams=("joint",)))


def test_prototypes_of_other_streams_need_other_streams() -> None:
    with pytest.raises(ConfigError, match=r"halp\.prototypes_from is 'carried', but streams has only joint"):
        HaLP(replace(CONFIG, streams=("joint",), halp=replace(CONFIG.halp, prototypes_from="carried")))
