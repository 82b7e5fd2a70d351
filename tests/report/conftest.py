"""A page with everything on it, small and made up."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from halpose.report.animation import AnimatedClip
from halpose.report.embedding import Embedding
from halpose.report.page import Page

CLASSES = ["wave", "clap", "kick"]


@pytest.fixture
def result() -> dict[str, Any]:
    """One row of an evaluation, as `halpose evaluate --json` writes it."""
    return {
        "protocol": "knn",
        "features": "trained",
        "split": "x-sub",
        "part": "test",
        "top1": 0.9,
        "low": 0.85,
        "high": 0.93,
        "clips": 30,
        "classes": CLASSES,
        "confusion": [[9, 1, 0], [0, 10, 0], [2, 0, 8]],
        "settings": {"k": 1},
        "selected_on": "none",
        "best_on_test": None,
        "notes": [],
    }


@pytest.fixture
def clip(standing: np.ndarray) -> AnimatedClip:
    """A person who rises by half a metre in ten frames."""
    rise = np.linspace(0.0, 0.5, 10)[:, None, None] * np.array([0.0, 1.0, 0.0])
    return AnimatedClip((standing + rise)[None], "kinect20", "Rise", "subject 1", 30.0, "clip0")


@pytest.fixture
def page(result: dict[str, Any], clip: AnimatedClip) -> Page:
    """Every section, with something in it."""
    rng = np.random.default_rng(0)
    rows = [
        {"step": step, "loss": 5 - step / 100, "infonce": 5 - step / 90, "accuracy": step / 200, "kept": None}
        for step in range(0, 200, 10)
    ]
    rows = [row | ({"halp": -2.0, "kept": 0.9} if row["step"] >= 100 else {"halp": 0.0}) for row in rows]
    raw = result | {"features": "raw", "top1": 0.8, "low": 0.7, "high": 0.87}
    return Page(
        title="A run",
        subtitle="on made-up data",
        facts=[("Clips", "30"), ("Seed", "0")],
        curves=rows,
        results=[result, raw],
        embedding=Embedding(rng.normal(size=(30, 2)), np.arange(30) % 3, CLASSES, [f"clip{i}" for i in range(30)]),
        clips=[clip],
        notes=["Synthetic data."],
        next_steps=["halpose train STORE"],
    )


@pytest.fixture
def large_page(page: Page, standing: np.ndarray) -> Page:
    """As many points and clips as a real page has."""
    rng = np.random.default_rng(1)
    names = [f"clip{i}" for i in range(500)]
    moves = standing + rng.normal(0, 0.05, (2, 120, 1, 3)).cumsum(1)
    clips = [AnimatedClip(moves, "kinect20", f"Clip {i}", "", 30.0, names[i]) for i in range(6)]
    embedding = Embedding(rng.normal(size=(500, 2)), rng.integers(0, 27, 500), [f"class {k}" for k in range(27)], names)
    return dataclasses.replace(page, clips=clips, embedding=embedding)
