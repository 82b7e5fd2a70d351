"""`halpose bench`: a card for people, the same for scripts, kept where it is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from terminal import halpose

from halpose.bench import card, growth
from halpose.bench.card import published_sizes
from halpose.config import Config
from halpose.settings import override_text

SMALL = ("data.frames=16", "encoder.layers=1", "contrast.queue=64", "halp.newest=16", "halp.prototypes=4")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes of milliseconds, and one axis."""

    def small(hidden: int, batch: int) -> Config:
        return override_text(published_sizes(hidden, batch), (*SMALL, "halp.refresh=1"))

    monkeypatch.setattr(card, "published_sizes", small)
    monkeypatch.setattr(card, "_CLIPS", 16)
    monkeypatch.setattr("halpose.bench.floor._SECONDS", 0.01)
    monkeypatch.setattr(growth, "_CLIPS", 16)
    monkeypatch.setattr(growth, "_ROUNDS", 1)
    monkeypatch.setattr(growth, "AXES", growth.AXES[1:2])
    monkeypatch.setattr("halpose.bench.ranks.cores", lambda: 1)


def test_the_same_for_people_for_scripts_and_in_a_file(tmp_path: Path) -> None:
    words = (
        "bench",
        "--hidden",
        8,
        "--batch",
        8,
        "--steps",
        1,
        "--device",
        "cpu",
        "--out",
        tmp_path / "a" / "card.json",
    )
    outcome = halpose(*words, "--curves", tmp_path / "b" / "curves.svg", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.out.count("\n") == 1
    assert json.loads((tmp_path / "a" / "card.json").read_text()) == outcome.json
    assert outcome.json["sizes"]["hidden"] == 8 and outcome.json["sizes"]["batch"] == 8
    assert [curve["axis"] for curve in outcome.json["curves"]] == ["frames"]
    assert "ranks are left out, of which two are the least: 1 core" in outcome.err
    assert (tmp_path / "b" / "curves.svg").read_text().startswith("<svg")
    people = halpose("bench", "--hidden", 8, "--batch", 8, "--steps", 1, "--device", "cpu")
    assert people.code == 0 and "halp_cmd" in people.out and "Projected, not run" in people.out
    assert "curves" not in people.out and not list(tmp_path.glob("*.json"))
    assert max(map(len, people.out.splitlines())) <= 80


def test_misuse() -> None:
    halpose("bench", "--batch", 1).fails("1 is not in the range x>=2")
    halpose("bench", "--device", "gpu").fails("--device gpu: no such device")
