"""Data that any test may ask for: the real recordings, and a small labelled store made on the spot."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

# The tests' tensors are small: threads would only wait for each other, and results would depend on their number.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import pytest  # noqa: E402

from halpose.data.normalise import clean  # noqa: E402
from halpose.data.store import PART_CODES, Store, StoreWriter  # noqa: E402
from halpose.engine.trainer import train  # noqa: E402
from halpose.skeleton import Sequence, load_layout  # noqa: E402
from small import SMALL  # noqa: E402

TOY_CLASSES = ("raise left arm", "raise right arm", "wave both arms", "squat", "kick left", "meet")
TOY_SUBJECTS = tuple(f"s{i}" for i in range(1, 9))
TOY_PARTS = {"s6": "validation", "s7": "test", "s8": "test"}
CLIPS_PER_SUBJECT = 15

LEFT_ARM, RIGHT_ARM, LEFT_LEG = slice(5, 8), slice(9, 12), slice(13, 16)
# kinect20, standing, facing +z: left is +x, y is up, metres.
STANDING = np.array(
    [
        [0, 0.95, 0], [0, 1.1, 0], [0, 1.45, 0], [0, 1.65, 0],
        [0.18, 1.4, 0], [0.22, 1.15, 0], [0.24, 0.95, 0.03], [0.25, 0.87, 0.05],
        [-0.18, 1.4, 0], [-0.22, 1.15, 0], [-0.24, 0.95, 0.03], [-0.25, 0.87, 0.05],
        [0.1, 0.9, 0], [0.11, 0.5, 0.02], [0.11, 0.1, 0], [0.11, 0.05, 0.12],
        [-0.1, 0.9, 0], [-0.11, 0.5, 0.02], [-0.11, 0.1, 0], [-0.11, 0.05, 0.12],
    ]
)  # fmt: skip


@pytest.fixture(scope="session")
def halpose_data() -> Path:
    """The folder of real recordings named by HALPOSE_DATA."""
    folder = os.environ.get("HALPOSE_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("HALPOSE_DATA names no folder of recordings")
    return Path(folder)


@pytest.fixture(scope="session")
def toy_recordings() -> list[Sequence]:
    """120 raw recordings of 6 classes told apart by motion, 8 subjects; 20 to 60 frames, one or two people."""
    return list(toy_sequences(np.random.default_rng(7)))


@pytest.fixture(scope="session")
def toy_store(toy_recordings: list[Sequence], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy recordings as a store, with split x-sub."""
    path = tmp_path_factory.mktemp("toy") / "toy-store"
    layout = load_layout("kinect20")
    with StoreWriter(path, layout=layout, people=2, name="toy", classes=TOY_CLASSES, synthetic=True) as writer:
        for sequence in toy_recordings:
            writer.append(clean(sequence, people=2))
        parts = [PART_CODES[TOY_PARTS.get(sequence.subject, "train")] for sequence in toy_recordings]
        writer.set_split("x-sub", np.array(parts))
    return path


@pytest.fixture(scope="session")
def store(toy_store: Path) -> Store:
    """The toy store, opened."""
    return Store.open(toy_store)


@pytest.fixture(scope="session")
def toy_run(toy_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two streams after four steps on the toy store, for whatever comes after training."""
    path = tmp_path_factory.mktemp("toy") / "toy-run"
    config = replace(SMALL, method="halp", streams=("joint", "motion"), steps=4)
    train(Store.open(toy_store), config, path, device="cpu")
    return path


@pytest.fixture(scope="session")
def standing() -> np.ndarray:
    """One upright pose, (20, 3), kinect20, metres, facing +z."""
    return STANDING.copy()


def toy_sequences(rng: np.random.Generator) -> Iterator[Sequence]:
    """The recordings of the toy store, raw: sensor noise, missing joints, another direction each."""
    for number, subject in enumerate(TOY_SUBJECTS):
        size, speed = rng.uniform(0.85, 1.15), rng.uniform(0.8, 1.2)
        for take in range(CLIPS_PER_SUBJECT):
            label = (take + number) % len(TOY_CLASSES)
            frames = int(rng.integers(20, 61))
            time = np.linspace(0, 1, frames) ** speed
            people = [_act(label, time, rng) * size]
            if TOY_CLASSES[label] == "meet":
                people.append(people[0] * [-1, 1, -1] + [0, 0, 1.6])
            positions = np.stack(people) @ _turn(rng.uniform(-np.pi, np.pi)).T + [0, 0, 3]
            positions += rng.normal(0, 0.005, positions.shape)
            positions[rng.random(positions.shape[:-1]) < 0.01] = np.nan
            yield Sequence(
                positions.astype(np.float32),
                layout="kinect20",
                name=f"{subject}_take{take:02d}",
                label=label,
                subject=subject,
                camera=take % 3,
                people=tuple("ab"[: len(people)]),
                fps=30.0,
            )


def _act(label: int, time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One actor: (T, V, C)."""
    x = np.repeat(STANDING[None], len(time), axis=0)
    strength = rng.uniform(0.8, 1.2)
    bump = strength * np.sin(np.pi * time)[:, None]
    if label in (0, 2):
        x[:, LEFT_ARM, 1] += bump * [0.2, 0.6, 0.8]
    if label in (1, 2):
        x[:, RIGHT_ARM, 1] += bump * [0.2, 0.6, 0.8]
    if label == 2:
        wave = 0.2 * np.sin(6 * np.pi * time)[:, None]
        x[:, LEFT_ARM, 0] += wave * [0, 0.5, 1]
        x[:, RIGHT_ARM, 0] -= wave * [0, 0.5, 1]
    if label == 3:
        x[:, :13, 1] -= 0.35 * bump
        x[:, 16, 1] -= 0.35 * bump[:, 0]
        x[:, [13, 17], 2] += 0.25 * bump
    if label == 4:
        x[:, LEFT_LEG, 2] += bump * [0.2, 0.5, 0.6]
        x[:, LEFT_LEG, 1] += bump * [0.1, 0.3, 0.35]
    if label == 5:
        x[..., 2] += 0.6 * time[:, None]
        x[:, RIGHT_ARM, 2] += bump * [0.1, 0.25, 0.35]
    return x


def _turn(angle: float) -> np.ndarray:
    """Rotation about the vertical."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
