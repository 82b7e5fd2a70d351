"""CMD and HaLP + CMD: the published objective to the last digit, and a float64 witness of the distillation."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from golden_state import GOLDEN_CONFIG, golden_state
from halpose.config import DistillationConfig
from halpose.engine.exchange import prototype_names
from halpose.engine.published import all_names, to_ours
from halpose.engine.run import Shape, fresh_method
from halpose.errors import ConfigError
from halpose.losses import neighbour_distillation
from halpose.methods.base import Moment
from halpose.methods.halp import HaLP
from halpose.parts.geodesic import Limits
from halpose.skeleton import MODALITIES, load_layout

GOLDEN = Path(__file__).parent.parent / "golden" / "halp_cmd_objective.npz"
CONFIG = replace(GOLDEN_CONFIG, method="halp_cmd", streams=MODALITIES, distillation=DistillationConfig(neighbours=24))


def test_published_objective(monkeypatch: pytest.MonkeyPatch) -> None:
    golden = dict(np.load(GOLDEN))
    method = fresh_method(CONFIG, Shape(load_layout("kinect25"), 2, 3)).train()
    state = method.state_dict()
    state |= to_ours(golden_state(golden), all_names(MODALITIES, 3, prototype_names(method)))
    method.load_state_dict(state)
    draws = iter(range(3))

    def draw(self: HaLP, limit: Limits, *of_ranks: object) -> tuple[Tensor, Tensor]:
        number = next(draws)
        rising = torch.argsort(torch.cos(limit.omega), dim=1)
        chosen = rising.gather(1, torch.from_numpy(golden[f"choice_{number}"]))
        return chosen, torch.from_numpy(golden[f"uniform_{number}"]).view(6, 7) / CONFIG.halp.hardness

    monkeypatch.setattr(HaLP, "draw", draw)
    for stream in method.stream_table().values():
        stream.move_key()
    views = [torch.from_numpy(golden[name]).permute(0, 4, 2, 3, 1) for name in ("x_query", "x_key")]
    output = method(
        dict(zip(("query", "key"), views, strict=True)), torch.arange(6), Moment(0, 10, 10_000, torch.Generator())
    )
    for modality in MODALITIES:
        expected = float(golden[f"loss_infonce_{modality}"])
        assert output.values[f"infonce.{modality}"].item() == pytest.approx(expected, rel=1e-5)
    assert output.values["cmd"].item() == pytest.approx(float(golden["loss_cmd"]), rel=1e-5)
    assert output.values["halp"].item() == pytest.approx(float(golden["loss_halp"]), rel=1e-4)
    assert output.loss.item() == pytest.approx(float(golden["loss_total"]), rel=1e-5)
    method.stream_table()["joint"].queue.push(output.keys["joint"], torch.arange(6))
    torch.testing.assert_close(method.stream_table()["joint"].queue.keys.T, torch.from_numpy(golden["queue_after"]))


def test_distillation_as_the_paper_writes_it() -> None:
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.rand(4, 10, generator=generator, dtype=torch.float64) for _ in range(2))
    slow = 0.0
    for s, t in zip(student.tolist(), teacher.tolist(), strict=True):
        nearest = sorted(range(10), key=lambda j: -t[j])[:6]
        p = [math.exp(t[j] / 0.05) for j in nearest]
        q = [math.exp(s[j] / 0.1) for j in nearest]
        p, q = [v / sum(p) for v in p], [v / sum(q) for v in q]
        slow += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)) / 4
    assert neighbour_distillation(student, teacher, 6, 0.1, 0.05).item() == pytest.approx(slow, rel=1e-10)


def test_entries_left_out_by_the_teacher_teach_nothing() -> None:
    generator = torch.Generator().manual_seed(1)
    student, teacher = (torch.rand(4, 10, generator=generator) for _ in range(2))
    teacher[:, :3] = -math.inf
    ours = neighbour_distillation(student, teacher, 10, 0.1, 0.05)
    assert ours.isfinite()
    target = torch.softmax(teacher[:, 3:] / 0.05, 1)
    found = torch.log_softmax(student / 0.1, 1)[:, 3:]
    torch.testing.assert_close(ours, torch.nn.functional.kl_div(found, target, reduction="batchmean"))


def test_one_stream_cannot_distil() -> None:
    with pytest.raises(ConfigError, match="streams has only joint; try --set streams=joint,motion,bone"):
        fresh_method(replace(CONFIG, streams=("joint",)), Shape(load_layout("kinect25"), 2, 3))
