"""NTU files with one fault each, made from a sound one by changing its text."""

from __future__ import annotations

import numpy as np

FRAMES = 40
_BODY = 27  # lines of a body: identity, number of joints, 25 joints


def skeleton_text(positions: np.ndarray, identities: list[list[int]]) -> str:
    """NTU text of (M, T, 25, 3) positions; `identities` says for each frame which number each person has."""
    lines = [str(positions.shape[1])]
    for frame, numbers in enumerate(identities):
        lines.append(str(len(positions)))
        for person, number in enumerate(numbers):
            lines += [f"{number} 0 1 1 1 1 0 0.1 0.2 2", "25"]
            lines += [" ".join(f"{x:.6f}" for x in joint) + " 0" * 8 + " 2" for joint in positions[person, frame]]
    return "\n".join(lines) + "\n"


def walkers(people: int = 1, frames: int = FRAMES, seed: int = 0) -> np.ndarray:
    """Upright people who swing their arms and legs, side by side: (M, T, 25, 3), metres."""
    rng = np.random.default_rng(seed)
    height = [
        0.95,
        1.2,
        1.5,
        1.65,
        1.4,
        1.15,
        0.95,
        0.9,
        1.4,
        1.15,
        0.95,
        0.9,
        0.9,
        0.5,
        0.1,
        0.05,
        0.9,
        0.5,
        0.1,
        0.05,
    ]
    height += [1.45, 0.85, 0.88, 0.85, 0.88]
    side = [0, 0, 0, 0, 0.18, 0.22, 0.24, 0.25, -0.18, -0.22, -0.24, -0.25, 0.1, 0.11, 0.11, 0.11, -0.1, -0.11]
    side += [-0.11, -0.11, 0, 0.26, 0.24, -0.26, -0.24]
    standing = np.stack([side, height, np.zeros(25)], axis=1)
    time = np.arange(frames)
    out = []
    for person in range(people):
        swing = 0.15 * np.sin(0.3 * time + person)[:, None, None] * rng.normal(size=(25, 3))
        place = np.stack([np.full(frames, 1.5 * person), np.zeros(frames), 3.5 - 0.01 * time], axis=1)
        out.append(standing + swing + place[:, None])
    return np.stack(out)


def sound(seed: int = 0) -> str:
    """One person throughout."""
    return skeleton_text(walkers(seed=seed), [[1]] * FRAMES)


def with_coordinate(text: str, value: str, frame: int = 5, joint: int = 7) -> str:
    """The same clip of one person with one x replaced."""
    lines = text.splitlines()
    at = 1 + frame * (1 + _BODY) + 3 + joint
    lines[at] = " ".join([value, *lines[at].split()[1:]])
    return "\n".join(lines) + "\n"


def long_clip(frames: int) -> str:
    """Two frames, in turn."""
    first, second = (skeleton_text(walkers(frames=1, seed=s), [[1]]).split("\n", 1)[1] for s in (0, 1))
    return f"{frames}\n" + (first + second) * (frames // 2)
