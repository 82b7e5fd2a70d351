"""The card: operations counted as torch counts them, rates that follow from what was timed, projections named so."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
import torch
from rich.console import Console
from torch.utils.flop_counter import FlopCounterMode

from halpose.bench import card as cards
from halpose.bench import growth
from halpose.bench.card import EPOCHS, TRAINING, measure_card, published_sizes
from halpose.bench.card_table import card_table
from halpose.bench.floor import encoder_operations, matrix_rate, step_operations
from halpose.bench.growth import AXES, Axis, fit, measure_growth
from halpose.bench.growth_chart import growth_chart
from halpose.config import Config, EncoderConfig
from halpose.data.store import Store
from halpose.encoders.gru import GRU
from halpose.engine.run import Shape, fresh_method
from halpose.settings import override_text

CPU = torch.device("cpu")


@pytest.mark.parametrize(("layers", "reverse"), [(1, False), (3, False), (2, True)])
def test_operations_of_the_encoder_are_those_that_torch_counts(layers: int, reverse: bool) -> None:
    config = EncoderConfig(width=12, layers=layers, pooling="final" if reverse else "last", input_norm=True)
    encoder = GRU(30, config, reverse)
    with FlopCounterMode(display=False) as counter:
        encoder(torch.randn(5, 7, 1, 10, 3).permute(0, 2, 1, 3, 4))
    assert counter.get_total_flops() == 5 * encoder_operations(30, 12, layers, 7)


@pytest.mark.parametrize("norm", [True, False])
def test_operations_of_a_step_are_those_that_torch_counts(store: Store, small: Config, norm: bool) -> None:
    """Forward of both branches, backward of one, the queue's products: all of them matrix products that torch sees."""
    config = override_text(replace(small, method="moco"), (f"encoder.input_norm={str(norm).lower()}",))
    shape = Shape.of_store(store)
    stream = fresh_method(config, shape).stream_table()["joint"]
    x = torch.randn(config.batch_size, 2, config.data.frames, len(shape.layout), 3)
    queue = torch.randn(config.contrast.embedding, config.contrast.queue)
    with FlopCounterMode(display=False) as counter:
        with torch.no_grad():
            stream.key(x)
        (stream.query(x) @ queue).sum().backward()
    counted = step_operations(config, shape)
    assert counted == counter.get_total_flops()
    assert step_operations(replace(config, encoder=replace(config.encoder, name="stgcn")), shape) is None


def test_the_published_sizes_are_those_of_the_paper() -> None:
    config = published_sizes(1024)
    assert (config.batch_size, config.data.frames, config.contrast.queue) == (64, 64, 16384)
    assert (config.encoder.width, config.encoder.layers, config.halp.refresh) == (1024, 3, 5)


def test_the_rate_of_matrix_products_is_that_of_a_timed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("halpose.bench.floor._SECONDS", 0.0)
    clock = iter([0.0, 1.0, 3.0, 4.0, 5.0, 6.0, 6.5])
    monkeypatch.setattr("halpose.bench.floor.time.perf_counter", lambda: next(clock, 10.0))
    assert matrix_rate(CPU, size=4) == 2 * 4**3 / 0.5


def test_a_card_has_everything_and_says_what_is_projected(small: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "_CLIPS", 32)
    monkeypatch.setattr(cards, "TESTING", 64)
    monkeypatch.setattr(cards, "matrix_rate", lambda device, dtype: 1e9)
    monkeypatch.setattr(cards, "FEATURES", 16)
    told: list[str] = []
    card = measure_card(small, CPU, 1, True, lambda what, done, total: told.append(what))
    json.dumps(card, allow_nan=False)
    assert {"methods", "views", "embedding", "nearest neighbours"} <= set(told)
    rows = {row["method"]: row for row in card["steps"]}
    assert [rows[name]["paper"]["time"] for name in ("moco", "halp", "cmd", "halp_cmd")] == [1, 1.13, 3, 3.32]
    for row in rows.values():
        assert row["clips_per_second"] == pytest.approx(16 / (row["milliseconds"] / 1e3))
        share = row["share_of_floor"]["float32"]
        assert share == pytest.approx(row["operations"] / 1e9 / (row["milliseconds"] / 1e3))
    assert rows["cmd"]["operations"] == 3 * rows["moco"]["operations"]
    hours = card["projected"]["ntu60_xsub_450_epochs_hours"]["halp"]
    assert hours * 3600 * rows["halp"]["clips_per_second"] == pytest.approx(TRAINING * EPOCHS)
    embedding = card["embedding"]
    assert card["projected"]["ntu60_embedding_seconds"] == pytest.approx(
        (TRAINING + 64) / embedding["clips_per_second"]
    )
    assert embedding["clips_per_second_bfloat16"] > 0
    assert card["knn"]["queries"] == 64 and card["machine"]["threads"] == torch.get_num_threads()
    console = Console(width=80, force_terminal=False)
    for busy in (False, True):
        card["machine"] |= {"shared": busy, "load": 5.0}
        with console.capture() as capture:
            console.print(card_table(card))
        text = capture.get()
        assert "…" not in text and "3.32x" in text and "Projected, not run" in text
        rate = f"{card['embedding']['clips_per_second_bfloat16']:.0f} clips/s"
        assert ["in", "bfloat16", *rate.split()] in [line.split()[:4] for line in text.splitlines()]
        assert ("busy with other work" in text) == busy


class TestGrowth:
    def test_a_line_is_found_and_what_leaves_it_is_seen(self) -> None:
        axis = Axis("frames", (1, 2, 4, 8), "a + b T", lambda config, value: config)
        found = fit(axis, tuple(3 + 2 * value for value in axis.values))
        assert (found.constant, found.slope) == pytest.approx((3, 2)) and found.deviation < 1e-9
        assert fit(axis, tuple(value**2 + 1 for value in axis.values)).deviation > 0.2
        flat = fit(axis, (5.0, 5.2, 5.0, 4.9))
        assert flat.slope == 0 and flat.constant == pytest.approx(5, rel=0.02)
        steep = fit(axis, (1.0, 2.1, 4.5, 9.0))
        assert steep.constant == 0 and 1 < steep.slope < 1.2

    def test_ranks_follow_a_line_in_their_share_and_may_only_cost(self) -> None:
        axis = Axis("ranks", (1, 2, 4), "a + b / R", lambda config, value: config, is_shared=True)
        found = fit(axis, tuple(3 + 8 / value for value in axis.values))
        assert (found.constant, found.slope) == pytest.approx((3, 8)) and found.deviation < 1e-9
        assert [found.at(value) for value in axis.values] == pytest.approx([11, 7, 5])
        slower = fit(axis, tuple(9 - 2 / value for value in axis.values))
        assert (slower.constant, slower.slope) == pytest.approx((9, -2))
        picture = ET.fromstring(growth_chart([found], "On this machine"))
        (line,) = picture.iter("{http://www.w3.org/2000/svg}polyline")
        heights = [float(point.partition(",")[2]) for point in line.attrib["points"].split()]
        assert heights == sorted(heights) and len(heights) > 9  # it falls, and not in a straight line

    def test_every_axis_is_measured_and_drawn(self, small: Config, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(growth, "_ROUNDS", 1)
        monkeypatch.setattr(growth, "_CLIPS", 16)
        fewer = tuple(
            replace(axis, values={"clips": (16, 32), "joints": (15, 33), "queue": (32, 64)}.get(axis.name, (4, 8)))
            for axis in AXES
        )
        monkeypatch.setattr(growth, "AXES", fewer)
        monkeypatch.setattr("halpose.bench.ranks.cores", lambda: 1)  # with ranks: test_ranks.py
        curves = measure_growth(small, CPU)
        assert [curve.axis for curve in curves] == [axis.name for axis in AXES]
        assert all(math.isfinite(curve.deviation) and min(curve.seconds) > 0 for curve in curves)
        picture = ET.fromstring(growth_chart(curves, "On <this> machine"))
        circles = picture.iter("{http://www.w3.org/2000/svg}circle")
        assert len(list(circles)) == 2 * len(AXES)
        for node in picture.iter("{http://www.w3.org/2000/svg}circle"):
            assert 0 < float(node.attrib["cx"]) < 320 and 0 < float(node.attrib["cy"]) < 220

    def test_what_an_axis_varies_is_what_its_name_says(self) -> None:
        config = published_sizes()
        for axis in AXES:
            varied = axis.vary(config, 7)
            found = (varied.data.frames, varied.contrast.queue, varied.halp.prototypes, varied.halp.positives)
            assert (7 in found) == (axis.name not in ("clips", "joints"))
            assert len(axis.formula) <= 52  # as wide as a panel of the picture
